package session_test

import (
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/session"
)

// Two tenants, each with a provider, and their pages below /acme/ and /globex/. Who comes
// to a page of one without saying more signs in at its provider, and nobody sees it who is
// signed in at the other.
func ExampleProvider() {
	acme, globex := clienttest.New(nil), clienttest.New(&clienttest.Options{Issuer: "https://op.globex.example"})
	defer acme.Close()
	defer globex.Close()
	auth, err := session.New(nil, session.Config{
		Secrets: []string{"for tests only: 32 bytes or more"},
		Providers: []session.Provider{
			{Name: "acme", Label: "Acme Corp.", Client: exampleClient(acme, "/auth/acme/callback")},
			{Name: "globex", Label: "Globex", Client: exampleClient(globex, "/auth/globex/callback")},
		},
		ChooseProvider: func(r *http.Request) string {
			for _, name := range []string{"acme", "globex"} {
				if strings.HasPrefix(r.URL.Path, "/"+name+"/") {
					return name
				}
			}
			return "" // the provider of the session, or else people choose
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Routes(mux) // /auth/login lets people choose; /auth/login/acme does not ask
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		fmt.Fprintf(w, "hello, %s of %s\n", s.Subject(), s.Provider())
	})
	mux.Handle("/acme/", auth.Guard(session.FromProvider("acme"))(hello))
	mux.Handle("/globex/", auth.Guard(session.FromProvider("globex"))(hello))
	mux.Handle("/", auth.Require(hello)) // signed in anywhere

	alice := newVisitor("alice", acme, mux)
	alice.open("/acme/reports")
	alice.open("/")
	// Output:
	//   at the provider: sign in
	// /acme/reports -> 200 hello, alice of acme
	// / -> 200 hello, alice of acme
}

// GitHub has OAuth and no OpenID Connect. It stands beside the others all the same; what is
// weaker about it, client.NewOAuth says.
func ExampleProvider_gitHub() {
	gitHub, err := client.NewOAuth(client.OAuthConfig{
		Issuer:                "https://github.com/login/oauth",
		AuthorizationEndpoint: "https://github.com/login/oauth/authorize",
		TokenEndpoint:         "https://github.com/login/oauth/access_token",
		UserEndpoint:          "https://api.github.com/user",
		ClientID:              "...",
		ClientSecret:          "...",
		RedirectURL:           exampleURL + "/auth/github/callback",
	})
	if err != nil {
		log.Fatal(err)
	}
	google, err := client.New(client.Config{
		Issuer:       "https://accounts.google.com",
		ClientID:     "...",
		ClientSecret: "...",
		RedirectURL:  exampleURL + "/auth/google/callback",
	})
	if err != nil {
		log.Fatal(err)
	}
	auth, err := session.New(nil, session.Config{
		Secrets: []string{"for tests only: 32 bytes or more"},
		Providers: []session.Provider{
			{Name: "google", Label: "Google", Client: google},
			{Name: "github", Label: "GitHub", Client: gitHub},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/me", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		who := fmt.Sprintf("%s at %s", s.Subject(), s.Issuer()) // who it is, wherever that was
		var claims struct{ Login, Email string }                // what the provider says of them, which is not the same everywhere
		if err := s.Claims(&claims); err != nil {
			log.Print(err)
		}
		if s.Account() != nil {
			who += ", on GitHub " + claims.Login
		}
		fmt.Fprintln(w, who)
	})))
}

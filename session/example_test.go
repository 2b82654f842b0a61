package session_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
)

// A whole program.
func ExampleNew() {
	rp, err := client.New(client.Config{
		Issuer:       "https://accounts.google.com",
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		RedirectURL:  "http://localhost:8080/auth/callback",
	})
	if err != nil {
		log.Fatal(err)
	}
	auth, err := session.New(rp, session.Config{}) // Secrets in production
	if err != nil {
		log.Fatal(err)
	}
	auth.Routes(http.DefaultServeMux) // login, logout, and the callback at the redirect URL's path
	http.Handle("/", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s\n", session.From(r.Context()).Subject())
	})))
	log.Fatal(http.ListenAndServe("localhost:8080", nil))
}

// Only users with the claim may pass. A script that is not signed in gets a 401,
// with a reason it can read.
func ExampleManager_Guard() {
	admins := func(_ *http.Request, s *session.Session) error {
		var claims struct{ Groups []string }
		if err := s.Claims(&claims); err != nil {
			return err
		}
		if !slices.Contains(claims.Groups, "admins") {
			return errors.New("not an admin")
		}
		return nil
	}
	auth := exampleManager()
	handler := auth.Guard(admins)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "welcome")
	}))

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/admin", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 401 {"type":"about:blank","title":"Unauthorized","status":401,"detail":"Sign in first.","reason":"no-session","login":"/auth/login"}
}

// A page that calls an API in the name of the user. The token is refreshed when
// that is due, and once more if the API refuses it.
func ExampleSession_HTTPClient() {
	auth := exampleManager()
	http.Handle("/orders", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api, err := http.NewRequestWithContext(r.Context(), "GET", "https://api.example.com/orders", nil)
		if err != nil {
			http.Error(w, "sorry", http.StatusInternalServerError)
			return
		}
		resp, err := session.From(r.Context()).HTTPClient().Do(api)
		switch {
		case errors.Is(err, session.ErrSignIn):
			auth.Login(w, r, nil)
			return
		case err != nil:
			http.Error(w, "try again later", http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		fmt.Fprintln(w, resp.Status)
	})))
}

// A page for everybody, that greets a user who is signed in.
func ExampleManager_Load() {
	auth := exampleManager()
	handler := auth.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := session.From(r.Context()); s.SignedIn() {
			fmt.Fprintf(w, "hello, %s", s.Subject())
			return
		}
		fmt.Fprint(w, "hello, whoever you are")
	}))

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Body)
	// Output: hello, whoever you are
}

// A login route of the app's own, for users of one company.
func ExampleManager_Login() {
	auth := exampleManager()
	http.HandleFunc("/login/acme", func(w http.ResponseWriter, r *http.Request) {
		auth.Login(w, r, &session.LoginOptions{
			ReturnTo:  "/welcome",
			Authorize: &client.AuthorizeOptions{Extra: map[string][]string{"connection": {"acme"}}},
		})
	})
}

func exampleManager() *session.Manager {
	rp, err := client.New(client.Config{
		Issuer:      "https://op.example.com",
		ClientID:    "web",
		RedirectURL: "https://app.example.com/auth/callback",
	})
	if err != nil {
		log.Fatal(err)
	}
	auth, err := session.New(rp, session.Config{Secrets: []string{"ffUEBTQdDaGODM4E3y8xUVpl5TMdVdmg1zyRKJM7a+4="}})
	if err != nil {
		log.Fatal(err)
	}
	return auth
}

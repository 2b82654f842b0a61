// Formpost is a site without a client secret: the provider's answer is a signed ID token
// alone (response_type=id_token), which comes in a form that the browser posts here. There is
// no token request, hence nothing to keep secret, and no access token either. Where a program
// can keep a secret, the code flow of examples/web is better.
//
// That post comes from the provider's page, another site. Browsers send it along with a
// cookie only if that is SameSite=None, and take such a one only if it is Secure: so the site
// needs https. On a loopback address Chromium and Firefox make an exception, Safari does not.
// The session's own cookie is an ordinary one.
//
// "go run ./examples/formpost" brings its own provider along, and prints two addresses: of
// the site, and one to which a provider's page of apps would lead (third-party initiated
// login). With a provider of yours: ISSUER, CLIENT_ID, ADDRESS (of the site to browsers, behind
// what ends TLS; http://ADDR) and ADDR (to listen at; 127.0.0.1:8080). Register there ADDRESS
// with /auth/callback as the redirect URL, and with /auth/initiate as initiate_login_uri.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Getenv, os.Stdout); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

func run(ctx context.Context, env func(string) string, out io.Writer) error {
	ln, err := net.Listen("tcp", cmp.Or(env("ADDR"), "127.0.0.1:8080"))
	if err != nil {
		return err
	}
	defer ln.Close()
	address := cmp.Or(env("ADDRESS"), "http://"+ln.Addr().String())
	redirectURL := address + "/auth/callback"
	if env("ISSUER") == "" {
		if env, err = demo(ctx, redirectURL); err != nil {
			return err
		}
	}
	rp, err := client.New(client.Config{
		Issuer:      env("ISSUER"),
		ClientID:    env("CLIENT_ID"),
		RedirectURL: redirectURL,
	})
	if err != nil {
		return err
	}
	auth, err := session.New(rp, session.Config{
		Name: "postern-formpost",
		Authorize: func(*http.Request) (*client.AuthorizeOptions, error) {
			return &client.AuthorizeOptions{ResponseType: "id_token"}, nil // and so ResponseMode: "form_post"
		},
	})
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: handler(auth), ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	fmt.Fprintf(out, "open %s\nor come from elsewhere: %s/auth/initiate?%s\n", address, address, url.Values{
		"iss": {env("ISSUER")}, "login_hint": {"alice"}, "target_link_uri": {address + "/mail?unread"},
	}.Encode())
	return srv.Serve(ln)
}

func handler(auth *session.Manager) http.Handler {
	mux := http.NewServeMux()
	auth.Routes(mux)                                          // the callback takes POST too
	mux.Handle("/auth/initiate", auth.InitiateLoginHandler()) // most sites have none, so Routes leaves it out
	mux.Handle("/", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s: this is %s\n", session.From(r.Context()).Subject(), r.URL.RequestURI())
	})))
	return mux
}

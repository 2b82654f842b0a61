// Exchange is a service that trades tokens. Its own front end, an app or a page in a
// browser, starts a sign-in by itself and posts what came back to /call: the service
// trades the code, trades the user's access token for one for the next service (RFC 8693),
// and calls that. No token ever reaches the front end.
//
// "go run ./examples/exchange" brings its own provider and next service along, and prints
// a request to try. With those of yours: ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URL (of
// the front end), NEXT_URL (to GET), AUDIENCE (of its tokens; NEXT_URL) and ADDR (to
// listen at; localhost:8080).
package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/pkce"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Getenv, os.Stdout); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

func run(ctx context.Context, env func(string) string, out io.Writer) error {
	ln, err := net.Listen("tcp", cmp.Or(env("ADDR"), "localhost:8080"))
	if err != nil {
		return err
	}
	if env("ISSUER") == "" {
		if env, err = demo(ctx, "http://"+ln.Addr().String(), out); err != nil {
			return errors.Join(err, ln.Close())
		}
	}
	rp, err := client.New(client.Config{
		Issuer: env("ISSUER"), ClientID: env("CLIENT_ID"), ClientSecret: env("CLIENT_SECRET"), RedirectURL: env("REDIRECT_URL"),
	})
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	s := &service{rp: rp, next: env("NEXT_URL"), audience: cmp.Or(env("AUDIENCE"), env("NEXT_URL")), http: &http.Client{Timeout: 10 * time.Second}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /call", s.call)
	srv := &http.Server{Handler: http.MaxBytesHandler(mux, 64<<10), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	return srv.Serve(ln)
}

// login is what the front end made when it started the sign-in. It must keep state, nonce
// and verifier where no other site finds them, and post them with nobody's callback but
// its own: the service cannot tell.
func (s *service) login(form url.Values) (*client.Login, error) {
	created, err := time.Parse(time.RFC3339, form.Get("created"))
	if err != nil {
		return nil, err
	}
	return client.NewLogin(client.LoginSecrets{
		Issuer: s.rp.Issuer(), ClientID: s.rp.ClientID(), RedirectURL: s.rp.RedirectURL(),
		State: form.Get("state"), Nonce: form.Get("nonce"), Verifier: pkce.Verifier(form.Get("verifier")), Created: created,
		Scopes: []string{"openid", "notes"},
	})
}

// Stepup is a bank's site, where who is signed in has to show more for some pages: that they
// signed in just now, or with a second factor. One page calls an API that says by itself what
// it wants (RFC 9470). Whoever lacks something signs in once more, for that, and comes back to
// the same page.
//
// "go run ./examples/stepup" brings its own provider along; sign in as anybody. With one of
// yours, which knows an acr for a second factor, and gives access tokens of the type at+jwt for
// the API that an authorization request names (RFC 8707): ISSUER, CLIENT_ID, CLIENT_SECRET, ACR
// (mfa), ADDR (of the site; 127.0.0.1:8080, with /auth/callback the redirect URL) and API_ADDR
// (127.0.0.1:8081).
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
	"os"
	"os/signal"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
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
	siteListener, err := net.Listen("tcp", cmp.Or(env("ADDR"), "127.0.0.1:8080"))
	if err != nil {
		return err
	}
	defer siteListener.Close()
	apiListener, err := net.Listen("tcp", cmp.Or(env("API_ADDR"), "127.0.0.1:8081"))
	if err != nil {
		return err
	}
	defer apiListener.Close()
	address, apiAddress := "http://"+siteListener.Addr().String(), "http://"+apiListener.Addr().String()
	if env("ISSUER") == "" {
		if env, err = demo(ctx, address+"/auth/callback"); err != nil {
			return err
		}
	}
	rp, err := client.New(client.Config{
		Issuer: env("ISSUER"), ClientID: env("CLIENT_ID"), ClientSecret: env("CLIENT_SECRET"), RedirectURL: address + "/auth/callback",
	})
	if err != nil {
		return err
	}
	auth, err := session.New(rp, session.Config{
		Name: "postern-stepup",
		Authorize: func(*http.Request) (*client.AuthorizeOptions, error) {
			return &client.AuthorizeOptions{Resource: []string{apiAddress}}, nil
		},
	})
	if err != nil {
		return err
	}
	metadata, err := rp.Metadata(ctx) // of which the API needs the address of the keys
	if err != nil {
		return err
	}
	tokens := &jwtverify.Verifier{Issuer: env("ISSUER"), Audience: apiAddress, Keys: &jwtverify.RemoteKeys{URL: metadata.JWKSURI}}

	acr := cmp.Or(env("ACR"), "mfa")
	apiServer := &http.Server{Handler: newAPI(apiAddress, tokens, acr), ReadHeaderTimeout: 5 * time.Second}
	defer apiServer.Close()
	go apiServer.Serve(apiListener)
	srv := &http.Server{Handler: newSite(auth, apiAddress, acr), ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	fmt.Fprintf(out, "open %s\n", address)
	return srv.Serve(siteListener)
}

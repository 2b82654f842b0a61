// Api takes access tokens. "go run ./examples/api" brings its own provider along, and prints
// requests to try. With one of yours, of tokens of the type at+jwt (else set AccessTokenTypes):
// ISSUER, JWKS_URL (jwks_uri of its metadata), AUDIENCE (aud of its tokens; RESOURCE), RESOURCE
// (the address of the API; http://ADDR) and ADDR (to listen at; localhost:8080).
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

	"github.com/postern-go/postern/jwtverify"
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
	resource := cmp.Or(env("RESOURCE"), "http://"+ln.Addr().String())
	if env("ISSUER") == "" {
		if env, err = demo(ctx, resource, out); err != nil {
			return errors.Join(err, ln.Close())
		}
	}
	api := &jwtverify.Bearer{
		Tokens:   &jwtverify.Verifier{Issuer: env("ISSUER"), Audience: cmp.Or(env("AUDIENCE"), resource), Keys: &jwtverify.RemoteKeys{URL: env("JWKS_URL")}},
		Resource: resource,
		Metadata: jwtverify.ResourceMetadata{AuthorizationServers: []string{env("ISSUER")}, Scopes: []string{"notes"}},
	}
	stepUp := api.Guard(jwtverify.HasACR("mfa"), jwtverify.AuthenticatedWithin(5*time.Minute))
	mux := http.NewServeMux()
	api.Routes(mux) // where to get tokens for it
	mux.Handle("GET /notes", api.Require("notes")(http.HandlerFunc(notes)))
	mux.Handle("DELETE /notes", api.Require("notes")(stepUp(http.HandlerFunc(notes))))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	return srv.Serve(ln)
}

func notes(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s the notes of %s\n", r.Method, jwtverify.AccessTokenFrom(r.Context()).Subject)
}

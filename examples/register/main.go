// Register is a site that makes itself known to its provider, instead of somebody who
// clicks through a form there. "go run ./examples/register" brings its own provider along;
// sign in as anybody. With one of yours: ISSUER, FILE (keeps the registration; without it
// every run makes another client), TOKEN (the provider's permission to register, where
// it wants one), ADDR (to listen at; 127.0.0.1:8080).
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
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
	if env("ISSUER") == "" {
		if env, err = demo(ctx, env); err != nil {
			return err
		}
	}
	address := "http://" + ln.Addr().String()
	reg, err := registration(ctx, env, address+"/auth/callback")
	if err != nil {
		return err
	}
	cfg, err := reg.Config(client.Config{RedirectURL: address + "/auth/callback"})
	if err != nil {
		return err
	}
	rp, err := client.New(cfg)
	if err != nil {
		return err
	}
	auth, err := session.New(rp, session.Config{})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	auth.Routes(mux)
	mux.Handle("/", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s: this site is %s to its provider\n", session.From(r.Context()).Subject(), reg.ClientID)
	})))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	fmt.Fprintf(out, "open %s\n", address)
	return srv.Serve(ln)
}

// registration is that of an earlier run where there is one, and a new one where not.
func registration(ctx context.Context, env func(string) string, redirectURL string) (*client.Registration, error) {
	switch data, err := os.ReadFile(env("FILE")); {
	case err == nil:
		kept := &client.Registration{}
		return kept, kept.UnmarshalBinary(data)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	reg, err := client.Register(ctx, env("ISSUER"), client.RegistrationRequest{
		Metadata:           client.ClientMetadata{ClientName: "Postern's example", RedirectURIs: []string{redirectURL}},
		InitialAccessToken: env("TOKEN"),
	})
	if err != nil || env("FILE") == "" {
		return reg, err
	}
	data, err := reg.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return reg, os.WriteFile(env("FILE"), data, 0o600) // the client's secret is in it
}

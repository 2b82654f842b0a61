package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/jwtverify"
)

// demo starts a provider and an API in this process, until ctx ends, and returns the
// environment that goes with them, before what is set already.
func demo(ctx context.Context, env func(string) string) (func(string) string, error) {
	provider := clienttest.New(nil)
	if err := provider.Listen("localhost:0"); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, provider.Close())
	}
	resource := "http://" + ln.Addr().String()
	api := &jwtverify.Bearer{
		Tokens: &jwtverify.Verifier{
			Issuer: provider.Issuer(), Audience: resource,
			Keys: &jwtverify.RemoteKeys{URL: provider.Issuer() + "/jwks"},
		},
		Resource: resource,
	}
	srv := &http.Server{Handler: api.Require("work")(http.HandlerFunc(done)), ReadHeaderTimeout: 5 * time.Second}
	go srv.Serve(ln) // ends with ErrServerClosed
	context.AfterFunc(ctx, func() { srv.Close(); provider.Close() })
	cfg := provider.Config("http://localhost/callback")
	values := map[string]string{
		"ISSUER": cfg.Issuer, "CLIENT_ID": cfg.ClientID, "CLIENT_SECRET": cfg.ClientSecret,
		"API_URL": resource + "/jobs", "SCOPES": "work", "RESOURCE": resource, "EVERY": env("EVERY"),
	}
	return func(name string) string { return values[name] }, nil
}

// done tells tokens apart: a worker that keeps its token comes with the same one.
func done(w http.ResponseWriter, r *http.Request) {
	token := jwtverify.AccessTokenFrom(r.Context())
	fmt.Fprintf(w, "done for %s, token %.4s", token.ClientID, token.ID)
}

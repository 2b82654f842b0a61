package main

import (
	"context"
	"errors"

	"github.com/postern-go/postern/client/clienttest"
)

// demo starts a provider in this process, until ctx ends, which calls a sign-in "mfa" if it is
// asked for one. Its name is localhost and the site's 127.0.0.1, because cookies ignore ports.
// It returns the environment that goes with it.
func demo(ctx context.Context, redirectURL string) (func(string) string, error) {
	provider := clienttest.New(&clienttest.Options{ACRValues: []string{"mfa"}})
	if err := provider.Listen("localhost:0"); err != nil {
		return nil, errors.Join(err, provider.Close())
	}
	context.AfterFunc(ctx, func() { provider.Close() })
	cfg := provider.Config(redirectURL)
	values := map[string]string{"ISSUER": cfg.Issuer, "CLIENT_ID": cfg.ClientID, "CLIENT_SECRET": cfg.ClientSecret}
	return func(name string) string { return values[name] }, nil
}

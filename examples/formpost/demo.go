package main

import (
	"context"
	"errors"

	"github.com/postern-go/postern/client/clienttest"
)

// demo starts a provider in this process, until ctx ends, with this site as a client without
// a secret. Its name is localhost and the site's 127.0.0.1: to a browser, two ports of one
// name are the same site, and nothing would be as it is in production. It returns the
// environment that goes with it.
func demo(ctx context.Context, redirectURL string) (func(string) string, error) {
	provider := clienttest.New(&clienttest.Options{Clients: []clienttest.Client{{ID: "formpost", RedirectURLs: []string{redirectURL}}}})
	if err := provider.Listen("localhost:0"); err != nil {
		return nil, errors.Join(err, provider.Close())
	}
	context.AfterFunc(ctx, func() { provider.Close() })
	values := map[string]string{"ISSUER": provider.Issuer(), "CLIENT_ID": "formpost"}
	return func(name string) string { return values[name] }, nil
}

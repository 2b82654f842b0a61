package main

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/postern-go/postern/client/clienttest"
)

// demo starts a provider in this process, until ctx ends, which tells the site at address when
// somebody has signed out. Its name is localhost and the site's 127.0.0.1: to a browser, two
// ports of one name are the same site, and nothing would be as it is in production. It returns
// the environment that goes with it.
func demo(ctx context.Context, env func(string) string, address string) (func(string) string, error) {
	registered := clienttest.Client{
		ID:                               "backchannel",
		Secret:                           rand.Text(),
		RedirectURLs:                     []string{address + "/auth/callback"},
		BackChannelLogoutURI:             address + "/auth/backchannel-logout",
		BackChannelLogoutSessionRequired: true, // so that signing out of one browser is not signing out of all
	}
	provider := clienttest.New(&clienttest.Options{Clients: []clienttest.Client{registered}})
	if err := provider.Listen("localhost:0"); err != nil {
		return nil, errors.Join(err, provider.Close())
	}
	context.AfterFunc(ctx, func() { provider.Close() })
	values := map[string]string{"ISSUER": provider.Issuer(), "CLIENT_ID": registered.ID, "CLIENT_SECRET": registered.Secret}
	return func(name string) string {
		if value, ok := values[name]; ok {
			return value
		}
		return env(name)
	}, nil
}

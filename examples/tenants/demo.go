package main

import (
	"context"
	"errors"

	"github.com/postern-go/postern/client/clienttest"
)

// demo starts three providers in this process, until ctx ends: two companies', and one like
// GitHub. Their name is localhost and the site's 127.0.0.1, because cookies ignore ports. It
// returns the environment that goes with them.
func demo(ctx context.Context, address string) (func(string) string, error) {
	values := map[string]string{"TENANTS": "acme globex"}
	start := func(prefix, callback string, opts *clienttest.Options) (string, error) {
		provider := clienttest.New(opts)
		if err := provider.Listen("localhost:0"); err != nil {
			return "", errors.Join(err, provider.Close())
		}
		context.AfterFunc(ctx, func() { provider.Close() })
		cfg := provider.Config(address + callback)
		values[prefix+"_CLIENT_ID"], values[prefix+"_CLIENT_SECRET"] = cfg.ClientID, cfg.ClientSecret
		return provider.Issuer(), nil
	}
	var err [3]error
	values["ACME_ISSUER"], err[0] = start("ACME", "/auth/acme/callback", nil)
	values["GLOBEX_ISSUER"], err[1] = start("GLOBEX", "/auth/globex/callback", nil)
	values["GITHUB_URL"], err[2] = start("GITHUB", "/auth/github/callback", &clienttest.Options{OAuthOnly: true})
	values["GITHUB_API"] = values["GITHUB_URL"]
	return func(name string) string { return values[name] }, errors.Join(err[:]...)
}

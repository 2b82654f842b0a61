package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// demo starts a provider in this process, until ctx ends, and prints requests to try. It
// returns the environment that goes with it.
func demo(ctx context.Context, resource string, out io.Writer) (env func(string) string, err error) {
	provider := clienttest.New(nil)
	if err := provider.Listen("localhost:0"); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { provider.Close() })
	rp, err := client.New(provider.Config("http://localhost/callback"))
	if err != nil {
		return nil, errors.Join(err, provider.Close())
	}
	metadata, err := rp.Metadata(ctx)
	if err != nil {
		return nil, errors.Join(err, provider.Close())
	}
	for _, try := range []struct{ what, method, acr string }{
		{"read", "GET", ""},
		{"too weak for this", "DELETE", ""},
		{"strong enough", "DELETE", "mfa"},
	} {
		token, err := signIn(ctx, rp, provider, resource, try.acr)
		if err != nil {
			return nil, errors.Join(err, provider.Close())
		}
		fmt.Fprintf(out, "# %s\ncurl -i -X %s -H 'Authorization: Bearer %s' %s/notes\n", try.what, try.method, token, resource)
	}
	values := map[string]string{"ISSUER": provider.Issuer(), "JWKS_URL": metadata.JWKSURI}
	return func(name string) string { return values[name] }, nil
}

// signIn plays a client of the API, and alice.
func signIn(ctx context.Context, rp *client.Client, provider *clienttest.Provider, resource, acr string) (string, error) {
	opts := &client.AuthorizeOptions{Scopes: []string{"notes"}, Extra: url.Values{"audience": {resource}}}
	if acr != "" {
		opts.ACRValues = []string{acr}
	}
	login, err := rp.Authorize(ctx, opts)
	if err != nil {
		return "", err
	}
	callback, err := provider.SignIn(login.URL(), "alice")
	if err != nil {
		return "", err
	}
	tokens, err := rp.Exchange(ctx, login, callback.Query())
	if err != nil {
		return "", err
	}
	return tokens.AccessToken, nil
}

package main

import (
	"context"

	"github.com/postern-go/postern/client/clienttest"
)

// demo starts a provider in this process, until ctx ends, which registers whoever asks.
// Its name is localhost and the site's 127.0.0.1, because cookies ignore ports. It
// returns the environment that goes with it.
func demo(ctx context.Context, env func(string) string) (func(string) string, error) {
	provider := clienttest.New(nil)
	if err := provider.Listen("localhost:0"); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { provider.Close() })
	return func(name string) string {
		if name == "ISSUER" {
			return provider.Issuer()
		}
		return env(name)
	}, nil
}

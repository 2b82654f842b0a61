package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

// demo starts a provider in this process, until ctx ends, whose access tokens live for
// four seconds, so that there is something to see. It returns the environment that goes
// with it.
func demo(ctx context.Context, env func(string) string) (func(string) string, error) {
	provider := clienttest.New(&clienttest.Options{AccessTokenTTL: 4 * time.Second})
	if err := provider.Listen("localhost:0"); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "postern-offline-")
	if err != nil {
		provider.Close()
		return nil, err
	}
	context.AfterFunc(ctx, func() { provider.Close(); os.RemoveAll(dir) })
	cfg := provider.Config("http://localhost/callback")
	key := make([]byte, 32)
	rand.Read(key)
	values := map[string]string{
		"ISSUER": cfg.Issuer, "CLIENT_ID": cfg.ClientID, "CLIENT_SECRET": cfg.ClientSecret,
		"FILE": filepath.Join(dir, "tokens.sealed"), "KEY": hex.EncodeToString(key), "EVERY": env("EVERY"),
	}
	return func(name string) string { return values[name] }, nil
}

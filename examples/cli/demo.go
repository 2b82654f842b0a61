package main

import (
	"fmt"
	"io"

	"github.com/postern-go/postern/client/clienttest"
)

// demo starts a provider in this process, with this program as its native client.
func demo(out io.Writer) (*clienttest.Provider, error) {
	provider := clienttest.New(&clienttest.Options{Clients: []clienttest.Client{
		{ID: "cli", RedirectURLs: []string{"http://127.0.0.1/callback", "http://[::1]/callback"}},
	}})
	if err := provider.Listen("localhost:0"); err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "people sign in at a provider for demonstration, %s; sign in as anybody\n", provider.Issuer())
	return provider, nil
}

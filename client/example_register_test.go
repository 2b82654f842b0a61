package client_test

import (
	"context"
	"fmt"
	"log"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// A program that nobody registered does so itself, once, and keeps what it got.
func ExampleRegister() {
	ctx := context.Background()
	op := clienttest.New(nil)
	defer op.Close()

	reg, err := client.Register(ctx, op.Issuer(), client.RegistrationRequest{
		Metadata: client.ClientMetadata{
			ClientName:   "My app",
			RedirectURIs: []string{"https://app.example.com/callback"},
			GrantTypes:   []string{"authorization_code", "refresh_token"},
		},
		HTTPClient: op.HTTPClient(),
	})
	if err != nil {
		log.Fatal(err)
	}
	data, err := reg.MarshalBinary() // to where the keys are kept
	if err != nil {
		log.Fatal(err)
	}

	// At the next start:
	kept := &client.Registration{HTTPClient: op.HTTPClient()}
	if err := kept.UnmarshalBinary(data); err != nil {
		log.Fatal(err)
	}
	cfg, err := kept.Config(client.Config{Scopes: []string{"profile"}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.New(cfg); err != nil {
		log.Fatal(err)
	}
	fmt.Println(kept.Metadata.TokenEndpointAuthMethod, cfg.RedirectURL)
	// Output: client_secret_basic https://app.example.com/callback
}

// What was registered is changed as a whole, and the token for the next time may be
// another one.
func ExampleRegistration_Update() {
	ctx := context.Background()
	op := clienttest.New(nil)
	defer op.Close()
	reg, err := client.Register(ctx, op.Issuer(), client.RegistrationRequest{
		Metadata:   client.ClientMetadata{RedirectURIs: []string{"https://app.example.com/callback"}},
		HTTPClient: op.HTTPClient(),
	})
	if err != nil {
		log.Fatal(err)
	}

	m := reg.Metadata
	m.PostLogoutRedirectURIs = []string{"https://app.example.com/"}
	next, err := reg.Update(ctx, m)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(next.Metadata.RedirectURIs, next.Metadata.PostLogoutRedirectURIs)
	fmt.Println(next.RegistrationAccessToken == reg.RegistrationAccessToken)
	// Output:
	// [https://app.example.com/callback] [https://app.example.com/]
	// false
}

package jwtverify_test

import (
	"context"
	"fmt"

	"github.com/postern-go/postern/jwtverify"
)

// An API that takes the access tokens of its own provider and, of all the customers with
// Microsoft Entra, of two.
func ExampleIssuers() {
	issuers := jwtverify.Issuers{
		{
			Issuer:   "https://op.example.com",
			Audience: "https://api.example.com",
			Keys:     &jwtverify.RemoteKeys{URL: "https://op.example.com/jwks"},
		},
		{
			Issuer:   "https://login.microsoftonline.com/{tenantid}/v2.0",
			Tenants:  []string{"11111111-2222-4333-8444-555555555555", "99999999-8888-4777-8666-555555555555"},
			Audience: "00000000-1111-4222-8333-444444444444",
			Keys:     &jwtverify.RemoteKeys{URL: "https://login.microsoftonline.com/common/discovery/v2.0/keys"},

			AccessTokenTypes: []string{"JWT"}, // Entra's have no other; see the README for other providers
		},
	}
	_, err := issuers.AccessToken(context.Background(), "not a token")
	fmt.Println(err)
	// Output: jwtverify: token invalid: not a JWT in compact form
}

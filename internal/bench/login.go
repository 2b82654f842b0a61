package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"golang.org/x/oauth2"

	"github.com/postern-go/postern/client"
)

// loginTables measures the start of a sign-in: state, nonce and code verifier of
// 256 bits each, and the URL.
func loginTables() []table {
	rp := must(client.New(client.Config{
		Issuer: issuer, ClientID: clientID, ClientSecret: "a secret of no importance", RedirectURL: "https://app.example.com/auth/callback",
		Metadata: &client.Metadata{
			Issuer: issuer, AuthorizationEndpoint: issuer + "/authorize", TokenEndpoint: issuer + "/token", JWKSURI: issuer + "/jwks",
		},
	}))
	plain := oauth2.Config{ClientID: clientID, RedirectURL: "https://app.example.com/auth/callback", Scopes: []string{"openid"},
		Endpoint: oauth2.Endpoint{AuthURL: issuer + "/authorize"}}
	ctx := context.Background()
	return []table{{"authorization request", []row{
		{name: "96 random bytes and a SHA-256", run: func(b *testing.B) {
			b.ReportAllocs()
			var random [96]byte
			for b.Loop() {
				rand.Read(random[:])
				sha256.Sum256(random[:32])
			}
		}},
		{name: "postern Authorize", run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rp.Authorize(ctx, nil); err != nil {
					b.Fatal(err)
				}
			}
		}},
		{name: "x/oauth2 AuthCodeURL", run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				verifier := oauth2.GenerateVerifier()
				plain.AuthCodeURL(rand.Text(), oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", rand.Text()))
			}
		}},
	}}}
}

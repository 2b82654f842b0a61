package jwtverify_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

func ExampleVerifier_IDToken() {
	// A program takes the keys from the provider:
	//	Keys: &jwtverify.RemoteKeys{URL: "https://op.example.com/jwks"}
	keys, raw := provider()
	v := &jwtverify.Verifier{
		Issuer:   "https://op.example.com",
		Audience: "my-client-id",
		Keys:     keys,
		Now:      func() time.Time { return time.Unix(1767225600, 0) },
	}
	token, err := v.IDToken(context.Background(), raw, jwtverify.Expect{Nonce: "n-0S6_WzA2Mj"})
	if err != nil {
		fmt.Println(err)
		return
	}
	var claims struct{ Email string }
	if err := token.Claims(&claims); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Subject, claims.Email)

	_, err = v.IDToken(context.Background(), raw, jwtverify.Expect{Nonce: "another"})
	var refused *jwtverify.ClaimError
	switch {
	case errors.Is(err, jwtverify.ErrExpired):
		fmt.Println("get another token")
	case errors.Is(err, jwtverify.ErrKeys):
		fmt.Println("try later")
	case errors.As(err, &refused):
		fmt.Println("refused for", refused.Claim)
	}
	// Output:
	// 248289761001 jane@example.com
	// refused for nonce
}

// provider makes a key and signs a token with it.
func provider() (keys jwtverify.KeySet, raw string) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	input := b64(`{"alg":"EdDSA","kid":"2026"}`) + "." + b64(`{"iss":"https://op.example.com","sub":"248289761001",`+
		`"aud":"my-client-id","exp":1767225900,"iat":1767225600,"nonce":"n-0S6_WzA2Mj","email":"jane@example.com"}`)
	public := private.Public().(ed25519.PublicKey)
	return jwtverify.StaticKeys(jwtverify.Key{ID: "2026", Public: public}), input + "." + b64(string(ed25519.Sign(private, []byte(input))))
}

func ExampleParseJWKS() {
	keys, err := jwtverify.ParseJWKS([]byte(`{"keys":[
		{"kty":"OKP","crv":"Ed25519","kid":"sig-1","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
		{"kty":"OKP","crv":"X25519","kid":"enc-1","use":"enc","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
	]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, k := range keys {
		fmt.Printf("%s %T\n", k.ID, k.Public)
	}
	v := jwtverify.Verifier{Issuer: "https://op.example.com", Audience: "my-client-id", Keys: jwtverify.StaticKeys(keys...)}
	fmt.Println(v.Audience)
	// Output:
	// sig-1 ed25519.PublicKey
	// my-client-id
}

func ExampleRemoteKeys() {
	v := jwtverify.Verifier{
		Issuer:     "https://accounts.google.com",
		Audience:   "my-client-id",
		Keys:       &jwtverify.RemoteKeys{URL: "https://www.googleapis.com/oauth2/v3/certs"},
		Algorithms: []string{"RS256"},
	}
	// Nothing is fetched until a token needs a key.
	_, err := v.IDToken(context.Background(), "not a token", jwtverify.Expect{})
	fmt.Println(err)
	// Output: jwtverify: token invalid: not a JWT in compact form
}

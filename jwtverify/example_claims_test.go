package jwtverify_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

func ExampleDecode() {
	type claims struct {
		jwtverify.StandardClaims
		Groups jwtverify.Strings `json:"groups"` // some providers send a string where there is one
	}
	token := verified(`"name":"Jane Doe","email":"jane@example.com","email_verified":"true","groups":"staff"`)
	c, err := jwtverify.Decode[claims](token)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Name, c.Groups)
	if domain, ok := c.VerifiedEmailDomain(); ok {
		fmt.Println("a colleague:", domain == "example.com")
	}
	// The key of a user in a database is never the address:
	fmt.Println(token.Issuer, token.Subject)
	// Output:
	// Jane Doe [staff]
	// a colleague: true
	// https://op.example.com 248289761001
}

func ExampleIDToken_Texts() {
	token := verified(`"resource_access":{"my-client-id":{"roles":["editor","admin"]}},"https://app.example.com/color":"blue"`)
	roles, _ := token.Texts("resource_access", "my-client-id", "roles") // Keycloak
	fmt.Println(slices.Contains(roles, "admin"))
	color, _ := token.Texts("https://app.example.com/color") // Auth0: one name, whatever is in it
	fmt.Println(color)
	_, ok := token.Texts("resource_access.my-client-id.roles")
	fmt.Println(ok)
	// Output:
	// true
	// [blue]
	// false
}

func ExampleVerifier_SourceClaims() {
	token := verified(`"_claim_names":{"credit_score":"agency"},` +
		`"_claim_sources":{"agency":{"endpoint":"https://agency.example.com/claims","access_token":"ksj3n283dke"}}`)

	// The agency, as it was agreed with the provider of the token. A program takes its
	// keys from RemoteKeys, and needs no HTTPClient.
	keys, network := agencyExample()
	agency := &jwtverify.Verifier{Issuer: "https://agency.example.com", Audience: "my-client-id", Keys: keys}
	fetcher := &jwtverify.SourceFetcher{Hosts: []string{"agency.example.com"}, HTTPClient: network}

	for _, src := range token.Sources() {
		raw, err := fetcher.Fetch(context.Background(), src)
		if err != nil {
			fmt.Println(err)
			continue
		}
		claims, err := agency.SourceClaims(context.Background(), raw, src)
		if err != nil {
			fmt.Println(err)
			continue
		}
		score, _ := claims.Claim("credit_score")
		fmt.Println(src.Names, string(score))
	}
	// Output:
	// [credit_score] 650
}

// verified is a token with these claims, as Verifier.IDToken returns it.
func verified(claims string) *jwtverify.IDToken {
	keys, raw := signedExample(`{"iss":"https://op.example.com","sub":"248289761001",` +
		`"aud":"my-client-id","exp":1767225900,"iat":1767225600,` + claims + `}`)
	v := &jwtverify.Verifier{
		Issuer: "https://op.example.com", Audience: "my-client-id", Keys: keys,
		Now: func() time.Time { return time.Unix(1767225600, 0) },
	}
	token, err := v.IDToken(context.Background(), raw, jwtverify.Expect{})
	if err != nil {
		panic(err)
	}
	return token
}

func signedExample(payload string) (keys jwtverify.KeySet, raw string) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	input := b64(`{"alg":"EdDSA"}`) + "." + b64(payload)
	public := private.Public().(ed25519.PublicKey)
	return jwtverify.StaticKeys(jwtverify.Key{Public: public}), input + "." + b64(string(ed25519.Sign(private, []byte(input))))
}

// agencyExample is a claims provider that answers without a network.
func agencyExample() (jwtverify.KeySet, *http.Client) {
	keys, raw := signedExample(`{"iss":"https://agency.example.com","credit_score":650}`)
	return keys, &http.Client{Transport: &claimsServer{body: strings.NewReader(raw)}}
}

package jwtverify_test

import (
	"context"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// grants is an access token that says to be from an issuer.
func grants(tb testing.TB, key, alg, iss, aud string, more ...member) string {
	tb.Helper()
	claims := append([]member{
		{"iss", `"` + iss + `"`}, {"sub", `"user-1"`}, {"aud", `"` + aud + `"`}, {"client_id", `"app-1"`},
		{"exp", "1767225900"}, {"iat", "1767225595"}, {"jti", `"1"`},
	}, more...)
	return mint(tb, key, alg, `{"alg":"`+alg+`","kid":"1","typ":"at+jwt"}`, object(claims))
}

func TestIssuersAccessToken(t *testing.T) {
	list, hosts := threeIssuers(t)
	for raw, issuer := range map[string]string{
		grants(t, "rsa", "RS256", issuerA, "api-a"):                                issuerA,
		grants(t, "ed25519", "EdDSA", entraIssuer(tenantB), "api-e", tid(tenantB)): entraIssuer(tenantB),
	} {
		token, err := list.AccessToken(t.Context(), raw)
		if err != nil || token.Issuer != issuer || token.Subject != "user-1" {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	if hosts.asked[keysB] != 0 {
		t.Errorf("asked %v", hosts.asked)
	}
	for _, c := range []struct{ raw, claim, reason string }{
		{grants(t, "p256", "ES256", issuerA, "api-a"), "kid", "names no key for ES256"},
		{grants(t, "rsa", "RS256", issuerA, "api-b"), "aud", "does not name this audience"},
		{grants(t, "ed25519", "EdDSA", entraIssuer(tenantA), "api-e", tid(tenantB)), "iss", "is another issuer"},
		{grants(t, "ed25519", "EdDSA", entraIssuer(tenantA), "api-e"), "tid", "is missing"},
		{grants(t, "ed25519", "EdDSA", entraIssuer(consumers), "api-e", tid(consumers)), "iss", "is not an issuer on the list"},
		{said(t, "rsa", "RS256", issuerA, "api-a"), "typ", "is that of another kind of token"},
	} {
		token, err := list.AccessToken(t.Context(), c.raw)
		if token != nil {
			t.Error("a token beside the error")
		}
		checkRefusal(t, err, "invalid", c.claim, c.reason)
	}
}

// The keys of a tenant sign no access token of another one either.
func TestAccessTokenOfATenantAndItsKey(t *testing.T) {
	list, hosts := threeIssuers(t)
	hosts.sets[keysEntra] = jwks(jwk(t, "ed25519", member{"kid", `"1"`}, member{"issuer", `"` + entraIssuer(tenantB) + `"`}))
	if _, err := list.AccessToken(t.Context(), grants(t, "ed25519", "EdDSA", entraIssuer(tenantB), "api-e", tid(tenantB))); err != nil {
		t.Error(err)
	}
	_, err := list.AccessToken(t.Context(), grants(t, "ed25519", "EdDSA", entraIssuer(tenantA), "api-e", tid(tenantA)))
	checkRefusal(t, err, "invalid", "kid", "names a key for another issuer")
}

// With tenants, the answer of an introspection endpoint must say whose token it is.
func TestIntrospectionOfATenant(t *testing.T) {
	list, _ := threeIssuers(t)
	answer := func(more string) []byte {
		return []byte(`{"active":true,"sub":"user-1","aud":"api-e","client_id":"app-1","exp":1767225900` + more + `}`)
	}
	token, err := list[2].Introspection(answer(`,"iss":"` + entraIssuer(tenantA) + `","tid":"` + tenantA + `"`))
	if err != nil || token.Issuer != entraIssuer(tenantA) {
		t.Errorf("refused: %v", err)
	}
	for more, want := range map[string]struct{ claim, reason string }{
		``:                                      {"tid", "is missing"},
		`,"iss":"` + entraIssuer(tenantA) + `"`: {"tid", "is missing"},
		`,"tid":"` + tenantA + `"`:              {"iss", "is another issuer"},
		`,"iss":"` + entraIssuer(tenantA) + `","tid":"` + tenantB + `"`:     {"iss", "is another issuer"},
		`,"iss":"` + entraIssuer(consumers) + `","tid":"` + consumers + `"`: {"tid", "is not a tenant on the list"},
	} {
		_, err := list[2].Introspection(answer(more))
		checkRefusal(t, err, "invalid", want.claim, want.reason)
	}
}

// usedOnce is a ReplayGuard for one goroutine that forgets nothing.
type usedOnce map[string]bool

func (u usedOnce) Use(_ context.Context, id string, _ time.Time) (bool, error) {
	first := !u[id]
	u[id] = true
	return first, nil
}

func TestIssuersLogoutToken(t *testing.T) {
	list, hosts := threeIssuers(t)
	logout := func(key, alg, iss, aud string, more ...member) string {
		claims := append([]member{
			{"iss", `"` + iss + `"`}, {"sub", `"user-1"`}, {"aud", `"` + aud + `"`}, {"jti", `"1"`},
			{"exp", "1767225700"}, {"iat", "1767225595"}, {"events", `{"http://schemas.openid.net/event/backchannel-logout":{}}`},
		}, more...)
		return mint(t, key, alg, `{"alg":"`+alg+`","kid":"1","typ":"logout+jwt"}`, object(claims))
	}
	seen := usedOnce{}
	// One jti for three issuers: each has its own.
	for _, raw := range []string{
		logout("rsa", "RS256", issuerA, "api-a"),
		logout("ed25519", "EdDSA", entraIssuer(tenantA), "api-e", tid(tenantA)),
		logout("ed25519", "EdDSA", entraIssuer(tenantB), "api-e", tid(tenantB)),
	} {
		token, err := list.LogoutToken(t.Context(), raw, seen)
		if err != nil || token.Subject != "user-1" {
			t.Errorf("refused: %v", err)
		}
		_, err = list.LogoutToken(t.Context(), raw, seen)
		checkRefusal(t, err, "invalid", "jti", "was used before")
	}
	_, err := list.LogoutToken(t.Context(), logout("p256", "ES256", "https://evil.example.com", "api-b"), seen)
	checkRefusal(t, err, "invalid", "iss", "is not an issuer on the list")
	if hosts.asked[keysB] != 0 {
		t.Errorf("asked %v", hosts.asked)
	}
}

// A Verifier that demands encryption would never be chosen.
func TestIssuersRefuseDecrypt(t *testing.T) {
	list, hosts := threeIssuers(t)
	list[1].Decrypt = []jwtverify.DecryptionKey{}
	_, err := list.AccessToken(t.Context(), grants(t, "rsa", "RS256", issuerA, "api-a"))
	checkRefusal(t, err, "invalid", "", "Issuers[1] has Decrypt, and no encrypted token can choose it")
	if len(hosts.asked) != 0 {
		t.Errorf("asked %v", hosts.asked)
	}
}

package clienttest_test

import (
	"maps"
	"testing"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

func TestAccessToken(t *testing.T) {
	f := newFlow(t, &clienttest.Options{Algorithm: "ES256", Audience: "https://api.example.com"})
	header, claims := parts(t, f.op.AccessToken(nil))
	if header["typ"] != "at+jwt" || header["alg"] != "ES256" {
		t.Errorf("the header is %v", header)
	}
	if until(f, claims, "exp") <= 4*time.Minute || until(f, claims, "iat") > 0 || claims["jti"] == nil {
		t.Errorf("the claims are %v", claims)
	}
	for _, name := range []string{"exp", "iat", "auth_time", "jti"} {
		delete(claims, name)
	}
	want := map[string]any{
		"iss": f.op.Issuer(), "aud": "https://api.example.com", "sub": "alice", "client_id": "web", "scope": "openid", "acr": "1",
	}
	if !maps.Equal(claims, want) {
		t.Errorf("got %v, want %v", claims, want)
	}
}

func TestAccessTokenClaims(t *testing.T) {
	f := newFlow(t, fast())
	past := f.op.Now().Add(-time.Hour).Unix()
	token := f.op.AccessToken(map[string]any{"sub": "bob", "scope": nil, "roles": "admin", "exp": past})
	_, claims := parts(t, token)
	_, scope := claims["scope"]
	if claims["sub"] != "bob" || scope || claims["roles"] != "admin" || claims["exp"] != float64(past) {
		t.Errorf("the claims are %v", claims)
	}
	if !signed(f, token) {
		t.Error("the signature is not by a key of the JWKS")
	}
	if f.alive(token) {
		t.Error("an expired token is alive")
	}
}

// TestAccessTokenIsTheProviders: what was issued without a sign-in is as good as another, and dies as
// another does.
func TestAccessTokenIsTheProviders(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		f := newFlow(t, &clienttest.Options{Algorithm: "ES256", OpaqueAccessTokens: opaque})
		for _, issue := range []func() string{
			func() string { return f.op.AccessToken(nil) },
			func() string { return f.op.AccessToken(map[string]any{"exp": nil}) },
			func() string { return f.tokens().AccessToken },
		} {
			token := issue()
			if !f.alive(token) {
				t.Errorf("opaque %t: the token is no good", opaque)
			}
			f.op.RevokeGrants("alice")
			if f.alive(token) {
				t.Errorf("opaque %t: the token survives the revocation of its grant", opaque)
			}
		}
	}
}

package interop

import (
	"net/url"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
)

// The products' issuer forms, paths and claims, laid over the certified engine by
// op/shapes.mjs. A shape that passes is no proof that the product does.
func TestShapesOfProducts(t *testing.T) {
	for _, c := range []struct {
		shape  string
		issuer string // its path
		claim  string // in the ID token
		extra  url.Values
	}{
		{shape: "auth0", issuer: "/", claim: "https://example.com/roles", extra: url.Values{"audience": {"https://api.example.com"}, "connection": {"github"}}},
		{shape: "okta", issuer: "/oauth2/default", claim: "ver"},
		{shape: "keycloak", issuer: "/realms/test", claim: "realm_access"},
		{shape: "identityserver4", claim: "idp"},
		{shape: "cognito", issuer: "/us-east-1_abcdEFGHi", claim: "cognito:groups"},
		{shape: "entra", issuer: "/11111111-2222-3333-4444-555555555555/v2.0", claim: "oid"},
		{shape: "google", claim: "hd", extra: url.Values{"access_type": {"offline"}}},
	} {
		t.Run(c.shape, func(t *testing.T) {
			t.Parallel()
			product := startProvider(t, "OP_SHAPE="+c.shape)
			if u, err := url.Parse(product.Issuer); err != nil || u.Path != c.issuer {
				t.Fatalf("issuer %q, want the path %q", product.Issuer, c.issuer)
			}
			reg := product.register(t, callbackURL, nil)
			rp := product.client(t, reg, nil)
			tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", &client.AuthorizeOptions{Extra: c.extra})
			var claims map[string]any
			if err := tokens.IDToken.Claims(&claims); err != nil {
				t.Fatal(err)
			}
			if _, there := claims[c.claim]; !there || tokens.IDToken.Issuer != product.Issuer {
				t.Errorf("ID token of %q: %v", tokens.IDToken.Issuer, claims)
			}
			info, err := rp.UserInfo(t.Context(), tokens)
			if err != nil || info.Subject != "alice" {
				t.Errorf("userinfo: %v, %v", info, err)
			}
			next := refresh(t, rp, tokens)
			if rotated := next.RefreshToken != tokens.RefreshToken; rotated == (c.shape == "cognito") {
				t.Errorf("the refresh token changed: %v", rotated)
			}
			document, err := rp.Metadata(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if document.RevocationEndpoint != "" {
				if err := rp.Revoke(t.Context(), next); err != nil {
					t.Error(err)
				}
			}
			if c.shape != "google" {
				address, err := rp.LogoutURL(t.Context(), client.LogoutOptions{IDToken: next.IDToken})
				if err != nil || !strings.HasPrefix(address, document.EndSessionEndpoint+"?") {
					t.Errorf("logout at %q, %v", address, err)
				}
			}
		})
	}
}

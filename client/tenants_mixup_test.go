package client

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"testing"
	"time"
)

const (
	homeTenant    = "11111111-1111-4111-8111-111111111111"
	foreignTenant = "22222222-2222-4222-8222-222222222222"
)

// withTenants is a client of two tenants, whose provider's next ID token is of homeTenant.
func (p *op) withTenants() *Client {
	const template = testIssuer + "/" + tenantPlaceholder
	p.metadata["issuer"] = template
	maps.Copy(p.claims, ofTenant(homeTenant))
	return p.client(func(cfg *Config) {
		cfg.Issuer, cfg.Tenants = template, []string{homeTenant, foreignTenant}
		cfg.MetadataURL = testIssuer + "/.well-known/openid-configuration"
	})
}

// ofTenant are the claims that name a tenant.
func ofTenant(tenant string) map[string]any {
	return map[string]any{"iss": testIssuer + "/" + tenant, "tid": tenant}
}

// tenantAnswer is a good answer to a login, whose ID token, if any, is of a tenant.
func (p *op) tenantAnswer(login *Login, tenant string) url.Values {
	answer := p.answerOf(login)
	if !login.want.has(asksIDToken) {
		return answer
	}
	claims := map[string]any{
		"aud": testClientID, "sub": "alice", "nonce": login.nonce, "c_hash": halfHash("code-CANARY-1"),
		"iat": p.clock().Unix(), "exp": p.clock().Add(time.Minute).Unix(),
	}
	maps.Copy(claims, ofTenant(tenant))
	answer.Set("id_token", sign(p.key, map[string]any{"alg": "ES256", "kid": "k1"}, claims))
	return answer
}

// V-8 among tenants: with several issuers, each of which may sign in, all that names one
// must name the same one (RFC 9207 2.4, Core 3.3.3.6).
func TestV8MixUpOfTenants(t *testing.T) {
	const (
		otherIssuer = "client: callback rejected: iss is not the issuer of the ID token"
		otherUser   = "client: rejected: the ID tokens of the callback and of the token answer are of different users"
	)
	for _, test := range []struct {
		name, kind string
		iss        string // of the callback; empty: none
		front      string // of its ID token, where there is one; that of the token endpoint is homeTenant's
		sends      int
		want       string // empty: accepted
	}{
		{"code, no iss", "code", "", "", 1, ""},
		{"code", "code", homeTenant, "", 1, ""},
		{"code, iss of another", "code", foreignTenant, "", 1, otherIssuer},
		{"hybrid, no iss", "code id_token", "", homeTenant, 1, ""},
		{"hybrid", "code id_token", homeTenant, homeTenant, 1, ""},
		{"hybrid, iss of another", "code id_token", foreignTenant, homeTenant, 0, otherIssuer},
		{"hybrid, ID token of another", "code id_token", homeTenant, foreignTenant, 0, otherIssuer},
		{"hybrid, two ID tokens", "code id_token", "", foreignTenant, 1, otherUser},
		{"implicit", "id_token", foreignTenant, foreignTenant, 0, ""},
		{"implicit, iss of another", "id_token", foreignTenant, homeTenant, 0, otherIssuer},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			c := p.withTenants()
			login := p.authorize(c, &AuthorizeOptions{ResponseType: test.kind})
			answer := p.tenantAnswer(login, test.front)
			if test.iss != "" {
				answer.Set("iss", testIssuer+"/"+test.iss)
			}
			tokens, err := c.Exchange(context.Background(), login, answer)
			if test.want == "" && (err != nil || tokens.IDToken.Subject != "alice") {
				t.Errorf("got %v, want tokens", err)
			}
			if test.want != "" && (tokens != nil || !errors.Is(err, ErrRejected) || err.Error() != test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if n := len(p.seen("/token")); n != test.sends {
				t.Errorf("%d token requests, want %d", n, test.sends)
			}
		})
	}
}

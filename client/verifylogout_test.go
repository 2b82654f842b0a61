package client

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// logoutToken is a good one of the provider, with changes; a nil claim is left out.
func (p *op) logoutToken(changes map[string]any) string {
	now := p.clock()
	claims := map[string]any{
		"iss": p.claims["iss"], "aud": testClientID, "sub": "alice", "sid": "s1", "jti": "j1",
		"iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return sign(p.key, map[string]any{"alg": "ES256", "kid": "k1", "typ": "logout+jwt"}, claims)
}

func (p *op) replays() *jwtverify.ReplayCache { return &jwtverify.ReplayCache{Now: p.clock} }

func TestVerifyLogout(t *testing.T) {
	ctx := context.Background()
	p := newOP(t)
	c, seen := p.client(nil), p.replays()
	raw := p.logoutToken(nil)
	got, err := c.VerifyLogout(ctx, raw, seen)
	if err != nil || got.Issuer != testIssuer || got.Subject != "alice" || got.SessionID != "s1" || !got.IssuedAt.Equal(testStart) {
		t.Fatalf("got %+v, %v", got, err)
	}
	_, err = c.VerifyLogout(ctx, raw, seen)
	wantLogoutError(t, err, ErrRejected, jwtverify.ErrInvalid, "client: rejected: logout token: jwtverify: token invalid: jti was used before")
	if got, err := c.VerifyLogout(ctx, p.logoutToken(map[string]any{"jti": "j2", "sid": nil}), seen); err != nil || got.SessionID != "" {
		t.Errorf("the next one: %v", err)
	}
}

func wantLogoutError(t *testing.T, err, kind, cause error, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), text) {
		t.Errorf("got %v, want %s", err, text)
	}
}

func TestVerifyLogoutRejects(t *testing.T) {
	for _, test := range []struct {
		name    string
		changes map[string]any
		cause   error
		want    string
	}{
		{"another issuer", map[string]any{"iss": "https://evil.example"}, jwtverify.ErrInvalid, "token invalid: iss "},
		{"another client", map[string]any{"aud": "other"}, jwtverify.ErrInvalid, "token invalid: aud "},
		{"nobody", map[string]any{"sub": nil, "sid": nil}, jwtverify.ErrInvalid, "token invalid: sid is missing, and sub too"},
		{"a nonce", map[string]any{"nonce": "n"}, jwtverify.ErrInvalid, "token invalid: nonce is that of an ID token"},
		{"no event", map[string]any{"events": nil}, jwtverify.ErrInvalid, "token invalid: events is missing"},
		{"no jti", map[string]any{"jti": nil}, jwtverify.ErrInvalid, "token invalid: jti is missing"},
		{"old", map[string]any{"iat": testStart.Add(-10 * time.Minute).Unix()}, jwtverify.ErrExpired, "token expired: iat is more than five minutes ago"},
		{"expired", map[string]any{"exp": testStart.Add(-2 * time.Minute).Unix()}, jwtverify.ErrExpired, "token expired: exp is over"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			got, err := p.client(nil).VerifyLogout(context.Background(), p.logoutToken(test.changes), p.replays())
			if got != nil {
				t.Error("there is a token")
			}
			wantLogoutError(t, err, ErrRejected, test.cause, "client: rejected: logout token: jwtverify: "+test.want)
		})
	}
	p := newOP(t)
	_, err := p.client(nil).VerifyLogout(context.Background(), p.logoutToken(nil), nil)
	wantLogoutError(t, err, ErrRejected, jwtverify.ErrInvalid, "client: rejected: logout token: jwtverify: token invalid: no ReplayGuard")
	p.claims["nonce"] = "n"
	if _, err = p.client(nil).VerifyLogout(context.Background(), p.idToken(), p.replays()); !errors.Is(err, ErrRejected) {
		t.Errorf("an ID token: %v", err)
	}
}

// Where nobody knows, the provider is to try again.
func TestVerifyLogoutUnavailable(t *testing.T) {
	ctx := context.Background()
	p := newOP(t)
	raw := p.logoutToken(nil)
	full := &jwtverify.ReplayCache{Size: -1, Now: p.clock}
	_, err := p.client(nil).VerifyLogout(ctx, raw, full)
	wantLogoutError(t, err, ErrUnavailable, jwtverify.ErrKeys, "client: provider unavailable: logout token: ")
	down := func(*http.Request) (*http.Response, error) { return nil, errors.New("down") }
	p.handle("/jwks", down)
	_, err = p.client(nil).VerifyLogout(ctx, raw, p.replays())
	wantLogoutError(t, err, ErrUnavailable, jwtverify.ErrKeys, "client: provider unavailable: logout token: ")
	p.handle(discoveryPath, down)
	if _, err = p.client(nil).VerifyLogout(ctx, raw, p.replays()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("no metadata: %v", err)
	}
}

// Each tenant speaks for its own sessions.
func TestVerifyLogoutOfTenants(t *testing.T) {
	ctx := context.Background()
	p, c := newEntra(t)
	seen := p.replays()
	for _, id := range []string{tenant, secondTenant} {
		p.become(id)
		got, err := c.VerifyLogout(ctx, p.logoutToken(map[string]any{"tid": id}), seen)
		if err != nil || got.Issuer != issuerOf(id) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	p.become(otherTenant)
	_, err := c.VerifyLogout(ctx, p.logoutToken(map[string]any{"tid": otherTenant}), seen)
	wantLogoutError(t, err, ErrRejected, jwtverify.ErrInvalid, "client: rejected: logout token: jwtverify: token invalid: ")
}

package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

func TestRefreshRequest(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	p.requests = nil
	if _, err := c.Refresh(context.Background(), tokens); err != nil {
		t.Fatal(err)
	}
	p.wantRequests("/token", sentRequest{"POST", testIssuer + "/token", http.Header{
		"Accept":        {"application/json"},
		"Authorization": {"Basic d2ViOmNsaWVudC1zZWNyZXQtQ0FOQVJZLTAxMjM0NTY3ODk="},
		"Content-Type":  {"application/x-www-form-urlencoded"},
		"User-Agent":    {userAgent},
	}, "grant_type=refresh_token&refresh_token=refresh-token-CANARY-1"})
	if len(p.requests) != 1 {
		t.Errorf("%d requests, want one", len(p.requests))
	}
}

func TestRefresh(t *testing.T) {
	for _, test := range []struct {
		name    string
		answer  map[string]any
		refresh string
		scope   []string
		newID   bool
		expiry  time.Duration
	}{
		{"nothing but an access token", map[string]any{"id_token": ""}, "refresh-token-CANARY-1", []string{"openid"}, false, 0},
		{"rotation", map[string]any{"id_token": "", "refresh_token": "r2", "expires_in": 60}, "r2", []string{"openid"}, false, time.Minute},
		{"empty refresh token", map[string]any{"id_token": "", "refresh_token": ""}, "refresh-token-CANARY-1", []string{"openid"}, false, 0},
		{"another scope", map[string]any{"id_token": "", "scope": "openid email"}, "refresh-token-CANARY-1", []string{"openid", "email"}, false, 0},
		{"a new ID token", map[string]any{}, "refresh-token-CANARY-1", []string{"openid"}, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			c := p.client(nil)
			old := p.signIn(c)
			before := *old
			delete(p.claims, "nonce")
			p.claims["auth_time"] = testStart.Unix()
			p.answer = test.answer
			p.answer["access_token"], p.answer["token_type"] = "a2", "bearer"
			p.advance(time.Minute)
			got, err := c.Refresh(context.Background(), old)
			if err != nil {
				t.Fatal(err)
			}
			if got.AccessToken != "a2" || got.RefreshToken != test.refresh || !slices.Equal(got.Scope, test.scope) {
				t.Errorf("got %q %q %q", got.AccessToken, got.RefreshToken, got.Scope)
			}
			if (got.IDToken != old.IDToken) != test.newID || got.IDToken.Subject != "alice" {
				t.Errorf("the ID token is new: %t, want %t", got.IDToken != old.IDToken, test.newID)
			}
			if want := testStart.Add(time.Minute + test.expiry); test.expiry > 0 && !got.Expiry.Equal(want) || test.expiry == 0 && !got.Expiry.IsZero() {
				t.Errorf("got expiry %v", got.Expiry)
			}
			if before.AccessToken != old.AccessToken || before.RefreshToken != old.RefreshToken {
				t.Error("the old tokens changed")
			}
		})
	}
}

func TestRefreshRefusesIDToken(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(claims map[string]any)
		claim  string
	}{
		{"other user", func(claims map[string]any) { claims["sub"] = "mallory" }, "sub"},
		{"other issuer", func(claims map[string]any) { claims["iss"] = "https://evil.example" }, "iss"},
		{"other nonce", func(claims map[string]any) { claims["nonce"] = "other" }, "nonce"},
		{"other auth_time", func(claims map[string]any) { claims["auth_time"] = testStart.Add(-time.Hour).Unix() }, "auth_time"},
		{"wrong at_hash", func(claims map[string]any) { claims["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" }, "at_hash"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			c := p.client(nil)
			old := p.signIn(c)
			if _, err := c.Refresh(context.Background(), old); err != nil {
				t.Fatal(err)
			}
			test.change(p.claims)
			got, err := c.Refresh(context.Background(), old)
			var e *jwtverify.ClaimError
			if got != nil || !errors.Is(err, ErrInvalidGrant) || !errors.Is(err, jwtverify.ErrInvalid) || !errors.As(err, &e) || e.Claim != test.claim {
				t.Errorf("got %v, want %s refused and the grant dead", err, test.claim)
			}
		})
	}
}

// The new tokens would be lost with the ID token that cannot be verified just now.
func TestRefreshKeepsTheIDTokenWhileKeysAreDown(t *testing.T) {
	p := newOP(t)
	old := p.signIn(p.client(nil))
	p.reply("/jwks", 503, "", "")
	p.answer["access_token"] = "a2"
	got, err := p.client(nil).Refresh(context.Background(), old) // a new client: no keys are cached
	if err != nil {
		t.Fatal(err)
	}
	if got.AccessToken != "a2" || got.IDToken != old.IDToken {
		t.Error("want the new access token with the old ID token")
	}
}

// The same, where the provider signs with a key before it publishes it.
func TestRefreshKeepsTheIDTokenWhileItsKeyIsNotPublished(t *testing.T) {
	for sub, ok := range map[string]bool{"alice": true, "mallory": false} {
		p := newOP(t)
		c := p.client(nil)
		old := p.signIn(c)
		p.answer["access_token"] = "a2"
		p.answer["id_token"] = sign(p.key, map[string]any{"alg": "ES256", "kid": "k2"}, map[string]any{"iss": testIssuer, "aud": testClientID, "sub": sub})
		p.advance(time.Minute) // the key set is read again, and has no k2
		got, err := c.Refresh(context.Background(), old)
		if !ok {
			if got != nil || !errors.Is(err, ErrInvalidGrant) {
				t.Errorf("%s: got %v, want the grant dead", sub, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got.AccessToken != "a2" || got.IDToken != old.IDToken {
			t.Error("want the new access token with the old ID token")
		}
	}
}

// What cannot be verified must at least name the same user.
func TestRefreshOfAnotherUserWhileKeysAreDown(t *testing.T) {
	for _, test := range []struct{ name, claim, value string }{
		{"other user", "sub", "mallory"},
		{"other issuer", "iss", "https://evil.example"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			old := p.signIn(p.client(nil))
			p.reply("/jwks", 503, "", "")
			p.claims[test.claim] = test.value
			got, err := p.client(nil).Refresh(context.Background(), old)
			if got != nil || !errors.Is(err, ErrInvalidGrant) || !strings.Contains(err.Error(), "not of the same user") {
				t.Errorf("got %v, want the grant dead", err)
			}
		})
	}
	t.Run("not a token", func(t *testing.T) {
		p := newOP(t)
		old := p.signIn(p.client(nil))
		claims := fmt.Sprintf(`{"iss":%q,"sub":%q}`, old.IDToken.Issuer, old.IDToken.Subject)
		claims += strings.Repeat(" ", (3-len(claims)%3)%3) // whole groups, so that what hangs on can be cut off
		twice := strings.TrimRight(claims, "} ") + `,"sub":"mallory"}`
		encode := base64.RawURLEncoding.EncodeToString
		if !namesSameUser("a."+encode([]byte(claims))+".c", old.IDToken) {
			t.Error("the accepted case names nobody")
		}
		for _, idToken := range []string{"x", "a.%.c", "a.W10.c", "a." + encode([]byte(claims)) + "%.c", "a." + encode([]byte(twice)) + ".c"} {
			if namesSameUser(idToken, old.IDToken) {
				t.Errorf("%q names a user", idToken)
			}
		}
	})
}

func TestRefreshWithoutPreviousIDToken(t *testing.T) {
	p := newOP(t)
	got, err := p.client(nil).Refresh(context.Background(), &Tokens{RefreshToken: "r"})
	if err != nil || got.IDToken != nil {
		t.Errorf("got %v, want tokens without an ID token", err)
	}
}

func TestRefreshSendsNothing(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	other := *tokens
	id := *tokens.IDToken
	id.Issuer = "https://evil.example"
	other.IDToken = &id
	p.requests = nil
	for _, test := range []struct {
		tokens *Tokens
		want   error
		text   string
	}{
		{nil, ErrInvalidGrant, "client: grant no longer valid: there are no tokens"},
		{&Tokens{AccessToken: "a"}, ErrInvalidGrant, "client: grant no longer valid: there is no refresh token"},
		{&other, ErrRejected, "client: rejected: the tokens are of another issuer"},
	} {
		if _, err := c.Refresh(context.Background(), test.tokens); !errors.Is(err, test.want) || err.Error() != test.text {
			t.Errorf("got %v, want %s", err, test.text)
		}
	}
	if len(p.requests) != 0 {
		t.Errorf("%d requests, want none", len(p.requests))
	}
}

// DESIGN 7.7: what ends a grant, before and after the access token has expired.
func TestDeadGrant(t *testing.T) {
	const json = "application/json"
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		before, after           error
	}{
		{"invalid_grant", json, `{"error":"invalid_grant"}`, 400, ErrInvalidGrant, ErrInvalidGrant},
		{"dex", json, `{"error":"invalid_request"}`, 400, ErrRejected, ErrInvalidGrant},
		{"Glewlwyd", "", ``, 400, ErrRejected, ErrInvalidGrant},
		{"401 page", "text/html", `<html>`, 401, ErrRejected, ErrInvalidGrant},
		{"403", json, `{"error":"access_denied"}`, 403, ErrRejected, ErrInvalidGrant},
		{"error in a 200", json, `{"error":"invalid_request"}`, 200, ErrRejected, ErrInvalidGrant},
		{"GitHub", json, `{"error":"bad_refresh_token"}`, 200, ErrInvalidGrant, ErrInvalidGrant},
		{"GitHub, client", json, `{"error":"incorrect_client_credentials"}`, 200, ErrRejected, ErrRejected},
		{"invalid_client", json, `{"error":"invalid_client"}`, 401, ErrRejected, ErrRejected},
		{"invalid_dpop_proof", json, `{"error":"invalid_dpop_proof"}`, 400, ErrRejected, ErrRejected},
		{"use_dpop_nonce", json, `{"error":"use_dpop_nonce"}`, 400, ErrRejected, ErrRejected},
		{"408", "", ``, 408, ErrUnavailable, ErrUnavailable},
		{"429", "", ``, 429, ErrUnavailable, ErrUnavailable},
		{"temporarily_unavailable", json, `{"error":"temporarily_unavailable"}`, 400, ErrUnavailable, ErrUnavailable},
		{"500", "", ``, 500, ErrUnavailable, ErrUnavailable},
		{"503", "text/html", `<html>`, 503, ErrUnavailable, ErrUnavailable},
		{"302", "", ``, 302, ErrRejected, ErrRejected},
		{"broken 200", json, `{`, 200, ErrRejected, ErrRejected},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			c := p.client(nil)
			tokens := p.signIn(c)
			p.reply("/token", test.status, test.contentType, test.body)
			p.advance(tokens.Expiry.Sub(testStart) - time.Second)
			if _, err := c.Refresh(context.Background(), tokens); !errors.Is(err, test.before) {
				t.Errorf("before: got %v, want %v", err, test.before)
			}
			p.advance(time.Second)
			if _, err := c.Refresh(context.Background(), tokens); !errors.Is(err, test.after) {
				t.Errorf("after: got %v, want %v", err, test.after)
			}
			forever := *tokens
			forever.Expiry = time.Time{}
			if _, err := c.Refresh(context.Background(), &forever); !errors.Is(err, test.before) {
				t.Errorf("no expiry: got %v, want %v", err, test.before)
			}
		})
	}
}

func TestRefreshNetworkError(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	p.advance(time.Hour)
	p.handle("/token", func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })
	if _, err := c.Refresh(context.Background(), tokens); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalidGrant) {
		t.Errorf("got %v, want unavailable", err)
	}
}

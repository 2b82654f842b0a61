package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"
)

func TestRefreshForRequest(t *testing.T) {
	const grant = "grant_type=refresh_token&refresh_token=refresh-token-CANARY-1"
	for _, test := range []struct {
		name  string
		opts  *GrantOptions
		body  string
		scope []string // where the answer does not say
	}{
		{"nil", nil, grant, []string{"openid"}},
		{"nothing", &GrantOptions{Scopes: []string{}}, grant, []string{"openid"}},
		{"a resource", &GrantOptions{Resource: []string{"https://files.example.com"}}, grant + "&resource=https%3A%2F%2Ffiles.example.com", []string{"openid"}},
		{"two, and less scope", &GrantOptions{Resource: []string{"https://a.example.com", "https://b.example.com"}, Scopes: []string{"read", "list"}},
			grant + "&resource=https%3A%2F%2Fa.example.com&resource=https%3A%2F%2Fb.example.com&scope=read+list", []string{"read", "list"}},
		{"Auth0", &GrantOptions{Audience: []string{"https://files.example.com"}, Extra: url.Values{"a": {"b"}}},
			"a=b&audience=https%3A%2F%2Ffiles.example.com&" + grant, []string{"openid"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			c := p.client(nil)
			tokens := p.signIn(c)
			tokens.SessionState = "h.s"
			before := *tokens
			p.requests = nil
			p.answer = map[string]any{"access_token": "a2", "token_type": "Bearer", "expires_in": 60, "refresh_token": "r2", "id_token": nil}
			got, err := c.RefreshFor(context.Background(), tokens, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			p.wantRequests("/token", sentRequest{"POST", testIssuer + "/token", http.Header{
				"Accept":        {"application/json"},
				"Authorization": {"Basic d2ViOmNsaWVudC1zZWNyZXQtQ0FOQVJZLTAxMjM0NTY3ODk="},
				"Content-Type":  {"application/x-www-form-urlencoded"},
				"User-Agent":    {userAgent},
			}, test.body})
			if got.AccessToken != "a2" || got.RefreshToken != "r2" || !got.Expiry.Equal(testStart.Add(time.Minute)) || !slices.Equal(got.Scope, test.scope) ||
				got.IDToken != tokens.IDToken || got.SessionState != "h.s" {
				t.Errorf("got %q %q %v %q", got.AccessToken, got.RefreshToken, got.Expiry, got.Scope)
			}
			if tokens.AccessToken != before.AccessToken || tokens.RefreshToken != before.RefreshToken {
				t.Error("the tokens that were given changed")
			}
		})
	}
}

// What the answer says counts, and what it leaves out is kept; the options stay the caller's.
func TestRefreshForKeeps(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	p.answer = map[string]any{"access_token": "a2", "token_type": "Bearer", "id_token": nil}
	opts := &GrantOptions{Scopes: []string{"read"}}
	got, err := c.RefreshFor(context.Background(), tokens, opts)
	if err != nil || got.RefreshToken != tokens.RefreshToken {
		t.Fatalf("got %v", err)
	}
	opts.Scopes[0] = "changed"
	if got.Scope[0] != "read" {
		t.Error("the scope is the caller's")
	}
	p.answer["scope"] = "less"
	if got, err = c.RefreshFor(context.Background(), tokens, opts); err != nil || !slices.Equal(got.Scope, []string{"less"}) {
		t.Errorf("got %q, %v", got.Scope, err)
	}
	p.answer["id_token"] = sign(testKey(), map[string]any{"alg": "ES256", "kid": "k1"}, map[string]any{"iss": testIssuer, "sub": "mallory"})
	if _, err = c.RefreshFor(context.Background(), tokens, opts); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("an ID token of another user: %v", err)
	}
}

func TestRefreshForRejects(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	p.requests = nil
	for want, opts := range map[string]GrantOptions{
		`client: GrantOptions.Scopes: "a b" is not a scope`:                                {Scopes: []string{"a b"}},
		`client: GrantOptions.Audience has an empty one`:                                   {Audience: []string{""}},
		`client: GrantOptions.Extra: "refresh_token" is set by this package`:               {Extra: url.Values{"refresh_token": {"x"}}},
		`client: GrantOptions.Extra: "grant_type" is set by this package`:                  {Extra: url.Values{"grant_type": {"x"}}},
		`client: GrantOptions.Resource: "files" is not an absolute URI without a fragment`: {Resource: []string{"files"}},
	} {
		if _, err := c.RefreshFor(context.Background(), tokens, &opts); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := c.RefreshFor(context.Background(), &Tokens{}, &GrantOptions{}); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("no refresh token: %v", err)
	}
	if len(p.requests) > 0 {
		t.Errorf("%d requests", len(p.requests))
	}
}

// The options may be what is not liked: the user stays signed in, long after the access
// token of the first API is over.
func TestRefreshForIsNoVerdictOnTheGrant(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	p.advance(time.Hour)
	opts := &GrantOptions{Resource: []string{"https://files.example.com"}}
	for code, want := range map[string]error{
		"invalid_target": ErrRejected, "invalid_scope": ErrRejected, "invalid_request": ErrRejected,
		"invalid_grant": ErrInvalidGrant, "temporarily_unavailable": ErrUnavailable,
	} {
		p.reply("/token", 400, "application/json", `{"error":"`+code+`"}`)
		if _, err := c.RefreshFor(context.Background(), tokens, opts); !errors.Is(err, want) {
			t.Errorf("%s: got %v", code, err)
		}
	}
	p.reply("/token", 400, "application/json", `{"error":"invalid_request"}`)
	if _, err := c.RefreshFor(context.Background(), tokens, nil); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("without options it is Refresh: %v", err)
	}
}

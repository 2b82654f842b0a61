package client

import (
	"context"
	"errors"
	"net/http"
	"slices"
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
		{"error in a 200", json, `{"error":"bad_refresh_token"}`, 200, ErrRejected, ErrInvalidGrant},
		{"invalid_client", json, `{"error":"invalid_client"}`, 401, ErrRejected, ErrRejected},
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

func TestUserInfo(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	got, err := c.UserInfo(context.Background(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Name string }
	if err := got.Claims(&claims); err != nil || claims.Name != "Alice" || got.Subject != "alice" {
		t.Errorf("got %q, %+v, %v", got.Subject, claims, err)
	}
	if err := got.Claims(&struct{ Name int }{}); err == nil {
		t.Error("a wrong type was decoded")
	}
	p.wantRequests("/userinfo", sentRequest{"GET", testIssuer + "/userinfo", http.Header{
		"Accept": {"application/json"}, "Authorization": {"Bearer access-token-CANARY-1"}, "User-Agent": {userAgent},
	}, ""})
}

func TestUserInfoRejects(t *testing.T) {
	const json = "application/json"
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		want                    error
		text                    string
	}{
		{"other sub", json, `{"sub":"mallory"}`, 200, ErrRejected, "rejected: status 200: sub is not the one of the ID token"},
		{"sub in another case", json, `{"sub":"Alice"}`, 200, ErrRejected, "rejected: status 200: sub is not the one of the ID token"},
		{"no sub", json, `{"name":"Alice"}`, 200, ErrRejected, "rejected: status 200: sub is missing"},
		{"empty sub", json, `{"sub":""}`, 200, ErrRejected, "rejected: status 200: sub is missing"},
		{"sub a number", json, `{"sub":1}`, 200, ErrRejected, "rejected: status 200: sub is missing"},
		{"sub twice", json, `{"sub":"alice","sub":"mallory"}`, 200, ErrRejected, `rejected: status 200: duplicate member "sub"`},
		{"folded sub", json, `{"sub":"alice","SUB":"mallory"}`, 200, ErrRejected, `rejected: status 200: member "SUB" is not "sub"`},
		{"array", json, `[{"sub":"alice"}]`, 200, ErrRejected, "rejected: status 200: not a JSON object"},
		{"JWT", "application/jwt", "e30.e30.e30", 200, ErrUnsupported, "not supported by the provider: status 200: the answer is a JWT (userinfo_signed_response_alg of the client's registration)"},
		{"HTML", "text/html", `<html>`, 200, ErrRejected, `rejected: status 200: the content type is "text/html", not application/json`},
		{"401", json, `{"error":"invalid_token"}`, 401, ErrRejected, `rejected: status 401: "invalid_token"`},
		{"503", "", ``, 503, ErrUnavailable, "provider unavailable: status 503: no error code"},
		{"token echoed", json, `{"error":"x","error_description":"bad access-token-CANARY-1"}`, 400, ErrRejected, `rejected: status 400: "x" "bad [redacted]"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			c := p.client(nil)
			tokens := p.signIn(c)
			p.reply("/userinfo", test.status, test.contentType, test.body)
			got, err := c.UserInfo(context.Background(), tokens)
			var e *ResponseError
			if got != nil || !errors.Is(err, test.want) || !errors.As(err, &e) || err.Error() != "client: userinfo endpoint: "+test.text {
				t.Errorf("got %v, want %s", err, test.text)
			}
		})
	}
}

func TestUserInfoNeedsTheIDToken(t *testing.T) {
	p := newOP(t)
	_, err := p.client(nil).UserInfo(context.Background(), &Tokens{AccessToken: "a"})
	if want := "client: rejected: userinfo needs the ID token, to compare the user with"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRevoke(t *testing.T) {
	const refused = `{"error":"invalid_client"}`
	for _, test := range []struct {
		name   string
		tokens Tokens
		status int
		body   string
		sent   []string
		want   error
	}{
		{"both", Tokens{AccessToken: "a", RefreshToken: "r"}, 200, "", []string{"token=r&token_type_hint=refresh_token", "token=a&token_type_hint=access_token"}, nil},
		{"status 204", Tokens{AccessToken: "a"}, 204, "", []string{"token=a&token_type_hint=access_token"}, nil},
		{"no access token", Tokens{RefreshToken: "r"}, 200, "", []string{"token=r&token_type_hint=refresh_token"}, nil},
		{"no tokens", Tokens{}, 200, "", nil, nil},
		{"unsupported access token", Tokens{AccessToken: "a"}, 400, `{"error":"unsupported_token_type"}`, []string{"token=a&token_type_hint=access_token"}, nil},
		{"unsupported refresh token", Tokens{AccessToken: "a", RefreshToken: "r"}, 400, `{"error":"unsupported_token_type"}`, []string{"token=r&token_type_hint=refresh_token"}, ErrRejected},
		{"unknown token", Tokens{RefreshToken: "r"}, 400, `{"error":"invalid_token"}`, []string{"token=r&token_type_hint=refresh_token"}, nil},
		{"refused", Tokens{AccessToken: "a", RefreshToken: "r"}, 401, refused, []string{"token=r&token_type_hint=refresh_token"}, ErrRejected},
		{"access token refused", Tokens{AccessToken: "a"}, 401, refused, []string{"token=a&token_type_hint=access_token"}, ErrRejected},
		{"down", Tokens{AccessToken: "a", RefreshToken: "r"}, 503, "", []string{"token=r&token_type_hint=refresh_token"}, ErrUnavailable},
		{"redirect", Tokens{AccessToken: "a"}, 307, "", []string{"token=a&token_type_hint=access_token"}, ErrRejected},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.reply("/revoke", test.status, "application/json", test.body)
			if err := p.client(nil).Revoke(context.Background(), &test.tokens); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			var want []sentRequest
			for _, body := range test.sent {
				want = append(want, sentRequest{"POST", testIssuer + "/revoke", http.Header{
					"Accept":        {"application/json"},
					"Authorization": {"Basic d2ViOmNsaWVudC1zZWNyZXQtQ0FOQVJZLTAxMjM0NTY3ODk="},
					"Content-Type":  {"application/x-www-form-urlencoded"},
					"User-Agent":    {userAgent},
				}, body})
			}
			p.wantRequests("/revoke", want...)
		})
	}
}

func TestUnsupportedEndpoints(t *testing.T) {
	p := newOP(t)
	tokens := p.signIn(p.client(nil))
	for _, test := range []struct {
		member string
		call   func(*Client) error
	}{
		{"userinfo_endpoint", func(c *Client) error { _, err := c.UserInfo(context.Background(), tokens); return err }},
		{"revocation_endpoint", func(c *Client) error { return c.Revoke(context.Background(), tokens) }},
		{"end_session_endpoint", func(c *Client) error {
			_, err := c.LogoutURL(context.Background(), LogoutOptions{})
			return err
		}},
	} {
		for _, absent := range []any{nil, ""} {
			p := newOP(t)
			p.metadata[test.member] = absent
			err := test.call(p.client(nil))
			want := "client: not supported by the provider: its metadata has no " + test.member
			if !errors.Is(err, ErrUnsupported) || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
}

// Every method needs the metadata first.
func TestProviderDown(t *testing.T) {
	p := newOP(t)
	tokens := p.signIn(p.client(nil))
	p.reply("/.well-known/openid-configuration", 503, "", "")
	c := p.client(nil)
	ctx := context.Background()
	for name, call := range map[string]func() error{
		"Metadata":  func() error { _, err := c.Metadata(ctx); return err },
		"Provider":  func() error { _, err := c.Provider(ctx); return err },
		"Authorize": func() error { _, err := c.Authorize(ctx, nil); return err },
		"Refresh":   func() error { _, err := c.Refresh(ctx, tokens); return err },
		"UserInfo":  func() error { _, err := c.UserInfo(ctx, tokens); return err },
		"Revoke":    func() error { return c.Revoke(ctx, tokens) },
		"LogoutURL": func() error { _, err := c.LogoutURL(ctx, LogoutOptions{}); return err },
	} {
		if err := call(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: got %v, want unavailable", name, err)
		}
	}
}

func TestLogoutURL(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	raw := tokens.IDToken.Raw()
	for _, test := range []struct {
		name, endpoint string
		opts           LogoutOptions
		want           string
	}{
		{"nothing", "/logout", LogoutOptions{}, "/logout?client_id=web"},
		{"all", "/logout", LogoutOptions{IDToken: tokens.IDToken, PostLogoutRedirectURL: "https://app.example.com/bye?a=b&c", State: "s t", UILocales: []string{"de", "en"}},
			"/logout?client_id=web&id_token_hint=" + raw + "&post_logout_redirect_uri=https%3A%2F%2Fapp.example.com%2Fbye%3Fa%3Db%26c&state=s+t&ui_locales=de+en"},
		{"raw token dropped", "/logout", LogoutOptions{IDToken: tokens.IDToken.WithoutRaw()}, "/logout?client_id=web"},
		{"the endpoint's query", "/logout?p=policy", LogoutOptions{State: "s"}, "/logout?p=policy&client_id=web&state=s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.metadata["end_session_endpoint"] = testIssuer + test.endpoint
			got, err := p.client(nil).LogoutURL(context.Background(), test.opts)
			if err != nil || got != testIssuer+test.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, testIssuer+test.want)
			}
		})
	}
}

func TestLogoutURLRejects(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	id := *p.signIn(c).IDToken
	id.Issuer = "https://evil.example"
	for _, test := range []struct {
		opts LogoutOptions
		want string
	}{
		{LogoutOptions{IDToken: &id}, "IDToken is of another issuer"},
		{LogoutOptions{PostLogoutRedirectURL: "/bye"}, "PostLogoutRedirectURL is not an absolute URL"},
		{LogoutOptions{PostLogoutRedirectURL: "javascript:alert(1)"}, "PostLogoutRedirectURL must be https, http on a loopback host, or a private-use scheme with a dot in it"},
		{LogoutOptions{UILocales: []string{""}}, `UILocales: "" is empty or has spaces in it`},
	} {
		got, err := c.LogoutURL(context.Background(), test.opts)
		if got != "" || err == nil || err.Error() != "client: LogoutOptions."+test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Everything that the client itself sends goes to the other host and says for whom it is;
// what a browser is sent to, and what iss is compared with, stays.
func TestBackChannel(t *testing.T) {
	const inside = "https://keycloak.internal:8443"
	p := newOP(t)
	p.metadata["pushed_authorization_request_endpoint"] = testIssuer + "/par"
	p.handle("/par", func(*http.Request) (*http.Response, error) {
		return jsonResponse(201, map[string]any{"request_uri": "urn:a", "expires_in": 60}), nil
	})
	p.handle("/introspect", func(*http.Request) (*http.Response, error) {
		return jsonResponse(200, map[string]any{"active": false}), nil
	})
	outside := p.handlers
	p.handlers = map[string]func(*http.Request) (*http.Response, error){}
	for place, h := range outside {
		p.handlers[strings.Replace(place, testIssuer, inside, 1)] = func(req *http.Request) (*http.Response, error) {
			if req.Host != "op.example.com" {
				t.Errorf("%s: the host is %q", req.URL, req.Host)
			}
			return h(req)
		}
	}
	ctx := context.Background()
	c := p.client(func(cfg *Config) { cfg.BackChannelURL, cfg.PushedAuthorizationRequests = inside+"/", true })
	login := p.authorize(c, nil)
	if !strings.HasPrefix(login.URL(), testIssuer+"/authorize?") {
		t.Errorf("the browser is sent to %s", login.URL())
	}
	tokens, err := c.Exchange(ctx, login, callbackOf(login))
	if err != nil {
		t.Fatal(err)
	}
	if tokens.IDToken.Issuer != testIssuer {
		t.Errorf("the issuer is %s", tokens.IDToken.Issuer)
	}
	if _, err := c.UserInfo(ctx, tokens); err != nil {
		t.Error(err)
	}
	if _, err := c.Refresh(ctx, tokens); err != nil {
		t.Error(err)
	}
	if _, err := c.Introspect(ctx, "token"); err != nil {
		t.Error(err)
	}
	if err := c.Revoke(ctx, tokens); err != nil {
		t.Error(err)
	}
	if to, err := c.LogoutURL(ctx, LogoutOptions{}); err != nil || to != testIssuer+"/logout?client_id=web" {
		t.Errorf("got %s, %v", to, err)
	}
	provider, err := c.Provider(ctx)
	if err != nil || provider.Endpoint().TokenURL != testIssuer+"/token" {
		t.Fatalf("go-oidc: %v", err)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: testClientID, Now: p.clock}).Verify(ctx, tokens.IDToken.Raw()); err != nil {
		t.Errorf("go-oidc: %v", err)
	}
	for _, r := range p.requests {
		if !strings.HasPrefix(r.URL, inside+"/") {
			t.Errorf("a request went to %s", r.URL)
		}
	}
}

// What is on another host is reached there, also one that only looks like the issuer's.
func TestBackChannelOtherHosts(t *testing.T) {
	for _, other := range []string{"https://tokens.example.com", "https://op.example.com:8443", "https://op.example.com.evil.example"} {
		p := newOP(t)
		p.metadata["token_endpoint"] = other + "/token"
		p.handlers[other+"/token"] = p.handlers[testIssuer+"/token"]
		p.handlers["https://inside/.well-known/openid-configuration"] = p.handlers[testIssuer+discoveryPath]
		p.handlers["https://inside/jwks"] = p.handlers[testIssuer+"/jwks"]
		p.signIn(p.client(func(cfg *Config) { cfg.BackChannelURL = "https://inside" }))
	}
}

// The name of the other host is not the issuer's, wherever it turns up.
func TestBackChannelLoosensNothing(t *testing.T) {
	const inside = "https://inside"
	start := func(t *testing.T) (*op, *Client) {
		p := newOP(t)
		for _, path := range []string{discoveryPath, "/token", "/jwks"} {
			p.handlers[inside+path] = p.handlers[testIssuer+path]
		}
		return p, p.client(func(cfg *Config) { cfg.BackChannelURL = inside })
	}
	t.Run("metadata", func(t *testing.T) {
		p, c := start(t)
		p.metadata["issuer"] = inside
		_, err := c.Metadata(context.Background())
		if !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), `issuer is "https://inside", configured is "https://op.example.com"`) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("ID token", func(t *testing.T) {
		p, c := start(t)
		p.claims["iss"] = inside
		login := p.authorize(c, nil)
		_, err := c.Exchange(context.Background(), login, callbackOf(login))
		if !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), `iss is another issuer: got "https://inside", want "https://op.example.com"`) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("callback", func(t *testing.T) {
		p, c := start(t)
		login := p.authorize(c, nil)
		callback := callbackOf(login)
		callback.Set("iss", inside)
		_, err := c.Exchange(context.Background(), login, callback)
		if err == nil || err.Error() != "client: callback rejected: iss is not the issuer" {
			t.Errorf("got %v", err)
		}
		if n := len(p.requests); n != 1 { // discovery
			t.Errorf("%d requests were sent", n)
		}
	})
	t.Run("redirect", func(t *testing.T) {
		p, c := start(t)
		p.handlers[inside+discoveryPath] = redirectTo(302, inside+"/other")
		_, err := c.Metadata(context.Background())
		if !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), "status 302") || len(p.requests) != 1 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("redirect of credentials", func(t *testing.T) {
		p, c := start(t)
		p.handlers[inside+"/token"] = redirectTo(307, inside+"/other")
		login := p.authorize(c, nil)
		_, err := c.Exchange(context.Background(), login, callbackOf(login))
		if !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), "status 307") || len(p.requests) != 2 {
			t.Errorf("got %v after %d requests", err, len(p.requests))
		}
	})
}

// A document on the provider's own host may move about there.
func TestBackChannelRedirects(t *testing.T) {
	p := newOP(t)
	p.handlers["https://inside"+discoveryPath] = redirectTo(302, "/moved")
	p.handlers["https://inside/moved"] = p.handlers[testIssuer+discoveryPath]
	if _, err := p.client(func(cfg *Config) { cfg.BackChannelURL = "https://inside" }).Metadata(context.Background()); err != nil {
		t.Error(err)
	}
}

// Where the browser reaches a provider for development by http, so may the program.
func TestBackChannelForDevelopment(t *testing.T) {
	for _, test := range []struct{ issuer, backChannel string }{
		{"http://localhost:8080/realms/app", "http://keycloak:8080"},
		{"http://localhost:8080/realms/app", "https://keycloak:8443"},
		{testIssuer, "http://localhost:15001"},
		{testIssuer, "http://127.0.0.1:15001/"},
	} {
		_, err := New(changed(func(c *Config) { c.Issuer, c.BackChannelURL = test.issuer, test.backChannel }))
		if err != nil {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

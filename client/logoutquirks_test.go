package client

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestLogoutURLOfProviders(t *testing.T) {
	const (
		cognito = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Pool"
		hosted  = "https://app.auth.eu-west-1.amazoncognito.com"
		back    = "https://app.example.com/bye?a=b&c"
		escaped = "https%3A%2F%2Fapp.example.com%2Fbye%3Fa%3Db%26c"
	)
	auth0 := func(issuer, endSession string) *Metadata {
		return &Metadata{
			Issuer: issuer, AuthorizationEndpoint: issuer + "authorize", TokenEndpoint: issuer + "oauth/token",
			JWKSURI: issuer + ".well-known/jwks.json", EndSessionEndpoint: endSession,
		}
	}
	pool := func(issuer, endSession string) *Metadata {
		return &Metadata{
			Issuer: issuer, AuthorizationEndpoint: hosted + "/oauth2/authorize", TokenEndpoint: hosted + "/oauth2/token",
			JWKSURI: issuer + "/.well-known/jwks.json", EndSessionEndpoint: endSession,
		}
	}
	everything := LogoutOptions{LogoutHint: "alice", PostLogoutRedirectURL: back, State: "s", UILocales: []string{"de"}}
	for _, test := range []struct {
		name     string
		metadata *Metadata
		opts     LogoutOptions
		want     string
		keeps    bool
	}{
		{"Auth0", auth0("https://tenant.eu.auth0.com/", ""), everything,
			"https://tenant.eu.auth0.com/v2/logout?client_id=web&returnTo=" + escaped, false},
		{"Auth0, nowhere to go", auth0("https://tenant.eu.auth0.com/", ""), LogoutOptions{},
			"https://tenant.eu.auth0.com/v2/logout?client_id=web", false},
		{"Auth0 as the specification has it", auth0("https://tenant.eu.auth0.com/", "https://tenant.eu.auth0.com/oidc/logout"), everything,
			"https://tenant.eu.auth0.com/oidc/logout?client_id=web&logout_hint=alice&post_logout_redirect_uri=" + escaped + "&state=s&ui_locales=de", true},
		{"Cognito", pool(cognito, hosted+"/logout"), everything, hosted + "/logout?client_id=web&logout_uri=" + escaped, false},
		{"Cognito without an end_session_endpoint", pool(cognito, ""), everything, hosted + "/logout?client_id=web&logout_uri=" + escaped, false},
		{"Cognito's endpoint with a query", pool(cognito, hosted+"/logout?lang=de"), everything, hosted + "/logout?lang=de&client_id=web&logout_uri=" + escaped, false},
		{"Cognito in China", pool("https://cognito-idp.cn-north-1.amazonaws.com.cn/pool", hosted+"/logout"), everything,
			hosted + "/logout?client_id=web&logout_uri=" + escaped, false},
		{"another one", pool("https://op.example.com", hosted+"/logout"), LogoutOptions{PostLogoutRedirectURL: back, State: "s"},
			hosted + "/logout?client_id=web&post_logout_redirect_uri=" + escaped + "&state=s", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := New(Config{Issuer: test.metadata.Issuer, ClientID: testClientID, RedirectURL: testRedirect, Metadata: test.metadata})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := c.LogoutURL(context.Background(), test.opts); err != nil || got != test.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, test.want)
			}
			if keeps, err := c.LogoutKeepsState(context.Background()); err != nil || keeps != test.keeps {
				t.Errorf("the state comes back: %t, %v", keeps, err)
			}
		})
	}
	c, err := New(Config{Issuer: cognito, ClientID: testClientID, Metadata: pool(cognito, hosted+"/logout")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.LogoutURL(context.Background(), LogoutOptions{State: "s"})
	if want := "client: LogoutOptions.PostLogoutRedirectURL is empty, and the provider shows an error page without one"; err == nil || err.Error() != want || errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v, want %s", err, want)
	}
	c, err = New(Config{Issuer: "https://op.example.com", ClientID: testClientID, Metadata: pool("https://op.example.com", "")})
	if err != nil {
		t.Fatal(err)
	}
	const none = "client: not supported by the provider: its metadata has no end_session_endpoint"
	if _, err := c.LogoutURL(context.Background(), everything); !errors.Is(err, ErrUnsupported) || err.Error() != none {
		t.Errorf("got %v, want %s", err, none)
	}
	if _, err := c.LogoutKeepsState(context.Background()); !errors.Is(err, ErrUnsupported) || err.Error() != none {
		t.Errorf("got %v, want %s", err, none)
	}
}

// A domain of the customer's own is known by what discovery says; and the doctor says
// nothing of an endpoint that is not needed.
func TestLogoutURLOfACustomDomain(t *testing.T) {
	ctx := context.Background()
	p := newOP(t)
	delete(p.metadata, "end_session_endpoint")
	if !mentionsEndSession(p.client(nil).Check(ctx)) {
		t.Error("nobody says that there is no end_session_endpoint")
	}
	p.metadata["mfa_challenge_endpoint"] = testIssuer + "/mfa/challenge"
	c := p.client(nil)
	if got, err := c.LogoutURL(ctx, LogoutOptions{State: "s"}); err != nil || got != testIssuer+"/v2/logout?client_id=web" {
		t.Errorf("got %s, %v", got, err)
	}
	if mentionsEndSession(c.Check(ctx)) {
		t.Error("the doctor misses an endpoint that is not needed")
	}
}

func mentionsEndSession(findings []Finding) bool {
	for _, f := range findings {
		if strings.Contains(f.Problem, "end_session_endpoint") {
			return true
		}
	}
	return false
}

func TestLogoutKeepsStateUnavailable(t *testing.T) {
	p := newOP(t)
	p.reply(discoveryPath, 503, "", "")
	if _, err := p.client(nil).LogoutKeepsState(context.Background()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

package client_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

const redirectURL = "https://app.example.com/callback"

func newClient(t *testing.T, p *clienttest.Provider, change func(*client.Config)) *client.Client {
	t.Helper()
	cfg := p.Config(redirectURL)
	if change != nil {
		change(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The whole road over real HTTP: sign in, userinfo, refresh with rotation, sign out.
func TestFlow(t *testing.T) {
	ctx := context.Background()
	p := clienttest.New(nil)
	defer p.Close()
	c := newClient(t, p, func(cfg *client.Config) { cfg.Scopes = []string{"offline_access"} })

	login, err := c.Authorize(ctx, &client.AuthorizeOptions{MaxAge: new(time.Duration)})
	if err != nil {
		t.Fatal(err)
	}
	callback, err := p.SignIn(login.URL(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	data, err := login.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var restored client.Login
	if err := restored.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	tokens, err := c.Exchange(ctx, &restored, callback.Query())
	if err != nil {
		t.Fatal(err)
	}
	if tokens.IDToken.Subject != "alice" || tokens.RefreshToken == "" {
		t.Fatalf("signed in %q, with a refresh token: %t", tokens.IDToken.Subject, tokens.RefreshToken != "")
	}
	info, err := c.UserInfo(ctx, tokens)
	if err != nil || info.Subject != "alice" {
		t.Fatalf("userinfo: %v", err)
	}

	p.Advance(10 * time.Minute)
	data, err = tokens.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var stored client.Tokens
	if err := stored.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	next, err := c.Refresh(ctx, &stored)
	if err != nil {
		t.Fatal(err)
	}
	if next.RefreshToken == tokens.RefreshToken || next.AccessToken == tokens.AccessToken {
		t.Error("the tokens did not change")
	}
	if _, err := c.Refresh(ctx, tokens); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("the used refresh token: got %v", err)
	}
	if err := c.Revoke(ctx, next); err != nil {
		t.Error(err)
	}
	if _, err := c.Refresh(ctx, next); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("the revoked refresh token: got %v", err)
	}
	out, err := c.LogoutURL(ctx, client.LogoutOptions{IDToken: next.IDToken})
	if err != nil {
		t.Fatal(err)
	}
	if u, err := url.Parse(out); err != nil || u.Query().Get("id_token_hint") != next.IDToken.Raw() {
		t.Errorf("got %v", err)
	}

	var endpoints []string
	for _, r := range p.Requests() {
		endpoints = append(endpoints, r.Endpoint)
	}
	want := []string{"discovery", "authorization", "authorization", "token", "jwks", "userinfo", "token", "token", "revocation", "revocation", "token"}
	if !slices.Equal(slices.Compact(slices.Clone(endpoints)), slices.Compact(slices.Clone(want))) {
		t.Errorf("got requests %q\nwant          %q", endpoints, want)
	}
}

// The user says no, or is not there.
func TestFlowRefused(t *testing.T) {
	ctx := context.Background()
	p := clienttest.New(nil)
	defer p.Close()
	c := newClient(t, p, nil)
	login, err := c.Authorize(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	params := url.Values{"error": {"access_denied"}, "state": {login.State()}, "iss": {p.Issuer()}}
	var refused *client.AuthError
	if _, err := c.Exchange(ctx, login, params); !errors.As(err, &refused) || refused.Code != "access_denied" {
		t.Errorf("got %v, want access_denied", err)
	}
}

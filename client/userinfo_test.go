package client

import (
	"context"
	"errors"
	"net/http"
	"testing"
)

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
		{"sub twice", json, `{"sub":"alice","sub":"mallory"}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"folded sub", json, `{"sub":"alice","SUB":"mallory"}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"array", json, `[{"sub":"alice"}]`, 200, ErrRejected, "rejected: status 200: " + notMembers},
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

func TestUserInfoNeedsWhatItSends(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	for want, change := range map[string]func(*Tokens){
		"client: rejected: userinfo needs an access token":                                           func(t *Tokens) { t.AccessToken = "" },
		"client: userinfo endpoint: the access token is bound to a DPoP key, and Config.DPoP is nil": func(t *Tokens) { t.TokenType = "DPoP" },
		`client: userinfo endpoint: an access token of type "mac" is not understood`:                 func(t *Tokens) { t.TokenType = "mac" },
	} {
		changed := *tokens
		change(&changed)
		if u, err := c.UserInfo(context.Background(), &changed); u != nil || err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	p.wantRequests("/userinfo")
}

func TestUserInfoNeedsTheIDToken(t *testing.T) {
	p := newOP(t)
	_, err := p.client(nil).UserInfo(context.Background(), &Tokens{AccessToken: "a"})
	if want := "client: rejected: userinfo needs the ID token, to compare the user with"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

package client

import (
	"context"
	"errors"
	"testing"
)

func TestJWTBearer(t *testing.T) {
	p := newOP(t)
	p.reply("/token", 200, "application/json", `{"access_token":"a","token_type":"Bearer"}`)
	got, err := p.client(nil).JWTBearer(context.Background(), testAssertion, nil)
	if err != nil || got.AccessToken != "a" || got.RefreshToken != "" || got.IDToken != nil || got.Scope != nil {
		t.Errorf("got %v", err)
	}
	p = newOP(t)
	got, err = p.client(nil).JWTBearer(context.Background(), testAssertion, &GrantOptions{Scopes: []string{"openid"}})
	if err != nil || got.RefreshToken != "refresh-token-CANARY-1" || got.IDToken.Subject != "alice" {
		t.Errorf("got %v", err)
	}
}

func TestJWTBearerRefused(t *testing.T) {
	for _, assertion := range []string{"", "opaque", "a.b", "a.b.c\n", "a.b. c"} {
		p := newOP(t)
		const want = "client: the assertion is not a JWT in compact form"
		if _, err := p.client(nil).JWTBearer(context.Background(), assertion, nil); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", assertion, err, want)
		}
		if len(p.requests) != 0 {
			t.Errorf("%q: %d requests", assertion, len(p.requests))
		}
	}
	p := newOP(t)
	p.reply("/token", 400, "application/json", `{"error":"invalid_grant","error_description":"Audience validation failed"}`)
	_, err := p.client(nil).JWTBearer(context.Background(), testAssertion, nil)
	if !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("got %v", err)
	}
}

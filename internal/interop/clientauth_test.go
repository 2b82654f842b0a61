package interop

import (
	"errors"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
)

func TestClientAuthentication(t *testing.T) {
	for _, c := range []struct {
		method string
		auth   client.ClientAuth
	}{
		{"client_secret_basic", nil}, // the provider's metadata names basic, among others
		{"client_secret_basic", client.SecretBasic{}},
		{"client_secret_post", client.SecretPost{}},
		{"none", nil},
		{"none", client.NoAuth{}},
	} {
		name := c.method
		if c.auth == nil {
			name += " by default"
		}
		t.Run(name, func(t *testing.T) {
			reg := op.register(t, callbackURL, metadata{"token_endpoint_auth_method": c.method})
			rp := op.client(t, reg, func(cfg *client.Config) { cfg.Auth = c.auth })
			tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
			next := refresh(t, rp, tokens)
			if err := rp.Revoke(t.Context(), next); err != nil {
				t.Error(err)
			}
		})
	}
}

// Both halves of client_secret_basic are form-encoded (RFC 6749 2.3.1); this
// client's are full of what that changes.
func TestClientWithOddCharacters(t *testing.T) {
	reg := registration{ID: "odd: %2B+/?&=", Secret: "se cret:%25+/?&=~" + strings.Repeat("x", 32), redirectURL: callbackURL}
	t.Cleanup(func() { op.explain(t, reg.ID) })
	rp := op.client(t, reg, func(cfg *client.Config) { cfg.Auth = client.SecretBasic{} })
	newPerson(t, callbackURL).signIn(rp, "alice", nil)
}

// Nothing is probed: the one request fails, and the error names the other method.
// The client is registered for client_secret_jwt, because to this provider the two
// ways to send a secret are one.
func TestWrongMethod(t *testing.T) {
	for _, c := range []struct {
		used client.ClientAuth
		hint string
	}{
		{client.SecretBasic{}, "client.SecretPost{}"},
		{client.SecretPost{}, "client.SecretBasic{}"},
	} {
		t.Run("try "+c.hint, func(t *testing.T) {
			reg := op.register(t, callbackURL, metadata{"token_endpoint_auth_method": "client_secret_jwt"})
			rp := op.client(t, reg, func(cfg *client.Config) { cfg.Auth = c.used })
			login := authorize(t, rp, nil)
			end, _ := newPerson(t, callbackURL).open(login.URL()).signIn("alice")
			before := op.requests(t, "/token")
			_, err := rp.Exchange(t.Context(), login, end.callback())
			var refusal *client.ResponseError
			if !errors.As(err, &refusal) || refusal.Code != "invalid_client" {
				t.Fatalf("got %v, want invalid_client", err)
			}
			if !strings.Contains(err.Error(), c.hint) {
				t.Errorf("%v does not name %s as a thing to try", err, c.hint)
			}
			if n := op.requests(t, "/token") - before; n != 1 {
				t.Errorf("%d token requests, want 1", n)
			}
		})
	}
}

func TestWrongSecret(t *testing.T) {
	reg := op.register(t, callbackURL, nil)
	secret := reg.Secret
	reg.Secret = "another secret, which the provider does not know"
	rp := op.client(t, reg, nil)
	login := authorize(t, rp, nil)
	end, _ := newPerson(t, callbackURL).open(login.URL()).signIn("alice")
	_, err := rp.Exchange(t.Context(), login, end.callback())
	var refusal *client.ResponseError
	if !errors.As(err, &refusal) || refusal.Code != "invalid_client" {
		t.Fatalf("got %v, want invalid_client", err)
	}
	if errors.Is(err, client.ErrInvalidGrant) {
		t.Error("a wrong secret passes for a dead grant")
	}
	if text := err.Error(); strings.Contains(text, reg.Secret) || strings.Contains(text, secret) || strings.Contains(text, end.callback().Get("code")) {
		t.Error("the error tells a secret")
	}
}

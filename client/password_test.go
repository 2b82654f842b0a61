package client

import (
	"context"
	"errors"
	"testing"
)

func TestInsecurePassword(t *testing.T) {
	p := newOP(t)
	got, err := p.client(nil).InsecurePassword(context.Background(), Password{"alice", " pa ss "}, nil)
	if err != nil || got.AccessToken != "access-token-CANARY-1" || got.RefreshToken != "refresh-token-CANARY-1" || got.IDToken.Subject != "alice" {
		t.Errorf("got %v", err)
	}
	if sent := parseForm(t, p.seen("/token")[0].Body).Get("password"); sent != " pa ss " {
		t.Errorf("sent the password %q", sent)
	}
	for _, password := range []Password{{}, {Username: "alice"}, {Password: "x"}} {
		p := newOP(t)
		if _, err := p.client(nil).InsecurePassword(context.Background(), password, nil); err == nil || err.Error() != "client: Password has an empty field" {
			t.Errorf("got %v", err)
		}
		if len(p.requests) != 0 {
			t.Errorf("%d requests", len(p.requests))
		}
	}
}

// The words of providers for a password that is wrong, and for one that is not enough.
func TestInsecurePasswordErrors(t *testing.T) {
	const enough = " (a password is not enough; sign the user in with Client.Authorize)"
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   error
		text   string
	}{
		{"Keycloak", 401, `{"error":"invalid_grant","error_description":"Invalid user credentials"}`, ErrInvalidGrant, `grant no longer valid: status 401: "invalid_grant" "Invalid user credentials"`},
		{"dex", 401, `{"error":"access_denied","error_description":"Invalid username or password"}`, ErrInvalidGrant, `grant no longer valid: status 401: "access_denied" "Invalid username or password"`},
		{"Auth0", 403, `{"error":"mfa_required","mfa_token":"CANARY"}`, ErrRejected, `rejected: status 403: "mfa_required"` + enough},
		{"Entra", 400, `{"error":"interaction_required"}`, ErrRejected, `rejected: status 400: "interaction_required"` + enough},
		{"Entra, consent", 400, `{"error":"consent_required"}`, ErrRejected, `rejected: status 400: "consent_required"` + enough},
		{"not for this client", 400, `{"error":"unauthorized_client"}`, ErrRejected, `rejected: status 400: "unauthorized_client"`},
		{"locked for a while", 429, `{"error":"too_many_attempts"}`, ErrUnavailable, `provider unavailable: status 429: "too_many_attempts"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.reply("/token", test.status, "application/json", test.body)
			_, err := p.client(nil).InsecurePassword(context.Background(), Password{"alice", "x"}, nil)
			if !errors.Is(err, test.want) || err.Error() != "client: token endpoint: "+test.text {
				t.Errorf("got %v, want %s", err, test.text)
			}
		})
	}
}

package interop

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/postern-go/postern/client"
)

func refresh(t *testing.T, rp *client.Client, tokens *client.Tokens) *client.Tokens {
	t.Helper()
	next, err := rp.Refresh(t.Context(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestRefreshRotates(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	first, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
	second := refresh(t, rp, first)
	if second.RefreshToken == "" || second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken {
		t.Error("a token stayed the same")
	}
	if second.IDToken == nil || second.IDToken.Subject != "alice" || second.IDToken.IssuedAt.Before(first.IDToken.IssuedAt) {
		t.Errorf("ID token: %+v", second.IDToken)
	}
	third := refresh(t, rp, second)
	if got := userInfoStatus(t, rp, third.AccessToken); got != http.StatusOK {
		t.Fatalf("the third access token gets %d", got)
	}

	// A refresh token that comes twice was stolen from one of the two: the grant dies.
	if _, err := rp.Refresh(t.Context(), second); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("a used refresh token: got %v, want ErrInvalidGrant", err)
	}
	if _, err := rp.Refresh(t.Context(), third); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("the newest refresh token after that: got %v, want ErrInvalidGrant", err)
	}
}

func TestRefreshWithoutRotation(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, metadata{"x_rotate": false}), nil)
	first, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
	second := refresh(t, rp, first)
	if second.RefreshToken != first.RefreshToken {
		t.Error("the refresh token changed")
	}
	refresh(t, rp, second)
}

func TestNoRefreshToken(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, metadata{"grant_types": []string{"authorization_code"}}), nil)
	tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
	if tokens.RefreshToken != "" {
		t.Fatal("a refresh token nobody may have")
	}
	if _, err := rp.Refresh(t.Context(), tokens); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("got %v, want ErrInvalidGrant", err)
	}
}

// Work outside a session: many goroutines share a token that has run out.
func TestTokenSource(t *testing.T) {
	reg := op.register(t, callbackURL, metadata{"x_first_access_token_ttl": 1})
	rp := op.client(t, reg, nil)
	tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
	eventually(t, "expired at the provider", func() (bool, error) {
		return userInfoStatus(t, rp, tokens.AccessToken) == http.StatusUnauthorized, nil
	})

	var mu sync.Mutex
	var saved []*client.Tokens
	source := rp.TokenSource(tokens, func(_ context.Context, next *client.Tokens) error {
		mu.Lock()
		defer mu.Unlock()
		saved = append(saved, next)
		return nil
	})
	got := make([]string, 20)
	errs := make([]error, len(got))
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			token, err := source.Token()
			if err != nil {
				errs[i] = err
				return
			}
			got[i] = token.AccessToken
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if len(saved) != 1 || len(slices.Compact(got)) != 1 || saved[0].AccessToken != got[0] {
		t.Errorf("%d refreshes were saved, want one, whose token all get", len(saved))
	}
	if n := op.count(t, reg.ID, "grant.success", "refresh_token"); n != 1 {
		t.Errorf("%d refreshes at the provider, want 1", n)
	}
	if got := userInfoStatus(t, rp, got[0]); got != http.StatusOK {
		t.Errorf("the refreshed token gets %d", got)
	}
}

func TestRevoke(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
	if err := rp.Revoke(t.Context(), tokens); err != nil {
		t.Fatal(err)
	}
	if got := userInfoStatus(t, rp, tokens.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("the revoked access token gets %d, want 401", got)
	}
	if _, err := rp.Refresh(t.Context(), tokens); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("the revoked refresh token: got %v, want ErrInvalidGrant", err)
	}
	if err := rp.Revoke(t.Context(), tokens); err != nil {
		t.Errorf("revoking twice: %v", err)
	}
	_, err := rp.UserInfo(t.Context(), tokens)
	var refusal *client.ResponseError
	if !errors.As(err, &refusal) || refusal.Code != "invalid_token" {
		t.Errorf("userinfo for a revoked token: got %v, want invalid_token", err)
	}
}

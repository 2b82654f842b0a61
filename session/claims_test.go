package session

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/postern-go/postern/client/clienttest"
)

// With Config.Claims the ID token stays at home, and what was asked for is there.
func TestClaimsKept(t *testing.T) {
	a := newApp(t, func(c *appConfig) {
		c.session.Claims = []string{"groups"}
		c.op.Users = []clienttest.User{{Subject: "alice", Claims: map[string]any{"groups": []string{"staff"}, "email": "a@example.com"}}}
	})
	b := a.browser()
	b.mustSignIn("alice")
	a.open = func(_ *http.Request, s *Session) {
		id := s.IDToken()
		if groups, _ := s.Texts("groups"); !slices.Equal(groups, []string{"staff"}) || id.Raw() != "" || id.SessionID == "" || id.AuthTime.IsZero() {
			t.Errorf("groups %q, sid %q", groups, id.SessionID)
		}
		if _, ok := s.Claim("email"); ok {
			t.Error("a claim nobody asked for is kept")
		}
	}
	a.wantUser(b, "alice")
	a.expireToken()
	a.wantUser(b, "alice")
	if a.op.Count("token") != 2 {
		t.Errorf("%d token requests", a.op.Count("token"))
	}
}

// With Config.IdentityOnly the session has no token, and OnLogin has.
func TestIdentityOnly(t *testing.T) {
	var atLogin string
	a := newApp(t, func(c *appConfig) {
		c.session.IdentityOnly = true
		c.session.OnLogin = func(ctx context.Context, s *Session) error {
			token, err := s.Token(ctx)
			if err != nil {
				return err
			}
			atLogin = token.AccessToken
			return nil
		}
		c.client.Scopes = []string{"offline_access"}
	})
	b := a.browser()
	b.mustSignIn("alice")
	var kept *record
	a.open = func(r *http.Request, s *Session) {
		kept = s.presented
		if _, err := s.Token(r.Context()); err != errNoAccessToken {
			t.Errorf("Token: %v", err)
		}
	}
	a.wantUser(b, "alice")
	if tokens := kept.tokens; atLogin == "" || tokens.AccessToken != "" || tokens.RefreshToken != "" || tokens.IDToken.Raw() != "" {
		t.Errorf("a token is kept, or OnLogin had none (%t)", atLogin == "")
	}
	a.expireToken()
	a.wantUser(b, "alice")
	if a.op.Count("token") != 1 {
		t.Errorf("%d token requests", a.op.Count("token"))
	}
}

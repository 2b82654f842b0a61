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

// A role that the ID token has no more does not come back out of the userinfo of the sign-in:
// a claim is of the one or the other as a whole.
func TestUserInfoDoesNotFillUpAClaim(t *testing.T) {
	a := newApp(t, func(c *appConfig) {
		c.op.Users = []clienttest.User{{Subject: "alice", Claims: map[string]any{"access": map[string]any{"level": "low"}, "groups": []string{}}}}
	})
	b := a.browser()
	b.mustSignIn("alice")
	a.open = func(r *http.Request, s *Session) {
		s.presented.userInfo = []byte(`{"access":{"roles":["admin"]},"groups":["admin"],"team":["blue"]}`)
		if err := HasClaim([]string{"access", "roles"}, "admin")(r, s); err == nil {
			t.Error("a role out of another document than the rest of its claim")
		}
		if err := HasClaim([]string{"groups"}, "admin")(r, s); err == nil {
			t.Error("no groups are filled up")
		}
		if err := HasClaim([]string{"team"}, "blue")(r, s); err != nil {
			t.Errorf("a claim of userinfo alone: %v", err)
		}
		var claims struct {
			Access struct {
				Level string
				Roles []string
			}
			Team []string
		}
		if err := s.Claims(&claims); err != nil || claims.Access.Level != "low" || claims.Access.Roles != nil || claims.Team == nil {
			t.Errorf("%+v, %v", claims, err)
		}
	}
	a.wantUser(b, "alice")
}

// Neither does a claim that a refreshed ID token leaves out, because there is no more to say:
// of what the ID token of the sign-in has, nothing is kept of the userinfo.
func TestUserInfoBringsNoClaimBackAfterARefresh(t *testing.T) {
	a := newApp(t, func(c *appConfig) {
		c.session.UserInfoClaims = []string{"groups"}
		c.op.Users = []clienttest.User{{Subject: "alice", Claims: map[string]any{"groups": []string{"admin"}}}}
	})
	a.guarded(HasClaim([]string{"groups"}, "admin"))
	b := a.browser()
	b.mustSignIn("alice")
	if resp := b.get("/guarded"); resp.StatusCode != http.StatusOK {
		t.Fatalf("an admin: %d", resp.StatusCode)
	}
	a.op.SetUser(clienttest.User{Subject: "alice"})
	a.expireToken()
	a.wantPage(b.get("/guarded"), http.StatusForbidden, ReasonRule)
	a.open = func(_ *http.Request, s *Session) {
		var claims struct{ Groups []string }
		if err := s.Claims(&claims); err != nil || claims.Groups != nil {
			t.Errorf("groups %q, %v", claims.Groups, err)
		}
	}
	a.wantUser(b, "alice")
}

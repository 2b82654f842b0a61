package session

import (
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

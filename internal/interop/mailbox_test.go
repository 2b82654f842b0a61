package interop

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// A mailbox takes the logout tokens that a provider sends (OpenID Connect Back-Channel
// Logout 1.0 2.5), and says 200 to all of them.
type mailbox struct {
	url  string
	sent chan string
}

func startMailbox(t *testing.T) *mailbox {
	t.Helper()
	m := &mailbox{sent: make(chan string, 16)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		m.sent <- r.PostFormValue("logout_token")
	}))
	t.Cleanup(srv.Close)
	m.url = srv.URL + "/backchannel"
	return m
}

// next is a token that came, or comes.
func (m *mailbox) next(t *testing.T) string {
	t.Helper()
	select {
	case raw := <-m.sent:
		return raw
	case <-time.After(startTimeout):
		t.Fatal("no logout token came")
		return ""
	}
}

// wantEmpty is for when no more can come, or should.
func (m *mailbox) wantEmpty(t *testing.T) {
	t.Helper()
	if n := len(m.sent); n != 0 {
		t.Errorf("%d more logout tokens came", n)
	}
}

// logoutToken verifies what came in the mail.
func (p *provider) logoutToken(t *testing.T, reg registration, raw string) (*jwtverify.LogoutToken, error) {
	t.Helper()
	v := jwtverify.Verifier{Issuer: p.Issuer, Audience: reg.ID, Keys: p.keys(t)}
	return v.LogoutToken(t.Context(), raw, &jwtverify.ReplayCache{})
}

// wantLogoutToken verifies it, and that it is about sub and sid, each of which may be empty.
func (p *provider) wantLogoutToken(t *testing.T, reg registration, raw, sub, sid string) {
	t.Helper()
	token, err := p.logoutToken(t, reg, raw)
	if err != nil {
		t.Error(err)
		return
	}
	if token.Subject != sub || token.SessionID != sid {
		t.Errorf("a logout token about sub %q and sid %q, want %q and %q", token.Subject, token.SessionID, sub, sid)
	}
}

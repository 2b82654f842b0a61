package clienttest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// defaultACR is the acr of a sign-in for which no acr_values were asked.
const defaultACR = "1"

// A session is a user who is signed in at the provider.
type session struct {
	id       string // sid
	subject  string
	authTime time.Time
	acr      string
}

// newSession signs a user in. The class is the first that was asked for: nothing is
// checked here anyway.
func (p *Provider) newSession(subject string, acr []string) *session {
	s := &session{id: rand.Text(), subject: subject, authTime: p.Now(), acr: defaultACR}
	if len(acr) > 0 {
		s.acr = acr[0]
	}
	return s
}

// EndSessions signs a user out at the provider, in every browser, as an administrator
// would. Their tokens stay good: RevokeGrants ends those.
func (p *Provider) EndSessions(subject string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.sessions, func(_ string, s *session) bool { return s.subject == subject })
}

// endSession ends the session of a sid.
func (p *Provider) endSession(sid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.sessions, func(_ string, s *session) bool { return s.id == sid })
}

// cookieName differs from that of a provider on another port, for cookies ignore ports.
func (p *Provider) cookieName() string {
	sum := sha256.Sum256([]byte(p.Issuer()))
	return "clienttest_" + hex.EncodeToString(sum[:4])
}

// browserSession finds the session of the browser that sent r; nil: none.
func (p *Provider) browserSession(r *http.Request) *session {
	cookie, err := r.Cookie(p.cookieName())
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions[cookie.Value]
}

func (p *Provider) setBrowserSession(w http.ResponseWriter, s *session) {
	value := rand.Text()
	p.mu.Lock()
	p.sessions[value] = s
	p.mu.Unlock()
	cookie := p.cookie()
	cookie.Value = value
	http.SetCookie(w, cookie)
}

func (p *Provider) clearBrowserSession(w http.ResponseWriter) {
	cookie := p.cookie()
	cookie.MaxAge = -1
	http.SetCookie(w, cookie)
}

func (p *Provider) cookie() *http.Cookie {
	return &http.Cookie{
		Name:     p.cookieName(),
		Path:     "/",
		HttpOnly: true,
		Secure:   strings.HasPrefix(p.Issuer(), "https:"),
		SameSite: http.SameSiteLaxMode, // comes along when an application sends the browser here
	}
}

// fits says whether a session answers an authorization request without asking the user
// (OpenID Connect Core section 3.1.2.1).
func (s *session) fits(a *authorization, now time.Time) bool {
	switch {
	case s == nil:
		return false
	case slices.Contains(a.prompt, "login"), slices.Contains(a.prompt, "select_account"):
		return false
	case a.maxAge != nil && (*a.maxAge == 0 || now.Sub(s.authTime) > *a.maxAge):
		return false
	case len(a.acr) > 0 && !slices.Contains(a.acr, s.acr):
		return false
	}
	return true
}

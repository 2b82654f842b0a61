package clienttest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A session is a user who is signed in at the provider. It does not change: who signs in
// again gets another one, with the same id and state.
type session struct {
	id       string // sid
	state    string // of the browser, which session_state is computed from
	subject  string
	authTime time.Time
	acr      string
	amr      []string
}

// newSession signs a user in, with the first of the classes that were asked for, or the
// user's own: nothing is checked here anyway.
func (p *Provider) newSession(subject string, acr []string) *session {
	s := &session{id: rand.Text(), state: rand.Text(), subject: subject, authTime: p.Now()}
	s.acr, s.amr = p.usualACR(subject)
	if len(acr) > 0 && acr[0] != s.acr {
		s.acr, s.amr = acr[0], strongAMR()
	}
	return s
}

// signedIn is the session after somebody signed in as a. Of the same user it has the sid
// of the one before, as Keycloak's has; where the user was only to choose an account, it is
// the one before. A session of another user goes on, in no browser.
func (p *Provider) signedIn(a *authorization, subject string, before *session) *session {
	same := before != nil && before.subject == subject
	if same && !slices.Contains(a.prompt, "login") && before.satisfies(a, p.Now()) {
		return before
	}
	s := p.newSession(subject, a.acr)
	if same {
		s.id, s.state = before.id, before.state
	}
	return s
}

// An endedSession is one that is over, with the clients that it was used for.
type endedSession struct {
	*session
	clients []string
}

// end ends sessions, each of them in every browser.
func (p *Provider) end(which func(*session) bool) []endedSession {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ended []endedSession
	for cookie, s := range p.sessions {
		if !which(s) {
			continue
		}
		delete(p.sessions, cookie)
		if clients, first := p.visits[s.id]; first {
			ended = append(ended, endedSession{s, clients})
			delete(p.visits, s.id)
		}
	}
	return ended
}

// keep remembers the session of a browser, under the value of a cookie.
func (p *Provider) keep(s *session) (cookie string) {
	cookie = rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions[cookie] = s
	return cookie
}

// visit remembers that a session was used for a client (Back-Channel Logout section 2.3).
func (p *Provider) visit(s *session, client string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.visits[s.id], client) {
		p.visits[s.id] = append(p.visits[s.id], client)
	}
}

// sessionOf finds the session of a cookie; nil: none.
func (p *Provider) sessionOf(cookie string) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions[cookie]
}

// cookieName differs from that of a provider on another port, for cookies ignore ports.
func (p *Provider) cookieName() string {
	sum := sha256.Sum256([]byte(p.Issuer()))
	return "clienttest_" + hex.EncodeToString(sum[:4])
}

// stateCookieName is of the cookie that the page of checksession.go reads.
func (p *Provider) stateCookieName() string { return p.cookieName() + "_state" }

// browserSession finds the session of the browser that sent r; nil: none.
func (p *Provider) browserSession(r *http.Request) *session {
	cookie, err := r.Cookie(p.cookieName())
	if err != nil {
		return nil
	}
	return p.sessionOf(cookie.Value)
}

func (p *Provider) setBrowserSession(w http.ResponseWriter, s *session) {
	cookie := p.cookie(p.cookieName())
	cookie.Value, cookie.HttpOnly = p.keep(s), true
	http.SetCookie(w, cookie)
	state := p.cookie(p.stateCookieName())
	state.Value = s.state
	http.SetCookie(w, state)
}

func (p *Provider) clearBrowserSession(w http.ResponseWriter) {
	for _, name := range []string{p.cookieName(), p.stateCookieName()} {
		cookie := p.cookie(name)
		cookie.MaxAge = -1
		http.SetCookie(w, cookie)
	}
}

// cookie comes along when an application sends the browser here. Over https it comes from
// an iframe of another site too, where the browser lets it.
func (p *Provider) cookie(name string) *http.Cookie {
	cookie := &http.Cookie{Name: name, Path: "/", SameSite: http.SameSiteLaxMode}
	if strings.HasPrefix(p.Issuer(), "https:") {
		cookie.Secure, cookie.SameSite = true, http.SameSiteNoneMode
	}
	return cookie
}

// fits says whether a session answers an authorization request without asking the user
// (OpenID Connect Core section 3.1.2.1).
func (s *session) fits(a *authorization, now time.Time) bool {
	if slices.Contains(a.prompt, "login") || slices.Contains(a.prompt, "select_account") {
		return false
	}
	return s.satisfies(a, now)
}

// satisfies says whether a session is all that a request wants of a sign-in.
func (s *session) satisfies(a *authorization, now time.Time) bool {
	switch {
	case s == nil:
		return false
	case a.hinted != "" && s.subject != a.hinted:
		return false
	case a.maxAge != nil && (*a.maxAge == 0 || now.Sub(s.authTime) > *a.maxAge):
		return false
	case len(a.acr) > 0 && !slices.Contains(a.acr, s.acr):
		return false
	}
	return true
}

package session

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/postern-go/postern/client"
)

// logoutTimeout is for all that is asked of the provider while somebody signs
// out: they are signed out here already, and wait.
const logoutTimeout = 5 * time.Second

// LogoutHandler signs out by POST, from this site only: a link or an image on
// another site signs nobody out. GET shows a form with a button, and says "signed
// out" to anyone not signed in, or leaves that to Config.SignedOut.
//
// The session here ends first: it is remembered as over by this process, and all
// our cookies are deleted. Then the tokens are revoked, as far as the provider
// offers that and answers within 5 s, and the browser goes, by 303, to the
// provider's end_session endpoint, or to Config.AfterLogout where there is none
// or the provider is down.
//
// Cookies and storage of the app's own are not touched: there is no
// Clear-Site-Data, which would take those of other apps on the same domain along.
//
// Without a shared store other processes cannot know that a session is over: a
// copy of the cookie taken before is good there until the session ends.
func (m *Manager) LogoutHandler() http.Handler {
	return m.allow(func(w http.ResponseWriter, r *http.Request) {
		forbidStoring(w.Header())
		if r.Method == http.MethodPost {
			m.serveLogout(w, r)
			return
		}
		m.serveLogoutForm(w, r)
	}, http.MethodGet, http.MethodHead, http.MethodPost)
}

func (m *Manager) serveLogoutForm(w http.ResponseWriter, r *http.Request) {
	s := m.entered(r.Context())
	if s == nil {
		s = new(Session)
		m.open(s, r)
	}
	switch {
	case s.SignedIn():
		m.writePage(w, r, http.StatusOK, page{Title: "Sign out", Text: "Do you want to sign out?", Action: m.cfg.LogoutPath, Label: "Sign out"})
	case m.cfg.SignedOut != nil:
		m.cfg.SignedOut.ServeHTTP(w, r)
	default:
		m.writePage(w, r, http.StatusOK, page{Title: "Signed out", Text: "You are signed out.", Link: "/", Label: "Continue"})
	}
}

func (m *Manager) serveLogout(w http.ResponseWriter, r *http.Request) {
	if err := m.crossOrigin.Check(r); err != nil {
		m.fail(w, r, &Error{Status: http.StatusForbidden, Reason: ReasonCrossOrigin, Err: err})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), logoutTimeout)
	defer cancel()
	// A session that has expired still has the ID token that tells the provider
	// who is meant.
	rec, err := m.cookies.readSession(r)
	if err != nil {
		rec = nil
	}
	tokens := m.endLocally(w, r, rec)
	if tokens != nil {
		tokens = m.settled(ctx, rec)
	}
	w.Header().Set("Location", m.leaveProvider(ctx, r, rec, tokens))
	w.WriteHeader(http.StatusSeeOther)
}

// endLocally deletes our cookies, and gives the tokens of the session that was.
func (m *Manager) endLocally(w http.ResponseWriter, r *http.Request, rec *record) *client.Tokens {
	m.cookies.clearSession(w.Header(), r)
	m.cookies.clearAttempts(w.Header(), r)
	m.cookies.clearSilent(w.Header(), r)
	if rec == nil || rec.tokens == nil {
		return nil
	}
	m.end(presenceOf(rec), ReasonSignedOut, m.cfg.Now())
	for _, p := range m.besides(rec.id, m.cfg.Now()) {
		m.end(p, ReasonSignedOut, m.cfg.Now())
	}
	m.log(r, slog.LevelInfo, "session: signed out", slog.String("session", rec.id.hash()))
	m.emit(r.Context(), eventOf(EventLogout, rec))
	return rec.tokens
}

// settled gives the newest tokens of a session that has ended, of a refresh that
// is on its way if it ends in time: the older ones are no good for revoking.
func (m *Manager) settled(ctx context.Context, rec *record) *client.Tokens {
	g := m.refresher.newest(rec.id, rec.grant(), m.cfg.Now())
	if underway := m.refresher.underway(rec.id, g); underway != nil {
		select {
		case <-underway.done:
			g = m.refresher.newest(rec.id, g, m.cfg.Now())
		case <-ctx.Done():
		}
	}
	return g.tokens
}

// leaveProvider revokes the tokens of a session that has ended, and gives the address to go
// on to.
func (m *Manager) leaveProvider(ctx context.Context, r *http.Request, rec *record, tokens *client.Tokens) string {
	p := m.providers[0]
	if rec != nil {
		p = m.provider(rec.provider)
	}
	if p == nil || rec == nil && len(m.providers) > 1 {
		return m.afterLogout()
	}
	if tokens != nil {
		m.revokeTokens(ctx, r, p, tokens)
	}
	return m.logoutAddress(ctx, r, p, tokens)
}

func (m *Manager) revokeTokens(ctx context.Context, r *http.Request, p *provider, tokens *client.Tokens) {
	err := p.rp.Revoke(ctx, tokens)
	if err != nil && !errors.Is(err, client.ErrUnsupported) {
		m.log(r, slog.LevelWarn, "session: tokens not revoked", causeAttr(err))
	}
}

// logoutAddress is where the browser goes next: to the provider, where it can be.
func (m *Manager) logoutAddress(ctx context.Context, r *http.Request, p *provider, tokens *client.Tokens) string {
	opts := client.LogoutOptions{PostLogoutRedirectURL: m.cfg.PostLogoutRedirectURL}
	if opts.PostLogoutRedirectURL != "" {
		opts.State = rand.Text()
	}
	if tokens != nil {
		opts.IDToken = tokens.IDToken
	}
	address, err := p.rp.LogoutURL(ctx, opts)
	if err == nil {
		return address
	}
	if !errors.Is(err, client.ErrUnsupported) {
		m.log(r, slog.LevelWarn, "session: not signed out at the provider", slog.String("reason", ReasonUnavailable), causeAttr(err))
	}
	return m.afterLogout()
}

func (m *Manager) afterLogout() string { return asciiOnly(or(m.cfg.AfterLogout, m.cfg.LogoutPath)) }

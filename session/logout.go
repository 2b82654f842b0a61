package session

import (
	"context"
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
// The session here ends first: it is remembered as over by this process and in
// Config.Store, and all our cookies are deleted. Then the tokens are revoked, as far as the
// provider offers that and answers within 5 s, and the browser goes, by 303, to where the provider
// of the session signs out (OpenID Connect RP-Initiated Logout 1.0), or to
// Config.AfterLogout where it has no such place or is down.
//
// The form field return_to says where to go in the end. It chooses from
// Config.LogoutReturns, and anything else is ignored, with reason return-address in the log.
//
// A GET is also how the browser comes back from the provider, if Config.PostLogoutRedirectURL
// is this route. A sealed cookie of its own has the state that was sent along, for ten
// minutes, until the browser comes back or somebody signs in. Only with the same state the
// browser goes on to return_to; without it, or with another, it gets the page that any GET
// gets. Where client.Client.LogoutKeepsState says that the provider brings none back, the
// cookie alone must do.
//
// Cookies and storage of the app's own are not touched: there is no
// Clear-Site-Data, which would take those of other apps on the same domain along.
//
// Without a Store other processes cannot know that a session is over: a copy of the
// cookie taken before is good there until the session ends. So it is where the Store is
// down at that moment, which the log says.
func (m *Manager) LogoutHandler() http.Handler {
	return m.allow(func(w http.ResponseWriter, r *http.Request) {
		forbidStoring(w.Header())
		if r.Method == http.MethodPost {
			m.serveLogout(w, r)
			return
		}
		if address := m.comeBack(w, r); address != "" {
			w.Header().Set("Location", asciiOnly(address))
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		m.serveLogoutForm(w, r)
	}, http.MethodGet, http.MethodHead, http.MethodPost)
}

func (m *Manager) serveLogoutForm(w http.ResponseWriter, r *http.Request) {
	s := m.sessionOf(r)
	switch {
	case s.SignedIn(), s.reason == ReasonStoreDown:
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
	ctx, done := m.observe(r.Context(), "logout")
	defer done(nil)
	returnTo := m.wantedAfterLogout(w, r)
	// A session that has expired still has the ID token that tells the provider
	// who is meant.
	rec, err := m.cookies.readSession(r)
	if err != nil {
		rec = nil
	}
	rec = m.restore(ctx, rec)
	m.endLocally(w, r, rec)
	ctx, cancel := context.WithTimeout(ctx, logoutTimeout) // from now on: a Store that hangs takes none of it
	defer cancel()
	address := m.leaveProvider(ctx, w, r, rec, returnTo)
	w.Header().Set("Location", or(address, asciiOnly(or(returnTo, m.afterLogout()))))
	w.WriteHeader(http.StatusSeeOther)
}

// endLocally ends the session here, and deletes our cookies.
func (m *Manager) endLocally(w http.ResponseWriter, r *http.Request, rec *record) {
	m.cookies.clearSession(w.Header(), r)
	m.cookies.clearAttempts(w.Header(), r)
	m.cookies.clearSilent(w.Header(), r)
	m.cookies.clearLogoutReturn(w.Header(), r)
	if rec == nil || rec.identity.subject == "" {
		return
	}
	m.endSession(rec)
	m.log(r, slog.LevelInfo, "session: signed out", slog.String("session", rec.id.hash()))
	m.emit(r.Context(), eventOf(EventLogout, rec))
}

// endSession remembers that a session is over, and with it those it has just replaced and
// those that have just taken its place, which could still be answered. A Store that hung for the
// first is given a glance for the others.
func (m *Manager) endSession(rec *record) {
	now := m.cfg.Now()
	m.end(presenceOf(rec), ReasonSignedOut, now)
	ctx := context.Background()
	if m.shared != nil {
		ctx = m.shared.hurried(ctx)
	}
	for _, p := range m.besides(rec.id, now) {
		m.endIn(ctx, p, ReasonSignedOut, now)
	}
}

// settled gives the newest tokens of a session that has ended, of a refresh that
// is on its way if it ends in time: the older ones are no good for revoking.
func (m *Manager) settled(ctx context.Context, rec *record) grant {
	if rec == nil || rec.tokens == nil {
		return grant{}
	}
	g := m.refresher.newest(rec.id, rec.grant(), m.cfg.Now())
	if underway := m.refresher.underway(rec.id, g); underway != nil {
		select {
		case <-underway.done:
			g = m.refresher.newest(rec.id, g, m.cfg.Now())
		case <-ctx.Done():
		}
	}
	return g
}

// leaveProvider revokes the tokens of a session that has ended, and gives the address at
// its provider to go on to; empty: there is none.
func (m *Manager) leaveProvider(ctx context.Context, w http.ResponseWriter, r *http.Request, rec *record, returnTo string) string {
	p := m.providers[0]
	if rec != nil {
		p = m.provider(rec.provider)
	}
	if p == nil || rec == nil && len(m.providers) > 1 {
		return ""
	}
	g := m.settled(ctx, rec)
	m.revokeTokens(ctx, r, p, g)
	back := m.newLogoutReturn(ctx, p, returnTo)
	address, err := p.rp.LogoutURL(ctx, m.logoutOptions(g.tokens, back))
	if err == nil && back != nil {
		err = m.cookies.writeLogoutReturn(w.Header(), back)
	}
	if err != nil && !errors.Is(err, client.ErrUnsupported) {
		m.log(r, slog.LevelWarn, "session: not signed out at the provider", slog.String("reason", ReasonUnavailable), causeAttr(err))
	}
	if err != nil {
		return ""
	}
	return address
}

// revokeTokens revokes all tokens of a session, the refresh token first, until the
// provider fails.
func (m *Manager) revokeTokens(ctx context.Context, r *http.Request, p *provider, g grant) {
	if g.tokens == nil {
		return
	}
	err := p.rp.Revoke(ctx, g.tokens)
	for _, other := range g.others {
		if err != nil {
			break
		}
		access := *other
		access.RefreshToken = "" // it is that of the session, and gone
		err = p.rp.Revoke(ctx, &access)
	}
	if err != nil && !errors.Is(err, client.ErrUnsupported) {
		m.log(r, slog.LevelWarn, "session: tokens not revoked", causeAttr(err))
	}
}

func (m *Manager) afterLogout() string { return or(m.cfg.AfterLogout, m.cfg.LogoutPath) }

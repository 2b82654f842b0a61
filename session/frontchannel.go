package session

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-go/postern/internal/origin"
)

// FrontChannelLogoutHandler is what a provider shows in a hidden frame of its page when
// somebody signs out there (OpenID Connect Front-Channel Logout 1.0 2). The request is not
// authenticated, and anybody can cause it. So it ends the session of this browser and no other,
// if iss and sid are there and are those of the session, and deletes its cookies. It revokes no
// tokens, and sets no cookie. Register the client with
// frontchannel_logout_session_required; for a provider that sends neither iss nor sid there
// is Config.FrontChannelWithoutSession.
//
// Browsers send no cookies into a frame on the page of another site, unless provider and app
// are of the same site. Without the cookie nothing happens, with reason no-cookie in the log,
// and back-channel logout is what helps; or see Config.FrontChannelWithoutCookie.
//
// The answer is 200 and an empty page, whether or not a session has ended; the log says which.
// It is 400 where iss or sid is there twice, or one without the other. The page may stand in
// frames on the origins of the providers' issuers.
func (m *Manager) FrontChannelLogoutHandler() http.Handler {
	ancestors := m.frameAncestors()
	return m.allow(func(w http.ResponseWriter, r *http.Request) {
		who, err := frontChannelIdentity(r)
		if err != nil {
			m.fail(w, r, &Error{Status: http.StatusBadRequest, Reason: ReasonLogoutInvalid, Err: err})
			return
		}
		if reason := m.logOutInFrame(w, r, who); reason != "" {
			m.log(r, slog.LevelInfo, "session: front-channel logout without effect here", slog.String("reason", reason))
			m.logOutBySID(r, who)
		}
		h := w.Header()
		forbidStoring(h)
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors "+ancestors)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Del("X-Frame-Options") // of a middleware around the app
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, "<!doctype html><title>Signed out</title>")
	}, http.MethodGet)
}

// frameAncestors are the origins of the issuers, as a policy has them.
func (m *Manager) frameAncestors() string {
	var all []string
	for _, p := range m.providers {
		u, err := url.Parse(p.rp.Issuer())
		if err != nil { // the client has parsed it too
			continue
		}
		if at := origin.Of(u); !slices.Contains(all, at) {
			all = append(all, at)
		}
	}
	return or(strings.Join(all, " "), "'none'")
}

// frontChannelIdentity reads iss and sid: both or none of them, each once.
func frontChannelIdentity(r *http.Request) (identity, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return identity{}, errors.New("the query is unreadable")
	}
	if len(query["iss"]) > 1 || len(query["sid"]) > 1 {
		return identity{}, errors.New("iss or sid is there more than once")
	}
	who := identity{issuer: query.Get("iss"), sid: query.Get("sid")}
	if query.Has("iss") != query.Has("sid") || query.Has("iss") && (who.issuer == "" || who.sid == "") {
		return identity{}, errors.New("of iss and sid one is missing")
	}
	return who, nil
}

// logOutInFrame ends the session of the browser, if it is the one that is meant; otherwise
// it says why not.
func (m *Manager) logOutInFrame(w http.ResponseWriter, r *http.Request, who identity) (reason string) {
	rec, err := m.cookies.readSession(r)
	switch {
	case err != nil || rec == nil || rec.identity.subject == "":
		return ReasonNoCookie
	case who == identity{} && !(m.cfg.FrontChannelWithoutSession && framed(r)):
		return ReasonLogoutInvalid
	case who != identity{} && !who.sameSession(rec.identity):
		return ReasonOtherSession
	}
	m.endSession(rec)
	m.cookies.clearSession(w.Header(), r)
	m.log(r, slog.LevelInfo, "session: ended by the provider", slog.String("reason", ReasonRevoked), slog.String("session", rec.id.hash()))
	event := eventOf(EventRevoked, rec)
	event.Reason = ReasonRevoked
	m.emit(r.Context(), event)
	return ""
}

// framed: a page load of another site brings Lax cookies, and a frame does not.
func framed(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return dest == "iframe" || dest == "frame"
}

// sameSession compares what the provider calls a session, which must have a sid.
func (i identity) sameSession(other identity) bool {
	return other.sid != "" &&
		subtle.ConstantTimeCompare([]byte(i.issuer), []byte(other.issuer))&subtle.ConstantTimeCompare([]byte(i.sid), []byte(other.sid)) == 1
}

// announced is what a sign-in notes its sid under, in Store: that of this app, for the
// provider gives the same sid to others.
func (m *Manager) announced(issuer, sid string) string {
	return m.shared.key(kindAnnounced, issuer, sid)
}

// announce notes in Store that there is a session of this sid, so that a front-channel
// logout of a sid that somebody made up costs a look and no entry.
func (m *Manager) announce(ctx context.Context, r *http.Request, rec *record) {
	if !m.cfg.FrontChannelWithoutCookie || rec.identity.sid == "" {
		return
	}
	key := m.announced(rec.identity.issuer, rec.identity.sid)
	if err := m.shared.save(ctx, key, []byte{1}, m.ends(rec)); err != nil {
		m.log(r, slog.LevelError, "session: front-channel logout will not find this session", slog.String("reason", ReasonStoreDown), causeAttr(err))
	}
}

// logOutBySID ends the sessions of a sid that began before this moment, in whatever browser:
// a later one with the same sid is not hit, for who asks need not be the provider.
func (m *Manager) logOutBySID(r *http.Request, who identity) {
	if !m.cfg.FrontChannelWithoutCookie {
		return
	}
	if !slices.ContainsFunc(m.providers, func(p *provider) bool { return p.rp.IsIssuer(who.issuer) }) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), logoutTimeout)
	defer cancel()
	known, err := m.revokeAnnounced(ctx, who)
	if err != nil {
		m.log(r, slog.LevelError, "session: front-channel logout failed", slog.String("reason", ReasonStoreDown), causeAttr(err))
	}
	if known && err == nil {
		m.emit(ctx, Event{Type: EventRevoked, Issuer: who.issuer, Reason: ReasonRevoked})
	}
}

// revokeAnnounced revokes the sessions of a sid, if some sign-in has noted it.
func (m *Manager) revokeAnnounced(ctx context.Context, who identity) (known bool, err error) {
	key := m.announced(who.issuer, who.sid)
	found, err := m.shared.ask(ctx, key)
	if err != nil || found[key] == nil {
		return false, err
	}
	// First, so that the next request costs a look only. A sign-in that notes the sid anew after
	// this is either over by what follows, or found by the next logout.
	gone := m.shared.delete(ctx, key)
	now := m.cfg.Now()
	err = m.revoke(ctx, revocation{created: now}, revokedSession(who.issuer, who.sid))
	if err != nil && gone == nil { // the next logout finds it again
		gone = m.shared.save(ctx, key, []byte{1}, now.Add(m.cfg.Lifetime))
	}
	return true, errors.Join(err, gone)
}

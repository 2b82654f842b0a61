package session

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

func newSessionID() (id sessionID) {
	rand.Read(id[:]) // never fails
	return id
}

// ends is the hard end: what the cookie says, or earlier if lifetimes have been
// made shorter since.
func (m *Manager) ends(rec *record) time.Time {
	if latest := rec.created.Add(m.cfg.Lifetime); latest.Before(rec.expires) {
		return latest
	}
	return rec.expires
}

// open reads the session of a request into s. It writes nothing, and asks nobody but the
// Store, and that only if there is a session.
func (m *Manager) open(s *Session, r *http.Request) {
	s.m, s.r = m, r
	rec, err := m.cookies.readSession(r)
	now := m.cfg.Now()
	switch {
	case errors.Is(err, errUnknownKey):
		s.reason = ReasonUnknownKey
	case err != nil:
		s.reason, s.clear = ReasonUndecryptable, true
	case rec == nil:
		s.reason = ReasonNoSession
		return
	default:
		s.presented, s.provider = rec, m.provider(rec.provider)
		s.whole = !rec.inStore()
		err = m.recall(r.Context(), rec)
		s.judge(rec, err, now)
	}
	if s.reason != "" {
		m.tellOver(r.Context(), rec, s.reason)
		m.log(r, reasonLevel(s.reason), "session: not signed in", slog.String("reason", s.reason), causeAttr(err))
		return
	}
	s.grant = m.refresher.newest(rec.id, rec.grant(), now)
	if s.grant.tokens == rec.tokens {
		m.refresher.presented(rec.id, s.grant, now)
	}
	s.stored = m.newestValues(rec, now).all
}

// sessionOf is the session of a request to a route of ours: the one that a middleware around
// it has opened, or else opened now.
func (m *Manager) sessionOf(r *http.Request) *Session {
	s := m.entered(r.Context())
	if s == nil {
		s = new(Session)
		m.open(s, r)
	}
	return s
}

func reasonLevel(reason string) slog.Level {
	if reason == ReasonUndecryptable || reason == ReasonUnknownKey {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// judge says whether a session that opens is good, and if not, why. recalled is what came
// of asking the Store; while that is down, the cookies stay.
func (s *Session) judge(rec *record, recalled error, now time.Time) {
	ended, ok := s.m.endingOf(rec, now)
	switch {
	case rec.identity.subject == "":
		s.reason = ReasonUndecryptable
	case ok && !now.Before(ended.at):
		s.reason = ended.reason
	case s.m.isRevoked(rec, now):
		s.reason = ReasonRevoked
	case errors.Is(recalled, errStoreDown):
		s.reason = ReasonStoreDown
		return
	case errors.Is(recalled, errRecordGone):
		s.reason = ReasonExpired
	case recalled != nil:
		s.reason = ReasonUndecryptable
	case s.provider == nil || !s.provider.made(rec):
		s.reason = ReasonOtherIssuer
	case !now.Before(s.m.ends(rec)):
		s.reason = ReasonExpired
	default:
		// Without a last-seen cookie the sign-in counts: deleting it gains nothing.
		s.seenAt = rec.created
		if seen, ok := s.m.cookies.readSeen(s.r, rec.id); ok && seen.After(s.seenAt) {
			s.seenAt = seen
		}
		if now.Sub(s.seenAt) >= s.m.cfg.Idle {
			s.reason = ReasonIdle
		}
	}
	s.clear = s.reason != ""
}

// made: a session stays with the provider and the client it was made by, also
// when the configuration changes and the secrets do not.
func (p *provider) made(rec *record) bool {
	if token := rec.tokens.IDToken; token != nil && !slices.Contains(token.Audience, p.rp.ClientID()) {
		return false
	}
	return p.rp.IsIssuer(rec.identity.issuer)
}

// newestValues are those of the cookie, or what was set since.
func (m *Manager) newestValues(rec *record, now time.Time) values {
	own := values{all: rec.values, saved: rec.saved}
	if m.values.empty() {
		return own
	}
	key := keyOf("values", string(rec.id[:]))
	newest, ok := m.values.get(key, now)
	if !ok {
		return own
	}
	if newest.saved.After(rec.saved) {
		return newest
	}
	m.values.shorten(key, now.Add(resultGrace)) // it has arrived
	return own
}

// after is now as a cookie has it, in milliseconds, but later than last: of two
// records of a session it shows which one holds.
func after(last, now time.Time) time.Time {
	now = now.Truncate(time.Millisecond)
	if now.After(last) {
		return now
	}
	return last.Add(time.Millisecond)
}

// renew refreshes the tokens of a session if they are near their end, before a
// handler runs. While the provider is in trouble the session goes on; when the
// grant is over, so is the session.
func (m *Manager) renew(ctx context.Context, s *Session) {
	if !s.SignedIn() || !s.grant.due("", m.cfg.Now()) {
		return
	}
	_, err := s.refresh(ctx, s.grant, "", "")
	var failed *failure
	if errors.As(err, &failed) && failed.dead {
		s.reason, s.clear = failed.reason, true
		m.tellOver(ctx, s.presented, s.reason)
	}
}

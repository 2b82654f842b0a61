package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// maxStored bounds a session in the Store, in bytes before sealing: five times the tokens
// of a user with many roles at Keycloak, and what every request has to fetch.
const maxStored = 64 << 10

func (m *Manager) recordName(id sessionID) string {
	if m.shared == nil {
		return ""
	}
	return m.shared.key(kindRecord, string(id[:]))
}

// encodeStored fails with a *TooLargeError.
func (m *Manager) encodeStored(rec *record) ([]byte, error) {
	plain, err := rec.appendBinary(nil)
	if len(plain) <= maxStored {
		return plain, err
	}
	var e *TooLargeError
	errors.As(m.cookies.tooLarge(0, 0, rec), &e)
	e.InStore, e.Size, e.Limit = true, len(plain), maxStored
	e.Parts = slices.DeleteFunc(e.Parts, func(p Part) bool { return p.Name == attemptPart })
	return nil, e
}

// keep saves a session in the Store, if that is where it is.
func (m *Manager) keep(ctx context.Context, rec *record) error {
	if !rec.inStore() {
		return nil
	}
	plain, err := m.encodeStored(rec)
	if err != nil {
		return err
	}
	name := m.recordName(rec.id)
	sealed, err := rec.key.sealFor(name, plain)
	if err != nil {
		return err
	}
	return m.shared.save(ctx, name, sealed, m.ends(rec))
}

// keepError is about a session that could not be saved. To start again would be one more
// that cannot.
func keepError(err error) *Error {
	var tooLarge *TooLargeError
	if errors.As(err, &tooLarge) {
		return startError(err)
	}
	return &Error{Status: http.StatusServiceUnavailable, Reason: ReasonStoreDown, Err: err}
}

// rewrite changes a session in the Store: the newest there is, which is not what a request
// came with. A session that has ended is not written, and one that is gone is not made
// again: but if that happens while this runs, it is the tombstone that counts.
//
// Processes take turns by the Locker. Without one, of two changes at the same time in two
// processes one can be lost, a matter of milliseconds.
func (m *Manager) rewrite(ctx context.Context, rec *record, change func(latest *record)) error {
	ended, name := m.endedName(rec.id), m.recordName(rec.id)
	// A browser that hangs up ends no turn: two who write without one lose a refresh token.
	_, unlock, err := m.shared.lock(context.WithoutCancel(ctx), mergeLockPatience, name)
	defer unlock()
	if err != nil {
		m.cfg.Logger.Warn("session: changed without a lock", slog.String("session", rec.id.hash()), causeAttr(err))
	}
	found, err := m.shared.load(ctx, ended, name)
	if err != nil {
		return err
	}
	if data, ok := found[ended]; ok {
		m.rememberEnding(rec.id, endingOfBytes(data), rec.expires)
		return errEnded
	}
	latest := *rec
	if err := m.fill(&latest, found, name); err != nil {
		return err
	}
	if !latest.inStore() {
		latest.key = movedKey(rec.id)
	}
	latest.expires = m.ends(rec)
	change(&latest)
	return m.keep(ctx, &latest)
}

// fits says whether a session can be saved.
func (s *Session) fits(rec *record) error {
	if !s.m.keepsInStore(rec) {
		return s.m.cookies.writeSession(http.Header{}, s.r, rec)
	}
	_, err := s.m.encodeStored(rec)
	return err
}

// writeStored saves what has changed, which a refresh has done for its part. A cookie that
// has the whole session becomes a ticket. It says whether there is a cookie in h now.
func (s *Session) writeStored(h http.Header, g grant, now time.Time) bool {
	unsaved := len(s.changes) > 0 || g.tokens != s.presented.tokens && !g.kept
	if unsaved {
		ctx := s.r.Context()
		if len(s.changes) == 0 { // it is the refresh that has just not been saved
			ctx = s.m.shared.patiently(ctx, s.m.recordName(s.presented.id))
		}
		err := s.m.rewrite(ctx, s.presented, func(latest *record) {
			saved := latest.saved
			latest.take(s.m.refresher.newest(latest.id, latest.grant(), now))
			latest.saved = after(later(saved, latest.saved), now)
			latest.values = present(merge(latest.values, s.changes))
		})
		if err != nil {
			s.m.log(s.r, slog.LevelError, "session: not saved", slog.String("reason", reasonOfSave(err)),
				slog.String("session", s.presented.id.hash()), causeAttr(err))
			return false
		}
	}
	if !s.whole || !unsaved && !g.kept && !s.presented.inStore() {
		return false
	}
	ticket := *s.presented
	ticket.key, ticket.expires = movedKey(ticket.id), s.m.ends(s.presented)
	if err := s.m.cookies.writeSession(h, s.r, &ticket); err != nil {
		s.m.log(s.r, slog.LevelError, "session: not saved", slog.String("reason", reasonOfSave(err)), causeAttr(err))
		return false
	}
	return true
}

package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// An ending is remembered of a session that is over before its cookie is.
type ending struct {
	reason string    // one of endingReasons
	at     time.Time // from then on its requests are anonymous
}

// endingReasons are why a session can be over, the strongest first. Their order is in the
// Store: add new ones at the end.
//
// The first two were the user's doing, and may have put another cookie in the place of the
// old one. The others are about a grant that is over.
var endingReasons = [...]string{
	ReasonSignedOut, ReasonReplaced, ReasonRefreshFailed, ReasonRefreshLost, ReasonOtherUser, ReasonRevoked, ReasonExpired,
}

// replacedGrace is for requests on their way when the same user signs in once
// more, in another tab. They may still read; they write no cookie.
const replacedGrace = time.Minute

// merge does not depend on who comes first: the stronger reason, and the earlier end.
func (e ending) merge(other ending) ending {
	if other.at.Before(e.at) {
		e.at = other.at
	}
	if other.strength() < e.strength() {
		e.reason = other.reason
	}
	return e
}

// atOnce says that it holds by every clock, also one that is behind ours.
func (e ending) atOnce() bool { return e.at.UnixMilli() == 0 }

func (e ending) strength() int { return slices.Index(endingReasons[:], e.reason) }

// endingVersion is the first byte of what is in the Store: no ending has another.
const endingVersion = 1

func (e ending) binary() []byte {
	return appendTime([]byte{endingVersion, byte(e.strength())}, e.at)
}

// endingOfBytes takes what it cannot read for a session that was signed out: there is a
// tombstone, whatever it says.
func endingOfBytes(data []byte) ending {
	if len(data) < 2 || data[0] != endingVersion || int(data[1]) >= len(endingReasons) {
		return ending{reason: ReasonSignedOut}
	}
	d := decoder{rest: data[2:]}
	e := ending{endingReasons[data[1]], d.time()}
	if d.failed || len(d.rest) > 0 {
		return ending{reason: ReasonSignedOut}
	}
	return e
}

// end remembers that a session is over, as long as its cookie could come back: in this
// process in any case, and in the Store if there is one. What the Store has of the session
// is deleted, unless it may still be read.
func (m *Manager) end(p presence, reason string, at time.Time) {
	m.endIn(context.Background(), p, reason, at)
}

// endIn is end with the patience that ctx has for the Store.
func (m *Manager) endIn(ctx context.Context, p presence, reason string, at time.Time) {
	if p == (presence{}) {
		return
	}
	e := ending{reason, at}
	if !m.cfg.Now().Before(at) {
		e.at = time.UnixMilli(0) // see atOnce
	}
	m.rememberEnding(p.id, e, p.ends)
	until := p.ends.Add(revocationLeeway)
	if m.shared == nil || !m.cfg.Now().Before(until) { // no Store keeps what has expired
		return
	}
	err := m.shareEnding(ctx, p, e, until)
	if m.cfg.SessionsInStore && e.atOnce() {
		gone := m.shared.delete(ctx, m.recordName(p.id))
		if err != nil && gone == nil { // a Store that was full has room now
			err = m.shareEnding(ctx, p, e, until)
		}
		err = errors.Join(gone, err)
	}
	if err != nil {
		m.cfg.Logger.Error("session: ended in this process only", slog.String("reason", ReasonStoreDown),
			slog.String("session", p.id.hash()), causeAttr(err))
	}
}

// shareEnding writes the tombstone. It comes before the session is deleted: who finds neither
// takes the session for one that has expired, and deletes a cookie that may be its successor's.
func (m *Manager) shareEnding(ctx context.Context, p presence, e ending, until time.Time) error {
	name := m.endedName(p.id)
	err := m.shared.merge(ctx, name, until, func(old []byte) ([]byte, bool) {
		if old == nil {
			return e.binary(), false
		}
		known := endingOfBytes(old)
		both := known.merge(e)
		return both.binary(), both.reason == known.reason && both.at.Equal(known.at)
	})
	if err != nil && e.atOnce() { // no ending is earlier: a Store that does not say what it has may take this
		err = m.shared.save(m.shared.hurried(ctx), name, e.binary(), until)
	}
	return err
}

func (m *Manager) rememberEnding(id sessionID, e ending, until time.Time) {
	m.ended.merge(endedKey(id), e, m.cfg.Now(), until, ending.merge)
}

func (m *Manager) endingOf(rec *record, now time.Time) (ending, bool) {
	if rec == nil || m.ended.empty() {
		return ending{}, false
	}
	return m.ended.get(endedKey(rec.id), now)
}

func endedKey(id sessionID) memoryKey { return keyOf("ended", string(id[:])) }

func (m *Manager) endedName(id sessionID) string { return m.shared.key(kindEnded, string(id[:])) }

// replaceSessions ends the session that a request came with, and the one that its
// sign-in began in, in favour of next: nothing of them survives a sign-in.
func (m *Manager) replaceSessions(r *http.Request, began presence, next *record) {
	m.replace(began, next)
	m.replace(presenceOf(m.present(r)), next)
}

// replace ends old. If next is the same user's, what is on its way in another tab
// may still be answered.
func (m *Manager) replace(old presence, next *record) {
	now := m.cfg.Now()
	by := presenceOf(next)
	if old.id == by.id || !now.Before(old.ends) { // an answer that came twice; or nobody
		return
	}
	at := now
	if old.user == by.user {
		at = at.Add(replacedGrace)
		m.replaced.merge(replacedKey(by.id), []presence{old}, now, at, latestBesides)
		m.replaced.merge(replacedKey(old.id), []presence{by}, now, at, latestBesides)
	}
	m.end(old, ReasonReplaced, at)
}

func replacedKey(id sessionID) memoryKey { return keyOf("replaced", string(id[:])) }

// maxBesides is how many sessions end with another one: more than a user can sign in to, one
// over the other, within replacedGrace.
const maxBesides = 8

func latestBesides(old, fresh []presence) []presence {
	all := slices.Concat(slices.DeleteFunc(slices.Clone(old), func(p presence) bool { return p == fresh[0] }), fresh)
	return all[max(0, len(all)-maxBesides):]
}

// besides are the sessions that end with another one when its user signs out: those it has
// just replaced, one after the other, which may still be answered, and those it was just
// replaced by, whose cookies may be on their way.
func (m *Manager) besides(id sessionID, now time.Time) (all []presence) {
	seen := map[sessionID]bool{id: true}
	for next := []sessionID{id}; len(next) > 0 && len(all) < maxBesides; next = next[1:] {
		near, _ := m.replaced.get(replacedKey(next[0]), now)
		for _, p := range near {
			if !seen[p.id] {
				seen[p.id] = true
				all, next = append(all, p), append(next, p.id)
			}
		}
	}
	return all
}

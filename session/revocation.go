package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// revocationLeeway is for a session that began while the revocation was on its way, or by
// a clock that is behind.
const revocationLeeway = time.Minute

// A revocation says which sessions of a user, or of a session at the provider, are over.
// It tells by time, so that a later sign-in neither undoes it nor is hit by it, that the
// same one may come twice, and that of two the later times hold.
type revocation struct {
	issued   time.Time // over is what signed in with an ID token of that time or before...
	received time.Time // ... and began no later than this, within the leeway
	created  time.Time // over is also what began then or before: ended by ourselves
}

// revocationKeys are what a session can be revoked by: the session at the provider, and
// the user.
func (i identity) revocationKeys() []memoryKey {
	keys := []memoryKey{revokedUser(i.issuer, i.subject)}
	if i.sid != "" {
		keys = append(keys, revokedSession(i.issuer, i.sid))
	}
	return keys
}

// The keys depend on no secret: changing that would bring back what was revoked.
func revokedUser(issuer, subject string) memoryKey { return keyOf("revoked sub", issuer, subject) }
func revokedSession(issuer, sid string) memoryKey  { return keyOf("revoked sid", issuer, sid) }

func (v revocation) over(rec *record) bool {
	return !rec.identity.issued.After(v.issued) && !rec.created.After(v.received.Add(revocationLeeway)) ||
		!rec.created.After(v.created)
}

func (v revocation) merge(other revocation) revocation {
	return revocation{later(v.issued, other.issued), later(v.received, other.received), later(v.created, other.created)}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// revocationVersion is the first byte of what is in the Store.
const revocationVersion = 1

func (v revocation) binary() []byte {
	v = v.stored()
	return appendTime(appendTime(appendTime([]byte{revocationVersion}, v.issued), v.received), v.created)
}

// stored is v as it comes back: to the millisecond, as the times of sessions are.
func (v revocation) stored() revocation {
	for _, t := range [...]*time.Time{&v.issued, &v.received, &v.created} {
		*t = time.UnixMilli(max(0, min(t.UnixMilli(), maxTime)))
	}
	return v
}

func revocationOf(data []byte) (v revocation, ok bool) {
	if len(data) == 0 || data[0] != revocationVersion {
		return revocation{}, false
	}
	d := decoder{rest: data[1:]}
	v = revocation{issued: d.time(), received: d.time(), created: d.time()}
	return v, !d.failed && len(d.rest) == 0
}

func (v revocation) covers(other revocation) bool {
	return !other.issued.After(v.issued) && !other.received.After(v.received) && !other.created.After(v.created)
}

// revoke remembers a revocation under each key, as long as a session could be left that it
// is about: in this process in any case. The error is the Store's.
func (m *Manager) revoke(ctx context.Context, v revocation, keys ...memoryKey) error {
	now := m.cfg.Now()
	until := now.Add(m.cfg.Lifetime + revocationLeeway)
	v = v.stored()
	for _, key := range keys {
		m.rememberRevocation(key, v)
	}
	if m.shared == nil {
		return nil
	}
	var failed []error
	for _, key := range keys {
		failed = append(failed, m.shared.merge(ctx, m.revokedName(key), until, func(old []byte) ([]byte, bool) {
			if old == nil {
				return v.binary(), false
			}
			known, ok := revocationOf(old)
			if !ok { // whatever it was about has begun by now
				known = revocation{created: now}.stored()
			}
			return known.merge(v).binary(), ok && known.covers(v)
		}))
	}
	return errors.Join(failed...)
}

func (m *Manager) rememberRevocation(key memoryKey, v revocation) {
	now := m.cfg.Now()
	m.revoked.merge(key, v, now, now.Add(m.cfg.Lifetime+revocationLeeway), revocation.merge)
}

func (m *Manager) revokedName(key memoryKey) string {
	return m.shared.key(kindRevoked, string(key[:]))
}

// isRevoked says whether what is known of revocations is about a session.
func (m *Manager) isRevoked(rec *record, now time.Time) bool {
	if m.revoked.empty() {
		return false
	}
	for _, key := range rec.identity.revocationKeys() {
		if v, ok := m.revoked.get(key, now); ok && v.over(rec) {
			return true
		}
	}
	return false
}

// RevokeUser ends all sessions of a user that began before this moment, in every browser
// and, with Config.Store, in every process: after a change of password, or when an account
// is closed. The user can sign in again; who may not is for Config.OnLogin to refuse.
//
// It goes by the clocks of this program: a session that a process began whose clock is ahead
// counts as begun later. Requests that are being answered go on. Tokens are not revoked at the provider. An error
// is the Store's: then the sessions have ended in this process only, so try again.
func (m *Manager) RevokeUser(ctx context.Context, issuer, subject string) error {
	if issuer == "" || subject == "" {
		return errors.New("session: RevokeUser: issuer and subject are required")
	}
	if err := m.revoke(ctx, revocation{created: m.cfg.Now()}, revokedUser(issuer, subject)); err != nil {
		return fmt.Errorf("session: RevokeUser: %w", err)
	}
	m.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "session: ended by the app", slog.String("reason", ReasonRevoked), slog.String("issuer", cut(issuer)))
	m.emit(ctx, Event{Type: EventRevoked, Issuer: issuer, Subject: subject, Reason: ReasonRevoked})
	return nil
}

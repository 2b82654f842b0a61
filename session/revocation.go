package session

import (
	"context"
	"errors"
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

// revoke remembers a revocation under each key, as long as a session could be left that it
// is about.
func (m *Manager) revoke(_ context.Context, v revocation, keys ...memoryKey) error {
	now := m.cfg.Now()
	until := now.Add(m.cfg.Lifetime + revocationLeeway)
	for _, key := range keys {
		known, _ := m.revoked.get(key, now)
		m.revoked.put(key, v.merge(known), now, until)
	}
	return nil
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
// Requests that are being answered go on. Tokens are not revoked at the provider. An error
// is the Store's: then the sessions have ended in this process only, so try again.
func (m *Manager) RevokeUser(ctx context.Context, issuer, subject string) error {
	if issuer == "" || subject == "" {
		return errors.New("session: RevokeUser: issuer and subject are required")
	}
	if err := m.revoke(ctx, revocation{created: m.cfg.Now()}, revokedUser(issuer, subject)); err != nil {
		return err
	}
	m.emit(ctx, Event{Type: EventRevoked, Issuer: issuer, Subject: subject, Reason: ReasonRevoked})
	return nil
}

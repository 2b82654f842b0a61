package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	errStoreDown  = errors.New("the store does not answer")
	errRecordGone = errors.New("the store does not have the session")
	errEnded      = errors.New("the session has ended")
)

// recall asks the Store about a session, in one round trip: whether it is over, by itself
// or with all of its user, and what there is of it. What it learns of endings stays in
// the memory of this process, which decides: so the later word of both holds, and goes on
// to hold for a while when the Store fails. The content goes into rec.
//
// With errStoreDown nobody can say whether the session is good. With errRecordGone or
// errUndecryptable there is nothing of it, but maybe an ending.
func (m *Manager) recall(ctx context.Context, rec *record) error {
	if m.shared == nil {
		if rec.inStore() {
			return errUndecryptable
		}
		return nil
	}
	ended, record := m.endedName(rec.id), m.recordName(rec.id)
	keys := rec.identity.revocationKeys()
	names := append(make([]string, 0, len(keys)+2), ended)
	for _, key := range keys {
		names = append(names, m.revokedName(key))
	}
	if m.keepsInStore(rec) {
		names = append(names, record)
	}
	found, err := m.shared.ask(ctx, names...)
	if unheard := m.unheard(rec, err); err != nil {
		if rec.inStore() || m.shared.stale() || unheard {
			return fmt.Errorf("%w: %w", errStoreDown, err)
		}
		return nil
	}
	if data, ok := found[ended]; ok {
		m.rememberEnding(rec.id, endingOfBytes(data), rec.expires)
	}
	for i, key := range keys {
		if data, ok := found[names[1+i]]; ok {
			v, ok := revocationOf(data)
			if !ok {
				return fmt.Errorf("%w: a revocation is unreadable", errStoreDown)
			}
			m.rememberRevocation(key, v)
		}
	}
	return m.fill(rec, found, record)
}

// learnEnding asks the Store whether a session has ended.
func (m *Manager) learnEnding(ctx context.Context, p presence) bool {
	if m.shared == nil || p == (presence{}) {
		return false
	}
	name := m.endedName(p.id)
	found, err := m.shared.ask(ctx, name)
	data, ended := found[name]
	if err != nil || !ended {
		return false
	}
	m.rememberEnding(p.id, endingOfBytes(data), p.ends)
	return true
}

// unheard says that every answer about this session has failed for too long, whatever the
// Store says about others: a part of it may be gone.
func (m *Manager) unheard(rec *record, err error) bool {
	if err == nil && m.unanswered.empty() {
		return false
	}
	key, now := keyOf("failing", string(rec.id[:])), m.cfg.Now()
	if err == nil {
		m.unanswered.forget(key)
		return false
	}
	since, ok := m.unanswered.get(key, now)
	if !ok {
		since = now
		m.unanswered.put(key, since, now, m.ends(rec))
	}
	return now.Sub(since) >= storeTrust
}

// keepsInStore says that a session is in the Store, or goes there with its next change.
func (m *Manager) keepsInStore(rec *record) bool { return m.cfg.SessionsInStore || rec.inStore() }

// fill takes the content of a session from what was found in the Store. Where the cookie
// has all of it, it need not have moved there yet.
func (m *Manager) fill(rec *record, found map[string][]byte, name string) error {
	sealed, ok := found[name]
	if !ok {
		if rec.inStore() {
			return errRecordGone
		}
		return nil
	}
	key := rec.key
	if !rec.inStore() {
		key = movedKey(rec.id)
	}
	plain, err := key.openFrom(name, sealed)
	if err != nil {
		return err
	}
	if err := rec.unmarshal(plain); err != nil {
		return err
	}
	rec.key = key
	return nil
}

// restore gives a session of which only the ticket is known its tokens back, if the Store
// has them: for signing out, which does without them otherwise.
func (m *Manager) restore(ctx context.Context, rec *record) *record {
	if rec == nil || !m.keepsInStore(rec) {
		return rec
	}
	full := *rec
	if m.recall(ctx, &full) != nil {
		return rec
	}
	return &full
}

// tellOver tells the app of a request with a session that is over, once for each session.
func (m *Manager) tellOver(ctx context.Context, rec *record, reason string) {
	if m.cfg.OnEvent == nil || rec == nil || rec.identity.subject == "" || reason == ReasonStoreDown {
		return
	}
	key, now := keyOf("told", string(rec.id[:])), m.cfg.Now()
	if _, told := m.told.get(key, now); told {
		return
	}
	m.told.put(key, struct{}{}, now, later(m.ends(rec), now.Add(time.Hour)))
	e := eventOf(EventExpired, rec)
	if reason == ReasonRevoked {
		e.Type = EventRevoked
	}
	e.Reason = reason
	m.emit(ctx, e)
}

package session

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// A memoryKey is a hash of what something is remembered by, so that no memory
// holds a token or a session ID as its key.
type memoryKey [sha256.Size]byte

// keyOf hashes parts, each with its length: no two lists of parts make one key.
func keyOf(parts ...string) memoryKey {
	var buffer [1024]byte // enough for most refresh tokens, without an allocation
	b := buffer[:0]
	for _, part := range parts {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return sha256.Sum256(b)
}

// sweepEvery is how often a memory looks for what has expired. What has is never
// given out; this is to let go of it.
const sweepEvery = time.Minute

// A memory keeps at most max things, each until its time; beyond that the oldest
// is forgotten first. It is safe for concurrent use.
type memory[V any] struct {
	max int

	mu      sync.Mutex
	entries map[memoryKey]*list.Element // of *remembered[V]
	order   list.List                   // oldest first
	swept   time.Time
}

type remembered[V any] struct {
	key   memoryKey
	value V
	until time.Time
}

func newMemory[V any](most int) *memory[V] {
	return &memory[V]{max: most, entries: make(map[memoryKey]*list.Element)}
}

// put remembers value until a time, instead of what was there under key.
func (m *memory[V]) put(key memoryKey, value V, now, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(key, value, now, until)
}

// merge remembers what both makes of value and what is there under key.
func (m *memory[V]) merge(key memoryKey, value V, now, until time.Time, both func(old, fresh V) V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[key]; e != nil && now.Before(e.Value.(*remembered[V]).until) {
		value = both(e.Value.(*remembered[V]).value, value)
	}
	m.set(key, value, now, until)
}

func (m *memory[V]) set(key memoryKey, value V, now, until time.Time) {
	m.sweep(now)
	m.remove(m.entries[key])
	if len(m.entries) >= m.max {
		m.remove(m.order.Front())
	}
	m.entries[key] = m.order.PushBack(&remembered[V]{key, value, until})
}

// get gives what is remembered under key.
func (m *memory[V]) get(key memoryKey, now time.Time) (value V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[key]
	if e == nil {
		return value, false
	}
	r := e.Value.(*remembered[V])
	if !now.Before(r.until) {
		m.remove(e)
		return value, false
	}
	return r.value, true
}

// shorten keeps what is under key no longer than until.
func (m *memory[V]) shorten(key memoryKey, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[key]; e != nil {
		r := e.Value.(*remembered[V])
		if until.Before(r.until) {
			r.until = until
		}
	}
}

func (m *memory[V]) forget(key memoryKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(m.entries[key])
}

// empty spares most requests the hash of a key.
func (m *memory[V]) empty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries) == 0
}

func (m *memory[V]) remove(e *list.Element) {
	if e != nil {
		delete(m.entries, e.Value.(*remembered[V]).key)
		m.order.Remove(e)
	}
}

func (m *memory[V]) sweep(now time.Time) {
	if now.Sub(m.swept) < sweepEvery {
		return
	}
	m.swept = now
	for e := m.order.Front(); e != nil; {
		next := e.Next()
		if !now.Before(e.Value.(*remembered[V]).until) {
			m.remove(e)
		}
		e = next
	}
}

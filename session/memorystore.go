package session

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// memoryStoreBytes is what a MemoryStore keeps by default: about 20,000 sessions of 3 KB.
	memoryStoreBytes = 64 << 20

	// memoryEntryBytes is what an entry costs beside its key and its value: its struct, its
	// places in map and heap, and what the allocator rounds up.
	memoryEntryBytes = 200
)

// A MemoryStore is a [Store] and a [Locker] in the memory of one process: for tests, and for
// a server that runs once. What it holds ends with the process, and that includes the
// revocations: after a restart, a cookie session that was signed out from elsewhere is alive
// again. Whoever cannot live with that wants a store outside, such as redisstore.
//
// The zero MemoryStore is ready and empty. It is safe for concurrent use and must not be
// copied after its first use; its fields are set before.
type MemoryStore struct {
	// MaxBytes bounds the memory: keys, values, and 200 bytes for each entry. Zero means
	// 64 MiB. When it is full of what has not expired, Save fails: nothing is pushed out,
	// because that might be a revocation, and forgetting one would sign somebody in again.
	MaxBytes int

	// Now tells the time. Nil means [time.Now].
	Now func() time.Time

	mu      sync.Mutex
	entries map[string]*memoryEntry
	expire  expiries
	size    int
	locks   map[string]*memoryLock
}

type memoryEntry struct {
	key     string
	value   []byte
	expires time.Time
	index   int // in the heap
}

// Load is the method of [Store].
func (s *MemoryStore) Load(ctx context.Context, keys ...string) (map[string][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("session: memory store: %w", err)
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make(map[string][]byte, len(keys))
	for _, key := range keys {
		if e := s.entries[key]; e != nil && now.Before(e.expires) {
			found[key] = bytes.Clone(e.value)
		}
	}
	return found, nil
}

// Save is the method of [Store]. It fails while the store is full.
func (s *MemoryStore) Save(ctx context.Context, key string, value []byte, expires time.Time) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("session: memory store: %w", err)
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.expire) > 0 && !now.Before(s.expire[0].expires) {
		s.remove(s.expire[0])
	}
	if !now.Before(expires) {
		s.remove(s.entries[key])
		return nil
	}
	fresh := &memoryEntry{key: key, value: bytes.Clone(value), expires: expires}
	if s.size-s.entries[key].bytes()+fresh.bytes() > s.max() {
		return errors.New("session: memory store is full")
	}
	s.remove(s.entries[key])
	if s.entries == nil {
		s.entries = make(map[string]*memoryEntry)
	}
	s.entries[key] = fresh
	s.size += fresh.bytes()
	heap.Push(&s.expire, fresh)
	return nil
}

// Delete is the method of [Store].
func (s *MemoryStore) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("session: memory store: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(s.entries[key])
	return nil
}

// remove forgets e, which may be nil.
func (s *MemoryStore) remove(e *memoryEntry) {
	if e == nil {
		return
	}
	delete(s.entries, e.key)
	heap.Remove(&s.expire, e.index)
	s.size -= e.bytes()
}

// Format prints nothing of what the store holds, which changes while it is printed.
func (s *MemoryStore) Format(f fmt.State, _ rune) { io.WriteString(f, "session.MemoryStore") }

// LogValue logs no more than Format prints.
func (s *MemoryStore) LogValue() slog.Value { return slog.StringValue("session.MemoryStore") }

func (s *MemoryStore) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *MemoryStore) max() int {
	if s.MaxBytes == 0 {
		return memoryStoreBytes
	}
	return s.MaxBytes
}

// bytes is what e costs; nothing, if it is nil.
func (e *memoryEntry) bytes() int {
	if e == nil {
		return 0
	}
	return len(e.key) + len(e.value) + memoryEntryBytes
}

// expiries is a heap with the entry that expires soonest on top.
type expiries []*memoryEntry

func (h expiries) Len() int           { return len(h) }
func (h expiries) Less(i, j int) bool { return h[i].expires.Before(h[j].expires) }

func (h expiries) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *expiries) Push(e any) {
	e.(*memoryEntry).index = len(*h)
	*h = append(*h, e.(*memoryEntry))
}

func (h *expiries) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}

// A memoryLock exists while somebody holds it or waits for it.
type memoryLock struct {
	taken chan struct{} // full while it is held
	users int
}

// Lock is the method of [Locker]. The lock has no lease, because a process that dies takes it
// along: it is held until unlock is called, also when ctx has ended before.
func (s *MemoryStore) Lock(ctx context.Context, key string) (held context.Context, unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, fmt.Errorf("session: memory store: %w", err)
	}
	lock := s.join(key)
	select {
	case lock.taken <- struct{}{}:
	case <-ctx.Done():
		s.leave(key, lock)
		return nil, nil, fmt.Errorf("session: memory store: waiting for a lock: %w", context.Cause(ctx))
	}
	held, end := context.WithCancel(ctx)
	return held, sync.OnceFunc(func() {
		end()
		<-lock.taken
		s.leave(key, lock)
	}), nil
}

func (s *MemoryStore) join(key string) *memoryLock {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks == nil {
		s.locks = make(map[string]*memoryLock)
	}
	lock := s.locks[key]
	if lock == nil {
		lock = &memoryLock{taken: make(chan struct{}, 1)}
		s.locks[key] = lock
	}
	lock.users++
	return lock
}

func (s *MemoryStore) leave(key string, lock *memoryLock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if lock.users--; lock.users == 0 {
		delete(s.locks, key)
	}
}

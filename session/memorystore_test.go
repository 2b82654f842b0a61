package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/session"
	"github.com/postern-go/postern/session/sessiontest"
)

func TestMemoryStoreStores(t *testing.T) {
	t.Parallel()
	store := new(session.MemoryStore)
	sessiontest.Store(t, func(*testing.T) session.Store { return store })
}

func TestMemoryStoreLocks(t *testing.T) {
	t.Parallel()
	store := new(session.MemoryStore)
	sessiontest.Locker(t, func(*testing.T) sessiontest.Process { return sessiontest.Process{Locker: store} })
}

// A memoryClock is a MemoryStore of ten entries of a thousand bytes, and its time.
type memoryClock struct {
	*session.MemoryStore
	now time.Time
}

func newMemoryClock() *memoryClock {
	c := &memoryClock{now: time.Unix(1_800_000_000, 0)}
	c.MemoryStore = &session.MemoryStore{MaxBytes: 10_000, Now: func() time.Time { return c.now }}
	return c
}

// save saves so many bytes, the key and the fixed part of an entry included.
func (c *memoryClock) save(t *testing.T, key string, bytes int, life time.Duration) error {
	t.Helper()
	return c.Save(t.Context(), key, make([]byte, bytes-200-len(key)), c.now.Add(life))
}

// fill saves entries that end one minute after another, until one more is too many.
func (c *memoryClock) fill(t *testing.T) {
	t.Helper()
	for i := range 10 {
		if err := c.save(t, fmt.Sprint("entry-", i), 1000, time.Duration(10-i)*time.Minute); err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
}

func (c *memoryClock) count(t *testing.T) int {
	t.Helper()
	var keys []string
	for i := range 10 {
		keys = append(keys, fmt.Sprint("entry-", i))
	}
	found, err := c.Load(t.Context(), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

func isFull(t *testing.T, err error) {
	t.Helper()
	if err == nil || err.Error() != "session: memory store is full" {
		t.Errorf("Save into a full store: %v", err)
	}
}

func TestMemoryStoreForgetsNothingWhenFull(t *testing.T) {
	c := newMemoryClock()
	c.fill(t)
	isFull(t, c.save(t, "one-more", 201+len("one-more"), time.Hour))
	isFull(t, c.save(t, "entry-3", 1001, time.Hour))
	if n := c.count(t); n != 10 {
		t.Errorf("%d of 10 entries are left", n)
	}
}

func TestMemoryStoreReplacesWhenFull(t *testing.T) {
	c := newMemoryClock()
	c.fill(t)
	if err := c.save(t, "entry-3", 1000, time.Hour); err != nil {
		t.Errorf("a value as long as the one before: %v", err)
	}
}

func TestMemoryStoreMakesRoom(t *testing.T) {
	c := newMemoryClock()
	for round := range 20 {
		c.fill(t)
		c.now = c.now.Add(time.Minute) // entry-9 ends
		if err := c.save(t, "after-expiry", 1000, time.Minute); err != nil {
			t.Fatalf("round %d, one has expired: %v", round, err)
		}
		isFull(t, c.save(t, "one-more", 1000, time.Minute))
		if err := c.Delete(t.Context(), "entry-0"); err != nil {
			t.Fatal(err)
		}
		if err := c.save(t, "after-delete", 1000, time.Minute); err != nil {
			t.Fatalf("round %d, one was deleted: %v", round, err)
		}
		isFull(t, c.save(t, "one-more", 1000, time.Minute))
		if err := c.save(t, "after-delete", 1000, 0); err != nil { // is like Delete, and possible when full
			t.Fatalf("round %d, a save until now: %v", round, err)
		}
		c.now = c.now.Add(time.Hour)
	}
}

func TestMemoryStoreExpiresByItsClock(t *testing.T) {
	c := newMemoryClock()
	c.fill(t)
	for i := range 10 {
		if n := c.count(t); n != 10-i {
			t.Errorf("after %d minutes %d entries are left", i, n)
		}
		c.now = c.now.Add(time.Minute - 1)
		if n := c.count(t); n != 10-i {
			t.Errorf("a nanosecond before minute %d ends, %d entries are left", i, n)
		}
		c.now = c.now.Add(1)
	}
}

func TestMemoryStoreTellsWhyItStoppedWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(session.MemoryStore)
		_, unlock, err := store.Lock(t.Context(), "key")
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		reason := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Millisecond, func() { cancel(reason) })
		_, _, err = store.Lock(ctx, "key")
		if !errors.Is(err, reason) || !strings.HasPrefix(err.Error(), "session: memory store: waiting for a lock: ") {
			t.Errorf("Lock: %v", err)
		}
	})
}

// Printing a store is no look at what it holds, nor a race with those who use it.
func TestMemoryStorePrintsNothing(t *testing.T) {
	store := &session.MemoryStore{}
	if err := store.Save(t.Context(), "canary-key", []byte("canary-value"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		if got := fmt.Sprintf(verb, store); got != "session.MemoryStore" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	if got := store.LogValue().String(); got != "session.MemoryStore" {
		t.Errorf("the log has %s", got)
	}
}

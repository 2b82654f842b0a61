package session

import (
	"context"
	"runtime"
	"testing"
)

// TestMemoryStoreKeepsNoLock: keys of locks are as many as sessions, so none may stay.
func TestMemoryStoreKeepsNoLock(t *testing.T) {
	store := new(MemoryStore)
	_, unlock, err := store.Lock(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	waited := make(chan error)
	go func() {
		_, _, err := store.Lock(ended, "key")
		waited <- err
	}()
	for store.waiting("key") < 2 {
		runtime.Gosched()
	}
	cancel()
	if err := <-waited; err == nil {
		t.Error("Lock gives a lock that is held")
	}
	unlock()
	unlock()
	if n := len(store.locks); n > 0 {
		t.Errorf("%d locks are kept that nobody holds or waits for", n)
	}
}

func (s *MemoryStore) waiting(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locks[key].users
}

package scsstore

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-go/postern/session"
	"github.com/postern-go/postern/session/sessiontest"
)

var _ session.Store = (*Store)(nil)

// A slices keeps slices as scs's memory store does, without copies, and forgets no time.
type slices struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (s *slices) Delete(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, token)
	return nil
}

func (s *slices) Find(token string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.kept[token]
	return b, ok, nil
}

func (s *slices) Commit(token string, b []byte, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(token) != 43 {
		return errors.New("a token of scs has 43 characters")
	}
	s.kept[token] = b
	return nil
}

// A withContext panics where goredisstore does.
type withContext struct{ under *slices }

func (withContext) Delete(string) error                    { panic("missing context arg") }
func (withContext) Find(string) ([]byte, bool, error)      { panic("missing context arg") }
func (withContext) Commit(string, []byte, time.Time) error { panic("missing context arg") }

func (w withContext) DeleteCtx(_ context.Context, token string) error { return w.under.Delete(token) }
func (w withContext) FindCtx(_ context.Context, token string) ([]byte, bool, error) {
	return w.under.Find(token)
}
func (w withContext) CommitCtx(_ context.Context, token string, b []byte, expiry time.Time) error {
	return w.under.Commit(token, b, expiry)
}

func TestStore(t *testing.T) {
	under := &slices{kept: make(map[string][]byte)}
	for name, backend := range map[string]Backend{"Store": under, "CtxStore": withContext{under}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sessiontest.Store(t, func(*testing.T) session.Store { return &Store{Backend: backend, Calls: 4} })
		})
	}
}

// A stuck backend answers when it is told to.
type stuck struct {
	slices
	free   chan struct{}
	inside atomic.Int32
	most   atomic.Int32
}

func (s *stuck) wait() {
	n := s.inside.Add(1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	<-s.free
	s.inside.Add(-1)
}

func (s *stuck) Delete(token string) error               { s.wait(); return s.slices.Delete(token) }
func (s *stuck) Find(token string) ([]byte, bool, error) { s.wait(); return s.slices.Find(token) }
func (s *stuck) Commit(token string, b []byte, expiry time.Time) error {
	s.wait()
	return s.slices.Commit(token, b, expiry)
}

func everyCall(ctx context.Context, s *Store) map[string]error {
	_, load := s.Load(ctx, "secret-1", "secret-2", "secret-3")
	return map[string]error{
		"load":   load,
		"save":   s.Save(ctx, "secret-1", []byte("secret-value"), time.Now().Add(time.Hour)),
		"delete": s.Delete(ctx, "secret-1"),
	}
}

func TestStuckBackend(t *testing.T) {
	backend := &stuck{slices: slices{kept: make(map[string][]byte)}, free: make(chan struct{})}
	store := &Store{Backend: backend, Calls: 3, Timeout: 20 * time.Millisecond}
	for range 3 {
		for what, err := range everyCall(t.Context(), store) {
			if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "scsstore: "+what+": no answer in time: context deadline exceeded" {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	if most := backend.most.Load(); most != 3 {
		t.Errorf("%d calls were in the backend at once, want 3", most)
	}
	close(backend.free)
	store = &Store{Backend: backend}
	for what, err := range everyCall(t.Context(), store) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestCanceledWhileBackendIsStuck(t *testing.T) {
	backend := &stuck{slices: slices{kept: make(map[string][]byte)}, free: make(chan struct{})}
	defer close(backend.free)
	reason := errors.New("the browser hung up")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(reason) })
	for what, err := range everyCall(ctx, &Store{Backend: backend}) {
		if !errors.Is(err, reason) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestNoBackend(t *testing.T) {
	for what, err := range everyCall(t.Context(), new(Store)) {
		if err == nil || err.Error() != "scsstore: "+what+": there is no Backend" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Delete(string) error                    { return f.err }
func (f failing) Find(string) ([]byte, bool, error)      { return []byte("x"), true, f.err }
func (f failing) Commit(string, []byte, time.Time) error { return f.err }

func TestFailingBackend(t *testing.T) {
	reason := errors.New("disk full")
	for what, err := range everyCall(t.Context(), &Store{Backend: failing{reason}}) {
		if !errors.Is(err, reason) || err.Error() != "scsstore: "+what+": disk full" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestNotOurs: a value that lost its end must not pass for one that is not there, since a
// revocation that is not there is a session that lives.
func TestNotOurs(t *testing.T) {
	backend := &slices{kept: make(map[string][]byte)}
	store := &Store{Backend: backend}
	if err := store.Save(t.Context(), "key", nil, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if found, err := store.Load(t.Context(), "key"); err != nil || found["key"] == nil {
		t.Errorf("Load of no bytes gives %v, %v", found, err)
	}
	for token, kept := range backend.kept {
		backend.kept[token] = bytes.Clone(kept[:len(kept)-1])
	}
	if found, err := store.Load(t.Context(), "key"); err == nil || !strings.Contains(err.Error(), "not ours, or has cut it short") {
		t.Errorf("Load of a value that was cut gives %v, %v", found, err)
	}
}

// A panics backend is one that was not opened.
type panics struct{}

func (panics) Delete(string) error                    { panic("secret") }
func (panics) Find(string) ([]byte, bool, error)      { panic("secret") }
func (panics) Commit(string, []byte, time.Time) error { panic("secret") }

// A backend that panics fails, and does not end the program: nobody could recover that.
func TestBackendThatPanics(t *testing.T) {
	s := &Store{Backend: panics{}, Calls: 1}
	for range 3 { // and keeps no slot
		_, load := s.Load(t.Context(), "x")
		for what, err := range map[string]error{
			"load": load, "save": s.Save(t.Context(), "x", nil, time.Now().Add(time.Hour)), "delete": s.Delete(t.Context(), "x"),
		} {
			if err == nil || err.Error() != "scsstore: "+what+": the backend panicked: string" {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

package session

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
)

var errTestStore = errors.New("the store is on fire")

// A mapStore is a Store whose failures tests decide on.
type mapStore struct {
	now func() time.Time // nil: time.Now

	mu      sync.Mutex
	values  map[string]mapValue
	failing func(operation, key string) error // nil: nothing fails
	hang    bool                              // until the context ends
	loads   [][]string                        // the keys of each
	between func(key string)                  // called before a Save, once it is decided
}

type mapValue struct {
	data    []byte
	expires time.Time
}

func (s *mapStore) enter(ctx context.Context, operation string, keys ...string) error {
	s.mu.Lock()
	hang, failing := s.hang, s.failing
	s.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, key := range keys {
		if failing != nil {
			if err := failing(operation, key); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (s *mapStore) time() time.Time {
	if s.now == nil {
		return time.Now()
	}
	return s.now()
}

func (s *mapStore) Load(ctx context.Context, keys ...string) (map[string][]byte, error) {
	s.mu.Lock()
	s.loads = append(s.loads, slices.Clone(keys))
	s.mu.Unlock()
	if err := s.enter(ctx, "load", keys...); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make(map[string][]byte)
	for _, key := range keys {
		if v, ok := s.values[key]; ok && s.time().Before(v.expires) {
			found[key] = bytes.Clone(v.data)
		}
	}
	return found, nil
}

func (s *mapStore) Save(ctx context.Context, key string, value []byte, expires time.Time) error {
	if err := s.enter(ctx, "save", key); err != nil {
		return err
	}
	s.mu.Lock()
	between := s.between
	s.mu.Unlock()
	if between != nil {
		between(key)
	}
	s.put(key, value, expires)
	return nil
}

func (s *mapStore) put(key string, value []byte, expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		s.values = make(map[string]mapValue)
	}
	s.values[key] = mapValue{bytes.Clone(value), expires}
}

func (s *mapStore) Delete(ctx context.Context, key string) error {
	if err := s.enter(ctx, "delete", key); err != nil {
		return err
	}
	s.drop(key)
	return nil
}

func (s *mapStore) drop(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, key)
}

// get is what stands under a key, expired or not.
func (s *mapStore) get(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[key]
	return v.data, ok
}

func (s *mapStore) broken(failing func(operation, key string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = failing
}

func down(string, string) error { return errTestStore }

func (s *mapStore) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.loads)
}

// A mapLocker is a Locker whose leases tests can end.
type mapLocker struct {
	mu    sync.Mutex
	locks map[string]chan struct{}
	err   error
	lost  bool // each lease is lost at once
	taken int
}

func (l *mapLocker) Lock(ctx context.Context, key string) (context.Context, func(), error) {
	l.mu.Lock()
	err, lost := l.err, l.lost
	if l.locks == nil {
		l.locks = make(map[string]chan struct{})
	}
	lock := l.locks[key]
	if lock == nil {
		lock = make(chan struct{}, 1)
		l.locks[key] = lock
	}
	l.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	select {
	case lock <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	l.mu.Lock()
	l.taken++
	l.mu.Unlock()
	held, cancel := context.WithCancel(ctx)
	if lost {
		cancel()
	}
	return held, sync.OnceFunc(func() { cancel(); <-lock }), nil
}

// A lockingStore is both, as that of redisstore is.
type lockingStore struct {
	*mapStore
	*mapLocker
}

func newLockingStore() *lockingStore { return &lockingStore{&mapStore{}, &mapLocker{}} }

// cluster is several processes of one app behind one provider, which share a Store.
func cluster(t testing.TB, n int, store Store, change ...func(*appConfig)) []*app {
	t.Helper()
	var cfg appConfig
	a := newApp(t, append([]func(*appConfig){func(c *appConfig) { c.session.Store = store }}, append(change, func(c *appConfig) { cfg = *c })...)...)
	switch s := store.(type) {
	case *mapStore:
		s.now = a.op.Now
	case *lockingStore:
		s.now = a.op.Now
	}
	all := []*app{a}
	for range n - 1 {
		all = append(all, a.sibling(cfg))
	}
	return all
}

// sibling is another process of the same app, with another configuration.
func (a *app) sibling(cfg appConfig) *app {
	a.t.Helper()
	rp, err := client.New(a.op.Config(cfg.callback))
	if err != nil {
		a.t.Fatal(err)
	}
	m, err := New(rp, cfg.session)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.serving(rp, m)
}

// at is the same browser at another process.
func (b *browser) at(a *app) *browser { return &browser{a, b.jar} }

func inStore(cfg *appConfig) { cfg.session.SessionsInStore = true }

// bothModes runs a test with the session in the cookie, and in the Store.
func bothModes(t *testing.T, test func(t *testing.T, mode func(*appConfig))) {
	t.Run("cookie", func(t *testing.T) { test(t, func(*appConfig) {}) })
	t.Run("store", func(t *testing.T) { test(t, inStore) })
}

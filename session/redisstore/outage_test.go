package redisstore_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-go/postern/session/redisstore"
)

// TestSilentRedis: a server that accepts and does not answer costs the timeout, whatever the
// client's own are, and nothing is left of the calls once they have ended too.
func TestSilentRedis(t *testing.T) {
	s := startServer(t)
	client := redis.NewClient(&redis.Options{Network: s.network, Addr: s.addr, ReadTimeout: 2 * time.Second})
	defer client.Close()
	store := &redisstore.Store{Client: client, Timeout: 300 * time.Millisecond, Lease: time.Second}
	works(t, store)
	before := runtime.NumGoroutine()

	s.pause(t)
	for range 2 {
		begin := time.Now()
		for what, err := range everyCall(t.Context(), store) {
			if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "redisstore: "+what+": no answer in time: context deadline exceeded" {
				t.Errorf("%s of a Redis that does not answer: %v", what, err)
			}
		}
		if took := time.Since(begin); took > 4*time.Second {
			t.Errorf("four calls take %v, with a timeout of 300 ms", took)
		}
	}
	s.resume(t)

	eventually(t, "Redis works again", func() bool { return !failing(everyCall(t.Context(), store)) })
	works(t, store) // and no attempt that nobody waited for has kept a lock
	eventually(t, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
}

func failing(errs map[string]error) bool {
	for _, err := range errs {
		if err != nil {
			return true
		}
	}
	return false
}

func works(t *testing.T, store *redisstore.Store) {
	t.Helper()
	for what, err := range everyCall(t.Context(), store) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestCanceledWhileRedisIsSilent: the caller who hangs up does not wait for the timeout.
func TestCanceledWhileRedisIsSilent(t *testing.T) {
	s := startServer(t)
	client := redis.NewClient(&redis.Options{Network: s.network, Addr: s.addr, ReadTimeout: time.Second, MaxRetries: -1})
	defer client.Close()
	store := &redisstore.Store{Client: client, Timeout: time.Minute}
	works(t, store)
	s.pause(t)
	defer s.resume(t)
	reason := errors.New("the browser hung up")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(reason) })
	if _, err := store.Load(ctx, "key"); !errors.Is(err, reason) {
		t.Errorf("Load: %v", err)
	}
	for what, err := range everyCall(ctx, store) {
		if !errors.Is(err, reason) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestRedisRestarts: what was kept in memory only is gone, and so are the locks.
func TestRedisRestarts(t *testing.T) {
	s := startServer(t)
	client, _ := s.connect(t)
	store := &redisstore.Store{Client: client, Timeout: time.Second, Lease: time.Second}
	if err := store.Save(t.Context(), "key", []byte("value"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	held, unlock, err := store.Lock(t.Context(), "lock")
	if err != nil {
		t.Fatal(err)
	}
	s.stop()
	for what, err := range everyCall(t.Context(), store) {
		if err == nil || !strings.HasPrefix(err.Error(), "redisstore: "+what+": ") {
			t.Errorf("%s of a Redis that is gone: %v", what, err)
		}
	}
	begin := time.Now()
	<-held.Done()
	if took := time.Since(begin); took > store.Lease {
		t.Errorf("held ends %v after Redis is gone, with a lease of %v", took, store.Lease)
	}
	if cause := context.Cause(held); !strings.Contains(cause.Error(), "could not be renewed") {
		t.Errorf("held ends because %v", cause)
	}
	unlock()

	s.start(t)
	eventually(t, "Redis works again", func() bool { return !failing(everyCall(t.Context(), store)) })
	if found, err := store.Load(t.Context(), "key"); len(found) > 0 || err != nil {
		t.Errorf("Load gives %q, %v from an empty Redis", found, err)
	}
}

// TestOutageShorterThanTheLease: the holder of a lock gets over it.
func TestOutageShorterThanTheLease(t *testing.T) {
	s := startServer(t)
	client, _ := s.connect(t)
	store := &redisstore.Store{Client: client, Timeout: time.Second, Lease: 3 * time.Second}
	held, unlock, err := store.Lock(t.Context(), "lock")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	s.pause(t)
	<-time.After(1500 * time.Millisecond) // longer than until the first renewal
	s.resume(t)
	<-time.After(3 * time.Second)
	if held.Err() != nil {
		t.Errorf("held has ended: %v", context.Cause(held))
	}
}

// TestLockTakenAway: a lock that Redis forgot, or gave to another, is noticed at the next renewal.
func TestLockTakenAway(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	client, _ := s.connect(t)
	store := &redisstore.Store{Client: client, Lease: 600 * time.Millisecond}
	for name, take := range map[string]func(key string) error{
		"forgotten": func(key string) error { return client.Del(t.Context(), key).Err() },
		"another's": func(key string) error { return client.Set(t.Context(), key, "another", time.Minute).Err() },
	} {
		t.Run(name, func(t *testing.T) {
			held, unlock, err := store.Lock(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			defer unlock()
			if err := take("postern:lock:" + name); err != nil {
				t.Fatal(err)
			}
			<-held.Done()
			if cause := context.Cause(held); !strings.Contains(cause.Error(), "another has it, or Redis forgot it") {
				t.Errorf("held ends because %v", cause)
			}
		})
	}
}

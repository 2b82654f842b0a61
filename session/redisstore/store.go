// Package redisstore keeps the sessions of several processes, their revocations and their
// locks in Redis, or in what speaks its protocol (Valkey, KeyDB, Dragonfly):
//
//	store := &redisstore.Store{Client: redis.NewClient(&redis.Options{Addr: "redis:6379"})}
//	auth, err := session.New(rp, session.Config{Store: store, Secrets: secrets})
//
// Redis must not evict what has not expired, because that might be a revocation: the
// maxmemory-policy is noeviction, or volatile-ttl at a pinch. It should persist, too
// (appendonly yes), or a restart of Redis signs everybody out whose session it holds, and
// forgets who was signed out elsewhere. A replica that takes over lacks what the last
// moments brought: a lock may then be given twice.
//
// A connection that is refused costs go-redis most of two seconds by default, for it dials
// five times, and four times so. Options.DialerRetries and MaxRetries of 1 make that short.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	defaultPrefix  = "postern:"
	defaultTimeout = 2 * time.Second // a thousand times what Redis takes; a page may wait so long
)

// A Client is what a Store needs of a client of go-redis: *redis.Client, *redis.ClusterClient,
// *redis.Ring and redis.UniversalClient all are one.
type Client interface {
	Process(ctx context.Context, cmd redis.Cmder) error
	Pipelined(ctx context.Context, fn func(redis.Pipeliner) error) ([]redis.Cmder, error)
}

// A Store is a session.Store and a session.Locker. It is safe for concurrent use and has
// nothing to close but its Client, which is the caller's. Its fields are set before its
// first use. It needs a Redis of version 2.6.12 or later.
//
// No error of it names a key or a value.
type Store struct {
	// Client talks to Redis. Required.
	Client Client

	// Prefix stands before every key. Empty means "postern:". Two applications in one Redis
	// want different ones.
	Prefix string

	// Timeout bounds every call and every attempt to get a lock, whatever the timeouts,
	// the retries and the pool of Client are. Zero means 2 seconds. A call that is given up
	// goes on in the background for as long as Client's own timeouts let it.
	Timeout time.Duration

	// Lease is how long a lock outlives a process that dies with it. Zero means 5 seconds.
	// It is renewed three times as often. Package session gives up waiting for a lock after
	// 10 seconds: with a lease as long as that, requests fail that come when a process dies.
	Lease time.Duration
}

// Load asks for all keys in one pipeline: one round trip, and with a cluster one to each of
// its nodes, at the same time. MGET would not reach over the slots of a cluster. The values
// are therefore not of one instant.
func (s *Store) Load(ctx context.Context, keys ...string) (map[string][]byte, error) {
	if len(keys) == 0 {
		return nil, failed("load", s.check(ctx))
	}
	found, err := within(ctx, s, func(ctx context.Context) (map[string][]byte, error) {
		gets := make([]*redis.StringCmd, len(keys))
		_, err := s.Client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, key := range keys {
				gets[i] = p.Get(ctx, s.key(key))
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, err
		}
		return collect(keys, gets)
	})
	return found, failed("load", err)
}

// collect reads every answer by itself: the error of a pipeline is that of the first command
// that has one, and redis.Nil, which is none, may hide another.
func collect(keys []string, gets []*redis.StringCmd) (map[string][]byte, error) {
	found := make(map[string][]byte, len(keys))
	for i, get := range gets {
		value, err := get.Bytes()
		switch {
		case err == nil:
			found[keys[i]] = value
		case !errors.Is(err, redis.Nil):
			return nil, err
		}
	}
	return found, nil
}

// Save sets the key for what is left of its life by our clock, so that a Redis whose clock is
// wrong keeps it as long.
func (s *Store) Save(ctx context.Context, key string, value []byte, expires time.Time) error {
	life := time.Until(expires)
	if life <= 0 {
		return s.Delete(ctx, key)
	}
	if value == nil {
		value = []byte{}
	}
	return failed("save", s.do(ctx, "set", s.key(key), value, "px", milliseconds(life)))
}

// Delete removes the key.
func (s *Store) Delete(ctx context.Context, key string) error {
	return failed("delete", s.do(ctx, "del", s.key(key)))
}

// do runs a command whose answer does not matter.
func (s *Store) do(ctx context.Context, args ...any) error {
	_, err := within(ctx, s, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.Client.Process(ctx, redis.NewCmd(ctx, args...))
	})
	return err
}

func (s *Store) key(key string) string {
	if s.Prefix == "" {
		return defaultPrefix + key
	}
	return s.Prefix + key
}

func (s *Store) timeout() time.Duration {
	if s.Timeout == 0 {
		return defaultTimeout
	}
	return s.Timeout
}

// milliseconds rounds up: a life of zero is an error to Redis.
func milliseconds(d time.Duration) int64 {
	return int64((d-1)/time.Millisecond) + 1
}

func (s *Store) check(ctx context.Context) error {
	if s.Client == nil {
		return errors.New("there is no Client")
	}
	return context.Cause(ctx)
}

// within runs do until ctx ends, or the timeout. go-redis reads on when a context has ended,
// and by default knows nothing of its deadline either; so do is left to end by itself.
func within[R any](ctx context.Context, s *Store, do func(context.Context) (R, error)) (R, error) {
	var none R
	if err := s.check(ctx); err != nil {
		return none, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout(), timeoutError{})
	defer cancel()
	answer := start(ctx, do)
	select {
	case a := <-answer:
		return a.result, a.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// A timeoutError tells our timeout from a deadline of the caller's.
type timeoutError struct{}

func (timeoutError) Error() string { return "no answer in time: context deadline exceeded" }
func (timeoutError) Unwrap() error { return context.DeadlineExceeded }

type answer[R any] struct {
	result R
	err    error
}

// start runs do in the background. Nobody needs to wait for the answer.
func start[R any](ctx context.Context, do func(context.Context) (R, error)) <-chan answer[R] {
	done := make(chan answer[R], 1)
	go func() { done <- guarded(ctx, do) }()
	return done
}

// guarded makes an error of a panic of the client or its hooks, which would end the program.
func guarded[R any](ctx context.Context, do func(context.Context) (R, error)) (a answer[R]) {
	defer func() {
		if p := recover(); p != nil {
			a.err = fmt.Errorf("the client panicked: %T", p)
		}
	}()
	a.result, a.err = do(ctx)
	return a
}

// failed gives an error that has nothing of what was sent: Redis repeats the arguments of a
// command that it does not know.
func failed(what string, err error) error {
	var reply redis.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &reply):
		const most = 64
		text, _, _ := strings.Cut(reply.Error(), ", with args")
		return fmt.Errorf("redisstore: %s: Redis answers %q", what, text[:min(most, len(text))])
	}
	return fmt.Errorf("redisstore: %s: %w", what, err)
}

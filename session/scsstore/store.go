// Package scsstore makes a session.Store of any store of github.com/alexedwards/scs: Postgres,
// MySQL, SQL Server, SQLite, DynamoDB, Firestore, Bolt and the others that exist for it.
//
//	store := &scsstore.Store{Backend: postgresstore.New(db)}
//	auth, err := session.New(rp, session.Config{Store: store, Secrets: secrets})
//
// The table is the one that the documentation of the scs store says, best one of its own. A
// store of scs has no locks: where several processes refresh tokens, they want a
// session.Locker beside it.
package scsstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A Backend is what scs calls a Store. If it is what scs calls a CtxStore as well, then only
// the methods that take a context are used.
type Backend interface {
	Delete(token string) error
	Find(token string) ([]byte, bool, error)
	Commit(token string, b []byte, expiry time.Time) error
}

type ctxBackend interface {
	DeleteCtx(ctx context.Context, token string) error
	FindCtx(ctx context.Context, token string) ([]byte, bool, error)
	CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error
}

const (
	defaultTimeout = 5 * time.Second // as long as databases are usually given for a lock
	defaultCalls   = 32
)

// A Store is a session.Store that keeps everything in a store of scs. It is safe for
// concurrent use if Backend is, as those of scs are. Its fields are set before its first use,
// and it must not be copied after.
//
// The key of the session becomes a token of 43 characters, a hash in base64: the tables for
// MySQL and SQL Server have room for no more, and MySQL compares without case. The value gets
// its expiry in front, which is checked here as well: not all backends do it to the second.
//
// No error of it names a key or a value of its own accord; the backend's are passed on.
type Store struct {
	// Backend keeps the values. Required.
	Backend Backend

	// Timeout bounds every call, though most backends cannot be interrupted: such a call is
	// given up, and goes on in the background. Zero means 5 seconds.
	Timeout time.Duration

	// Calls bounds how many calls Backend has to answer at once, those given up included;
	// further ones wait. Zero means 32.
	Calls int

	once  sync.Once
	slots chan struct{}
}

// Load asks for every key by itself, for scs knows no other way: all at once, but a round
// trip each. The values are therefore not of one instant.
func (s *Store) Load(ctx context.Context, keys ...string) (map[string][]byte, error) {
	if err := s.check(ctx); err != nil {
		return nil, failed("load", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout(), timeoutError{})
	defer cancel()
	answers := make(chan answer, len(keys)) // nobody who is late gets stuck
	for _, key := range keys {
		go func() { answers <- s.find(ctx, key) }()
	}
	found := make(map[string][]byte, len(keys))
	for range keys {
		select {
		case a := <-answers:
			if a.err != nil {
				return nil, failed("load", a.err)
			}
			if a.ok {
				found[a.key] = a.value
			}
		case <-ctx.Done():
			return nil, failed("load", context.Cause(ctx))
		}
	}
	return found, nil
}

type answer struct {
	key   string
	value []byte
	ok    bool
	err   error
}

func (s *Store) find(ctx context.Context, key string) answer {
	a := answer{key: key}
	var framed []byte
	a.err = s.turn(ctx, func() (err error) {
		if b, ok := s.Backend.(ctxBackend); ok {
			framed, a.ok, err = b.FindCtx(ctx, token(key))
		} else {
			framed, a.ok, err = s.Backend.Find(token(key))
		}
		return err
	})
	if a.err != nil || !a.ok {
		return a
	}
	a.value, a.ok, a.err = unframe(framed, time.Now())
	return a
}

// Save commits the value.
func (s *Store) Save(ctx context.Context, key string, value []byte, expires time.Time) error {
	if time.Until(expires) <= 0 {
		return s.Delete(ctx, key) // goredisstore would keep it for ever
	}
	framed := frame(value, expires)
	return failed("save", s.call(ctx, func(ctx context.Context) error {
		if b, ok := s.Backend.(ctxBackend); ok {
			return b.CommitCtx(ctx, token(key), framed, expires)
		}
		return s.Backend.Commit(token(key), framed, expires)
	}))
}

// Delete deletes the value.
func (s *Store) Delete(ctx context.Context, key string) error {
	return failed("delete", s.call(ctx, func(ctx context.Context) error {
		if b, ok := s.Backend.(ctxBackend); ok {
			return b.DeleteCtx(ctx, token(key))
		}
		return s.Backend.Delete(token(key))
	}))
}

// call waits for do until ctx ends or the timeout.
func (s *Store) call(ctx context.Context, do func(ctx context.Context) error) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout(), timeoutError{})
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.turn(ctx, func() error { return do(ctx) }) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// turn calls do when there is a slot for it. It runs in goroutines of ours, where a panic of
// the backend would end the program.
func (s *Store) turn(ctx context.Context, do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the backend panicked: %T", p)
		}
	}()
	s.once.Do(func() { s.slots = make(chan struct{}, s.calls()) })
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.slots }()
	if ctx.Err() != nil {
		return context.Cause(ctx) // select chooses by chance
	}
	return do()
}

func (s *Store) check(ctx context.Context) error {
	if s.Backend == nil {
		return errors.New("there is no Backend")
	}
	return context.Cause(ctx)
}

func (s *Store) timeout() time.Duration {
	if s.Timeout == 0 {
		return defaultTimeout
	}
	return s.Timeout
}

func (s *Store) calls() int {
	if s.Calls == 0 {
		return defaultCalls
	}
	return s.Calls
}

// A timeoutError tells our timeout from a deadline of the caller's.
type timeoutError struct{}

func (timeoutError) Error() string { return "no answer in time: context deadline exceeded" }
func (timeoutError) Unwrap() error { return context.DeadlineExceeded }

func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("scsstore: %s: %w", what, err)
}

// token has the form of scs's own: 32 bytes in base64.
func token(key string) string {
	sum := sha256.Sum256([]byte("postern " + key))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// frameBytes is the length of the expiry, in milliseconds since 1970.
const frameBytes = 8

// frame makes a copy: scs's memory store keeps the slice it is given.
func frame(value []byte, expires time.Time) []byte {
	framed := make([]byte, 0, frameBytes+len(value))
	framed = binary.BigEndian.AppendUint64(framed, uint64(expires.UnixMilli()))
	return append(framed, value...)
}

// unframe makes a copy: scs's memory store gives the slice it keeps.
func unframe(framed []byte, now time.Time) (value []byte, ok bool, err error) {
	if len(framed) < frameBytes {
		return nil, false, errors.New("the backend has something that is not ours, or has cut it short")
	}
	expires := time.UnixMilli(int64(binary.BigEndian.Uint64(framed)))
	if !now.Before(expires) {
		return nil, false, nil
	}
	return append([]byte{}, framed[frameBytes:]...), true, nil
}

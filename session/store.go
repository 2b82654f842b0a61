package session

import (
	"context"
	"time"
)

// A Store is a memory that several processes share: a key-value store of any kind. With
// one, signing out, revocations and the result of a refresh hold in all of them; and it
// can hold the sessions themselves (see Config.SessionsInStore).
//
// It is trusted with availability and not with secrets: keys are hashes, and values are
// ciphertext whose key only the browser has, or times. It need not be able to list, to
// compare or to lock.
//
// Package sessiontest has its contract as tests. Implementations are safe for concurrent
// use, and what one process has saved, every other loads from then on. All three methods
// return with an error when ctx has ended, which for a call of this package is after two
// seconds. A time may be counted in whole seconds.
type Store interface {
	// Load gives the values of those keys that have one, in one round trip. A key that
	// was never saved, or was deleted, or has expired is not in the map, and no error. An
	// error means that nobody knows: then nothing in the map counts. The values are the
	// caller's own.
	Load(ctx context.Context, keys ...string) (map[string][]byte, error)

	// Save keeps value under key until expires, instead of what was there. It does not
	// keep value itself, which may change afterwards. An expires that has passed is like
	// Delete. Keys have at most 64 bytes of letters, digits, '-', '_' and '.'; values
	// usually some kilobytes.
	Save(ctx context.Context, key string, value []byte, expires time.Time) error

	// Delete forgets a key. One that is not there is no error.
	Delete(ctx context.Context, key string) error
}

// A Locker lets one of several processes do what must be done once: using a refresh token
// that rotates. A [Store] that is one too is used as one, without being told.
// Implementations are safe for concurrent use.
type Locker interface {
	// Lock waits until the caller has the lock of key, or ctx ends. Where nobody knows who has
	// it, as while a server does not answer, it fails within some seconds: to wait on would
	// look as if another process had it. The lock is a lease,
	// renewed until unlock is called, so that a process that dies holds nobody up for
	// long, and one that is slow keeps it. The context held is made of ctx and ends when
	// the lease is lost, or by unlock. unlock gives the lock back, may be called again, and
	// waits for the network for a moment at most.
	Lock(ctx context.Context, key string) (held context.Context, unlock func(), err error)
}

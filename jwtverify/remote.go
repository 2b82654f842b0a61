package jwtverify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of RemoteKeys.
const (
	defaultMaxAge   = time.Hour
	defaultCooldown = 10 * time.Second
	defaultStaleFor = 24 * time.Hour
)

// RemoteKeys is a KeySet read from a jwks_uri when it is first needed, and again when
// it is older than MaxAge or a token names a kid that is not in it. It never does
// anything by itself: a fetch begins with a caller who needs it, is shared by all who
// need it meanwhile, has a time limit of its own, and goes on when they hang up. A
// caller whose context ends returns at once.
//
// A kid that is not in the set causes a fetch at once, and then none for as long as
// Cooldown, whoever asks: within it an unknown kid is ErrKeys, "try later". So a storm
// of tokens with kids made up costs the provider two requests at first and then one
// each Cooldown, and a key published meanwhile is known one Cooldown later at the
// latest. Nothing is remembered of unknown kids, so they cost no memory. A bad
// signature never causes a fetch: to replace a key, a provider gives it a new kid
// (Core 10.1.1), and one without kids is read again after MaxAge.
//
// A fetch that fails is not repeated for as long as Cooldown. Keys that are older than
// MaxAge are used for up to StaleFor while fetching fails, and no longer.
//
// The zero RemoteKeys, and one with a negative duration, has no keys and says why. Use
// it by pointer, from as many goroutines as you like; do not copy or change it after
// its first use.
type RemoteKeys struct {
	URL string // jwks_uri of the issuer's metadata; https, or http on a loopback host

	// HTTPClient sends the requests. Nil: one with the default transport. Neither
	// follows a redirect to another host, and no fetch takes longer than 10 s.
	HTTPClient *http.Client

	// MaxAge is how long a set is used without asking again. Zero: 1 h. A shorter
	// max-age in the answer's Cache-Control counts, but not less than a minute.
	MaxAge time.Duration

	Cooldown time.Duration    // zero: 10 s
	StaleFor time.Duration    // zero: 24 h
	Now      func() time.Time // nil: time.Now

	current atomic.Pointer[held]

	mu     sync.Mutex
	flight *flight   // the fetch under way
	forced time.Time // when an unknown kid last caused a fetch
	failed time.Time // when a fetch last failed; zero after one that did not
	err    error     // how it failed
}

// held is a set with its times.
type held struct {
	*snapshot
	fresh time.Time // until then it is used without asking
	stale time.Time // until then while asking fails
}

// A flight is one fetch, awaited by many.
type flight struct {
	done  chan struct{}
	err   error // may be read when done is closed
	again bool  // the fetch just before it failed
}

// Keys implements KeySet. With a fresh set and a known kid it takes no lock, and the
// size of the set does not matter. A kid that a set fetched for this very call does
// not have is no error and has no keys; every error wraps ErrKeys.
func (r *RemoteKeys) Keys(ctx context.Context, kid string) ([]Key, error) {
	if h := r.current.Load(); h != nil && r.now().Before(h.fresh) {
		if keys := h.lookup(kid); len(keys) > 0 {
			return keys, nil
		}
	}
	if err := r.ready(); err != nil {
		return nil, err
	}
	// A fetch that began for somebody else may have read the set before a key was
	// published: after it, it is decided once more whether there may be another.
	for range 2 {
		a := r.ask(ctx, kid)
		if a.flight == nil {
			return a.keys, a.err
		}
		select {
		case <-a.flight.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrKeys, ctx.Err())
		}
		if keys := r.usable(kid); len(keys) > 0 {
			return keys, nil
		}
		if a.flight.err != nil {
			return nil, a.flight.err
		}
		if a.own {
			return nil, nil
		}
	}
	return nil, r.unknown()
}

// Version implements Versioned: it changes with every fetch, and there is none where
// the set at hand is due for one.
func (r *RemoteKeys) Version() (any, bool) {
	h := r.current.Load()
	return h, h != nil && r.now().Before(h.fresh)
}

// usable returns the keys of a set that is not too old to be used at all.
func (r *RemoteKeys) usable(kid string) []Key {
	h := r.current.Load()
	if h == nil || !r.now().Before(h.stale) {
		return nil
	}
	return h.lookup(kid)
}

func (r *RemoteKeys) unknown() error {
	return fmt.Errorf("%w: unknown kid, and the keys were fetched less than %v ago", ErrKeys, r.cooldown())
}

// An answer is keys, or an error, or a fetch to wait for.
type answer struct {
	keys   []Key
	err    error
	flight *flight
	own    bool // the fetch began with this call
}

// ask decides what a caller gets whom the set at hand does not serve.
func (r *RemoteKeys) ask(ctx context.Context, kid string) answer {
	detached := context.WithoutCancel(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	now, h, keys := r.now(), r.current.Load(), r.usable(kid)
	fresh := h != nil && now.Before(h.fresh)
	switch {
	case fresh && len(keys) > 0: // a fetch ended between the look at the set and the lock
		return answer{keys: keys}
	case r.flight != nil && r.flight.again && len(keys) > 0: // no need to wait for a provider that is down
		return answer{keys: keys}
	case r.flight != nil:
		return answer{flight: r.flight}
	case r.err != nil && now.Before(r.failed.Add(r.cooldown())):
		if len(keys) > 0 {
			return answer{keys: keys}
		}
		return answer{err: r.err}
	case fresh && now.Before(r.forced.Add(r.cooldown())):
		return answer{err: r.unknown()}
	}
	if fresh {
		r.forced = now
	}
	// An old failure says nothing about the provider today.
	again := r.err != nil && now.Before(r.failed.Add(2*r.cooldown()))
	r.flight = &flight{done: make(chan struct{}), again: again}
	go r.fly(detached, r.flight)
	return answer{flight: r.flight, own: true}
}

// fly fetches and lands, also where the transport panics, which in a goroutine of ours
// would end the program, or ends the goroutine.
func (r *RemoteKeys) fly(ctx context.Context, f *flight) {
	var keys []Key
	var age time.Duration
	err := errAbandoned
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the transport panicked with a %T", p)
		}
		r.land(f, keys, age, err)
	}()
	keys, age, err = r.fetch(ctx)
}

var errAbandoned = errors.New("the transport did not return")

func (r *RemoteKeys) land(f *flight, keys []Key, age time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer close(f.done)
	r.flight = nil
	now := r.now()
	if err != nil {
		f.err = unavailable(err)
		r.failed, r.err = now, f.err
		return
	}
	r.failed, r.err = time.Time{}, nil
	fresh := now.Add(age)
	r.current.Store(&held{newSnapshot(keys), fresh, fresh.Add(cmp.Or(r.StaleFor, defaultStaleFor))})
}

func (r *RemoteKeys) cooldown() time.Duration { return cmp.Or(r.Cooldown, defaultCooldown) }

func (r *RemoteKeys) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

package session

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// storeTimeout is for one call. A request waits for one, a sign-out for a few, and a
	// refresh as its patience says.
	storeTimeout = 2 * time.Second
	// storePause is how long after a failure no request asks the Store: one that hangs
	// delays a request every three seconds, and not each.
	storePause = time.Second
	// storeTrust is how long after its last good answer what this process knows will do.
	storeTrust = 5 * time.Minute
	// mergeLockPatience is for the lock of what several processes merge, which is held for
	// some round trips.
	mergeLockPatience = time.Second
	// maxMerges bounds the tries where there is no lock, or it is lost.
	maxMerges = 4
)

// Kinds of what is in the Store. Keys are the kind, a dot and a hash: see shared.key.
const (
	kindEnded   = "ended"   // that a session is over; by session
	kindRevoked = "revoked" // sessions of a user, or of a session at the provider, that are over
	kindRecord  = "session" // a session, sealed; by session
	kindRefresh = "refresh" // what became of a refresh token; by session and refresh token

	kindAnnounced = "sid" // that there is a session of a sid; by issuer and sid
)

var (
	errStorePaused = errors.New("the store has failed a moment ago, and is not asked")
	errContested   = errors.New("other processes write over it")
	errLockBusy    = errors.New("another process has the lock")
)

// A shared is Config.Store and Config.Locker as this package uses them: each call is
// bounded, and a Store that is down is left alone for a while. It is safe for concurrent use.
type shared struct {
	store   Store
	locker  Locker // nil: none
	turns   Locker // of this process alone, where there is none
	app     string
	process string // a random name of this one
	now     func() time.Time
	logger  *slog.Logger
	observe func(context.Context, string) (context.Context, func(error))

	mu       sync.Mutex
	answered time.Time // the last good answer; zero: none yet
	failed   time.Time // the last failure; zero: the last question had an answer
	probing  bool      // somebody is finding out whether it is back
}

// newShared gives nil where there is no Store.
func (m *Manager) newShared() *shared {
	if m.cfg.Store == nil {
		return nil
	}
	return &shared{
		store: m.cfg.Store, locker: m.cfg.Locker, turns: new(MemoryStore), app: m.cfg.Name, process: rand.Text(),
		now: m.cfg.Now, logger: m.cfg.Logger, observe: m.observe,
	}
}

// key is what something is called in the Store: a hash, which tells neither secrets nor
// names, and another one for another app. It depends on no secret of ours, for changing
// that would bring back what was revoked.
func (s *shared) key(kind string, parts ...string) string {
	sum := keyOf(append([]string{"store", s.app, kind}, parts...)...)
	return kind + "." + base64.RawURLEncoding.EncodeToString(sum[:])
}

// stale says that the last good answer is too long ago. At first there is none: a process
// that starts while the Store is down knows of no revocations.
func (s *shared) stale() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Sub(s.answered) >= storeTrust
}

// failing says that the last call failed.
func (s *shared) failing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.failed.IsZero()
}

// ask loads for a request, if the Store may be asked at the moment.
func (s *shared) ask(ctx context.Context, keys ...string) (map[string][]byte, error) {
	if !s.mayAsk() {
		return nil, errStorePaused
	}
	return s.load(ctx, keys...)
}

// mayAsk lets one call pass, after the pause, to see whether the Store is back.
func (s *shared) mayAsk() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed.IsZero() {
		return true
	}
	if s.probing || s.now().Sub(s.failed) < storePause {
		return false
	}
	s.probing = true
	return true
}

// load is what tells whether the Store is down: one that takes nothing more may still say who
// is signed in, and one that takes all may not.
func (s *shared) load(ctx context.Context, keys ...string) (found map[string][]byte, err error) {
	err = s.call(ctx, func(ctx context.Context) (err error) {
		found, err = s.store.Load(ctx, keys...)
		return err
	})
	s.note(err)
	return found, err
}

func (s *shared) save(ctx context.Context, key string, value []byte, expires time.Time) error {
	return s.call(ctx, func(ctx context.Context) error { return s.store.Save(ctx, key, value, expires) })
}

func (s *shared) delete(ctx context.Context, key string) error {
	return s.call(ctx, func(ctx context.Context) error { return s.store.Delete(ctx, key) })
}

// call does not end with ctx: a browser that hangs up shall neither keep a revocation from
// being read nor one from being written.
func (s *shared) call(ctx context.Context, do func(context.Context) error) (err error) {
	p, begin := patienceOf(ctx), time.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.of(storeTimeout))
	defer cancel()
	done := func(error) {}
	// A panic of the Store, or of the hook, ends here: nobody else would ask again, and what
	// the Store has answered counts.
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("the store panicked: %T", panicked)
		}
		p.learn(err, time.Since(begin))
		contained(s.logger, func() { done(err) })
	}()
	ctx, done = s.observe(ctx, "store")
	return do(ctx)
}

// note keeps the time, and says once that the Store is gone, and that it is back.
func (s *shared) note(err error) {
	s.mu.Lock()
	now, wasDown := s.now(), !s.failed.IsZero()
	s.probing = false
	if err == nil {
		s.answered, s.failed = now, time.Time{}
	} else {
		s.failed = now
	}
	s.mu.Unlock()
	switch {
	case err != nil && !wasDown:
		s.logger.Error("session: the store fails", slog.String("reason", ReasonStoreDown), causeAttr(err))
	case err == nil && wasDown:
		s.logger.Info("session: the store answers again")
	}
}

// merge brings what is under a key together with what this process has to say: add gives
// both, and whether there was nothing to add. Two processes that do it at once take turns
// by the Locker; without one they look whether the other wrote over it.
func (s *shared) merge(ctx context.Context, key string, expires time.Time, add func(old []byte) (both []byte, same bool)) error {
	_, unlock, err := s.lock(context.WithoutCancel(ctx), mergeLockPatience, key)
	defer unlock()
	if err != nil {
		s.logger.Warn("session: merging without a lock", causeAttr(err))
	}
	for range maxMerges {
		found, err := s.load(ctx, key)
		if err != nil {
			return err
		}
		both, same := add(found[key])
		if same {
			return nil
		}
		if err := s.save(ctx, key, both, expires); err != nil {
			return err
		}
	}
	return errContested
}

// lock waits for a lock, and not longer than most: then the error is errLockBusy, and
// any other one is that the Locker is down. unlock is never nil. Without a Locker the
// requests of this process take turns, and other processes have the lock too.
func (s *shared) lock(outer context.Context, most time.Duration, key string) (held context.Context, unlock func(), err error) {
	ctx, cancel := context.WithCancelCause(outer)
	p, begin := patienceOf(outer), time.Now()
	timer := time.AfterFunc(p.of(most), func() { cancel(errLockBusy) })
	held, release, err := s.acquire(ctx, key)
	unlock = func() {
		defer cancel(nil)
		contained(s.logger, release) // what was done under the lock counts
	}
	if !timer.Stop() && err == nil { // it came too late, and held has ended too
		unlock()
		err = errLockBusy
	}
	if err == nil {
		return held, unlock, nil
	}
	if errors.Is(context.Cause(ctx), errLockBusy) {
		err = errLockBusy
	} else {
		p.learn(err, time.Since(begin))
	}
	cancel(nil)
	return outer, func() {}, err
}

func (s *shared) acquire(ctx context.Context, key string) (held context.Context, release func(), err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the locker panicked: %T", p)
		}
	}()
	locker := s.locker
	if locker == nil {
		locker = s.turns
	}
	return locker.Lock(ctx, "lock."+key)
}

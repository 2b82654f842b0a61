package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// Package session waits for a lock for 10 seconds: who waits for that of a dead process
	// gets it.
	defaultLease = 5 * time.Second

	// Who waits asks again after so long, and then after up to twice as long each time: a
	// refresh takes some hundred milliseconds.
	firstPause   = 10 * time.Millisecond
	longestPause = 160 * time.Millisecond

	// unlock waits for Redis so long at most.
	unlockWait = 500 * time.Millisecond
)

// A lock is a key with a random token and a time to live. All three scripts compare the token,
// so that nobody touches a lock that is another's by now. Taking one may be repeated by
// go-redis when an answer was lost, and gives the same answer again.
const (
	take = `local token = redis.call('GET', KEYS[1])
if token == ARGV[1] or not token then
	redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
	return 1
end
return 0`

	renew = `if redis.call('GET', KEYS[1]) == ARGV[1] then
	return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0`

	giveBack = `if redis.call('GET', KEYS[1]) == ARGV[1] then
	return redis.call('DEL', KEYS[1])
end
return 0`
)

var (
	errLost    = errors.New("redisstore: the lock was lost: another has it, or Redis forgot it")
	errExpired = errors.New("redisstore: the lock was lost: it could not be renewed")
)

// Lock is the method of session.Locker. It fails at once when Redis does. Among several who
// wait, chance decides. The cause of held tells whether the lease was lost.
//
// The lease is over for the holder a tenth before it is over for Redis, which leaves that time
// for what the holder has under way. A process that is stopped as a whole, as by a debugger,
// notices when it goes on.
func (s *Store) Lock(ctx context.Context, key string) (held context.Context, unlock func(), err error) {
	if err := s.check(ctx); err != nil {
		return nil, nil, failed("lock", err)
	}
	l := &lock{store: s, key: s.key("lock:" + key), token: rand.Text()} // keys have no colon
	sent, err := l.wait(ctx)
	if err != nil {
		return nil, nil, failed("lock", err)
	}
	held, l.end = context.WithCancelCause(ctx)
	go l.keep(held, sent)
	return held, sync.OnceFunc(func() { l.unlock(ctx) }), nil
}

type lock struct {
	store      *Store
	key, token string
	end        context.CancelCauseFunc // of held
}

// wait returns when the attempt that took the lock was sent.
func (l *lock) wait(ctx context.Context) (sent time.Time, err error) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		sent = time.Now()
		taken, err := l.attempt(ctx)
		if taken || err != nil {
			return sent, err
		}
		again := time.NewTimer(pause + jitter(pause))
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return sent, context.Cause(ctx)
		}
	}
}

// attempt takes the lock if it is free. Where nobody waits for the answer any more, or it is
// unknown, the lock is given back in case it was taken.
func (l *lock) attempt(ctx context.Context) (taken bool, err error) {
	limited, cancel := context.WithTimeoutCause(ctx, l.store.timeout(), timeoutError{})
	defer cancel()
	answer := start(limited, l.script(take, milliseconds(l.lease())))
	select {
	case a := <-answer:
		if a.err != nil {
			go l.free(context.WithoutCancel(ctx))
		}
		return a.result, a.err
	case <-limited.Done():
		go func() {
			<-answer
			l.free(context.WithoutCancel(ctx))
		}()
		return false, context.Cause(limited)
	}
}

// keep renews the lease until held ends, and ends held when the lease does.
func (l *lock) keep(held context.Context, renewed time.Time) {
	lease := l.lease()
	trusted := lease - lease/10
	over := time.AfterFunc(time.Until(renewed.Add(trusted)), func() { l.end(errExpired) })
	defer over.Stop()
	for pause := lease / 3; ; {
		next := time.NewTimer(pause)
		select {
		case <-next.C:
		case <-held.Done():
			next.Stop()
			return
		}
		sent := time.Now()
		ours, err := l.renew(held)
		switch {
		case err != nil:
			pause = lease / 10 // Redis may be back in time
		case !ours:
			l.end(errLost)
			return
		case !over.Stop():
			return // too late: held has ended
		default:
			pause = lease / 3
			over.Reset(time.Until(sent.Add(trusted)))
		}
	}
}

// renew leaves time for another try, should there be no answer.
func (l *lock) renew(held context.Context) (ours bool, err error) {
	limited, cancel := context.WithTimeoutCause(held, l.lease()/4, timeoutError{})
	defer cancel()
	return within(limited, l.store, l.script(renew, milliseconds(l.lease())))
}

// unlock ends held first: from then on, nobody acts as the holder.
func (l *lock) unlock(ctx context.Context) {
	l.end(nil)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockWait)
	defer cancel()
	l.free(ctx)
}

// free gives the lock back if it is ours. Should that fail, the lease ends by itself.
func (l *lock) free(ctx context.Context) {
	within(ctx, l.store, l.script(giveBack))
}

// script prepares one of the scripts, whose answer is 0 or 1.
func (l *lock) script(text string, args ...any) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		cmd := redis.NewCmd(ctx, append([]any{"eval", text, 1, l.key, l.token}, args...)...)
		if err := l.store.Client.Process(ctx, cmd); err != nil {
			return false, err
		}
		n, err := cmd.Int()
		if err != nil {
			return false, errors.New("the answer is no number")
		}
		return n == 1, nil
	}
}

func (l *lock) lease() time.Duration {
	if l.store.Lease == 0 {
		return defaultLease
	}
	return l.store.Lease
}

// jitter is up to most, so that those who wait do not ask in step.
func jitter(most time.Duration) time.Duration {
	var random [2]byte
	rand.Read(random[:]) // never fails
	return most * time.Duration(binary.BigEndian.Uint16(random[:])) / (1 << 16)
}

package sessiontest_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/session/sessiontest"
)

const lease = 600 * time.Millisecond

// A server has the leases of a test.
type server struct {
	mu     sync.Mutex
	leases map[string]leased
}

type leased struct {
	by    *holding
	until time.Time
}

// A process takes leases from a server. It is right, but for the functions and switches it has.
type process struct {
	*server
	name          func(key string) string // under which a lease is kept
	refuse        func(err error) error   // what an ended context means to Lock
	deaf          bool                    // waits whatever becomes of ctx
	everybody     bool                    // takes what is taken
	renewsNot     bool
	renewsForever bool // even when killed
	endsNot       bool // at unlock
	detached      bool // held does not end with ctx
	unaware       bool // held does not end with the lease
	stranger      bool // held has no values
	anybodys      bool // unlock frees whoever has the lock
	bound         bool // unlock works while ctx lives
	leaks         bool // the renewal goes on when nothing is left of it
	test          context.Context

	mu   sync.Mutex
	dead bool
}

type holding struct {
	p      *process
	key    string
	ctx    context.Context // of the caller
	held   context.Context
	end    context.CancelFunc
	unlock func()
	given  chan struct{} // closed by unlock
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

func (p *process) cutOff() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead && !p.renewsForever
}

func (p *process) Lock(ctx context.Context, key string) (context.Context, func(), error) {
	if p.name != nil {
		key = p.name(key)
	}
	err := ctx.Err()
	if p.refuse != nil && err != nil {
		err = p.refuse(err)
	}
	if err != nil {
		return nil, nil, err
	}
	h := p.newHolding(ctx, key)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !h.take() {
		select {
		case <-tick.C:
		case <-p.test.Done():
			return nil, nil, p.test.Err()
		}
		if ctx.Err() != nil && !p.deaf {
			h.end()
			return nil, nil, ctx.Err()
		}
	}
	go h.renew()
	return h.held, h.unlock, nil
}

func (p *process) newHolding(ctx context.Context, key string) *holding {
	h := &holding{p: p, key: key, ctx: ctx, given: make(chan struct{})}
	parent := ctx
	switch {
	case p.detached:
		parent = context.WithoutCancel(ctx)
	case p.stranger:
		var end context.CancelFunc
		parent, end = context.WithCancel(p.test)
		context.AfterFunc(ctx, end)
	}
	h.held, h.end = context.WithCancel(parent)
	h.unlock = sync.OnceFunc(h.giveBack)
	if p.anybodys {
		once := sync.OnceFunc(func() { close(h.given) })
		h.unlock = func() { h.end(); once(); p.free(h.key, nil) }
	}
	return h
}

// take takes or renews the lease.
func (h *holding) take() bool {
	s := h.p.server
	if h.p.cutOff() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l, now := s.leases[h.key], time.Now()
	if l.by != nil && l.by != h && now.Before(l.until) && !h.p.everybody {
		return false
	}
	s.leases[h.key] = leased{h, now.Add(lease)}
	return true
}

func (h *holding) renew() {
	tick := time.NewTicker(lease / 10)
	defer tick.Stop()
	lost := time.Now().Add(lease * 3 / 4)
	for {
		select {
		case <-h.given:
			if h.p.leaks {
				<-h.p.test.Done()
			}
			return
		case <-h.p.test.Done():
			return
		case <-tick.C:
		}
		if !h.p.renewsNot && h.take() {
			lost = time.Now().Add(lease * 3 / 4)
		}
		if time.Now().After(lost) && !h.p.unaware {
			h.end()
		}
	}
}

func (h *holding) giveBack() {
	if !h.p.endsNot {
		h.end()
	}
	close(h.given)
	if h.p.bound && h.ctx.Err() != nil || h.p.cutOff() {
		return
	}
	h.p.free(h.key, h)
}

// free frees a lock that by holds, or whoever does.
func (s *server) free(key string, by *holding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if by == nil || s.leases[key].by == by {
		delete(s.leases, key)
	}
}

// A storing process holds its locks under the keys of values.
type storing struct {
	*process
	*store
}

func (s storing) Lock(ctx context.Context, key string) (context.Context, func(), error) {
	held, unlock, err := s.process.Lock(ctx, key)
	if err == nil {
		err = s.Save(ctx, key, []byte("locked"), time.Now().Add(lease))
	}
	return held, unlock, err
}

func TestLockerRefuses(t *testing.T) {
	t.Parallel()
	recorders := make(map[string]*recorder)
	ctx, cancel := context.WithCancel(t.Context()) // ends what the broken ones leave
	defer cancel()
	var all sync.WaitGroup
	for name, c := range brokenLockers {
		r := record(t)
		r.once = c.once
		recorders[name] = r
		all.Go(func() {
			shared := &server{leases: make(map[string]leased)}
			sessiontest.Locker(r, func(*recorder) sessiontest.Process {
				p := &process{server: shared, test: ctx}
				c.breaks(p)
				return sessiontest.Process{Locker: p, Lease: lease, Kill: p.kill}
			})
		})
	}
	all.Wait()
	for name, c := range brokenLockers {
		t.Run(name, func(t *testing.T) { recorders[name].complains(t, c.want) })
	}
}

var brokenLockers = map[string]struct {
	breaks func(p *process)
	want   map[string]string // clauses, and a complaint of each
	once   bool              // to spare the time that every clause would take
}{
	"nothing": {breaks: func(*process) {}},
	"a lock that is taken is given": {
		breaks: func(p *process) { p.everybody = true },
		want: map[string]string{"Excludes": "hold the lock at once", "WaitsUntilUnlock": "that another holds", "WaitEndsWithContext": "that another holds",
			"UnlockTwice": "that another holds", "TellsKeysApart": "that another holds", "Renews": "that another holds", "DeadHolder": "that another holds",
			"LeavesNoGoroutine": "that another holds"},
	},
	"waiting goes on when the context has ended": {
		breaks: func(p *process) { p.deaf = true },
		want:   map[string]string{"WaitEndsWithContext": "still waits 3s after its context ended"},
		once:   true,
	},
	"an ended context gives the lock": {
		breaks: func(p *process) { p.refuse = func(error) error { return nil } },
		want:   map[string]string{"EndedContext": "under a context that has ended"},
	},
	"keys are compared without case": {
		breaks: func(p *process) { p.name = strings.ToLower },
		want:   map[string]string{"TellsKeysApart": "Lock of what is free"},
	},
	"there is one lock for all keys": {
		breaks: func(p *process) { p.name = func(string) string { return "" } },
		want:   map[string]string{"TellsKeysApart": "Lock of what is free"},
	},
	"a lease is not renewed": {
		breaks: func(p *process) { p.renewsNot = true },
		want:   map[string]string{"Renews": "that another holds", "DeadHolder": "that another holds"},
	},
	"a lease is renewed for ever": {
		breaks: func(p *process) { p.renewsForever = true },
		want:   map[string]string{"DeadHolder": "Lock, after the holder died: context deadline exceeded"},
	},
	"held goes on after unlock": {
		breaks: func(p *process) { p.endsNot = true },
		want:   map[string]string{"WaitsUntilUnlock": "after unlock", "HeldIsMadeOfContext": "after unlock"},
	},
	"held goes on after its context": {
		breaks: func(p *process) { p.detached = true },
		want:   map[string]string{"HeldEndsWithContext": "after its context"},
	},
	"held goes on after the lease": {
		breaks: func(p *process) { p.unaware = true },
		want:   map[string]string{"DeadHolder": "held has not ended, and another has the lock"},
	},
	"held has no values": {
		breaks: func(p *process) { p.stranger = true },
		want:   map[string]string{"HeldIsMadeOfContext": "lacks the values"},
	},
	"unlock frees another's lock": {
		breaks: func(p *process) { p.anybodys = true },
		want:   map[string]string{"UnlockTwice": "that another holds"},
	},
	"unlock works while the context lives": {
		breaks: func(p *process) { p.bound = true },
		want:   map[string]string{"HeldEndsWithContext": "Lock of what is free"},
	},
}

// TestLockerRefusesOneThatWritesOverValues is about a Locker that is a Store.
func TestLockerRefusesOneThatWritesOverValues(t *testing.T) {
	t.Parallel()
	leases, values := &server{leases: make(map[string]leased)}, &table{rows: make(map[string]row)}
	r := record(t)
	sessiontest.Locker(r, func(*recorder) sessiontest.Process {
		return sessiontest.Process{Locker: storing{&process{server: leases, test: t.Context()}, &store{table: values}}}
	})
	r.complains(t, map[string]string{"LeavesValuesAlone": `gives "locked" for a key that has no value`})
}

func TestLockerRefusesOneThatLeavesGoroutines(t *testing.T) {
	t.Parallel()
	shared := &server{leases: make(map[string]leased)}
	r := record(t)
	sessiontest.Locker(r, func(*recorder) sessiontest.Process {
		return sessiontest.Process{Locker: &process{server: shared, test: t.Context(), leaks: true}}
	})
	r.complains(t, map[string]string{"LeavesNoGoroutine": "goroutines are left"})
}

package session

import (
	"context"
	"time"
)

// storeGlance is for a call of a refresh after one that hung. A Store that is back answers
// within some milliseconds; for one that hangs still, nobody waits in full again.
const storeGlance = 250 * time.Millisecond

// A patience is how long the calls of one refresh wait for the Store: in full until one of
// them has hung, then for a glance, and in full again once one is answered. No call is left
// out for that: what a refresh looks for and saves keeps two processes from using one refresh
// token. It belongs to one goroutine. nil is that of all other calls, which never ends.
type patience struct{ lost bool }

type patienceKey struct{}

func patienceOf(ctx context.Context) *patience {
	p, _ := ctx.Value(patienceKey{}).(*patience)
	return p
}

// of is how long to wait for what has full otherwise.
func (p *patience) of(full time.Duration) time.Duration {
	if p != nil && p.lost {
		return min(full, storeGlance)
	}
	return full
}

// learn takes what came of a call. One that fails at once costs nobody patience.
func (p *patience) learn(err error, took time.Duration) {
	switch {
	case p == nil:
	case err == nil:
		p.lost = false
	case took >= storeGlance:
		p.lost = true
	}
}

// hurried gives the context for the calls of one refresh. A Store whose last call failed, which
// may have been a moment's trouble, is given a glance until one of these calls is answered.
func (s *shared) hurried(ctx context.Context) context.Context {
	return context.WithValue(ctx, patienceKey{}, &patience{lost: s.failing()})
}

// patiently is hurried for who waits for a lock first: it finds out by a glance at key whether
// the Store is back.
func (s *shared) patiently(ctx context.Context, key string) context.Context {
	ctx = s.hurried(ctx)
	if patienceOf(ctx).lost {
		s.load(ctx, key)
	}
	return ctx
}

package jwtverify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// A ReplayGuard remembers what may be used once: the jti of DPoP proofs and of logout
// tokens. Where several processes serve the same audience, they need one guard between
// them, or what was used at one can be used again at the next. Implementations are safe
// for concurrent use.
type ReplayGuard interface {
	// Use records id until expires, and tells whether this is its first use; of
	// concurrent uses of one id, one is the first. What id stands for was verified
	// before, so that nobody fills the guard with garbage. An error means that nobody
	// knows: what was to be used is refused.
	Use(ctx context.Context, id string, expires time.Time) (first bool, err error)
}

// defaultReplaySize is room for 500 proofs a second that are kept for three minutes,
// in some 15 MB.
const defaultReplaySize = 100_000

var (
	errReplayFull  = errors.New("full of ids that have not expired")
	errReplayShare = errors.New("nearly full, and one key has more ids than its share")
)

// A ReplayCache is a ReplayGuard in memory, for one process. The zero value is ready
// for use. It may be used concurrently, must not be copied, and starts no goroutine:
// each use forgets what has expired, at a cost that does not grow with the size.
//
// It never forgets an id before its time, for another one that comes: when it is full
// of ids that have not expired, Use fails. So that no client can bring this about for all
// others, the last quarter is for DPoP keys that have less than a 64th of the whole.
type ReplayCache struct {
	// Size is how many ids are kept at most. Zero: 100,000. Less than zero: none, and
	// every use fails. An id takes some 170 bytes, however long it is.
	Size int

	Now func() time.Time // nil: time.Now

	mu    sync.Mutex
	used  map[replayID]struct{}
	ends  map[int64][]replayEntry // by the second in which they expire
	swept int64                   // when it was swept last; of ends, all seconds before are gone
	held  map[replayOwner]int     // how many of used each owner has
}

// A replayID is the SHA-256 of an id.
type replayID [sha256.Size]byte

// A replayOwner is the beginning of the thumbprint of the DPoP key that an id came with:
// long enough that nobody finds a key with that of another. Zero: it came with none.
type replayOwner [8]byte

type replayEntry struct {
	id    replayID
	owner replayOwner
}

// Use implements ReplayGuard. It fails only when the cache is full, and does not look
// at ctx, because it waits for nothing. An id that expires within a second, or has
// expired already, is kept until the second is over.
func (c *ReplayCache) Use(_ context.Context, id string, expires time.Time) (first bool, err error) {
	return c.use(replayOwner{}, id, expires)
}

// useBy is Use for the id of a proof by the key with the thumbprint jkt.
func (c *ReplayCache) useBy(jkt, id string, expires time.Time) (first bool, err error) {
	sum := sha256.Sum256([]byte(jkt))
	return c.use(replayOwner(sum[:]), id, expires)
}

func (c *ReplayCache) use(owner replayOwner, id string, expires time.Time) (first bool, err error) {
	key := replayID(sha256.Sum256([]byte(id)))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep(c.now().Unix())
	if _, again := c.used[key]; again {
		return false, nil
	}
	if err := c.room(owner); err != nil {
		return false, err
	}
	if c.used == nil {
		c.used, c.ends, c.held = map[replayID]struct{}{}, map[int64][]replayEntry{}, map[replayOwner]int{}
	}
	end := max(expires.Unix(), c.swept)
	c.used[key] = struct{}{}
	c.ends[end] = append(c.ends[end], replayEntry{key, owner})
	if owner != (replayOwner{}) {
		c.held[owner]++
	}
	return true, nil
}

// room tells whether there is any for one more id of owner.
func (c *ReplayCache) room(owner replayOwner) error {
	size := cmp.Or(c.Size, defaultReplaySize)
	switch kept := len(c.used); {
	case kept >= size:
		return errReplayFull
	case kept >= size-size/4 && c.held[owner] > size/64:
		return errReplayShare
	}
	return nil
}

// sweep forgets what expired before the second now. It walks over the seconds that
// have passed, or over those that have ids where these are fewer: what a use pays is
// bounded by the time since the last one, and not by how many ids there are. A clock
// that was set back finds nothing to forget, and is then the one to go by: after one that
// was far ahead, ids are not kept until that time comes again.
func (c *ReplayCache) sweep(now int64) {
	if now-c.swept < int64(len(c.ends)) {
		for end := c.swept; end < now; end++ {
			c.forget(end)
		}
	} else {
		for end := range c.ends {
			if end < now {
				c.forget(end)
			}
		}
	}
	c.swept = now
}

func (c *ReplayCache) forget(end int64) {
	for _, e := range c.ends[end] {
		delete(c.used, e.id)
		if c.held[e.owner]--; c.held[e.owner] <= 0 {
			delete(c.held, e.owner)
		}
	}
	delete(c.ends, end)
}

func (c *ReplayCache) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

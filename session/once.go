package session

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const maxOutcomes = 10_000

// callbacks sees to it that one attempt is finished once.
type callbacks struct {
	now  func() time.Time
	used *memory[*outcome]

	mu      sync.Mutex
	running map[memoryKey]*finishing
}

// A finishing is on its way until done is closed.
type finishing struct {
	done chan struct{}
	out  *outcome
}

func newCallbacks(now func() time.Time) *callbacks {
	return &callbacks{now: now, used: newMemory[*outcome](maxOutcomes), running: make(map[memoryKey]*finishing)}
}

// do runs finish for the first who comes with key, and gives its outcome to all
// others until a time. The error is that ctx ended while waiting.
func (c *callbacks) do(ctx context.Context, key memoryKey, until time.Time, finish func() *outcome) (*outcome, error) {
	c.mu.Lock()
	if out, ok := c.used.get(key, c.now()); ok {
		c.mu.Unlock()
		return out, nil
	}
	if first := c.running[key]; first != nil {
		c.mu.Unlock()
		select {
		case <-first.done:
			return first.out, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	mine := &finishing{done: make(chan struct{})}
	c.running[key] = mine
	c.mu.Unlock()

	// What the others get if a hook of the app panics.
	mine.out = &outcome{err: &Error{Status: http.StatusInternalServerError, Reason: ReasonInternal}}
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.used.put(key, mine.out, c.now(), until)
		delete(c.running, key)
		close(mine.done)
	}()
	mine.out = finish()
	return mine.out, nil
}

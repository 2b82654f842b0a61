package clienttest

import (
	"context"
	"fmt"
	"slices"
)

// SetFaults replaces the set of active faults: none of them ends all. Requests that a slow
// fault holds go on, and meet the new set. A fault that Faults does not name panics.
func (p *Provider) SetFaults(faults ...Fault) {
	known := Faults()
	set := map[Fault]bool{}
	for _, f := range faults {
		if !slices.Contains(known, f) {
			panic(fmt.Sprintf("clienttest: unknown fault %q", f))
		}
		set[f] = true
	}
	p.mu.Lock()
	p.faults = set
	p.mu.Unlock()
	p.Release()
}

// Release lets the requests go on that a slow fault holds at this moment. Later ones
// are held again.
func (p *Provider) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return // Close released them, for good
	}
	close(p.released)
	p.released = make(chan struct{})
	p.setHeld(0)
}

// AwaitHeld blocks until slow faults hold n requests or more, or ctx is done, whose error it
// returns. So a test knows that a request is at the provider, and not answered: with
// TokenSlow it has not been looked at, with TokenAnswerSlow it has been done.
func (p *Provider) AwaitHeld(ctx context.Context, n int) error {
	for {
		p.mu.Lock()
		enough, changed := p.held >= n, p.heldChanged
		p.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// setHeld tells who waits in AwaitHeld; p.mu is held.
func (p *Provider) setHeld(n int) {
	p.held = n
	close(p.heldChanged)
	p.heldChanged = make(chan struct{})
}

// has says whether a fault is active.
func (p *Provider) has(f Fault) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults[f]
}

// active returns the faults that are active, in the order of their declaration.
func (p *Provider) active() []Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(Faults(), func(f Fault) bool { return !p.faults[f] })
}

// hold blocks while the slow fault f is active and nobody releases it or hangs up. It is
// false for who hung up.
func (p *Provider) hold(ctx context.Context, f Fault) bool {
	p.mu.Lock()
	slow, released := p.faults[f], p.released
	if slow {
		p.setHeld(p.held + 1)
	}
	p.mu.Unlock()
	if !slow {
		return true
	}
	select {
	case <-released:
		return true
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.released == released {
		p.setHeld(p.held - 1)
	}
	return false
}

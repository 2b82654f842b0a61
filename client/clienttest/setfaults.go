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

// hold blocks while the slow fault f is active and nobody releases it or hangs up.
func (p *Provider) hold(ctx context.Context, f Fault) {
	p.mu.Lock()
	slow, released := p.faults[f], p.released
	p.mu.Unlock()
	if !slow {
		return
	}
	select {
	case <-released:
	case <-ctx.Done():
	}
}

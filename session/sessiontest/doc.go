// Package sessiontest has the contracts of [session.Store] and [session.Locker] as tests, for
// whoever writes one:
//
//	func TestStore(t *testing.T) {
//		sessiontest.Store(t, func(t *testing.T) session.Store { return connect(t) })
//	}
//
// Every clause is a subtest of its own. The keys are random, so what else is in the store does
// no harm, and nothing has to be emptied before.
package sessiontest

import (
	"context"
	"crypto/rand"
	"time"
)

// TB is *testing.T. It is described rather than named, so that nothing of ours links package
// testing into a program; T is the type itself.
type TB[T any] interface {
	Run(name string, f func(t T)) bool
	Context() context.Context
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// A reporter is what a single clause needs of a TB.
type reporter interface {
	Context() context.Context
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// patience is how long one call may take before a test gives up on it: much longer than any
// store needs on a busy machine.
const patience = 10 * time.Second

// look is how often something is looked at that is about to change.
const look = 10 * time.Millisecond

// newKey gives a key that nobody else uses, of 26 letters and digits.
func newKey() string { return rand.Text() }

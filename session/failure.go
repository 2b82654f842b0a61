package session

import (
	"errors"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// A failure is a refresh that did not work, remembered so that not every
// request tries again.
type failure struct {
	reason string
	err    error
	dead   bool      // the grant is over
	retry  time.Time // else: not before
	count  int       // in a row
}

func (e *failure) Error() string { return e.err.Error() }

// Unwrap gives ErrSignIn too where the grant is over.
func (e *failure) Unwrap() []error {
	if e.dead {
		return []error{ErrSignIn, e.err}
	}
	return []error{e.err}
}

func (f *refresher) fail(key memoryKey, want renewal, now time.Time, err error) *failure {
	failed := judge(err)
	key = want.failureKey(key)
	until := f.m.ends(want.rec)
	if !failed.dead {
		if last, ok := f.failures.get(key, now); ok {
			failed.count = last.count + 1
		}
		failed.retry = now.Add(min(firstBackoff<<min(failed.count, 10), longestBackoff))
		until = now.Add(failureMemory)
	}
	f.failures.put(key, failed, now, until)
	return failed
}

// judge tells a dead grant from a provider in trouble, as client.Refresh does.
func judge(err error) *failure {
	failed := &failure{reason: ReasonRefreshFailed, err: err}
	var claim *jwtverify.ClaimError
	var over *overError
	switch {
	case errors.As(err, &over):
		failed.reason, failed.dead = over.reason, true
	case errors.Is(err, errOtherUser), errors.As(err, &claim) && (claim.Claim == "sub" || claim.Claim == "iss"):
		failed.reason, failed.dead = ReasonOtherUser, true
	case errors.Is(err, client.ErrInvalidGrant):
		failed.dead = true
	}
	return failed
}

// An overError is that a session is over, by what another process found out.
type overError struct {
	reason string
	err    error
}

func (e *overError) Error() string { return e.err.Error() }
func (e *overError) Unwrap() error { return e.err }

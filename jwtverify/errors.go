package jwtverify

import (
	"errors"
	"fmt"
	"time"
)

// What a caller does about a token that was refused. Every error of a Verifier
// wraps exactly one of them.
var (
	// ErrExpired: the token was good and its time is over: it is past its exp, or an
	// ID token was issued more than a day ago. Get another one. A token that anything
	// else is wrong with is ErrInvalid, however old it is.
	ErrExpired = errors.New("token expired")
	// ErrInvalid: the token is not acceptable and never will be (or the Verifier is
	// not configured to accept any). Reject it.
	ErrInvalid = errors.New("token invalid")
	// ErrKeys: the keys that would decide, or a ReplayGuard, could not be had just now.
	// Try later.
	ErrKeys = errors.New("keys unavailable")
)

// quoted is how many bytes of foreign text an error shows.
const quoted = 64

// A ClaimError says which claim or header parameter was refused, and why. Want and
// Got hold no secrets, but Got is what somebody else wrote: of any length, and to
// be escaped before it is shown.
type ClaimError struct {
	Claim  string // the name as it stands in the token
	Reason string // what is wrong with it, in words
	Want   any    // what would have passed; nil where that is a secret or not one value
	Got    any    // what was there; nil where it was absent, is a secret or shows nothing more
	Err    error  // ErrExpired or ErrInvalid
}

// Error names the claim and the reason, and cuts what it quotes to 64 bytes.
func (e *ClaimError) Error() string {
	text := fmt.Sprintf("%v: %s %s", e.Err, e.Claim, e.Reason)
	if e.Got != nil {
		text += ": got " + show(e.Got)
	}
	if e.Want != nil {
		text += ", want " + show(e.Want)
	}
	return text
}

// Unwrap returns ErrExpired or ErrInvalid.
func (e *ClaimError) Unwrap() error { return e.Err }

func show(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	}
	return cut(fmt.Sprintf("%q", v))
}

// quote makes foreign text fit for a log line.
func quote(s string) string { return fmt.Sprintf("%q", cut(s)) }

func cut(s string) string {
	if len(s) > quoted {
		return s[:quoted] + "..."
	}
	return s
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// A configError is the fault of the program, and no token's. It wraps ErrInvalid, because
// no token is acceptable to a Verifier that lacks something.
type configError struct{ reason string }

func (e *configError) Error() string { return ErrInvalid.Error() + ": " + e.reason }

func (e *configError) Unwrap() error { return ErrInvalid }

func misconfigured(format string, args ...any) error {
	return &configError{fmt.Errorf(format, args...).Error()}
}

func invalidClaim(name, reason string) error {
	return &ClaimError{Claim: name, Reason: reason, Err: ErrInvalid}
}

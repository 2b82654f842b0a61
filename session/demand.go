package session

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/client"
)

// A Demand is what a sign-in must show beyond who somebody is. As the error of a
// [Rule] it says that the session lacks it, and that signing in once more may help
// (OpenID Connect Core 3.1.2.1, RFC 9470). What is in several fields is wanted of one sign-in.
type Demand struct {
	// MaxAge is how long ago the user may have signed in at the provider, in whole seconds. If
	// Config.Authorize asks for less, that holds. nil: it does not matter.
	MaxAge *time.Duration
	ACR    []string // one of these authentication contexts, instead of what Config.Authorize asks for; nil: any
	Scopes []string // beside those of the session, which are asked for again with any Demand
	// Provider is the name of one of Config.Providers, to sign in with. Zero: that of the
	// session.
	Provider string
	Reason   string // one of the constants Reason...; zero: ReasonRule
}

// Error says what is lacking.
func (d *Demand) Error() string {
	var parts []string
	if d.MaxAge != nil {
		parts = append(parts, fmt.Sprintf("signed in within %s", *d.MaxAge))
	}
	if len(d.ACR) > 0 {
		parts = append(parts, fmt.Sprintf("acr of %.64q", strings.Join(d.ACR, " ")))
	}
	if len(d.Scopes) > 0 {
		parts = append(parts, fmt.Sprintf("scope %.64q", strings.Join(d.Scopes, " ")))
	}
	if d.Provider != "" {
		parts = append(parts, fmt.Sprintf("provider %.64q", d.Provider))
	}
	return "session: wanted: " + strings.Join(parts, ", ")
}

// check refuses what cannot be asked for, which would be sealed as something else.
func (d *Demand) check() error {
	if d.MaxAge != nil && (*d.MaxAge < 0 || *d.MaxAge%time.Second != 0) {
		return errors.New("session: Demand.MaxAge is less than zero, or no whole seconds")
	}
	for what, words := range map[string][]string{"acr": d.ACR, "scope": d.Scopes} {
		if len(words) == 0 {
			continue
		}
		if err := checkWords(what, words); err != nil {
			return fmt.Errorf("session: Demand: %w", err)
		}
	}
	return nil
}

// and is what one sign-in has to show for two demands; where none can, that for the first, and
// the next one is for the other. d may be nil: then there is one demand only.
func (d *Demand) and(more *Demand) *Demand {
	if d == nil {
		return more
	}
	both := *d
	both.ACR = acrOfBoth(d.ACR, more.ACR)
	if d.Provider != more.Provider || both.ACR == nil && len(d.ACR) > 0 {
		return d
	}
	if more.MaxAge != nil && (d.MaxAge == nil || *more.MaxAge < *d.MaxAge) {
		both.MaxAge = more.MaxAge
	}
	both.Scopes = slices.Clone(d.Scopes)
	for _, scope := range more.Scopes {
		if !slices.Contains(both.Scopes, scope) {
			both.Scopes = append(both.Scopes, scope)
		}
	}
	return &both
}

// acrOfBoth are those of a that are in b too, where an empty list stands for any; nil: none.
func acrOfBoth(a, b []string) (both []string) {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	for _, acr := range a {
		if slices.Contains(b, acr) {
			both = append(both, acr)
		}
	}
	return both
}

// A demandKey stands for a Demand in a session: what its sign-in was already for. The last
// byte counts the step-ups in a row, and says nothing of the Demand.
type demandKey [8]byte

const stepUpCount = len(demandKey{}) - 1

func (d *Demand) key() (key demandKey) {
	age := ""
	if d.MaxAge != nil {
		age = d.MaxAge.String()
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{age, strings.Join(d.ACR, " "), strings.Join(d.Scopes, " "), d.Provider, d.Reason}, "\x00")))
	copy(key[:stepUpCount], sum[:])
	return key
}

// triedIn is the key of a sign-in for the demand, which begins in a session.
func (d *Demand) triedIn(s *Session, now time.Time) demandKey {
	key := d.key()
	key[stepUpCount] = 1
	if s.SignedIn() && now.Sub(s.presented.created) < stepUpPause {
		key[stepUpCount] += min(s.presented.tried[stepUpCount], maxStepUps)
	}
	return key
}

// put asks for the age and the acr of the demand, beside what opts asks for already, and takes
// nothing back of that but the acr.
func (d *Demand) put(opts *client.AuthorizeOptions) {
	if d.MaxAge != nil && (opts.MaxAge == nil || *d.MaxAge < *opts.MaxAge) {
		opts.MaxAge = d.MaxAge
	}
	if len(d.ACR) > 0 {
		opts.ACRValues = d.ACR
	}
}

package session

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/client"
)

// A Demand is what a sign-in must show beyond who somebody is. As the error of a
// [Rule] it says that the session lacks it, and that signing in once more may help
// (OpenID Connect Core 3.1.2.1, RFC 9470).
type Demand struct {
	MaxAge *time.Duration // how long ago the user may have signed in at the provider; nil: does not matter
	ACR    []string       // one of these authentication contexts; nil: any
	Scopes []string       // beside those of the session
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

// A demandKey stands for a Demand in a session: what its sign-in was already for.
type demandKey [8]byte

func (d *Demand) key() (key demandKey) {
	age := ""
	if d.MaxAge != nil {
		age = d.MaxAge.String()
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{age, strings.Join(d.ACR, " "), strings.Join(d.Scopes, " "), d.Provider, d.Reason}, "\x00")))
	copy(key[:], sum[:])
	return key
}

// put asks for the demand, beside what opts asks for already. Without scopes there those of
// the client count.
func (d *Demand) put(opts *client.AuthorizeOptions, scopes []string) {
	if d.MaxAge != nil {
		opts.MaxAge = d.MaxAge
	}
	if len(d.ACR) > 0 {
		opts.ACRValues = d.ACR
	}
	if len(d.Scopes) > 0 {
		if opts.Scopes != nil {
			scopes = opts.Scopes
		}
		opts.Scopes = slices.Concat(scopes, d.Scopes)
	}
}

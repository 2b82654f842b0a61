package jwtverify

import (
	"cmp"
	"slices"
	"time"
)

// A Verifier checks the tokens of one issuer for one audience. Issuer, Audience
// and Keys are required: a Verifier without one of them rejects every token with an
// error that names it, and so does the zero Verifier.
//
// A Verifier may be used concurrently, and must not be changed after its first use.
type Verifier struct {
	Issuer   string // compared byte for byte with iss; required
	Audience string // for an ID token, the client ID; required
	Keys     KeySet // required

	// Algorithms are those that may sign (header parameter alg), of RS256, RS384,
	// RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA and Ed25519. Nil allows
	// all of these, and the keys decide. Any other name, and "none" above all, makes
	// the Verifier reject every token, rather than ignore what somebody relied on.
	Algorithms []string

	// TrustedAudiences are further audiences that an ID token may name beside
	// Audience, which must be there all the same (ZITADEL lists every client of a
	// project). Nil: none, a token that names another audience is refused.
	TrustedAudiences []string

	// Leeway is how far the issuer's clock may be off, for exp, iat, nbf and
	// auth_time alike. Zero: DefaultLeeway. Less than zero or more than MaxLeeway
	// rejects every token.
	Leeway time.Duration

	Now func() time.Time // nil: time.Now
}

// Bounds of Verifier.Leeway.
const (
	DefaultLeeway = 60 * time.Second
	MaxLeeway     = 5 * time.Minute
)

// ready refuses a Verifier that lacks what a check would compare with.
func (v *Verifier) ready() error {
	if v.Issuer == "" {
		return invalid("Verifier.Issuer is empty")
	}
	if v.Audience == "" {
		return invalid("Verifier.Audience is empty")
	}
	if v.Keys == nil {
		return invalid("Verifier.Keys is nil")
	}
	if v.Leeway < 0 || v.Leeway > MaxLeeway {
		return invalid("Verifier.Leeway is %v, and must be from 0 to %v", v.Leeway, MaxLeeway)
	}
	for _, name := range v.Algorithms {
		if _, ok := algorithmNamed(name); !ok {
			return invalid("Verifier.Algorithms has %s, which is no signature algorithm of a public key", quote(name))
		}
	}
	return nil
}

// allows tells whether alg may sign, and returns it.
func (v *Verifier) allows(name string) (algorithm, bool) {
	alg, known := algorithmNamed(name)
	return alg, known && (v.Algorithms == nil || slices.Contains(v.Algorithms, name))
}

func (v *Verifier) leeway() time.Duration { return cmp.Or(v.Leeway, DefaultLeeway) }

func (v *Verifier) now() time.Time {
	if v.Now != nil {
		return v.Now()
	}
	return time.Now()
}

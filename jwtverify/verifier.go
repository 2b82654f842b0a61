package jwtverify

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A Verifier checks the tokens of one issuer for one audience. Issuer, Audience
// and Keys are required: a Verifier without one of them rejects every token with an
// error that names it, and so does the zero Verifier.
//
// A Verifier may be used concurrently, and must not be changed after its first use. It
// may hold secrets and prints as [redacted] in fmt, slog and JSON.
type Verifier struct {
	Issuer   string // compared byte for byte with iss; required. See Tenants for a template
	Audience string // for an ID token, the client ID; required

	// Keys are those of the issuer, and of nobody else; required. Of the keys that a
	// token may mean (those of its kid, or all where it names none) the first eight that
	// fit its algorithm and are not weak are tried, in their order.
	Keys KeySet

	// Tenants makes a template of Issuer, as Entra's metadata for many tenants has it:
	// https://login.microsoftonline.com/{tenantid}/v2.0 (for the older tokens
	// https://sts.windows.net/{tenantid}/, with the keys of the older metadata). It is
	// the closed set of tenant IDs, GUIDs in lower case. A token's tid must be one of
	// them and iss the template with it in place, byte for byte; and where the key that
	// signed comes with an Issuer of its own, that must be the token's too. A template
	// without Tenants, and Tenants without a template, reject every token: there is no
	// way to take those of any tenant. Nil: Issuer is no template.
	Tenants []string

	// Algorithms are those that may sign (header parameter alg), of RS256, RS384,
	// RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA and Ed25519. Nil allows
	// all of these, and the keys decide. Any other name, and "none" above all, makes
	// the Verifier reject every token, rather than ignore what somebody relied on.
	// HS256, HS384 and HS512 may stand here too, with Keys from SharedSecret: they
	// alone, never beside the others.
	Algorithms []string

	// AccessTokenTypes is what the header parameter typ of an access token may be, of
	// "at+jwt", "JWT" and "", which is none at all. Nil: at+jwt, as RFC 9068 says. Most
	// providers have their own way, and with another type than at+jwt a token must show
	// by its claims that it is no ID token; see AccessToken.
	AccessTokenTypes []string

	// AudienceClaim is the claim of an access token that must name Audience. Empty:
	// aud. Cognito's access tokens have no aud; client_id then stands in its place, and
	// Audience is the ID of the one client whose tokens are taken.
	AudienceClaim string

	// Decrypt are the keys for encrypted tokens. Nil: none are expected, and one that is
	// encrypted is refused. Otherwise encryption was agreed on with the issuer, and a
	// token that is not encrypted is refused (Core 3.1.3.7 step 1, RFC 9068 4,
	// Back-Channel Logout 2.6); an empty list or a key of no use rejects every token.
	// Several keys serve to rotate them: a token is tried with those whose ID it names
	// and those without ID; with all, where it names none; with 8 at most.
	//
	// What is inside must be a signed token, and is checked like any other. In alg may
	// stand RSA-OAEP, RSA-OAEP-256, ECDH-ES, ECDH-ES+A128KW, ECDH-ES+A192KW and
	// ECDH-ES+A256KW, in enc A128GCM, A192GCM, A256GCM, A128CBC-HS256, A192CBC-HS384 and
	// A256CBC-HS512, and nothing is decompressed. RSA-OAEP is with SHA-1, and safe all the
	// same: its proof does not need a hash without collisions (RFC 8017 B.1), it is what
	// RFC 7518 4.1 recommends, and some providers have nothing else.
	Decrypt []DecryptionKey

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

// Check says whether the Verifier can accept any token at all: what it lacks, or what
// contradicts itself in it, is the reason for which it rejects every one. It looks at no
// key of Keys. It is for programs that want to know at their start.
func (v *Verifier) Check() error {
	if err := v.ready(); err != nil {
		return fmt.Errorf("jwtverify: %w", err)
	}
	return nil
}

// ready refuses a Verifier that lacks what a check would compare with.
func (v *Verifier) ready() error {
	if err := v.complete(); err != nil {
		return err
	}
	if v.Keys == nil {
		return invalid("Verifier.Keys is nil")
	}
	if err := v.canDecrypt(); err != nil {
		return err
	}
	return v.consistent()
}

// complete refuses a Verifier that lacks what claims are compared with.
func (v *Verifier) complete() error {
	if v.Issuer == "" {
		return invalid("Verifier.Issuer is empty")
	}
	if v.Audience == "" {
		return invalid("Verifier.Audience is empty")
	}
	if err := v.tenantsReady(); err != nil {
		return err
	}
	if v.Leeway < 0 || v.Leeway > MaxLeeway {
		return invalid("Verifier.Leeway is %v, and must be from 0 to %v", v.Leeway, MaxLeeway)
	}
	return nil
}

// consistent refuses algorithms that are none, or that must not stand together.
func (v *Verifier) consistent() error {
	secrets := 0
	for _, name := range v.Algorithms {
		alg, ok := algorithmNamed(name)
		if !ok {
			return invalid("Verifier.Algorithms has %s, which is no signature algorithm", quote(name))
		}
		if alg.key == hmacKey {
			secrets++
		}
	}
	if secrets > 0 && secrets < len(v.Algorithms) {
		return invalid("Verifier.Algorithms has algorithms of a shared secret beside those of public keys")
	}
	return nil
}

// allows tells whether alg may sign, and returns it.
func (v *Verifier) allows(name string) (algorithm, bool) {
	alg, known := algorithmNamed(name)
	if v.Algorithms == nil {
		return alg, known && alg.key != hmacKey
	}
	return alg, known && slices.Contains(v.Algorithms, name)
}

func (v *Verifier) leeway() time.Duration { return cmp.Or(v.Leeway, DefaultLeeway) }

func (v *Verifier) now() time.Time {
	if v.Now != nil {
		return v.Now()
	}
	return time.Now()
}

package jwtverify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

const (
	// maxIDTokenAge is how long ago an ID token may have been issued when it arrives.
	// It comes within seconds of a login or refresh; a day forgives any clock.
	maxIDTokenAge = 24 * time.Hour
	// maxSubject bounds sub, Core 2.
	maxSubject = 255
)

// idTokenTypes: providers send none or JWT. That of an access token (RFC 9068) or a
// logout token is refused, also from the same issuer and for the same audience.
var idTokenTypes = []string{"", "JWT"}

// Expect says what this one ID token must fit. The zero value of a field is a
// demand too: an empty Nonce means that the token must carry none. It holds secrets
// of a login and prints as [redacted].
type Expect struct {
	// Nonce is the nonce of the authentication request. Empty: none was sent, and
	// the token must have none.
	Nonce string

	// AccessToken, Code and State are what came with the ID token. Where the token
	// has a hash of one of them that is given here (at_hash, c_hash, s_hash), the hash
	// must be right. The hash of one that is not given is not looked at: it says
	// nothing about the ID token itself.
	AccessToken, Code, State string

	// FrontChannel: the ID token came through the browser (response_type with
	// id_token in it), where others could have put something else beside it. The
	// hashes of AccessToken and Code, if these are given, must then be there.
	FrontChannel bool

	// MaxAge is the max_age of the request: auth_time must be there, and the user
	// have been authenticated no longer than this before Since. 0 is valid. Nil: not
	// asked for.
	MaxAge *time.Duration

	// Since is when the login began. Zero: now, which refuses a user who took longer
	// over it than MaxAge and the leeway.
	Since time.Time

	// ACR lists what acr may be. Nil: not asked for; empty: nothing will do.
	ACR []string

	// Previous is the token that this one came to replace, at a refresh: the rules of
	// Core 12.2 apply, and Nonce must be empty.
	Previous *IDToken
}

// IDToken verifies an ID token in compact form and returns what it says (OpenID
// Connect Core 3.1.3.7; 3.1.3.8, 3.2.2.9 and 3.3.2.11 for the hashes; 12.2 where
// want.Previous is set). On an error, which wraps exactly one of ErrExpired,
// ErrInvalid and ErrKeys, the token is nil.
//
// Beyond the letter of Core: iat is required and not older than a day, audiences
// other than the own one are refused unless trusted, sub has at most 255 bytes and no
// control characters, no claim stands twice, no two claims have names that differ only
// in case, and no registered one stands in a spelling that a decoder might take for it.
//
// It does not check that a token is presented only once: the nonce, kept by whoever
// sent the request, does that. An encrypted token (RFC 7516) is decrypted first, if
// Decrypt is set, and the signed token in it goes the same way as any other. Most
// programs want package client, which fills in Expect by itself.
func (v *Verifier) IDToken(ctx context.Context, raw string, want Expect) (*IDToken, error) {
	t, err := v.idToken(ctx, raw, &want)
	if err != nil {
		return nil, fmt.Errorf("jwtverify: %w", err)
	}
	return t, nil
}

func (v *Verifier) idToken(ctx context.Context, raw string, want *Expect) (*IDToken, error) {
	if err := want.ready(); err != nil {
		return nil, err
	}
	token, c, err := v.read(ctx, raw, idTokenTypes)
	if err != nil {
		return nil, err
	}
	now := v.now()
	if err := c.isIDToken(); err != nil {
		return nil, err
	}
	if err := v.identity(&c, token.key); err != nil {
		return nil, err
	}
	if err := v.issueTime(&c, now); err != nil {
		return nil, err
	}
	if err := want.request(&c, now, v.leeway()); err != nil {
		return nil, err
	}
	if err := want.hashes(&c, token.alg); err != nil {
		return nil, err
	}
	if err := want.refreshed(&c); err != nil {
		return nil, err
	}
	if err := c.references(); err != nil {
		return nil, err
	}
	if err := v.age(&c, now); err != nil {
		return nil, err
	}
	return newIDToken(&c, token.raw), nil
}

// ready refuses expectations that contradict one another.
func (want *Expect) ready() error {
	if want.Previous != nil && want.Nonce != "" {
		return invalid("Expect.Nonce must be empty where Previous is set")
	}
	if want.MaxAge != nil && *want.MaxAge < 0 {
		return invalid("Expect.MaxAge is negative")
	}
	return nil
}

// identity checks who speaks, to whom and about whom.
func (v *Verifier) identity(c *claims, key *Key) error {
	if err := v.addressed(c, key); err != nil {
		return err
	}
	if len(c.audience) > 1 && c.authorizedParty == "" { // Core 3.1.3.7 step 4
		return invalidClaim("azp", "is missing beside several audiences")
	}
	return checkSubject(c.subject)
}

// addressed checks who speaks and to whom. key is the one that signed.
func (v *Verifier) addressed(c *claims, key *Key) error {
	if err := v.checkIssuer(c, key); err != nil { // Core 3.1.3.7 step 2
		return err
	}
	if !slices.Contains(c.audience, v.Audience) { // step 3
		return &ClaimError{Claim: "aud", Reason: "does not name this audience", Want: v.Audience, Got: c.audience, Err: ErrInvalid}
	}
	for _, aud := range c.audience { // step 3
		if aud != v.Audience && !slices.Contains(v.TrustedAudiences, aud) {
			return &ClaimError{Claim: "aud", Reason: "names an audience that is not trusted", Want: v.Audience, Got: aud, Err: ErrInvalid}
		}
	}
	if c.authorizedParty != "" && c.authorizedParty != v.Audience { // step 5
		return &ClaimError{Claim: "azp", Reason: "is another party", Want: v.Audience, Got: c.authorizedParty, Err: ErrInvalid}
	}
	return nil
}

// checkSubject checks sub, Core 2 and RFC 9068 2.2.
func checkSubject(sub string) error {
	if sub == "" {
		return invalidClaim("sub", "is missing")
	}
	if len(sub) > maxSubject {
		return invalidClaim("sub", fmt.Sprintf("is longer than %d bytes", maxSubject))
	}
	if strings.ContainsFunc(sub, unicode.IsControl) {
		return invalidClaim("sub", "has control characters")
	}
	return nil
}

// issueTime checks that an ID token has its times, and that none is still to come.
func (v *Verifier) issueTime(c *claims, now time.Time) error {
	if c.expiry.IsZero() { // Core 3.1.3.7 step 9
		return invalidClaim("exp", "is missing")
	}
	if c.issuedAt.IsZero() { // step 10
		return invalidClaim("iat", "is missing")
	}
	return v.begun(c, now)
}

// begun checks that no time that must be over is still to come.
func (v *Verifier) begun(c *claims, now time.Time) error {
	latest := now.Add(v.leeway())
	if c.issuedAt.After(latest) { // Core 3.1.3.7 step 10
		return &ClaimError{Claim: "iat", Reason: "is in the future", Got: c.issuedAt, Err: ErrInvalid}
	}
	if c.notBefore.After(latest) { // RFC 7519 4.1.5
		return &ClaimError{Claim: "nbf", Reason: "is in the future", Got: c.notBefore, Err: ErrInvalid}
	}
	if c.authTime.After(latest) {
		return &ClaimError{Claim: "auth_time", Reason: "is in the future", Got: c.authTime, Err: ErrInvalid}
	}
	return nil
}

// age is the last check, whatever the order of Core, so that ErrExpired means that
// nothing else is wrong and that another token will do.
func (v *Verifier) age(c *claims, now time.Time) error {
	if err := v.over(c, now); err != nil { // Core 3.1.3.7 step 9
		return err
	}
	return v.issuedWithin(c, now, maxIDTokenAge, "is more than a day ago") // step 10
}

// over checks exp, where it is there.
func (v *Verifier) over(c *claims, now time.Time) error {
	if !c.expiry.IsZero() && !c.expiry.After(now.Add(-v.leeway())) {
		return &ClaimError{Claim: "exp", Reason: "is over", Got: c.expiry, Err: ErrExpired}
	}
	return nil
}

func (v *Verifier) issuedWithin(c *claims, now time.Time, age time.Duration, reason string) error {
	if c.issuedAt.Before(now.Add(-v.leeway()).Add(-age)) {
		return &ClaimError{Claim: "iat", Reason: reason, Got: c.issuedAt, Err: ErrExpired}
	}
	return nil
}

package jwtverify

import (
	"crypto/sha512"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"
)

// Format keeps the secrets of a login out of every kind of printing.
func (want Expect) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue keeps the secrets of a login out of logs.
func (want Expect) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON keeps the secrets of a login out of JSON.
func (want Expect) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// request checks what the authentication request asked for.
func (want *Expect) request(c *claims, now time.Time, leeway time.Duration) error {
	if err := want.nonce(c); err != nil { // Core 3.1.3.7 step 11
		return err
	}
	if want.ACR != nil && !slices.Contains(want.ACR, c.acr) { // step 12
		return &ClaimError{Claim: "acr", Reason: "is not one that was asked for", Want: want.ACR, Got: c.acr, Err: ErrInvalid}
	}
	if want.MaxAge == nil {
		return nil
	}
	if c.authTime.IsZero() { // step 13
		return invalidClaim("auth_time", "is missing, and max_age was asked for")
	}
	since := want.Since
	if since.IsZero() {
		since = now
	}
	earliest := since.Add(-*want.MaxAge).Add(-leeway)
	if c.authTime.Before(earliest) { // step 13
		return &ClaimError{Claim: "auth_time", Reason: "is too long ago", Want: earliest, Got: c.authTime, Err: ErrInvalid}
	}
	return nil
}

func (want *Expect) nonce(c *claims) error {
	expected := want.Nonce
	// Core 12.2: none, even where the first token had one; but if any, the same.
	if want.Previous != nil && c.nonce != "" {
		expected = want.Previous.Nonce
	}
	if expected == "" && c.nonce != "" {
		return invalidClaim("nonce", "is there and was not asked for")
	}
	if expected != "" && c.nonce == "" {
		return invalidClaim("nonce", "is missing")
	}
	if !equal(c.nonce, expected) {
		return invalidClaim("nonce", "is that of another request")
	}
	return nil
}

// hashes checks what binds other things to the ID token: Core 3.1.3.8 and 3.2.2.9
// for at_hash, 3.3.2.10 for c_hash, FAPI 1.0 Part 2 5.1 for s_hash.
func (want *Expect) hashes(c *claims, alg algorithm) error {
	if want.FrontChannel && want.AccessToken != "" && c.accessTokenHash == "" {
		return invalidClaim("at_hash", "is missing")
	}
	if want.FrontChannel && want.Code != "" && c.codeHash == "" {
		return invalidClaim("c_hash", "is missing")
	}
	if !alg.binds(c.accessTokenHash, want.AccessToken) {
		return invalidClaim("at_hash", "is not of the access token")
	}
	if !alg.binds(c.codeHash, want.Code) {
		return invalidClaim("c_hash", "is not of the code")
	}
	if !alg.binds(c.stateHash, want.State) {
		return invalidClaim("s_hash", "is not of the state")
	}
	return nil
}

// binds tells whether hash, if there is one, is of value, if that is known: the left
// half of the hash that the signature is made with, as base64url.
func (a algorithm) binds(hash, value string) bool {
	if hash == "" || value == "" {
		return true
	}
	var buf [sha512.Size]byte
	sum := a.digest(&buf, []byte(value))
	return equal(hash, base64url.EncodeToString(sum[:len(sum)/2]))
}

// refreshed checks a token that replaces another one, Core 12.2. That nonce is the
// same or absent is checked with the nonce.
func (want *Expect) refreshed(c *claims) error {
	prev := want.Previous
	if prev == nil {
		return nil
	}
	if c.issuer != prev.Issuer {
		return &ClaimError{Claim: "iss", Reason: "is not that of the token before", Want: prev.Issuer, Got: c.issuer, Err: ErrInvalid}
	}
	if c.subject != prev.Subject {
		return invalidClaim("sub", "is not that of the token before")
	}
	if !sameSet(c.audience, prev.Audience) {
		return &ClaimError{Claim: "aud", Reason: "is not that of the token before", Want: prev.Audience, Got: c.audience, Err: ErrInvalid}
	}
	// A provider that leaves auth_time out of refreshed tokens says nothing wrong. One
	// that moves it on, because the user has signed in again in another app of the same
	// provider session (Keycloak does), departs from the letter, and tells the truth.
	if !c.authTime.IsZero() && c.authTime.Before(prev.AuthTime) {
		return &ClaimError{Claim: "auth_time", Reason: "is before that of the token before", Want: prev.AuthTime, Got: c.authTime, Err: ErrInvalid}
	}
	if c.authorizedParty != prev.AuthorizedParty {
		return &ClaimError{Claim: "azp", Reason: "is not that of the token before", Want: prev.AuthorizedParty, Got: c.authorizedParty, Err: ErrInvalid}
	}
	return nil
}

// sameSet tells whether two lists have the same members; their order has no meaning.
func sameSet(a, b []string) bool {
	for _, s := range a {
		if !slices.Contains(b, s) {
			return false
		}
	}
	for _, s := range b {
		if !slices.Contains(a, s) {
			return false
		}
	}
	return true
}

// equal compares in constant time what an attacker might want to guess.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

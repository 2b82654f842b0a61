// Package pkce makes and holds the secret of Proof Key for Code Exchange
// (RFC 7636), which ties an authorization code to the client that asked for it.
//
// S256 is the only method there is: "plain" sends the secret itself through the
// browser, and RFC 9700 section 2.1.1 advises against it.
//
// Most programs want package client instead, which uses this one by itself.
package pkce

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Method is the value of the code_challenge_method parameter (RFC 7636 section 4.3).
const Method = "S256"

// The length of a code verifier (RFC 7636 section 4.1).
const (
	minLength = 43
	maxLength = 128
)

// Verifier is a code verifier (RFC 7636 section 4.1): the secret that stays with
// the client until it trades the code. It prints as [redacted] in every format,
// in JSON and in slog; string(v) reveals it, for the token request and for
// storage.
//
// The zero Verifier is not a valid one. A Verifier may be used concurrently.
type Verifier string

// New returns a Verifier of 256 random bits.
func New() Verifier {
	var random [32]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	return Verifier(base64.RawURLEncoding.EncodeToString(random[:]))
}

// Parse takes a code verifier that somebody else made, and checks its length and
// alphabet (RFC 7636 section 4.1). It cannot check that it was random. The error
// does not contain s.
func Parse(s string) (Verifier, error) {
	if len(s) < minLength || len(s) > maxLength {
		return "", fmt.Errorf("pkce: a code verifier has %d to %d characters, not %d", minLength, maxLength, len(s))
	}
	for i := range len(s) {
		if !unreserved(s[i]) {
			return "", errors.New("pkce: a code verifier has letters, digits and -._~ only")
		}
	}
	return Verifier(s), nil
}

// Challenge returns the S256 code challenge of v (RFC 7636 section 4.2), which may
// be seen by anybody.
func (v Verifier) Challenge() string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

const redacted = "[redacted]"

// Format prints [redacted], whatever the verb. (A String method would not do:
// fmt passes it by for a verb that does not fit, such as %d.)
func (v Verifier) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (v Verifier) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]", so that a Verifier inside a larger value does
// not reach a log by way of JSON.
func (v Verifier) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

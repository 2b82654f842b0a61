package jwtverify

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// A Key is a public key that may sign tokens. RSA keys have from 2,048 to 8,192
// bits (ParseJWKS takes up to 4,096); curves are P-256, P-384, P-521 and Ed25519. Any
// other key verifies nothing.
type Key struct {
	ID        string           // kid; empty: has no name
	Algorithm string           // alg; empty: every algorithm of the key's type and curve
	Public    crypto.PublicKey // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey

	// Issuer is the member issuer that Entra's JWKs have: the one issuer whose tokens
	// the key may sign, or a template of them. It counts where Verifier.Issuer is a
	// template, and nowhere else. Empty: any that the Verifier takes.
	Issuer string
}

// A KeySet gives the keys that may have signed a token. Implementations are safe for
// concurrent use. What they return is not changed by the caller.
type KeySet interface {
	// Keys returns the keys named kid; all keys for an empty kid. An unknown kid is no
	// error: no keys. An error means that the keys cannot be had just now; it should
	// wrap ErrKeys and is made to where it does not.
	Keys(ctx context.Context, kid string) ([]Key, error)
}

// StaticKeys is a KeySet that never changes. A key without an ID answers to every
// kid: whoever pins a key from a PEM file need not know what its owner calls it.
func StaticKeys(keys ...Key) KeySet {
	s := newSnapshot(keys)
	for _, k := range s.all {
		if k.ID == "" {
			s.nameless = append(s.nameless, k)
		}
	}
	for kid := range s.named {
		s.named[kid] = append(s.named[kid], s.nameless...)
	}
	return s
}

// SharedSecret is the KeySet of a client whose tokens are authenticated with its own
// client_secret (HS256, HS384, HS512; Core 10.1). Verifier.Algorithms must then name
// these algorithms and no others: where tokens may also be signed with a public key,
// that key would be a secret everybody knows. The secret is its bytes as they are, not
// decoded from base64, and at least as long as the hash (RFC 7518 3.2): a shorter one
// verifies nothing. Whoever can verify such a token can also make one.
func SharedSecret(secret string) KeySet { return StaticKeys(Key{Public: sharedSecret(secret)}) }

// A sharedSecret is a key that only SharedSecret makes: no key set read from outside
// has one.
type sharedSecret []byte

// Format keeps the secret out of every kind of printing.
func (sharedSecret) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// MarshalJSON keeps the secret out of JSON.
func (sharedSecret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// LogValue keeps the secret out of logs.
func (sharedSecret) LogValue() slog.Value { return slog.StringValue(redacted) }

// A snapshot is a set of keys in which finding one costs the same whatever the size.
type snapshot struct {
	all      []Key
	named    map[string][]Key
	nameless []Key // what an unknown kid gets
}

func newSnapshot(keys []Key) *snapshot {
	s := &snapshot{all: slices.Clone(keys), named: map[string][]Key{}}
	for _, k := range s.all {
		if k.ID != "" {
			s.named[k.ID] = append(s.named[k.ID], k)
		}
	}
	return s
}

// Format keeps a shared secret among the keys out of every kind of printing: fmt does not
// ask the fields of a struct that are not exported how they want to be shown.
func (s *snapshot) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue keeps a shared secret out of logs.
func (s *snapshot) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON keeps a shared secret out of JSON.
func (s *snapshot) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// Keys implements KeySet.
func (s *snapshot) Keys(_ context.Context, kid string) ([]Key, error) { return s.lookup(kid), nil }

// Version implements Versioned: a snapshot never changes.
func (s *snapshot) Version() (any, bool) { return s, true }

func (s *snapshot) lookup(kid string) []Key {
	if kid == "" {
		return s.all
	}
	if keys, ok := s.named[kid]; ok {
		return keys
	}
	return s.nameless
}

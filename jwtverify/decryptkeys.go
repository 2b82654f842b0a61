package jwtverify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-go/postern/internal/strictjson"
)

// maxDecryptionBits bounds the RSA keys that decrypt, in bits. Anybody can send a
// token to be decrypted, and the time for it grows with the cube of this.
const maxDecryptionBits = 4096

// A DecryptionKey is a private key whose public half was given to the issuer, to
// encrypt tokens with. RSA keys have from 2,048 to 4,096 bits; curves are P-256, P-384
// and P-521. It holds a secret and prints as [redacted] in fmt, slog and JSON.
//
// A key from a PEM file is parsed by crypto/x509, and one from a JWK set by
// ParseDecryptionKeys; an RSA key put together by hand wants its Precompute called, or
// every token waits for that. A key should decrypt and do nothing else: the key that signs
// client assertions or DPoP proofs is to be another one.
type DecryptionKey struct {
	ID        string            // kid; empty: tried for every token
	Algorithm string            // alg; empty: every algorithm of the key's type
	Private   crypto.PrivateKey // *rsa.PrivateKey or *ecdsa.PrivateKey
}

// Format keeps the key out of every kind of printing.
func (k DecryptionKey) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue keeps the key out of logs.
func (k DecryptionKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON keeps the key out of JSON.
func (k DecryptionKey) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// Format keeps the keys of Decrypt out of every kind of printing.
func (v Verifier) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue keeps the keys of Decrypt out of logs.
func (v Verifier) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON keeps the keys of Decrypt out of JSON.
func (v Verifier) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// canDecrypt refuses a Verifier that demands encryption and has a key that is of no use.
func (v *Verifier) canDecrypt() error {
	if v.Decrypt != nil && len(v.Decrypt) == 0 {
		return misconfigured("Verifier.Decrypt has no keys")
	}
	for i, k := range v.Decrypt {
		if err := k.weakness(); err != nil {
			return misconfigured("Verifier.Decrypt[%d], %s: %w", i, quote(k.ID), err)
		}
	}
	return nil
}

// decryptionKeys are the keys to try for a token: those it names before those without a name.
func (v *Verifier) decryptionKeys(e *encrypted) []DecryptionKey {
	var named, others []DecryptionKey
	for _, k := range v.Decrypt {
		switch {
		case !k.fits(e.alg, e.curve):
		case k.ID != "" && k.ID == e.kid:
			named = append(named, k)
		case k.ID == "" || e.kid == "":
			others = append(others, k)
		}
	}
	all := append(named, others...)
	return all[:min(len(all), maxCandidates)]
}

// fits tells whether the key is of the type of alg, on the sender's curve, and not
// reserved for another algorithm.
func (k DecryptionKey) fits(alg keyManagement, sender elliptic.Curve) bool {
	if k.Algorithm != "" && k.Algorithm != alg.name {
		return false
	}
	key, onCurve := k.Private.(*ecdsa.PrivateKey)
	return onCurve == alg.curve && (!onCurve || key.Curve == sender)
}

// encryptedSize is how long the encrypted key of e is, if it was made for k: RFC 8017
// 7.1.2 step 1, RFC 7518 4.6, RFC 3394 2.2.1.
func (k DecryptionKey) encryptedSize(e *encrypted) int {
	if key, ok := k.Private.(*rsa.PrivateKey); ok {
		return key.Size()
	}
	if e.alg.wraps {
		return e.enc.key + 8
	}
	return 0
}

var errBrokenKey = errors.New("key is nil, incomplete or not consistent")

// weakness says why a key must not be used by anybody.
func (k DecryptionKey) weakness() error {
	if k.Algorithm != "" {
		if _, known := keyManagementNamed(k.Algorithm); !known {
			return fmt.Errorf("no algorithm %s that may encrypt a key", quote(k.Algorithm))
		}
	}
	// A key put together by hand may lack any of its numbers.
	var err error
	if contained(func() error { err = k.badness(); return nil }) != nil {
		return errBrokenKey
	}
	return err
}

func (k DecryptionKey) badness() error {
	alg, reserved := keyManagementNamed(k.Algorithm)
	switch key := k.Private.(type) {
	case *rsa.PrivateKey:
		if reserved && alg.curve {
			return errKeyType
		}
		if key.N.BitLen() < minRSABits {
			return fmt.Errorf("RSA key has fewer than %d bits", minRSABits)
		}
		if key.N.BitLen() > maxDecryptionBits {
			return fmt.Errorf("RSA key has more than %d bits", maxDecryptionBits)
		}
		if key.Validate() != nil {
			return errBrokenKey
		}
		return nil
	case *ecdsa.PrivateKey:
		if reserved && !alg.curve {
			return errKeyType
		}
		if !slices.Contains(curves[:], key.Curve) {
			return errors.New("key is on a curve that is not supported")
		}
		if _, err := key.Bytes(); err != nil { // also where the point is not on the curve
			return errBrokenKey
		}
		return nil
	}
	return fmt.Errorf("%T is no private key of a supported type", k.Private)
}

// Check says why the key decrypts nothing, for a program that wants to know when it
// starts: a Verifier that has it rejects every token. Nil: the key can be used.
func (k DecryptionKey) Check() error {
	if err := k.weakness(); err != nil {
		return fmt.Errorf("jwtverify: %w", err)
	}
	return nil
}

// ParseDecryptionKeys reads the keys of a private JWK set (RFC 7517 5) of at most 1 MiB
// that decrypt tokens. Keys for something else are skipped: those that use, key_ops or
// alg reserve for signatures, and those of other types than RSA and EC. Any other key
// that cannot be used is an error, because the configuration relies on it, and so is a
// set without a key that decrypts. No error holds any part of a key but its kid.
func ParseDecryptionKeys(jwks []byte) ([]DecryptionKey, error) {
	keys, err := parseDecryptionKeys(jwks)
	if err != nil {
		return nil, fmt.Errorf("jwtverify: private JWK set: %w", err)
	}
	return keys, nil
}

func parseDecryptionKeys(jwks []byte) ([]DecryptionKey, error) {
	if len(jwks) > maxJWKS {
		return nil, fmt.Errorf("larger than %d bytes", maxJWKS)
	}
	var list strictjson.Value
	err := strictjson.Object(string(jwks), []string{"keys"}, func(name string, v strictjson.Value) error {
		if name == "keys" {
			list = v
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !list.IsArray() {
		return nil, errors.New("has no array of keys")
	}
	var keys []DecryptionKey
	err = list.Elements(func(v strictjson.Value) error {
		k, forThis, err := parseDecryptionKey(v.Raw())
		if forThis {
			keys = append(keys, k)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("has no key that decrypts")
	}
	return keys, nil
}

// parseDecryptionKey reads one key of a set; forThis is false for one that is there
// for something else.
func parseDecryptionKey(text string) (key DecryptionKey, forThis bool, err error) {
	forThis = true
	err = strictjson.Object(text, jwkNames, func(name string, v strictjson.Value) error {
		if name == "kid" {
			return setText(&key.ID, name, v)
		}
		forThis = forThis && decrypts(name, v)
		return nil
	})
	if err != nil {
		return DecryptionKey{}, false, fmt.Errorf("key %s: %w", quote(key.ID), err)
	}
	if !forThis {
		return DecryptionKey{}, false, nil
	}
	var jwk jose.JSONWebKey // whose errors quote
	if err := contained(func() error { return jwk.UnmarshalJSON([]byte(text)) }); err != nil {
		return DecryptionKey{}, false, fmt.Errorf("key %s: %w", quote(key.ID), errBrokenKey)
	}
	key.Algorithm, key.Private = jwk.Algorithm, jwk.Key
	if err := key.weakness(); err != nil {
		return DecryptionKey{}, false, fmt.Errorf("key %s: %w", quote(key.ID), err)
	}
	if private, ok := key.Private.(*rsa.PrivateKey); ok {
		private.Precompute() // or every token would wait for it
	}
	return key, true, nil
}

// decrypts tells whether a key with this member may still be one that decrypts tokens.
func decrypts(name string, v strictjson.Value) bool {
	text, _ := v.String()
	switch name {
	case "kty":
		return text == "RSA" || text == "EC"
	case "use": // RFC 7517 4.2
		return text == "enc"
	case "key_ops": // RFC 7517 4.3
		ops, _ := v.Strings()
		return slices.ContainsFunc([]string{"decrypt", "unwrapKey", "deriveKey", "deriveBits"}, func(op string) bool {
			return slices.Contains(ops, op)
		})
	case "alg":
		_, signs := algorithmNamed(text)
		return !signs
	}
	return true
}

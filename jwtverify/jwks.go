package jwtverify

import (
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-go/postern/internal/strictjson"
)

const (
	// maxJWKS bounds a JWK set in bytes. The largest in use, with certificate chains,
	// are under 100 KB.
	maxJWKS = 1 << 20
	// maxKeys bounds the keys kept of a set: the first of them, in its order.
	maxKeys = 256
)

// ParseJWKS reads a JWK set (RFC 7517 5) of at most 1 MiB. Keys that cannot verify
// signatures of tokens are skipped one by one and leave the others usable: those of
// unknown types, curves and algorithms, broken ones, RSA keys under 2,048 bits or over
// 4,096 (the parser's limit), those for encryption by use or key_ops, shared secrets,
// and private keys, because what is published can sign for anybody. At most 256 keys
// are kept.
//
// No key at all is no error; a document that is not a set, or has a member twice, is
// one, and wraps ErrKeys.
func ParseJWKS(data []byte) ([]Key, error) {
	keys, err := parseJWKS(data)
	if err != nil {
		return nil, fmt.Errorf("jwtverify: %w", err)
	}
	return keys, nil
}

func parseJWKS(data []byte) ([]Key, error) {
	if len(data) > maxJWKS {
		return nil, fmt.Errorf("%w: JWK set is larger than %d bytes", ErrKeys, maxJWKS)
	}
	var list strictjson.Value
	err := strictjson.Object(string(data), []string{"keys"}, func(name string, v strictjson.Value) error {
		if name == "keys" {
			list = v
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: JWK set: %w", ErrKeys, err)
	}
	keys := []Key{}
	err = list.Elements(func(v strictjson.Value) error {
		if len(keys) == maxKeys {
			return nil
		}
		if k, ok := parseJWK(v.Raw()); ok {
			keys = append(keys, k)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: JWK set has no array of keys", ErrKeys)
	}
	return keys, nil
}

// jwkNames are the registered members of a JWK (RFC 7517 4, RFC 7518 6, RFC 8037 2).
var jwkNames = []string{
	"kty", "use", "key_ops", "alg", "kid", "x5u", "x5c", "x5t", "x5t#S256", "crv", "x", "y", "n", "e",
	"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv",
}

// parseJWK reads one key of a set; ok is false for what is to be skipped. What the
// members other than those of the key itself say is decided here, before go-jose
// spends time on numbers and certificates.
func parseJWK(text string) (key Key, ok bool) {
	useful := true
	err := strictjson.Object(text, jwkNames, func(name string, v strictjson.Value) error {
		useful = useful && verifies(name, v)
		return nil
	})
	if err != nil || !useful {
		return Key{}, false
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON([]byte(text)); err != nil {
		return Key{}, false
	}
	key = Key{ID: jwk.KeyID, Algorithm: jwk.Algorithm, Public: jwk.Key}
	if key.weakness() != nil {
		return Key{}, false
	}
	return key, slices.ContainsFunc(algorithms[:], key.fits)
}

// verifies tells whether a key with this member may still be one that verifies
// signatures.
func verifies(name string, v strictjson.Value) bool {
	text, _ := v.String()
	switch name {
	case "use": // RFC 7517 4.2
		return text == "sig"
	case "key_ops": // RFC 7517 4.3
		ops, _ := v.Strings()
		return slices.Contains(ops, "verify")
	}
	return !private(name)
}

// private tells whether a key with this member is a private one or a shared secret.
func private(name string) bool {
	return slices.Contains([]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}, name)
}

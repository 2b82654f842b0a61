package jwtverify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-go/postern/internal/strictjson"
)

const (
	// maxJWKS bounds a JWK set in bytes. The largest in use, with certificate chains,
	// are under 100 KB.
	maxJWKS = 1 << 20
	// maxKeys bounds the keys kept of a set: the first of them, in its order.
	maxKeys = 256
	// maxElements bounds the keys looked at, which may all have to be skipped: 1 MiB has
	// room for 70,000 that cost far more to refuse than to send.
	maxElements = 1024
	// maxKeyMember bounds each member of a key in bytes. The largest is the modulus of
	// an RSA key: with 4,096 bits, 683 bytes of base64.
	maxKeyMember = 2 << 10
)

// ParseJWKS reads a JWK set (RFC 7517 5) of at most 1 MiB. Keys that cannot verify
// signatures of tokens are skipped one by one and leave the others usable: those of
// unknown types, curves and algorithms, broken ones, RSA keys under 2,048 bits or over
// 4,096 (the parser's limit) or with an exponent that is even, 1, or over 31 bits, Ed25519
// keys of small order, those for encryption by use, key_ops or alg, those whose kid is
// over 512 bytes (no token may have such a one), shared secrets, and private keys, because
// what is published can sign for anybody. Of a larger set the first 1,024 keys are looked
// at, and the first 256 of those that can be used are kept.
//
// What makes a key is the key: certificates beside it (x5c, x5u) and their thumbprints
// (x5t) are not looked at, neither to trust them nor to find a fault in them. A member
// that is null or empty is not there.
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
	keys, elements := []Key{}, 0
	err = list.Elements(func(v strictjson.Value) error {
		if elements++; elements > maxElements || len(keys) == maxKeys {
			return nil
		}
		if k, err := parseJWK(v.Raw()); err == nil {
			keys = append(keys, k)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: JWK set has no array of keys", ErrKeys)
	}
	return keys, nil
}

// jwkNames are the registered members of a JWK (RFC 7517 4, RFC 7518 6, RFC 8037 2) and
// Entra's issuer.
var jwkNames = []string{
	"kty", "use", "key_ops", "alg", "kid", "x5u", "x5c", "x5t", "x5t#S256", "crv", "x", "y", "n", "e",
	"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv", "issuer",
}

// parseJWK reads one key of a set. An error says why it is to be skipped.
//
// go-jose gets to see the members that are the key itself and no others. It would parse
// the certificates of x5c and refuse a key for one that nobody looks at here: WSO2 has
// published some with negative serial numbers, which crypto/x509 does not read.
func parseJWK(text string) (Key, error) {
	var key Key
	bare := []byte(`{"use":"sig"`)
	err := strictjson.Object(text, jwkNames, func(name string, v strictjson.Value) error {
		switch name {
		case "kty", "crv", "x", "y", "n", "e":
			if len(v.Raw()) > maxKeyMember {
				return fmt.Errorf("%s is longer than %d bytes", name, maxKeyMember)
			}
			bare = fmt.Appendf(bare, ",%q:%s", name, v.Raw())
			return nil
		}
		return key.describe(name, v)
	})
	if err != nil {
		return Key{}, err
	}
	var parsed jose.JSONWebKey
	if err := parsed.UnmarshalJSON(append(bare, '}')); err != nil {
		return Key{}, err
	}
	key.Public = parsed.Key
	if err := key.weakness(); err != nil {
		return Key{}, err
	}
	if !slices.ContainsFunc(algorithms[:], key.fits) {
		return Key{}, errKeyType
	}
	return key, nil
}

// describe takes over what a member says about a key, or refuses a key that it says not
// to verify signatures with. Texts are cloned, or else they would keep the whole set.
func (k *Key) describe(name string, v strictjson.Value) error {
	if v.IsNull() || v.Raw() == `""` { // what some serializers write for what is not there
		return nil
	}
	text, isText := v.String()
	switch name {
	case "use": // RFC 7517 4.2
		if text != "sig" {
			return errors.New("use is not sig")
		}
	case "key_ops": // RFC 7517 4.3
		if ops, _ := v.Strings(); !slices.Contains(ops, "verify") {
			return errors.New("key_ops has no verify")
		}
	case "alg": // RFC 7517 4.4
		alg, ok := algorithmNamed(text)
		if !ok {
			return errors.New("alg is no signature algorithm")
		}
		k.Algorithm = alg.name
	case "kid": // RFC 7517 4.5
		if !isText || len(text) > maxKeyID {
			return fmt.Errorf("kid is not a string of at most %d bytes", maxKeyID)
		}
		k.ID = strings.Clone(text)
	case "issuer":
		if !isText || len(text) > maxKeyMember {
			return fmt.Errorf("issuer is not a string of at most %d bytes", maxKeyMember)
		}
		k.Issuer = strings.Clone(text)
	}
	if private(name) { // RFC 7517 9.2
		return errors.New("has a member of private keys")
	}
	return nil
}

// private tells whether a key with this member is a private one or a shared secret.
func private(name string) bool {
	return slices.Contains([]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}, name)
}

// Package jwtcrypt encrypts what goes to a provider (RFC 7516): request objects. What
// comes from one is decrypted in package jwtverify, and goes on to be verified there.
package jwtcrypt

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-go/postern/internal/strictjson"
)

// algorithms encrypt keys (RFC 7518 4.1). RSA1_5 is broken; dir, A128KW and their like
// need a shared secret.
var algorithms = [...]string{"RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"}

// ciphers encrypt content (RFC 7518 5.1).
var ciphers = [...]string{"A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"}

const (
	minRSABits = 2048 // RFC 7518 4.3
	// maxKeys and maxMember bound what is looked at of a set: keys, and bytes of a member.
	maxKeys   = 256
	maxMember = 2 << 10
)

// Check refuses algorithms (alg and enc) that Encrypt does not have.
func Check(algorithm, content string) error {
	if !slices.Contains(algorithms[:], algorithm) {
		return fmt.Errorf("%.64q is none of %s", algorithm, strings.Join(algorithms[:], ", "))
	}
	if !slices.Contains(ciphers[:], content) {
		return fmt.Errorf("%.64q is none of %s", content, strings.Join(ciphers[:], ", "))
	}
	return nil
}

// A Key is a public key that somebody else decrypts with.
type Key struct{ jwk jose.JSONWebKey }

// fits tells whether the key is for an algorithm: of its type, and not for another one.
func (k Key) fits(algorithm string) bool {
	if k.jwk.Algorithm != "" && k.jwk.Algorithm != algorithm {
		return false
	}
	_, onCurve := k.jwk.Key.(*ecdsa.PublicKey)
	return onCurve == strings.HasPrefix(algorithm, "ECDH-ES")
}

// ParseKeys reads the keys of a JWK set that may encrypt: those that say so by their use
// or alg, and behind them those that do not say what they are for (RFC 7517 4.2). All
// others are skipped, among them those of unknown types, weak ones and private ones.
func ParseKeys(set string) ([]Key, error) {
	var list strictjson.Value
	err := strictjson.Object(set, []string{"keys"}, func(name string, v strictjson.Value) error {
		if name == "keys" {
			list = v
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var keys, others []Key
	seen := 0
	err = list.Elements(func(v strictjson.Value) error {
		if seen++; seen > maxKeys {
			return nil
		}
		key, said, err := parseKey(v.Raw())
		switch {
		case err != nil:
		case said:
			keys = append(keys, key)
		default:
			others = append(others, key)
		}
		return nil
	})
	return append(keys, others...), err
}

// members are those of RFC 7517 4 and RFC 7518 6.2 and 6.3 that are read.
var members = []string{"kty", "use", "alg", "kid", "crv", "x", "y", "n", "e", "d", "k"}

var errNotForUs = errors.New("not a key to encrypt with")

// parseKey reads one key, and whether it says that it is for encryption. As in package
// jwtverify, go-jose sees the members that are the key itself and no certificates.
func parseKey(text string) (key Key, said bool, err error) {
	var use, algorithm, id string
	bare := []byte(`{"use":"enc"`)
	err = strictjson.Object(text, members, func(name string, v strictjson.Value) error {
		switch name {
		case "kty", "crv", "x", "y", "n", "e":
			if len(v.Raw()) > maxMember {
				return errNotForUs
			}
			bare = fmt.Appendf(bare, ",%q:%s", name, v.Raw())
		case "use":
			use, _ = v.String()
		case "alg":
			algorithm, _ = v.String()
		case "kid":
			id, _ = v.String()
		case "d", "k": // what is published can decrypt for anybody
			return errNotForUs
		}
		return nil
	})
	said = use == "enc" || use == "" && slices.Contains(algorithms[:], algorithm)
	switch {
	case err != nil:
		return Key{}, false, err
	case !said && (use != "" || algorithm != ""), len(id) > maxMember:
		return Key{}, false, errNotForUs
	}
	key = Key{jose.JSONWebKey{}}
	if err := key.jwk.UnmarshalJSON(append(bare, '}')); err != nil {
		return Key{}, false, err
	}
	key.jwk.KeyID, key.jwk.Algorithm = strings.Clone(id), strings.Clone(algorithm)
	return key, said, key.weakness()
}

// weakness refuses keys that nobody should encrypt for.
func (k Key) weakness() error {
	switch key := k.jwk.Key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= minRSABits {
			return nil
		}
	case *ecdsa.PublicKey:
		return nil
	}
	return errNotForUs
}

// ErrNoKey says that none of the keys is for the algorithm.
var ErrNoKey = errors.New("no key for the algorithm")

// Encrypt encrypts a signed token (RFC 7519 5.2) with the first of the keys that is for
// the algorithm. Check has passed both algorithms.
func Encrypt(keys []Key, algorithm, content, token string) (string, error) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.fits(algorithm) })
	if i < 0 {
		return "", ErrNoKey
	}
	recipient := jose.Recipient{Algorithm: jose.KeyAlgorithm(algorithm), Key: keys[i].jwk.Key, KeyID: keys[i].jwk.KeyID}
	options := new(jose.EncrypterOptions).WithContentType("JWT")
	encrypter, err := jose.NewEncrypter(jose.ContentEncryption(content), recipient, options)
	if err != nil {
		return "", err
	}
	jwe, err := encrypter.Encrypt([]byte(token))
	if err != nil {
		return "", err
	}
	return jwe.CompactSerialize()
}

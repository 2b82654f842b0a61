package jwtverify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// b64 is the encoding of a segment of a token.
func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// testKeys are the private keys of testdata/keys.json by their name, which is their kid.
func testKeys(tb testing.TB) map[string]jose.JSONWebKey {
	tb.Helper()
	keys, err := readTestKeys()
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

var readTestKeys = sync.OnceValues(func() (map[string]jose.JSONWebKey, error) {
	data, err := os.ReadFile("testdata/keys.json")
	if err != nil {
		return nil, err
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, err
	}
	keys := map[string]jose.JSONWebKey{}
	for _, k := range set.Keys {
		keys[k.KeyID] = k
	}
	return keys, nil
})

// publicKey returns the public half of a test key.
func publicKey(tb testing.TB, name string) crypto.PublicKey {
	tb.Helper()
	key, ok := testKeys(tb)[name]
	if !ok {
		tb.Fatalf("no test key %q", name)
	}
	return key.Public().Key
}

// jwk returns the public half of a test key as a JWK, with the members given
// replaced or, where their value is empty, removed.
func jwk(tb testing.TB, name string, members ...member) string {
	tb.Helper()
	key, ok := testKeys(tb)[name]
	if !ok {
		tb.Fatalf("no test key %q", name)
	}
	text, err := key.Public().MarshalJSON()
	if err != nil {
		tb.Fatal(err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		tb.Fatal(err)
	}
	for _, m := range members {
		raw[m.name] = json.RawMessage(m.value)
		if m.value == "" {
			delete(raw, m.name)
		}
	}
	text, err = json.Marshal(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// jwks puts JWKs together to a set.
func jwks(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// mint signs a token whose header and payload are given as text.
func mint(tb testing.TB, key, alg, header, payload string) string {
	tb.Helper()
	return mintSegments(tb, key, alg, b64(header), b64(payload))
}

func mintSegments(tb testing.TB, key, alg, header, payload string) string {
	tb.Helper()
	input := header + "." + payload
	return input + "." + b64(string(sign(tb, testKeys(tb)[key].Key, alg, input)))
}

// sign makes a signature of RFC 7518 3 or RFC 8037 3.1.
func sign(tb testing.TB, key any, alg, input string) []byte {
	tb.Helper()
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[max(0, len(alg)-3):]]
	var sig []byte
	var err error
	switch key := key.(type) {
	case []byte:
		mac := hmac.New(hash.New, key)
		mac.Write([]byte(input))
		return mac.Sum(nil)
	case *rsa.PrivateKey:
		opts := crypto.SignerOpts(hash)
		if strings.HasPrefix(alg, "PS") {
			opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
		}
		sig, err = key.Sign(rand.Reader, digest(hash, input), opts)
	case *ecdsa.PrivateKey:
		var der []byte
		if der, err = key.Sign(rand.Reader, digest(hash, input), hash); err == nil {
			sig = fixedECDSA(der, (key.Params().BitSize+7)/8)
		}
	case ed25519.PrivateKey:
		sig = ed25519.Sign(key, []byte(input))
	default:
		err = fmt.Errorf("no key")
	}
	if err != nil {
		tb.Fatalf("signing with %s: %v", alg, err)
	}
	return sig
}

func digest(hash crypto.Hash, input string) []byte {
	h := hash.New()
	h.Write([]byte(input))
	return h.Sum(nil)
}

// fixedECDSA turns a DER signature into r and s of size bytes each.
func fixedECDSA(der []byte, size int) []byte {
	body := der[2:]
	if der[1] == 0x81 {
		body = der[3:]
	}
	sig := make([]byte, 2*size)
	for i := range 2 {
		number := body[2 : 2+body[1]]
		body = body[2+body[1]:]
		for len(number) > size {
			number = number[1:]
		}
		copy(sig[(i+1)*size-len(number):], number)
	}
	return sig
}

// A member is a name with a value as JSON text.
type member struct{ name, value string }

// object writes members as a JSON object, in their order.
func object(members []member) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(m.name)
		b.Write(name)
		b.WriteByte(':')
		b.WriteString(m.value)
	}
	b.WriteByte('}')
	return b.String()
}

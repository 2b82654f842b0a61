package jwtverify_test

import (
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

// secretJWK returns a test key as a private JWK, with the members given replaced or,
// where their value is empty, removed.
func secretJWK(tb testing.TB, name string, members ...member) string {
	tb.Helper()
	key, ok := testKeys(tb)[name]
	if !ok {
		tb.Fatalf("no test key %q", name)
	}
	text, err := key.MarshalJSON()
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
	if text, err = json.Marshal(raw); err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func TestParseDecryptionKeys(t *testing.T) {
	keys, err := jwtverify.ParseDecryptionKeys([]byte(jwks(
		secretJWK(t, "rsa", member{"use", `"sig"`}),
		secretJWK(t, "rsa", member{"alg", `"PS256"`}),
		secretJWK(t, "p256", member{"key_ops", `["sign"]`}),
		secretJWK(t, "ed25519"),
		`{"kty":"oct","k":"AAAA"}`,
		`{"kty":"AKP","alg":"ML-DSA-44","priv":"AAAA"}`,
		secretJWK(t, "rsa-other", member{"use", `"enc"`}, member{"alg", `"RSA-OAEP-256"`}),
		secretJWK(t, "p256-other", member{"key_ops", `["deriveBits"]`}),
		secretJWK(t, "p384", member{"kid", ""}),
	)))
	if err != nil {
		t.Fatal(err)
	}
	want := []jwtverify.DecryptionKey{{ID: "rsa-other", Algorithm: "RSA-OAEP-256"}, {ID: "p256-other"}, {}}
	if len(keys) != len(want) {
		t.Fatalf("%d keys", len(keys))
	}
	for i, k := range keys {
		if k.ID != want[i].ID || k.Algorithm != want[i].Algorithm {
			t.Errorf("key %d is %q for %q", i, k.ID, k.Algorithm)
		}
	}
	v, signed := decrypting(t)
	v.Decrypt = keys
	for _, s := range []sealing{oaep, wrapped, {key: "p384", alg: "ECDH-ES", enc: "A192CBC-HS384"}} {
		if _, err := v.IDToken(t.Context(), s.seal(t, signed), jwtverify.Expect{}); err != nil {
			t.Errorf("%s: %v", s.alg, err)
		}
	}
	if d := keys[0].Private.(*rsa.PrivateKey).Precomputed.Qinv; d == nil {
		t.Error("not precomputed")
	}
}

func TestParseDecryptionKeysRefuses(t *testing.T) {
	for name, c := range map[string]struct{ set, reason string }{
		"no set":             {`{}`, "has no array of keys"},
		"no JSON":            {`-----BEGIN PRIVATE KEY-----`, "not a JSON object"},
		"keys no array":      {`{"keys":{}}`, "has no array of keys"},
		"too large":          {jwks(secretJWK(t, "rsa")) + strings.Repeat(" ", 1<<20), "larger than 1048576 bytes"},
		"duplicate keys":     {`{"keys":[],"keys":[]}`, `duplicate member "keys"`},
		"no key":             {jwks(), "has no key that decrypts"},
		"keys to sign only":  {jwks(secretJWK(t, "rsa", member{"use", `"sig"`}), secretJWK(t, "ed25519")), "has no key that decrypts"},
		"wrong operation":    {jwks(secretJWK(t, "rsa", member{"key_ops", `["verify","wrapKey","encrypt"]`})), "has no key that decrypts"},
		"public":             {jwks(secretJWK(t, "rsa"), jwk(t, "p256")), `key "p256": *ecdsa.PublicKey is no private key of a supported type`},
		"weak":               {jwks(secretJWK(t, "rsa-1024")), `key "rsa-1024": RSA key has fewer than 2048 bits`},
		"broken":             {jwks(secretJWK(t, "rsa", member{"p", `"canary"`})), `key "rsa": key is nil, incomplete or not consistent`},
		"broken point":       {jwks(secretJWK(t, "p256", member{"x", `"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"`})), `key "p256": key is nil, incomplete or not consistent`},
		"curve":              {jwks(secretJWK(t, "p256", member{"crv", `"secp256k1"`})), `key "p256": key is nil, incomplete or not consistent`},
		"alg":                {jwks(secretJWK(t, "rsa", member{"alg", `"RSA1_5"`})), `key "rsa": no algorithm "RSA1_5" that may encrypt a key`},
		"alg of other type":  {jwks(secretJWK(t, "rsa", member{"alg", `"ECDH-ES"`})), `key "rsa": key does not fit the algorithm`},
		"kid a number":       {jwks(secretJWK(t, "rsa", member{"kid", `1`})), "kid is not a string"},
		"duplicate member":   {jwks(`{"kty":"RSA","kty":"EC"}`), `duplicate member "kty"`},
		"member in capitals": {jwks(`{"kid":"loud","KTY":"RSA"}`), `key "loud": member "KTY" is not "kty"`},
		"not an object":      {jwks(`1`), "not a JSON object"},
		"one bad among good": {jwks(secretJWK(t, "rsa"), secretJWK(t, "rsa-1024")), `key "rsa-1024": RSA key has fewer than 2048 bits`},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := jwtverify.ParseDecryptionKeys([]byte(c.set))
			if keys != nil || err == nil || !strings.HasPrefix(err.Error(), "jwtverify: private JWK set: ") || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("want no keys and %q, got %d and: %v", c.reason, len(keys), err)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("part of a key in: %v", err)
			}
		})
	}
}

package jwtverify_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

func TestVerifySignature(t *testing.T) {
	input := []byte("header.payload")
	sig := func(key, alg string) []byte { return sign(t, testKeys(t)[key].Key, alg, string(input)) }
	rsaKey, p256 := publicKey(t, "rsa"), publicKey(t, "p256")
	large := &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), 8192), 0, 1), E: 65537}
	for _, c := range []struct {
		name, alg, reason string // no reason: accepted
		key               jwtverify.Key
		sig               []byte
	}{
		{"RS256", "RS256", "", jwtverify.Key{Public: rsaKey}, sig("rsa", "RS256")},
		{"PS512", "PS512", "", jwtverify.Key{Public: rsaKey}, sig("rsa", "PS512")},
		{"ES256", "ES256", "", jwtverify.Key{Public: p256}, sig("p256", "ES256")},
		{"ES512", "ES512", "", jwtverify.Key{Public: publicKey(t, "p521")}, sig("p521", "ES512")},
		{"Ed25519 by its old name", "EdDSA", "", jwtverify.Key{Algorithm: "Ed25519", Public: publicKey(t, "ed25519")}, sig("ed25519", "EdDSA")},
		{"none", "none", `no algorithm "none"`, jwtverify.Key{Public: rsaKey}, nil},
		{"HS256 with the public key", "HS256", "does not fit", jwtverify.Key{Public: rsaKey}, sig("rsa", "RS256")},
		{"no key", "RS256", "does not fit", jwtverify.Key{}, sig("rsa", "RS256")},
		{"a key of no use", "RS256", "does not fit", jwtverify.Key{Public: "rsa"}, sig("rsa", "RS256")},
		{"a private key", "RS256", "does not fit", jwtverify.Key{Public: testKeys(t)["rsa"].Key}, sig("rsa", "RS256")},
		{"no curve", "RS256", "does not fit", jwtverify.Key{Public: &ecdsa.PublicKey{}}, sig("rsa", "RS256")},
		{"another curve", "ES256", "does not fit", jwtverify.Key{Public: publicKey(t, "p384")}, sig("p256", "ES256")},
		{"reserved for another algorithm", "RS256", "does not fit", jwtverify.Key{Algorithm: "PS256", Public: rsaKey}, sig("rsa", "RS256")},
		{"reserved for another type", "RS256", "does not fit", jwtverify.Key{Algorithm: "EdDSA", Public: rsaKey}, sig("rsa", "RS256")},
		{"RSA without a modulus", "RS256", "fewer than 2048 bits", jwtverify.Key{Public: &rsa.PublicKey{}}, sig("rsa", "RS256")},
		{"RSA of 1024 bits", "RS256", "fewer than 2048 bits", jwtverify.Key{Public: publicKey(t, "rsa-1024")}, sig("rsa-1024", "RS256")},
		{"RSA of 8193 bits", "RS256", "more than 8192 bits", jwtverify.Key{Public: large}, sig("rsa", "RS256")},
		{"Ed25519 of 31 bytes", "EdDSA", "key has 31 bytes", jwtverify.Key{Public: publicKey(t, "ed25519").(ed25519.PublicKey)[:31]}, sig("ed25519", "EdDSA")},
		{"ECDSA off its curve", "ES256", "signature does not verify", jwtverify.Key{Public: point(1, 1)}, sig("p256", "ES256")},
		{"ECDSA at infinity", "ES256", "signature does not verify", jwtverify.Key{Public: point(0, 0)}, sig("p256", "ES256")},
		{"PSS salt of another length", "PS256", "signature does not verify", jwtverify.Key{Public: rsaKey}, saltless(t, input)},
		{"another key", "RS256", "signature does not verify", jwtverify.Key{Public: publicKey(t, "rsa-other")}, sig("rsa", "RS256")},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.key.VerifySignature(c.alg, input, c.sig)
			if c.reason != "" {
				checkRefusal(t, err, "invalid", "", c.reason)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// point is a key with a point that need not be on the curve.
func point(x, y int64) *ecdsa.PublicKey {
	//lint:ignore SA1019 no other way leads off the curve
	return &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(x), Y: big.NewInt(y)}
}

func saltless(t *testing.T, input []byte) []byte {
	key := testKeys(t)["rsa"].Key.(*rsa.PrivateKey)
	sig, err := key.Sign(rand.Reader, digest(crypto.SHA256, string(input)), &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func TestStaticKeys(t *testing.T) {
	pub := publicKey(t, "ed25519")
	given := []jwtverify.Key{{ID: "a", Public: pub}, {Public: pub}, {ID: "b", Public: pub}, {ID: "a", Algorithm: "EdDSA", Public: pub}}
	set := jwtverify.StaticKeys(given...)
	a, nameless, b, a2 := given[0], given[1], given[2], given[3]
	given[0] = jwtverify.Key{ID: "changed"}
	for kid, want := range map[string][]jwtverify.Key{
		"":     {a, nameless, b, a2},
		"a":    {a, a2, nameless},
		"b":    {b, nameless},
		"else": {nameless},
	} {
		if got, err := set.Keys(t.Context(), kid); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Keys(%q) = %v, %v", kid, got, err)
		}
	}
	if got, err := jwtverify.StaticKeys(a).Keys(t.Context(), "else"); err != nil || len(got) != 0 {
		t.Errorf("Keys of an unknown kid = %v, %v", got, err)
	}
}

func TestParseJWKSKeepsWhatVerifies(t *testing.T) {
	w := &vectorWriter{t: t}
	all := append(foreignKeys(w), jwk(t, "p256", member{"use", `"sig"`}), jwk(t, "p384"), jwk(t, "p521", member{"alg", `"ES512"`}),
		jwk(t, "ed25519", member{"alg", `"Ed25519"`}), jwk(t, "p256", member{"alg", `"ES384"`}), privateJWK(w, "p256"),
		privateJWK(w, "ed25519"), jwk(t, "rsa", member{"N", `"AQAB"`}))
	keys, err := jwtverify.ParseJWKS([]byte(jwks(all...)))
	if err != nil {
		t.Fatal(err)
	}
	want := []jwtverify.Key{
		{ID: "rsa", Public: publicKey(t, "rsa")}, {ID: "p256", Public: publicKey(t, "p256")}, {ID: "p384", Public: publicKey(t, "p384")},
		{ID: "p521", Algorithm: "ES512", Public: publicKey(t, "p521")}, {ID: "ed25519", Algorithm: "Ed25519", Public: publicKey(t, "ed25519")},
	}
	if !reflect.DeepEqual(keys, want) {
		t.Errorf("kept %v", keys)
	}
}

func TestParseJWKSRefusesWhatIsNoSet(t *testing.T) {
	for text, reason := range map[string]string{
		"":                                 "not a JSON object",
		"[]":                               "not a JSON object",
		"{}":                               "has no array of keys",
		`{"keys":{}}`:                      "has no array of keys",
		`{"keys":null}`:                    "has no array of keys",
		`{"keys":[]}x`:                     "not valid JSON",
		`{"keys":[],"keys":[]}`:            "duplicate member",
		`{"keys":[],"Keys":[]}`:            `"Keys" is not "keys"`,
		`{"keys":[{"kty":"a","kty":"b"}]}`: "duplicate member",
		strings.Repeat(" ", 1<<20) + " {}": "larger than 1048576 bytes",
		`{"keys":[` + nested(100) + `]}`:   "nested too deep",
		"{\"keys\":[\"" + "\xff" + "\"]}":  "not valid UTF-8",
	} {
		keys, err := jwtverify.ParseJWKS([]byte(text))
		if keys != nil {
			t.Errorf("keys beside an error: %v", keys)
		}
		checkRefusal(t, err, "keys", "", reason)
	}
	if keys, err := jwtverify.ParseJWKS([]byte(`{"keys":[],"other":1}`)); err != nil || len(keys) != 0 {
		t.Errorf("an empty set: %v, %v", keys, err)
	}
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestParseJWKSBounds(t *testing.T) {
	var many []string
	for i := range 300 {
		many = append(many, jwk(t, "ed25519", member{"kid", fmt.Sprintf(`"k%d"`, i)}))
	}
	keys, err := jwtverify.ParseJWKS([]byte(jwks(many...)))
	if err != nil || len(keys) != 256 || keys[255].ID != "k255" {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	huge := `{"kty":"RSA","kid":"rsa","e":"AQAB","n":"` + b64(strings.Repeat("\xff", 8192)) + `"}`
	if keys, err := jwtverify.ParseJWKS([]byte(jwks(huge, jwk(t, "rsa")))); err != nil || len(keys) != 1 {
		t.Errorf("beside an RSA key of 65,536 bits: %d keys, %v", len(keys), err)
	}
}

// failing is a KeySet that somebody else wrote.
type failing struct{ err error }

func (f failing) Keys(context.Context, string) ([]jwtverify.Key, error) { return nil, f.err }

func TestErrorsOfAKeySetAreErrKeys(t *testing.T) {
	v, raw, want := accepted(t, "compact form")
	foreign := errors.New("database is down")
	v.Keys = failing{foreign}
	_, err := v.IDToken(t.Context(), raw, want)
	checkRefusal(t, err, "keys", "", "database is down")
	if !errors.Is(err, foreign) {
		t.Errorf("lost the cause: %v", err)
	}
}

func TestVerifierWithoutKeys(t *testing.T) {
	v, raw, want := accepted(t, "compact form")
	v.Keys = nil
	_, err := v.IDToken(t.Context(), raw, want)
	checkRefusal(t, err, "invalid", "", "Verifier.Keys is nil")
	_, err = (&jwtverify.Verifier{}).IDToken(t.Context(), raw, jwtverify.Expect{})
	checkRefusal(t, err, "invalid", "", "Verifier.Issuer is empty")
}

// A clock of the caller's is not needed.
func TestVerifierUsesTheTimeOfDay(t *testing.T) {
	v, raw, want := accepted(t, "compact form")
	v.Now = nil
	_, err := v.IDToken(t.Context(), raw, want)
	checkRefusal(t, err, "expired", "exp", "is over")
}

// A nil pointer is no key of any kind, and neither is a key without its numbers.
func TestNilKeysVerifyNothing(t *testing.T) {
	for _, k := range []struct {
		alg    string
		public crypto.PublicKey
	}{
		{"RS256", (*rsa.PublicKey)(nil)}, {"PS256", (*rsa.PublicKey)(nil)}, {"ES256", (*ecdsa.PublicKey)(nil)}, {"EdDSA", ed25519.PublicKey(nil)},
		{"RS256", &rsa.PublicKey{E: 65537}}, {"ES256", &ecdsa.PublicKey{}}, {"ES256", &ecdsa.PublicKey{Curve: elliptic.P256()}},
	} {
		key := jwtverify.Key{Public: k.public}
		err := key.VerifySignature(k.alg, []byte("input"), slices.Repeat([]byte{1}, 64))
		if !errors.Is(err, jwtverify.ErrInvalid) {
			t.Errorf("%s, %T: %v, want ErrInvalid", k.alg, k.public, err)
		}
		if strings.Contains(err.Error(), "signature does not verify") {
			t.Errorf("%s, %T: the signature is blamed: %v", k.alg, k.public, err)
		}
		if _, err := key.Thumbprint(); err == nil {
			t.Errorf("%s, %T has a thumbprint", k.alg, k.public)
		}
	}
}

package jwtverify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-go/postern/jwtverify"
)

func TestThumbprintExamples(t *testing.T) {
	for name, c := range map[string]struct{ jwk, thumbprint string }{
		"RFC 7638 3.1": {`{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		"RFC 8037 A.3": {`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
		"RFC 9449 6.1": {rfcJWK, rfcThumbprint},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := jwtverify.ParseJWKS([]byte(jwks(c.jwk)))
			if err != nil || len(keys) != 1 {
				t.Fatalf("%d keys, %v", len(keys), err)
			}
			if got, err := keys[0].Thumbprint(); got != c.thumbprint || err != nil {
				t.Errorf("thumbprint %q, %v", got, err)
			}
		})
	}
}

// TestThumbprintOracle: go-jose says the same of keys of every type, and of many
// points, some of whose coordinates begin with a zero byte.
func TestThumbprintOracle(t *testing.T) {
	var keys []crypto.PublicKey
	for _, name := range []string{"rsa", "rsa-other", "p256", "p256-other", "p384", "p521", "ed25519", "ed25519-other"} {
		keys = append(keys, publicKey(t, name))
	}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		for range 100 {
			key, err := ecdsa.GenerateKey(curve, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, key.Public())
		}
	}
	for _, public := range keys {
		want, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := (jwtverify.Key{ID: "any", Public: public}).Thumbprint(); got != b64(string(want)) || err != nil {
			t.Errorf("%T: thumbprint %q, %v; go-jose has %q", public, got, err, b64(string(want)))
		}
	}
}

func TestNoThumbprint(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 no other way leads off the curve
	off := &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}
	shared, err := jwtverify.SharedSecret(strings.Repeat("k", 32)).Keys(t.Context(), "")
	if err != nil || len(shared) != 1 {
		t.Fatal(shared, err)
	}
	for name, public := range map[string]crypto.PublicKey{
		"shared secret":    shared[0].Public,
		"no key":           nil,
		"nil RSA":          (*rsa.PublicKey)(nil),
		"empty RSA":        &rsa.PublicKey{},
		"RSA of 1024 bits": publicKey(t, "rsa-1024"),
		"nil ECDSA":        (*ecdsa.PublicKey)(nil),
		"empty ECDSA":      &ecdsa.PublicKey{},
		"not on the curve": off,
		"P-224":            p224.Public(),
		"short Ed25519":    ed25519.PublicKey("short"),
		"private key":      testKeys(t)["ed25519"].Key,
		"bytes":            []byte(strings.Repeat("k", 32)),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := jwtverify.Key{Public: public}.Thumbprint()
			if got != "" || err == nil || !strings.Contains(err.Error(), "jwtverify: no thumbprint of a key that verifies nothing") {
				t.Errorf("thumbprint %q, %v", got, err)
			}
		})
	}
}

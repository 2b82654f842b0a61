package jwtsign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"math/big"
	"strings"
	"testing"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestSign: what is signed verifies with the standard library alone.
func TestSign(t *testing.T) {
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		alg, want string
		key       crypto.Signer
	}{
		{"", "RS256", rsaKey}, {"PS384", "PS384", rsaKey}, {"RS512", "RS512", rsaKey},
		{"", "ES256", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))},
		{"", "ES384", must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))},
		{"ES512", "ES512", must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))},
		{"", "EdDSA", edKey}, {"Ed25519", "Ed25519", edKey},
	} {
		t.Run(c.want, func(t *testing.T) {
			alg, err := Algorithm(c.key, c.alg)
			if err != nil || alg != c.want {
				t.Fatalf("algorithm %q, %v", alg, err)
			}
			for range 20 { // numbers that are shorter than the curve's order come up
				token, err := Sign(c.key, alg, map[string]string{"alg": alg}, map[string]string{"iss": "me"})
				if err != nil {
					t.Fatal(err)
				}
				parts := strings.Split(token, ".")
				if got := string(must(base64.RawURLEncoding.DecodeString(parts[1]))); got != `{"iss":"me"}` {
					t.Fatalf("claims %s", got)
				}
				if !verifies(c.key.Public(), alg, parts[0]+"."+parts[1], must(base64.RawURLEncoding.DecodeString(parts[2]))) {
					t.Fatal("does not verify")
				}
			}
		})
	}
}

func verifies(pub crypto.PublicKey, alg, input string, sig []byte) bool {
	if key, ok := pub.(ed25519.PublicKey); ok {
		return ed25519.Verify(key, []byte(input), sig)
	}
	h := hashOf(alg).New()
	h.Write([]byte(input))
	switch key := pub.(type) {
	case *rsa.PublicKey:
		if strings.HasPrefix(alg, "PS") {
			return rsa.VerifyPSS(key, hashOf(alg), h.Sum(nil), sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(key, hashOf(alg), h.Sum(nil), sig) == nil
	case *ecdsa.PublicKey:
		half := len(sig) / 2
		return ecdsa.Verify(key, h.Sum(nil), new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:]))
	}
	return false
}

func TestMAC(t *testing.T) {
	token, err := MAC([]byte("secret"), "HS256", map[string]string{"alg": "HS256"}, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	end := strings.LastIndexByte(token, '.')
	mac := hmac.New(sha256.New, []byte("secret"))
	mac.Write([]byte(token[:end]))
	if token[end+1:] != base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) {
		t.Error("another MAC")
	}
}

func TestAlgorithmRefuses(t *testing.T) {
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	for name, c := range map[string]struct {
		key         crypto.Signer
		alg, reason string
	}{
		"no key":            {nil, "", "there is no key"},
		"RSA with ES256":    {rsaKey, "ES256", `and not with "ES256"`},
		"RSA with none":     {rsaKey, "none", `and not with "none"`},
		"P-224":             {must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)), "", "on a curve that no algorithm has"},
		"P-256 with ES384":  {must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), "ES384", `and not with "ES384"`},
		"another signer":    {public{"text"}, "", "a key of type string signs no tokens"},
		"RSA of no modulus": {public{&rsa.PublicKey{}}, "", "fewer than 2048 bits"},
	} {
		t.Run(name, func(t *testing.T) {
			alg, err := Algorithm(c.key, c.alg)
			if alg != "" || err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%q, %v", alg, err)
			}
		})
	}
}

// public is a signer of which only the public key matters.
type public struct{ crypto.PublicKey }

func (p public) Public() crypto.PublicKey { return p.PublicKey }
func (public) Sign(_ io.Reader, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	return []byte("no signature"), nil
}

// TestSignerThatLies: what a key in a service gives back is not believed.
func TestSignerThatLies(t *testing.T) {
	key := public{must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).Public()}
	if token, err := Sign(key, "ES256", struct{}{}, struct{}{}); token != "" || err == nil || !strings.Contains(err.Error(), "the key made no ECDSA signature") {
		t.Errorf("%q, %v", token, err)
	}
}

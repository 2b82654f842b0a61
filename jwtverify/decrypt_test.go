package jwtverify_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-go/postern/jwtverify"
)

var (
	keyAlgorithms     = []string{"RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"}
	contentAlgorithms = []string{"A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"}
)

// decrypting is the verifier of the vectors with the test keys given to decrypt, and a
// signed token that it accepts once that is encrypted.
func decrypting(tb testing.TB, keys ...string) (v *jwtverify.Verifier, signed string) {
	tb.Helper()
	v, signed, _ = accepted(tb, "compact form")
	v.Decrypt = []jwtverify.DecryptionKey{}
	for _, name := range keys {
		v.Decrypt = append(v.Decrypt, jwtverify.DecryptionKey{Private: testKeys(tb)[name].Key})
	}
	return v, signed
}

// encryptedBy encrypts with go-jose.
func encryptedBy(tb testing.TB, key crypto.PublicKey, alg, enc, plain string) string {
	tb.Helper()
	to := jose.Recipient{Algorithm: jose.KeyAlgorithm(alg), Key: key}
	e, err := jose.NewEncrypter(jose.ContentEncryption(enc), to, (&jose.EncrypterOptions{}).WithContentType("JWT"))
	if err != nil {
		tb.Fatal(err)
	}
	jwe, err := e.Encrypt([]byte(plain))
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := jwe.CompactSerialize()
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func TestDecryptsEveryAlgorithm(t *testing.T) {
	for _, alg := range keyAlgorithms {
		names := []string{"p256-other", "p384", "p521"}
		if strings.HasPrefix(alg, "RSA") {
			names = []string{"rsa-other"}
		}
		for _, name := range names {
			v, signed := decrypting(t, name)
			for _, enc := range contentAlgorithms {
				t.Run(alg+"/"+enc+"/"+name, func(t *testing.T) {
					for maker, raw := range map[string]string{
						"go-jose":              encryptedBy(t, publicKey(t, name), alg, enc, signed),
						"the standard library": sealing{key: name, alg: alg, enc: enc}.seal(t, signed),
					} {
						token, err := v.IDToken(t.Context(), raw, jwtverify.Expect{})
						if err != nil {
							t.Fatalf("by %s: %v", maker, err)
						}
						if token.Raw() != signed || token.Subject != "user-1" {
							t.Errorf("by %s: subject %q, raw %q", maker, token.Subject, token.Raw())
						}
					}
				})
			}
		}
	}
}

func TestDecryptsWithKeysInRotation(t *testing.T) {
	v, signed := decrypting(t)
	older, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	v.Decrypt = []jwtverify.DecryptionKey{
		{ID: "old", Private: older},
		{ID: "new", Private: testKeys(t)["rsa-other"].Key},
		{ID: "new", Private: testKeys(t)["p256-other"].Key},
		{ID: "new", Algorithm: "RSA-OAEP", Private: testKeys(t)["rsa"].Key},
	}
	for _, kid := range []string{"", `"new"`} {
		for _, s := range []sealing{oaep, wrapped, {key: "rsa", alg: "RSA-OAEP", enc: "A128GCM"}} {
			if _, err := v.IDToken(t.Context(), s.with("kid", kid).seal(t, signed), jwtverify.Expect{}); err != nil {
				t.Errorf("%s, kid %s: %v", s.alg, kid, err)
			}
		}
	}
	refuses(t, v, oaep.with("kid", `"old"`).seal(t, signed), "", "encrypted key has a wrong length")
	refuses(t, v, wrapped.with("kid", `"old"`).seal(t, signed), "kid", "names no decryption key for ECDH-ES+A128KW on P-256")
	old := encryptedBy(t, &older.PublicKey, "RSA-OAEP", "A128GCM", signed)
	if _, err := v.IDToken(t.Context(), old, jwtverify.Expect{}); err != nil {
		t.Errorf("by the old key: %v", err)
	}
}

// Eight keys are tried, and the one that is named comes before those without a name.
func TestDecryptTriesABoundedNumberOfKeys(t *testing.T) {
	v, signed := decrypting(t)
	other := jwtverify.DecryptionKey{Private: testKeys(t)["p256"].Key}
	for range 8 {
		v.Decrypt = append(v.Decrypt, other)
	}
	v.Decrypt = append(v.Decrypt, jwtverify.DecryptionKey{ID: "named", Private: testKeys(t)["p256-other"].Key})
	if _, err := v.IDToken(t.Context(), agreed.with("kid", `"named"`).seal(t, signed), jwtverify.Expect{}); err != nil {
		t.Error(err)
	}
	refuses(t, v, agreed.seal(t, signed), "", "cannot be decrypted")
	v.Decrypt = v.Decrypt[1:]
	if _, err := v.IDToken(t.Context(), agreed.seal(t, signed), jwtverify.Expect{}); err != nil {
		t.Error(err)
	}
}

// A Verifier with a key that is of no use for anything rejects what it would accept without it.
func TestUnusableDecryptionKeys(t *testing.T) {
	v, signed := decrypting(t, "rsa-other")
	raw := oaep.seal(t, signed)
	good := testKeys(t)["rsa-other"].Key.(*rsa.PrivateKey)
	point := testKeys(t)["p256-other"].Key.(*ecdsa.PrivateKey)
	large := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(good.N, 2049), E: good.E}, D: good.D, Primes: good.Primes}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	moved := *point
	moved.Curve = elliptic.P384()
	const broken = "key is nil, incomplete or not consistent"
	for name, c := range map[string]struct {
		key    jwtverify.DecryptionKey
		reason string
	}{
		"nil":                     {jwtverify.DecryptionKey{}, "<nil> is no private key of a supported type"},
		"nil RSA":                 {jwtverify.DecryptionKey{Private: (*rsa.PrivateKey)(nil)}, broken},
		"nil ECDSA":               {jwtverify.DecryptionKey{Private: (*ecdsa.PrivateKey)(nil)}, broken},
		"RSA, empty":              {jwtverify.DecryptionKey{Private: &rsa.PrivateKey{}}, broken},
		"RSA, public half":        {jwtverify.DecryptionKey{Private: &rsa.PrivateKey{PublicKey: good.PublicKey}}, broken},
		"RSA, other primes":       {jwtverify.DecryptionKey{Private: &rsa.PrivateKey{PublicKey: good.PublicKey, D: good.D, Primes: []*big.Int{good.Primes[0], good.Primes[0]}}}, broken},
		"RSA by value":            {jwtverify.DecryptionKey{Private: *good}, "rsa.PrivateKey is no private key of a supported type"},
		"public RSA":              {jwtverify.DecryptionKey{Private: &good.PublicKey}, "*rsa.PublicKey is no private key of a supported type"},
		"public ECDSA":            {jwtverify.DecryptionKey{Private: &point.PublicKey}, "*ecdsa.PublicKey is no private key of a supported type"},
		"Ed25519":                 {jwtverify.DecryptionKey{Private: testKeys(t)["ed25519"].Key}, "ed25519.PrivateKey is no private key of a supported type"},
		"secret":                  {jwtverify.DecryptionKey{Private: []byte("secret")}, "[]uint8 is no private key of a supported type"},
		"weak RSA":                {jwtverify.DecryptionKey{Private: testKeys(t)["rsa-1024"].Key}, "RSA key has fewer than 2048 bits"},
		"large RSA":               {jwtverify.DecryptionKey{Private: large}, "RSA key has more than 4096 bits"},
		"P-224":                   {jwtverify.DecryptionKey{Private: p224}, "key is on a curve that is not supported"},
		"no curve":                {jwtverify.DecryptionKey{Private: &ecdsa.PrivateKey{}}, "key is on a curve that is not supported"},
		"ECDSA, curve alone":      {jwtverify.DecryptionKey{Private: &ecdsa.PrivateKey{PublicKey: ecdsa.PublicKey{Curve: elliptic.P256()}}}, broken},
		"ECDSA, public half":      {jwtverify.DecryptionKey{Private: &ecdsa.PrivateKey{PublicKey: point.PublicKey}}, broken},
		"ECDSA, not on the curve": {jwtverify.DecryptionKey{Private: &moved}, broken},
		"unknown alg":             {jwtverify.DecryptionKey{Algorithm: "RSA1_5", Private: good}, `no algorithm "RSA1_5" that may encrypt a key`},
		"alg of a signature":      {jwtverify.DecryptionKey{Algorithm: "RS256", Private: good}, `no algorithm "RS256" that may encrypt a key`},
		"alg of the wrong RSA":    {jwtverify.DecryptionKey{Algorithm: "ECDH-ES", Private: good}, "key does not fit the algorithm"},
		"alg of the wrong EC":     {jwtverify.DecryptionKey{Algorithm: "RSA-OAEP", Private: point}, "key does not fit the algorithm"},
	} {
		t.Run(name, func(t *testing.T) {
			v.Decrypt = []jwtverify.DecryptionKey{{Private: good}}
			if _, err := v.IDToken(t.Context(), raw, jwtverify.Expect{}); err != nil {
				t.Fatal(err)
			}
			c.key.ID = "the-bad-one"
			v.Decrypt = append(v.Decrypt, c.key)
			refuses(t, v, raw, "", `Verifier.Decrypt[1], "the-bad-one": `+c.reason)
		})
	}
}

// What fails after the header was found good fails in one way, whatever was wrong.
func TestOneReasonForEveryFailedDecryption(t *testing.T) {
	v, signed := decrypting(t, "rsa-other", "p256-other")
	flip := func(s sealing, i int) string {
		return part(s, i, func(text string) string {
			b := []byte(unb64(text))
			b[len(b)/2] ^= 1
			return b64(string(b))
		}).seal(t, signed)
	}
	padded := func(f func(p []byte)) string {
		s := oaepCBC
		s.pad = func(p []byte) []byte { f(p); return p }
		return s.seal(t, signed)
	}
	texts := map[string][]string{}
	for name, raw := range map[string]string{
		"key of somebody else, RSA":       sealing{key: "rsa", alg: "RSA-OAEP-256", enc: "A256GCM"}.seal(t, signed),
		"key of somebody else, agreement": sealing{key: "p256", alg: "ECDH-ES", enc: "A256GCM"}.seal(t, signed),
		"key of somebody else, wrapped":   sealing{key: "p256", alg: "ECDH-ES+A256KW", enc: "A256GCM"}.seal(t, signed),
		"encrypted key, OAEP":             flip(oaep, 1),
		"encrypted key, wrapped":          flip(wrapped, 1),
		"iv":                              flip(oaep, 2),
		"ciphertext":                      flip(oaep, 3),
		"tag, GCM":                        flip(oaep, 4),
		"tag, CBC":                        flip(oaepCBC, 4),
		"padding of 0":                    padded(func(p []byte) { p[len(p)-1] = 0 }),
		"padding of 17":                   padded(func(p []byte) { p[len(p)-1] = 17 }),
		"padding of two lengths":          padded(func(p []byte) { p[len(p)-1], p[len(p)-2] = 2, 3 }),
		"apu that is no base64":           agreed.with("apu", `"*"`).seal(t, signed),
		"apv of another text":             agreed.with("apv", `"QUJD"`).seal(t, signed),
		"content's key of another length": sealing{key: "rsa-other", alg: "RSA-OAEP", enc: "A128GCM"}.with("enc", `"A256GCM"`).seal(t, signed),
	} {
		refuses(t, v, raw, "", "cannot be decrypted")
		_, err := v.IDToken(t.Context(), raw, jwtverify.Expect{})
		texts[err.Error()] = append(texts[err.Error()], name)
	}
	if len(texts) != 1 {
		t.Errorf("told apart: %q", texts)
	}
}

func TestVerifierIsRedacted(t *testing.T) {
	v, _ := decrypting(t, "rsa-other", "p256-other")
	v.Decrypt[0].ID = "canary-kid"
	holder := struct {
		Pointer  *jwtverify.Verifier
		Verifier jwtverify.Verifier
		Key      jwtverify.DecryptionKey
	}{v, *v, v.Decrypt[0]}
	var log bytes.Buffer
	text, list := slog.New(slog.NewTextHandler(&log, nil)), slog.New(slog.NewJSONHandler(&log, nil))
	for _, l := range []*slog.Logger{text, list} {
		l.Info("x", "pointer", v, "value", *v, "key", holder.Key, "keys", v.Decrypt, "holder", holder)
	}
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(encoded)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		printed += fmt.Sprintf(strings.Repeat(verb, 5), v, *v, holder.Key, v.Decrypt, holder)
	}
	private := testKeys(t)["rsa-other"].Key.(*rsa.PrivateKey)
	prime := private.Primes[0]
	for _, secret := range []string{"canary", prime.String()[:20], prime.Text(16)[:20], private.D.String()[:20], "client-1"} {
		if strings.Contains(printed, secret) {
			t.Errorf("%q is in %s", secret, printed)
		}
	}
	if !strings.Contains(printed, "[redacted]") {
		t.Errorf("printed as %s", printed)
	}
}

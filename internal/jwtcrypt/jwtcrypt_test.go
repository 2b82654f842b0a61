package jwtcrypt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func newRSA(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newEC(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// setOf is a JWK set; each key is a jose.JSONWebKey or a text.
func setOf(t *testing.T, keys ...any) string {
	t.Helper()
	var list []string
	for _, key := range keys {
		text, ok := key.(string)
		if !ok {
			data, err := json.Marshal(key)
			if err != nil {
				t.Fatal(err)
			}
			text = string(data)
		}
		list = append(list, text)
	}
	return `{"keys":[` + strings.Join(list, ",") + `]}`
}

func TestEncrypt(t *testing.T) {
	const token = "e30.e30.c2ln"
	forRSA := newRSA(t, 2048)
	for _, algorithm := range algorithms {
		private := []crypto.Signer{forRSA}
		if strings.HasPrefix(algorithm, "ECDH") {
			private = []crypto.Signer{newEC(t, elliptic.P256()), newEC(t, elliptic.P384()), newEC(t, elliptic.P521())}
		}
		for _, key := range private {
			for _, content := range ciphers {
				if err := Check(algorithm, content); err != nil {
					t.Fatal(err)
				}
				keys, err := ParseKeys(setOf(t, jose.JSONWebKey{Key: key.Public(), KeyID: "k", Use: "enc"}))
				if err != nil {
					t.Fatal(err)
				}
				raw, err := Encrypt(keys, algorithm, content, token)
				if err != nil {
					t.Fatalf("%s %s: %v", algorithm, content, err)
				}
				jwe, err := jose.ParseEncryptedCompact(raw, []jose.KeyAlgorithm{jose.KeyAlgorithm(algorithm)}, []jose.ContentEncryption{jose.ContentEncryption(content)})
				if err != nil {
					t.Fatal(err)
				}
				if h := jwe.Header; h.KeyID != "k" || h.ExtraHeaders["cty"] != "JWT" {
					t.Errorf("header %+v", h)
				}
				if plain, err := jwe.Decrypt(key); err != nil || string(plain) != token {
					t.Errorf("%s %s: %v", algorithm, content, err)
				}
			}
		}
	}
}

// Which of several keys is taken, by its kid.
func TestKeyChoice(t *testing.T) {
	forRSA, forEC := newRSA(t, 2048).Public(), newEC(t, elliptic.P256()).Public()
	key := func(id string, public crypto.PublicKey, use, alg string) jose.JSONWebKey {
		return jose.JSONWebKey{Key: public, KeyID: id, Use: use, Algorithm: alg}
	}
	for _, test := range []struct {
		name, algorithm, want string
		keys                  []any
	}{
		{"its type", "ECDH-ES", "ec", []any{key("rsa", forRSA, "enc", ""), key("ec", forEC, "enc", "")}},
		{"its algorithm", "RSA-OAEP-256", "b", []any{key("a", forRSA, "enc", "RSA-OAEP"), key("b", forRSA, "enc", "RSA-OAEP-256")}},
		{"not for signing", "RSA-OAEP", "b", []any{key("a", forRSA, "sig", ""), key("b", forRSA, "enc", "")}},
		{"not for signing by its algorithm", "RSA-OAEP", "b", []any{key("a", forRSA, "", "RS256"), key("b", forRSA, "", "RSA-OAEP")}},
		{"one that says so first", "RSA-OAEP", "b", []any{key("a", forRSA, "", ""), key("b", forRSA, "enc", "")}},
		{"one that says nothing", "RSA-OAEP", "a", []any{key("a", forRSA, "", "")}},
		{"beside broken ones", "ECDH-ES", "ec", []any{`1`, `{"kty":"EC","use":"enc","crv":"P-256","x":"AA","y":"AA"}`, `{"kty":"oct","use":"enc","k":"AAAA"}`, key("ec", forEC, "enc", "")}},
	} {
		keys, err := ParseKeys(setOf(t, test.keys...))
		if err != nil {
			t.Fatal(err)
		}
		i := -1
		for j := range keys {
			if i < 0 && keys[j].fits(test.algorithm) {
				i = j
			}
		}
		if i < 0 || keys[i].jwk.KeyID != test.want {
			t.Errorf("%s: key %d of %d", test.name, i, len(keys))
		}
		if _, err := Encrypt(keys, test.algorithm, "A128GCM", "x"); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestNoKey(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private := newEC(t, elliptic.P256())
	for name, key := range map[string]any{
		"weak":         jose.JSONWebKey{Key: newRSA(t, 1024).Public(), Use: "enc"},
		"for signing":  jose.JSONWebKey{Key: private.Public(), Use: "sig"},
		"private":      jose.JSONWebKey{Key: private, Use: "enc"},
		"of Ed25519":   jose.JSONWebKey{Key: ed.Public(), Use: "enc"},
		"secret":       `{"kty":"oct","use":"enc","k":"AAAA"}`,
		"other use":    jose.JSONWebKey{Key: private.Public(), Use: "wrap"},
		"for RSA only": jose.JSONWebKey{Key: private.Public(), Use: "enc", Algorithm: "RSA-OAEP"},
		"large member": `{"kty":"RSA","use":"enc","e":"AQAB","n":"` + strings.Repeat("A", 4096) + `"}`,
	} {
		keys, err := ParseKeys(setOf(t, key))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, algorithm := range algorithms {
			if name == "for RSA only" && strings.HasPrefix(algorithm, "RSA") {
				continue // which fits refuses by the type
			}
			if raw, err := Encrypt(keys, algorithm, "A128GCM", "x"); !errors.Is(err, ErrNoKey) {
				t.Errorf("%s, %s: got %q, %v, want ErrNoKey", name, algorithm, raw, err)
			}
		}
	}
	for _, set := range []string{"", "[]", "{}", `{"keys":{}}`, `{"keys":[],"keys":[]}`, `{"keys":[`, `{"keys":[{"kty":"EC","kty":"RSA"}]}`} {
		if keys, err := ParseKeys(set); err == nil || len(keys) > 0 {
			t.Errorf("%q: %d keys and no error", set, len(keys))
		}
	}
}

func TestCheckRejects(t *testing.T) {
	for _, test := range []struct{ algorithm, content, want string }{
		{"RSA1_5", "A128GCM", `"RSA1_5" is none of RSA-OAEP, RSA-OAEP-256, ECDH-ES, ECDH-ES+A128KW, ECDH-ES+A192KW, ECDH-ES+A256KW`},
		{"dir", "A128GCM", `"dir" is none of RSA-OAEP, RSA-OAEP-256, ECDH-ES, ECDH-ES+A128KW, ECDH-ES+A192KW, ECDH-ES+A256KW`},
		{"ECDH-ES", "", `"" is none of A128GCM, A192GCM, A256GCM, A128CBC-HS256, A192CBC-HS384, A256CBC-HS512`},
	} {
		if err := Check(test.algorithm, test.content); err == nil || err.Error() != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

// Of a large set a bounded part is looked at.
func TestParseKeysBound(t *testing.T) {
	key, err := json.Marshal(jose.JSONWebKey{Key: newEC(t, elliptic.P256()).Public(), Use: "enc"})
	if err != nil {
		t.Fatal(err)
	}
	set := `{"keys":[` + strings.Repeat(string(key)+",", maxKeys) + string(key) + `]}`
	if keys, err := ParseKeys(set); err != nil || len(keys) != maxKeys {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

// No set makes it panic, and what is encrypted is never for a key that it refused.
func FuzzParseKeys(f *testing.F) {
	f.Add(`{"keys":[{"kty":"EC","use":"enc","crv":"P-256","x":"AA","y":"AA"}]}`)
	f.Add(`{"keys":[{"kty":"RSA","alg":"RSA-OAEP","n":"AQAB","e":"AQAB"}]}`)
	f.Fuzz(func(t *testing.T, set string) {
		keys, err := ParseKeys(set)
		if err != nil && len(keys) > 0 && !strings.Contains(set, "keys") {
			t.Error("keys of nothing")
		}
		for _, k := range keys {
			if k.weakness() != nil {
				t.Error("a weak key was kept")
			}
			_, err := Encrypt([]Key{k}, "ECDH-ES", "A128GCM", "x")
			_, errRSA := Encrypt([]Key{k}, "RSA-OAEP", "A128GCM", "x")
			if err == nil && errRSA == nil {
				t.Error("a key of two types")
			}
		}
	})
}

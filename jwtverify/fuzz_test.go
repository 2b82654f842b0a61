package jwtverify_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/postern-go/postern/jwtverify"
)

// ed25519Verifier and its go-oidc counterpart accept what the test key "ed25519" signs.
func ed25519Verifier(tb testing.TB) *jwtverify.Verifier {
	return &jwtverify.Verifier{
		Issuer: testIssuer, Audience: testClient,
		Keys: jwtverify.StaticKeys(jwtverify.Key{ID: "ed25519", Public: publicKey(tb, "ed25519")}),
		Now:  func() time.Time { return time.Unix(testNow, 0) },
	}
}

// FuzzOracle: every token that go-oidc rejects is rejected here. Its clock stands at
// ours less the leeway, and the header has only members that both read alike.
func FuzzOracle(f *testing.F) {
	for _, file := range loadVectors(f, "idtoken") {
		for _, v := range file.Vectors {
			if v.Payload != "" {
				f.Add(`{"alg":"EdDSA","kid":"ed25519","typ":"JWT"}`, v.Payload)
			}
		}
	}
	for _, header := range []string{`{"alg":"EdDSA"}`, ` {"kid":"ed25519" , "alg":"Ed\u0044SA"}`, `{"alg":"EdDSA","cty":"JWT","typ":"jwt"}`, `{"alg":"RS256"}`} {
		f.Add(header, benchClaims)
	}
	ours := ed25519Verifier(f)
	key := testKeys(f)["ed25519"].Key
	theirs := oidc.NewVerifier(testIssuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{publicKey(f, "ed25519")}}, &oidc.Config{
		ClientID: testClient, SupportedSigningAlgs: []string{oidc.EdDSA},
		Now: func() time.Time { return time.Unix(testNow, 0).Add(-jwtverify.DefaultLeeway) },
	})
	f.Fuzz(func(t *testing.T, header, payload string) {
		if !plainHeader(header) {
			return
		}
		input := b64(header) + "." + b64(payload)
		raw := input + "." + b64(string(sign(t, key, "EdDSA", input)))
		token, err := ours.IDToken(t.Context(), raw, jwtverify.Expect{Nonce: nonceOf(payload)})
		if err != nil {
			if token != nil {
				t.Fatal("a token beside the error")
			}
			return
		}
		oracle, err := theirs.Verify(context.Background(), raw)
		if err != nil {
			t.Fatalf("accepted, and go-oidc says: %v", err)
		}
		if oracle.Subject != token.Subject || oracle.Issuer != token.Issuer || !slices.Equal(oracle.Audience, token.Audience) ||
			!oracle.Expiry.Equal(token.Expiry) || !oracle.IssuedAt.Equal(token.IssuedAt) || oracle.Nonce != token.Nonce {
			t.Fatalf("read as sub %q, exp %v, iat %v; go-oidc reads sub %q, exp %v, iat %v",
				token.Subject, token.Expiry, token.IssuedAt, oracle.Subject, oracle.Expiry, oracle.IssuedAt)
		}
	})
}

// plainHeader tells whether a header has only members of which both libraries have
// the same opinion.
func plainHeader(text string) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil {
		return false
	}
	for name := range members {
		if !slices.Contains([]string{"alg", "kid", "typ", "cty"}, name) {
			return false
		}
	}
	return string(members["alg"]) != `"Ed25519"` // which go-jose does not know
}

func nonceOf(payload string) string {
	var claims struct{ Nonce string }
	if json.Unmarshal([]byte(payload), &claims) != nil {
		return ""
	}
	return claims.Nonce
}

// FuzzIDToken: of all texts there are, only the token that was signed is accepted.
func FuzzIDToken(f *testing.F) {
	v := ed25519Verifier(f)
	v.Keys = jwtverify.StaticKeys(jwtverify.Key{ID: "ed25519", Public: publicKey(f, "ed25519")}, jwtverify.Key{ID: "rsa", Public: publicKey(f, "rsa")})
	var signed []string
	for _, file := range loadVectors(f, "idtoken") {
		for _, vec := range file.Vectors {
			if len(vec.Token) < 4000 {
				f.Add(vec.Token)
			}
			signed = append(signed, vec.Token) // what of it is refused is for TestVectors to say
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := v.IDToken(t.Context(), raw, jwtverify.Expect{})
		if (token == nil) != (err != nil) {
			t.Fatalf("token %v beside the error %v", token, err)
		}
		if err == nil && !slices.Contains(signed, raw) {
			t.Fatalf("accepted %q", raw)
		}
	})
}

// TestNoChangedByteIsAccepted is FuzzIDToken for each single byte.
func TestNoChangedByteIsAccepted(t *testing.T) {
	for _, name := range []string{"signed by EdDSA", "signed by ES256"} {
		v, raw, want := accepted(t, name)
		for i := range raw {
			for _, c := range []byte{raw[i] ^ 1, raw[i] ^ 0x20, '.', 'A', '=', '\n'} {
				if c == raw[i] {
					continue
				}
				changed := raw[:i] + string(rune(c)) + raw[i+1:]
				if _, err := v.IDToken(t.Context(), changed, want); err == nil {
					t.Errorf("%s: accepted with %q for %q at %d", name, c, raw[i], i)
				}
			}
			if _, err := v.IDToken(t.Context(), raw[:i]+raw[i+1:], want); err == nil {
				t.Errorf("%s: accepted without byte %d", name, i)
			}
		}
	}
}

// FuzzParseJWKS: what is kept of a set is a public key that go-jose reads in the same
// way and calls valid; each fits an algorithm and takes no signature that needs no private
// key; and no element of a set decides about another one.
func FuzzParseJWKS(f *testing.F) {
	for _, file := range loadVectors(f, "idtoken") {
		f.Add([]byte(file.JWKS))
		for _, v := range file.Vectors {
			if v.JWKS != nil {
				f.Add([]byte(v.JWKS))
			}
		}
	}
	algs := []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "none", "HS256",
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := jwtverify.ParseJWKS(data)
		if err != nil {
			if keys != nil {
				t.Fatalf("keys beside the error: %v", keys)
			}
			return
		}
		if len(keys) > 256 {
			t.Fatalf("%d keys", len(keys))
		}
		checkOneByOne(t, data, keys)
		for _, k := range keys {
			checkPublished(t, k)
			fits := false
			for _, alg := range algs {
				for first := range byte(2) { // for Ed25519: R a point of order 4, or the neutral element
					err := k.VerifySignature(alg, []byte("a.b"), append([]byte{first}, make([]byte, 63)...))
					if err == nil {
						t.Fatalf("a signature of %d and zeros verifies with %+v", first, k)
					}
					fits = fits || strings.Contains(err.Error(), "signature does not verify")
				}
			}
			if !fits {
				t.Fatalf("kept a key of no use: %+v", k)
			}
		}
	})
}

// checkPublished asserts that a key is a valid public one, and survives its own JWK.
func checkPublished(t *testing.T, k jwtverify.Key) {
	key := jose.JSONWebKey{Key: k.Public, KeyID: k.ID, Algorithm: k.Algorithm}
	if !key.Valid() || !key.IsPublic() {
		t.Fatalf("kept a key that go-jose does not take for a public one: %+v", k)
	}
	text, err := key.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := jwtverify.ParseJWKS([]byte(jwks(string(text))))
	k.Issuer = "" // which go-jose does not write
	if err != nil || !reflect.DeepEqual(again, []jwtverify.Key{k}) {
		t.Fatalf("%+v was read back as %+v, %v", k, again, err)
	}
}

// checkOneByOne asserts that a set of one for each element gives the same keys, none of
// which is a private one to encoding/json.
func checkOneByOne(t *testing.T, data []byte, keys []jwtverify.Key) {
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(data, &set); err != nil {
		t.Fatalf("read as a set, and encoding/json says: %v", err)
	}
	var single []jwtverify.Key
	for _, element := range set.Keys[:min(len(set.Keys), 1024)] {
		one, err := jwtverify.ParseJWKS([]byte(jwks(string(element))))
		if err != nil || len(one) > 1 {
			t.Fatalf("%d keys of %s, %v", len(one), element, err)
		}
		single = append(single, one...)
		var private struct{ D, K, P, Q, Priv string }
		if json.Unmarshal(element, &private); len(one) > 0 && private != (struct{ D, K, P, Q, Priv string }{}) {
			t.Fatalf("kept a private key: %s", element)
		}
	}
	if single = single[:min(len(single), 256)]; len(keys) != len(single) || len(keys) > 0 && !reflect.DeepEqual(keys, single) {
		t.Fatalf("kept %+v of the set, and one by one %+v", keys, single)
	}
}

// FuzzUnpack: stored bytes of any kind are restored or refused, and what is restored
// is stored as the same bytes.
func FuzzUnpack(f *testing.F) {
	token, _ := everyClaim(f)
	for _, t := range []*jwtverify.IDToken{token, token.WithoutRaw()} {
		stored, err := t.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stored)
	}
	f.Add([]byte{})
	f.Add([]byte("\x02{}"))
	f.Add([]byte("\x01\x03\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var token jwtverify.IDToken
		if err := token.UnmarshalBinary(data); err != nil {
			if token.Raw() != "" || token.Subject != "" || token.Claims(&struct{}{}) == nil {
				t.Fatal("half restored")
			}
			return
		}
		again, err := token.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("restored %x, stored %x, %v", data, again, err)
		}
		if data[0] == 1 && strings.Count(token.Raw(), ".") != 2 {
			t.Fatalf("restored %q", token.Raw())
		}
	})
}

package jwtverify_test

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

func deflate(tb testing.TB, s string) string {
	tb.Helper()
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := z.Write([]byte(s)); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// costs bounds what refusing a token may take: so many allocations, of so many bytes in all.
func costs(t *testing.T, v *jwtverify.Verifier, raw string, allocs float64, size uint64) {
	t.Helper()
	const runs = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := testing.AllocsPerRun(runs, func() {
		if _, err := v.IDToken(t.Context(), raw, jwtverify.Expect{}); err == nil {
			t.Fatal("accepted")
		}
	})
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / (runs + 1); got > allocs || each > size {
		t.Errorf("%v allocations of %d bytes, want at most %v of %d", got, each, allocs, size)
	}
}

// Ten megabytes in a token of 14,000 bytes.
func TestV6DecompressionBomb(t *testing.T) {
	v, signed := decrypting(t, "rsa-other")
	s := oaep.with("zip", `"DEF"`)
	s.plain = func(string) string { return deflate(t, strings.Repeat("A", 10<<20)) }
	bomb := s.seal(t, signed)
	refuses(t, v, bomb, "zip", "asks for decompression")
	costs(t, v, bomb, 80, 128<<10)
	s.plain = func(token string) string { return deflate(t, token) }
	refuses(t, v, s.seal(t, signed), "zip", "asks for decompression")
	s = oaep // compressed and not said to be: whatever is in it, it is no signed token
	s.plain = func(token string) string { return strings.ReplaceAll(deflate(t, token), "\n", "") }
	if _, err := v.IDToken(t.Context(), s.seal(t, signed), jwtverify.Expect{}); err == nil {
		t.Error("accepted what was compressed")
	}
}

func TestV7PBES2Bomb(t *testing.T) {
	v, _ := decrypting(t, "rsa-other", "p256-other")
	for _, alg := range []string{"PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "PBES2-HS512+A256KW"} {
		bomb := b64(`{"alg":"`+alg+`","enc":"A128GCM","p2c":2147483647,"p2s":"AAAAAAAAAAA"}`) +
			"." + b64(strings.Repeat("k", 24)) + "." + b64(strings.Repeat("i", 12)) + ".AAAA." + b64(strings.Repeat("t", 16))
		refuses(t, v, bomb, "alg", "is not an algorithm that may encrypt a key")
		costs(t, v, bomb, 80, 16<<10)
	}
}

// What made go-jose panic (CVE-2026-34986), and what is next to it: every part of any length.
func TestV7bMalformedEncryptedTokens(t *testing.T) {
	v, signed := decrypting(t, "rsa-other", "p256-other")
	for _, s := range []sealing{oaep, oaepCBC, agreed, wrapped, {key: "p256-other", alg: "ECDH-ES+A256KW", enc: "A256CBC-HS512"}} {
		good := strings.Split(s.seal(t, signed), ".")
		for i, text := range good {
			for _, size := range []int{0, 1, 7, 8, 9, 11, 12, 13, 15, 16, 17, 24, 31, 32, 33, 40, 64, 72, 255, 256, 257} {
				filled := unb64(text) + strings.Repeat("\x00", size)
				if filled[:size] == unb64(text) {
					continue
				}
				parts := slices.Clone(good)
				parts[i] = b64(filled[:size])
				if token, err := v.IDToken(t.Context(), strings.Join(parts, "."), jwtverify.Expect{}); token != nil || !errors.Is(err, jwtverify.ErrInvalid) {
					t.Errorf("%s, %s, %d bytes in part %d: %v", s.alg, s.enc, size, i, err)
				}
			}
		}
	}
	for _, raw := range []string{"....", "e30....", "e30.AA.AA.AA.AA", b64(`{"alg":"ECDH-ES+A128KW","enc":"A128GCM","epk":{}}`) + "....", b64(`[]`) + "....", b64(`null`) + "...."} {
		if token, err := v.IDToken(t.Context(), raw, jwtverify.Expect{}); token != nil || !errors.Is(err, jwtverify.ErrInvalid) {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

// RSA is arithmetic: a number with a zero in front is the same number.
func TestEncryptedKeyWithoutItsZero(t *testing.T) {
	v, signed := decrypting(t, "rsa-other")
	content := randomBytes(32)
	s := oaep
	s.wrapped = func(key []byte) []byte {
		for key[0] != 0 {
			key = encryptOAEP(t, &testKeys(t)["rsa-other"].Key.(*rsa.PrivateKey).PublicKey, s.alg, content)
		}
		return key
	}
	s.content = content
	raw := s.seal(t, signed)
	if _, err := v.IDToken(t.Context(), raw, jwtverify.Expect{}); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(raw, ".")
	parts[1] = b64(unb64(parts[1])[1:])
	refuses(t, v, strings.Join(parts, "."), "", "encrypted key has a wrong length")
}

func TestNoChangedByteOfAnEncryptedTokenIsAccepted(t *testing.T) {
	v, signed := decrypting(t, "p256-other")
	for _, s := range []sealing{agreed, {key: "p256-other", alg: "ECDH-ES+A256KW", enc: "A256CBC-HS512"}} {
		raw := s.seal(t, signed)
		if _, err := v.IDToken(t.Context(), raw, jwtverify.Expect{}); err != nil {
			t.Fatal(err)
		}
		step := 1
		if testing.Short() {
			step = 7
		}
		for i := 0; i < len(raw); i += step {
			for _, c := range []byte{raw[i] ^ 1, raw[i] ^ 0x20, '.', 'A', '=', '\n'} {
				if c == raw[i] {
					continue
				}
				changed := raw[:i] + string(rune(c)) + raw[i+1:]
				if _, err := v.IDToken(t.Context(), changed, jwtverify.Expect{}); err == nil {
					t.Errorf("%s: accepted with %q for %q at %d", s.alg, c, raw[i], i)
				}
			}
			if _, err := v.IDToken(t.Context(), raw[:i]+raw[i+1:], jwtverify.Expect{}); err == nil {
				t.Errorf("%s: accepted without byte %d", s.alg, i)
			}
		}
	}
}

func TestLargeEncryptedTokensCostNothing(t *testing.T) {
	v, _ := decrypting(t, "rsa-other", "p256-other")
	part := strings.Repeat("A", 1<<18)
	for _, raw := range []string{
		strings.Join([]string{b64(`{"alg":"RSA-OAEP","enc":"A128GCM"}`), part, part, part, part}, "."),
		strings.Repeat(".", 1<<20), strings.Repeat("A", 24<<10+1),
	} {
		refuses(t, v, raw, "", "larger than 24576 bytes")
		costs(t, v, raw, 60, 8<<10)
	}
	refuses(t, v, strings.Repeat(".", 24<<10), "", "not encrypted")
	v.Decrypt = nil
	refuses(t, v, strings.Join([]string{"e30", part, part, part, part}, "."), "", "larger than 16384 bytes")
}

// A token whose key nobody has costs no private operation, and no token a fetch
// before it is decrypted.
func TestUndecryptableTokensCauseNoFetch(t *testing.T) {
	v, signed := decrypting(t, "rsa-other")
	keys := &asked{KeySet: v.Keys}
	v.Keys = keys
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, v, encryptedBy(t, &other.PublicKey, "RSA-OAEP", "A128GCM", signed), "", "cannot be decrypted")
	refuses(t, v, signed, "", "not encrypted")
	if n := keys.times.Load(); n != 0 {
		t.Errorf("looked for a key %d times", n)
	}
}

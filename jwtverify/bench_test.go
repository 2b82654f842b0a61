package jwtverify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// benchClaims are twelve claims, as a provider sends them: an ID token of some 880
// bytes with RS256.
const benchClaims = `{"iss":"https://op.example.com","sub":"f3c1a7be-5e0d-4a4b-9d0e-2f1c3b5a7d90","aud":"client-1",` +
	`"exp":1767225900,"iat":1767225595,"auth_time":1767225590,"nonce":"Yk3x0cPzqv5n0a7dSzqfyT0J3uN0m1bV",` +
	`"at_hash":"77QmUPtjPfzWtF2AnpK9RQ","sid":"9c2f1d8e4b","email":"ada@example.com","email_verified":true,"name":"Ada Lovelace"}`

var benchAlgorithms = []struct{ alg, key string }{
	{"RS256", "rsa"}, {"PS256", "rsa"}, {"ES256", "p256"}, {"EdDSA", "ed25519"},
}

// BenchmarkBare is the least that any verification costs: the hash of the signing
// input and the standard library's check of the signature, decoded already.
func BenchmarkBare(b *testing.B) {
	for _, c := range benchAlgorithms {
		b.Run(c.alg, func(b *testing.B) {
			check := bareCheck(b, c.alg, c.key)
			b.ReportAllocs()
			for b.Loop() {
				if !check() {
					b.Fatal("does not verify")
				}
			}
		})
	}
}

// BenchmarkVerify is Verifier.IDToken, with a key set of one.
func BenchmarkVerify(b *testing.B) {
	for _, c := range benchAlgorithms {
		b.Run(c.alg, func(b *testing.B) { benchVerify(b, c.alg, c.key, 0) })
	}
}

// BenchmarkVerifyAmong is the same with a set of many keys.
func BenchmarkVerifyAmong(b *testing.B) {
	for _, others := range []int{9, 99} {
		b.Run(fmt.Sprint(others+1), func(b *testing.B) { benchVerify(b, "RS256", "rsa", others) })
	}
}

func benchVerify(b *testing.B, alg, key string, others int) {
	v, raw, want := benchToken(b, alg, key, others)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.IDToken(b.Context(), raw, want); err != nil {
			b.Fatal(err)
		}
	}
}

func benchToken(tb testing.TB, alg, key string, others int) (*jwtverify.Verifier, string, jwtverify.Expect) {
	var keys []jwtverify.Key
	for i := range others {
		keys = append(keys, jwtverify.Key{ID: fmt.Sprint("other-", i), Public: publicKey(tb, "rsa-other")})
	}
	keys = append(keys, jwtverify.Key{ID: key, Public: publicKey(tb, key)})
	v := &jwtverify.Verifier{
		Issuer: testIssuer, Audience: testClient, Keys: jwtverify.StaticKeys(keys...),
		Now: func() time.Time { return time.Unix(testNow, 0) },
	}
	raw := mint(tb, key, alg, `{"alg":"`+alg+`","kid":"`+key+`"}`, benchClaims)
	return v, raw, jwtverify.Expect{Nonce: "Yk3x0cPzqv5n0a7dSzqfyT0J3uN0m1bV"}
}

func bareCheck(tb testing.TB, alg, key string) func() bool {
	_, raw, _ := benchToken(tb, alg, key, 0)
	return bareCheckOf(tb, raw, alg, key)
}

func bareCheckOf(tb testing.TB, raw, alg, key string) func() bool {
	dot := strings.LastIndexByte(raw, '.')
	input, sig := []byte(raw[:dot]), []byte(unb64(raw[dot+1:]))
	switch pub := publicKey(tb, key).(type) {
	case *rsa.PublicKey:
		return func() bool {
			sum := sha256.Sum256(input)
			if alg == "PS256" {
				return rsa.VerifyPSS(pub, crypto.SHA256, sum[:], sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
			}
			return rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], sig) == nil
		}
	case *ecdsa.PublicKey:
		der := []byte(asDER(string(sig)))
		return func() bool {
			sum := sha256.Sum256(input)
			return ecdsa.VerifyASN1(pub, sum[:], der)
		}
	default:
		ed := pub.(ed25519.PublicKey)
		return func() bool { return ed25519.Verify(ed, input, sig) }
	}
}

// BenchmarkRatio measures both by turns, so that a busy machine slows both down, and
// reports the median of the ratios.
func BenchmarkRatio(b *testing.B) {
	for _, c := range benchAlgorithms {
		b.Run(c.alg, func(b *testing.B) {
			check := bareCheck(b, c.alg, c.key)
			v, raw, want := benchToken(b, c.alg, c.key, 0)
			byTurns(b, func() { check() }, func() {
				if _, err := v.IDToken(b.Context(), raw, want); err != nil {
					b.Fatal(err)
				}
			})
		})
		b.Run("access-token-"+c.alg, func(b *testing.B) {
			v, raw := benchAccessToken(b, c.alg, c.key)
			check := bareCheckOf(b, raw, c.alg, c.key)
			byTurns(b, func() { check() }, func() {
				if _, err := v.AccessToken(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func byTurns(b *testing.B, floor, whole func()) {
	var ratios []float64
	for b.Loop() {
		start := time.Now()
		floor()
		middle := time.Now()
		whole()
		ratios = append(ratios, float64(time.Since(middle))/float64(middle.Sub(start)))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-floor")
}

// benchAccessClaims are twelve claims of an access token, some 930 bytes with RS256.
const benchAccessClaims = `{"iss":"https://op.example.com","sub":"f3c1a7be-5e0d-4a4b-9d0e-2f1c3b5a7d90","aud":["client-1"],` +
	`"client_id":"web-client-8f2e","exp":1767225900,"iat":1767225595,"auth_time":1767225590,"jti":"9f0b6f6e-6d0c-4d4e-8d4a-2d1f0c7b5a33",` +
	`"scope":"openid profile tasks:read tasks:write","acr":"urn:mace:incommon:iap:silver","sid":"9c2f1d8e4b","groups":["staff","editors"]}`

func benchAccessToken(tb testing.TB, alg, key string) (*jwtverify.Verifier, string) {
	v, _, _ := benchToken(tb, alg, key, 0)
	return v, mint(tb, key, alg, `{"alg":"`+alg+`","kid":"`+key+`","typ":"at+jwt"}`, benchAccessClaims)
}

// BenchmarkRefused is what a token costs that should not have come.
func BenchmarkRefused(b *testing.B) {
	v, raw, want := benchToken(b, "RS256", "rsa", 0)
	for _, c := range []struct{ name, raw string }{
		{"dots", strings.Repeat(".", 1<<20)},
		{"dots-16K", strings.Repeat(".", 16<<10)},
		{"signature", raw[:len(raw)-8] + "AAAAAAAA"},
		{"kid", strings.Replace(raw, b64(`{"alg":"RS256","kid":"rsa"}`), b64(`{"alg":"RS256","kid":"no!"}`), 1)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.IDToken(b.Context(), c.raw, want); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

// BenchmarkStored is what a session costs each time it is loaded.
func BenchmarkStored(b *testing.B) {
	v, raw, want := benchToken(b, "RS256", "rsa", 0)
	token, err := v.IDToken(b.Context(), raw, want)
	if err != nil {
		b.Fatal(err)
	}
	stored, err := token.MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var t jwtverify.IDToken
			if err := t.UnmarshalBinary(stored); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("raw", func(b *testing.B) {
		var t jwtverify.IDToken
		if err := t.UnmarshalBinary(stored); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if t.Raw() != raw {
				b.Fatal("another token")
			}
		}
	})
}

// TestAllocations gates what the ratio of the benchmarks cannot: at most seven
// allocations above those of the bare check.
func TestAllocations(t *testing.T) {
	for _, c := range benchAlgorithms {
		v, raw, want := benchToken(t, c.alg, c.key, 0)
		check := bareCheck(t, c.alg, c.key)
		bare := testing.AllocsPerRun(100, func() { check() })
		whole := testing.AllocsPerRun(100, func() {
			if _, err := v.IDToken(t.Context(), raw, want); err != nil {
				t.Fatal(err)
			}
		})
		if whole > bare+7 {
			t.Errorf("%s: %v allocations, and the bare check has %v", c.alg, whole, bare)
		}
		api, access := benchAccessToken(t, c.alg, c.key)
		whole = testing.AllocsPerRun(100, func() {
			if _, err := api.AccessToken(t.Context(), access); err != nil {
				t.Fatal(err)
			}
		})
		if whole > bare+7 {
			t.Errorf("access token, %s: %v allocations, and the bare check has %v", c.alg, whole, bare)
		}
	}
}

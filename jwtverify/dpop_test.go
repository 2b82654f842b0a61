package jwtverify_test

import (
	"cmp"
	"context"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// The example of RFC 9449: figures 2 and 13, and the thumbprint of 6.1.
const (
	rfcJWK        = `{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}`
	rfcThumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	rfcHeader     = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
	rfcProof      = rfcHeader + "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	rfcTokenProof = rfcHeader + "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)

var rfcRequest = proofRequest{
	Method: "GET", URL: "https://resource.example.org/protectedresource",
	AccessToken: "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", JKT: rfcThumbprint,
}

// acceptedProof is one accepted proof of the vectors.
func acceptedProof(tb testing.TB, name string) proofVector {
	tb.Helper()
	for _, v := range loadProofVectors(tb) {
		if v.Name == name && v.Expect == "accept" {
			return v
		}
	}
	tb.Fatalf("no accepted vector %q", name)
	return proofVector{}
}

// prove signs a proof for the request of the vectors with the test key "ed25519", with
// the claims given set.
func prove(tb testing.TB, claims ...member) string {
	tb.Helper()
	payload := []member{
		{"jti", `"0a1b2c3d4e5f"`}, {"htm", `"POST"`}, {"htu", `"https://api.example.com/orders/7"`},
		{"iat", "1767225598"}, {"ath", `"` + hashOf("access-token-1") + `"`},
	}
	for _, c := range claims {
		payload = set(payload, c.name, c.value)
	}
	header := `{"typ":"dpop+jwt","alg":"EdDSA","jwk":` + jwkInProof(tb, "ed25519") + `}`
	return mint(tb, "ed25519", "EdDSA", header, object(payload))
}

// proved is what prove proves.
func proved(tb testing.TB) jwtverify.ExpectProof {
	return jwtverify.ExpectProof{
		Method: "POST", URL: "https://api.example.com/orders/7", AccessToken: "access-token-1", JKT: thumbprint(tb, "ed25519"),
	}
}

func atTestNow() time.Time { return time.Unix(testNow, 0) }

// A proofGuard is a ReplayGuard that keeps what it was asked, and answers as it is told.
type proofGuard struct {
	mu    sync.Mutex
	ids   []string
	until []time.Time
	first bool
	err   error
}

func (g *proofGuard) Use(_ context.Context, id string, expires time.Time) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ids, g.until = append(g.ids, id), append(g.until, expires)
	return g.first, g.err
}

func TestProofSettings(t *testing.T) {
	for name, c := range map[string]struct {
		dpop   *jwtverify.DPoP
		reason string
	}{
		"an algorithm without a row": {&jwtverify.DPoP{Algorithms: []string{"ES256", "ES256K"}}, `DPoP.Algorithms has "ES256K", which is no signature algorithm of a public key`},
		"none":                       {&jwtverify.DPoP{Algorithms: []string{"none"}}, `DPoP.Algorithms has "none"`},
		"a shared secret":            {&jwtverify.DPoP{Algorithms: []string{"EdDSA", "HS256"}}, `DPoP.Algorithms has "HS256"`},
		"no algorithm":               {&jwtverify.DPoP{Algorithms: []string{}}, "alg is not an algorithm that may sign"},
		"a negative window":          {&jwtverify.DPoP{Window: -1}, "DPoP.Window is -1ns, and must be from 0 to 10m0s"},
		"a window of a day":          {&jwtverify.DPoP{Window: 24 * time.Hour}, "DPoP.Window is 24h0m0s"},
		"a window of 10 minutes":     {&jwtverify.DPoP{Window: 10*time.Minute + 1}, "DPoP.Window is 10m0.000000001s"},
		"an empty secret":            {&jwtverify.DPoP{NonceSecret: []byte("")}, "DPoP.NonceSecret has 0 bytes"},
		"a short secret":             {&jwtverify.DPoP{NonceSecret: testNonceSecret(1)[:31]}, "DPoP.NonceSecret has 31 bytes"},
		"a secret of zeros":          {&jwtverify.DPoP{NonceSecret: make([]byte, 64)}, "DPoP.NonceSecret has 1 different bytes"},
		"a secret of seven letters":  {&jwtverify.DPoP{NonceSecret: []byte(strings.Repeat("abcdefg", 9))}, "DPoP.NonceSecret has 7 different bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			g := &proofGuard{first: true}
			c.dpop.Now, c.dpop.Replay = atTestNow, g
			err := c.dpop.Verify(t.Context(), prove(t), proved(t))
			if err == nil || !errors.Is(err, jwtverify.ErrInvalid) || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("want ErrInvalid with %q, got: %v", c.reason, err)
			}
			if errors.Is(err, jwtverify.ErrNonce) || len(g.ids) != 0 {
				t.Errorf("guard asked %d times: %v", len(g.ids), err)
			}
		})
	}
	widest := &jwtverify.DPoP{Window: 10 * time.Minute, Algorithms: []string{"EdDSA"}, NonceSecret: []byte(strings.Repeat("abcdefgh", 4)), Now: atTestNow}
	if err := widest.Verify(t.Context(), prove(t, member{"iat", "1767225000"}), proved(t)); err != nil {
		t.Errorf("all settings at their bounds: %v", err)
	}
}

// TestZeroDPoP: without any setting, by the clock of this machine.
func TestZeroDPoP(t *testing.T) {
	var dpop jwtverify.DPoP
	iat := func(at time.Time) member { return member{"iat", strconv.FormatInt(at.Unix(), 10)} }
	proof := prove(t, iat(time.Now()))
	if err := dpop.Verify(t.Context(), proof, proved(t)); err != nil {
		t.Fatal(err)
	}
	checkProofRefusal(t, dpop.Verify(t.Context(), proof, proved(t)), "invalid", "jti", "was used before")
	checkProofRefusal(t, dpop.Verify(t.Context(), prove(t, iat(time.Now().Add(-2*time.Minute))), proved(t)), "invalid", "iat", "is too long ago")
	checkProofRefusal(t, dpop.Verify(t.Context(), prove(t), jwtverify.ExpectProof{}), "invalid", "", "ExpectProof.Method is empty")
	if nonce := dpop.Nonce(); nonce != "" {
		t.Errorf("a nonce that is not required: %q", nonce)
	}
}

// TestReplayedProofs: of a thousand requests with one proof, one is the first.
func TestReplayedProofs(t *testing.T) {
	dpop := &jwtverify.DPoP{Now: atTestNow}
	proof, want := prove(t), proved(t)
	errs := make([]error, 1000)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = dpop.Verify(context.Background(), proof, want) })
	}
	all.Wait()
	accepted := 0
	for _, err := range errs {
		if err == nil {
			accepted++
			continue
		}
		checkProofRefusal(t, err, "invalid", "jti", "was used before")
	}
	if accepted != 1 {
		t.Errorf("accepted %d times", accepted)
	}
}

// TestReplayInAnotherForm: the guard goes by key and jti, and not by the text of a
// proof, of which whoever saw it could make others.
func TestReplayInAnotherForm(t *testing.T) {
	v := acceptedProof(t, "jwk a P-256 key")
	dpop, s := v.server(), strings.Split(v.Proof, ".")
	if err := dpop.Verify(t.Context(), v.Proof, v.Request.expect()); err != nil {
		t.Fatal(err)
	}
	sig := unb64(s[2])
	n := elliptic.P256().Params().N
	mirrored := new(big.Int).Sub(n, new(big.Int).SetBytes([]byte(sig[32:])))
	s[2] = b64(sig[:32] + string(mirrored.FillBytes(make([]byte, 32)))) // verifies as well
	checkProofRefusal(t, dpop.Verify(t.Context(), strings.Join(s, "."), v.Request.expect()), "invalid", "jti", "was used before")
	again := mint(t, "p256", "ES256", v.Header+" ", v.Payload)
	checkProofRefusal(t, dpop.Verify(t.Context(), again, v.Request.expect()), "invalid", "jti", "was used before")
}

// TestGuardIsAskedLast: a proof that is wrong takes no room, and one that is right is
// remembered until nobody accepts it any more.
func TestGuardIsAskedLast(t *testing.T) {
	asked := 0
	for _, v := range loadProofVectors(t) {
		g := &proofGuard{first: true}
		dpop := v.server()
		dpop.Replay = g
		err := dpop.Verify(t.Context(), v.Proof, v.Request.expect())
		if (err == nil) != (len(g.ids) == 1) || len(g.ids) > 1 {
			t.Errorf("%s: guard asked %d times, and: %v", v.Name, len(g.ids), err)
		}
		if err != nil {
			continue
		}
		asked++
		var claims struct{ IAT json.Number }
		if err := json.Unmarshal([]byte(unb64(strings.Split(v.Proof, ".")[1])), &claims); err != nil {
			t.Fatal(err)
		}
		iat, _ := claims.IAT.Float64()
		window := cmp.Or(v.Server.WindowSeconds, 60)
		if want := time.Unix(int64(iat)+window+60, 0); !g.until[0].Equal(want) {
			t.Errorf("%s: kept until %v, want %v", v.Name, g.until[0], want)
		}
	}
	if asked < 40 {
		t.Errorf("only %d accepted", asked)
	}
}

// TestGuardIDs: an ID belongs to one key and one jti, has a form that any store takes,
// and holds nothing of what the client wrote.
func TestGuardIDs(t *testing.T) {
	g := &proofGuard{first: true}
	dpop := &jwtverify.DPoP{Now: atTestNow, Replay: g}
	use := func(key, alg, jti string) string {
		t.Helper()
		header := `{"typ":"dpop+jwt","alg":"` + alg + `","jwk":` + jwkInProof(t, key) + `}`
		payload := `{"jti":"` + jti + `","htm":"POST","htu":"https://api.example.com/orders/7","iat":1767225598,"ath":"` + hashOf("access-token-1") + `"}`
		want := proved(t)
		want.JKT = thumbprint(t, key)
		if err := dpop.Verify(t.Context(), mint(t, key, alg, header, payload), want); err != nil {
			t.Fatal(err)
		}
		return g.ids[len(g.ids)-1]
	}
	first := use("ed25519", "EdDSA", "one")
	if again := use("ed25519", "Ed25519", "one"); again != first {
		t.Errorf("the same key and jti: %q, then %q", first, again)
	}
	if other := use("ed25519", "EdDSA", `two\r\n*`); other == first || !regexp.MustCompile(`^dpop:[A-Za-z0-9_-]{43}$`).MatchString(other) {
		t.Errorf("another jti: %q", other)
	}
	if other := use("ed25519-other", "EdDSA", "one"); other == first {
		t.Errorf("another key: %q", other)
	}
}

func TestGuardFails(t *testing.T) {
	broken := errors.New("connection refused")
	dpop := &jwtverify.DPoP{Now: atTestNow, Replay: &proofGuard{first: true, err: broken}}
	err := dpop.Verify(t.Context(), prove(t), proved(t))
	checkProofRefusal(t, err, "keys", "", "replay guard: connection refused")
	if !errors.Is(err, broken) {
		t.Errorf("does not wrap the guard's own error: %v", err)
	}
}

func TestGuardIsFull(t *testing.T) {
	now := testNow
	clock := func() time.Time { return time.Unix(int64(now), 0) }
	cache := &jwtverify.ReplayCache{Size: 2, Now: clock}
	dpop := &jwtverify.DPoP{Now: clock, Replay: cache}
	verify := func(jti string) error {
		return dpop.Verify(t.Context(), prove(t, member{"jti", `"` + jti + `"`}, member{"iat", strconv.Itoa(now)}), proved(t))
	}
	for _, jti := range []string{"one", "two"} {
		if err := verify(jti); err != nil {
			t.Fatal(err)
		}
	}
	checkProofRefusal(t, verify("three"), "keys", "", "replay guard: full of ids that have not expired")
	checkProofRefusal(t, verify("one"), "invalid", "jti", "was used before")
	now += 121 // 60 seconds of window and a minute
	if err := verify("three"); err != nil {
		t.Errorf("after the others have expired: %v", err)
	}
}

// TestProofErrorsQuoteNoSecrets: of the proof, its token and its ids, nothing is in an
// error; what else a client wrote is cut.
func TestProofErrorsQuoteNoSecrets(t *testing.T) {
	for _, v := range loadProofVectors(t) {
		err := v.server().Verify(t.Context(), v.Proof, v.Request.expect())
		if err == nil {
			continue
		}
		secrets := strings.Split(v.Proof, ".")
		secrets = append(secrets, v.Proof, v.Request.AccessToken, v.Request.JKT, hashOf(v.Request.AccessToken), "0a1b2c3d4e5f")
		for _, secret := range secrets {
			if len(secret) > 8 && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", v.Name, err)
			}
		}
		if len(err.Error()) > 400 {
			t.Errorf("%s: %d bytes: %v", v.Name, len(err.Error()), err)
		}
	}
}

func TestProofRedaction(t *testing.T) {
	const token = "access-token-1"
	dpop := &jwtverify.DPoP{NonceSecret: testNonceSecret(1), RequireNonce: true, Now: atTestNow}
	dpop.Nonce() // makes what is made lazily
	want := proved(t)
	type server struct {
		DPoP *jwtverify.DPoP
		Want jwtverify.ExpectProof
	}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&out, verb+"\n"+verb+"\n"+verb+"\n", dpop, want, server{dpop, want})
	}
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("plain", "dpop", dpop, "want", want, "server", server{dpop, want})
	text, err := json.Marshal(server{dpop, want})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	secret := string(testNonceSecret(1))
	for _, hidden := range []string{token, want.JKT, secret, fmt.Sprintf("%x", secret), fmt.Sprint([]byte(secret))[1:20], b64(secret)[:20]} {
		if strings.Contains(out.String(), hidden) {
			t.Errorf("%q is in:\n%s", hidden, out.String())
		}
	}
	if n := strings.Count(out.String(), "[redacted]"); n < 20 {
		t.Errorf("redacted %d times:\n%s", n, out.String())
	}
}

// TestHostileProofsAreCheap: a proof costs no more than its bound, whatever is in it.
func TestHostileProofsAreCheap(t *testing.T) {
	dpop, want := &jwtverify.DPoP{Now: atTestNow}, proved(t)
	huge := func(bits int) string {
		key := `{"kty":"RSA","e":"AQAB","n":"` + strings.Repeat("_", bits/6) + `"}`
		return b64(`{"typ":"dpop+jwt","alg":"RS256","jwk":`+key+`}`) + ".e30." + strings.Repeat("A", 43)
	}
	for name, c := range map[string]struct {
		proof, reason string
		allocs, bytes float64
	}{
		"1 MB":                {strings.Repeat("A", 1<<20), "larger than 8192 bytes", 40, 8 << 10},
		"1 MB of dots":        {strings.Repeat(".", 1<<20), "larger than 8192 bytes", 40, 8 << 10},
		"8 KiB of dots":       {strings.Repeat(".", 8<<10), "not a JWT in compact form", 40, 8 << 10},
		"RSA of 100,000 bits": {huge(100_000), "larger than 8192 bytes", 40, 8 << 10},
		"RSA of 32,000 bits":  {huge(32_000), "is not a key that verifies signatures", 200, 128 << 10},
		"deep JSON":           {b64(`{"typ":`+strings.Repeat("[", 6000)+`}`) + ".e30.AA", "nested too deep", 60, 64 << 10},
		"many members":        {b64(`{`+memberList(600)+`}`) + ".e30.AA", "alg is missing", 2000, 256 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			err := dpop.Verify(t.Context(), c.proof, want)
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Fatalf("want %q, got: %v", c.reason, err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			allocs := testing.AllocsPerRun(10, func() { dpop.Verify(context.Background(), c.proof, want) })
			runtime.ReadMemStats(&after)
			if size := float64(after.TotalAlloc-before.TotalAlloc) / 11; allocs > c.allocs || size > c.bytes {
				t.Errorf("%v allocations, %v bytes", allocs, size)
			}
		})
	}
}

func memberList(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(`"m%d":0`, i)
	}
	return strings.Join(names, ",")
}

// BenchmarkDPoP is DPoP.Verify, to be compared with BenchmarkBare.
func BenchmarkDPoP(b *testing.B) {
	for _, c := range benchAlgorithms {
		b.Run(c.alg, func(b *testing.B) {
			v := acceptedProof(b, "proof by "+c.alg)
			dpop, want := v.server(), v.Request.expect()
			dpop.Replay = anyUse{}
			b.ReportAllocs()
			for b.Loop() {
				if err := dpop.Verify(context.Background(), v.Proof, want); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// anyUse is a ReplayGuard that guards nothing.
type anyUse struct{}

func (anyUse) Use(context.Context, string, time.Time) (bool, error) { return true, nil }

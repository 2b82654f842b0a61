package session

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// usualTokens are those of an ordinary sign-in: an ID token of 12 claims and
// about 880 bytes, an access token of RFC 9068 of about 930, and a refresh token
// of 60.
func usualTokens(t testing.TB) *client.Tokens {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(header, payload string) string {
		input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
		sum := sha256.Sum256([]byte(input))
		signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return input + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	now := testTime.Unix()
	claims := fmt.Sprintf(`{"iss":"https://op.example.com","sub":"248289761001","aud":"s6BhdRkqt3","exp":%d,"iat":%d,"auth_time":%d,`+
		`"nonce":"n-0S6_WzA2Mj-and-some-more-of-it-0123456789","at_hash":"77QmUPtjPfzWtF2AnpK9RQ","sid":"08a5019c-17e1-4977-8f42-65a12843ea02",`+
		`"email":"jane.doe@example.com","email_verified":true,"name":"Jane Doe X"}`, now+3600, now, now)
	raw := sign(`{"alg":"RS256","typ":"JWT","kid":"2026-01-key-of-the-provider-xy"}`, claims)
	verifier := &jwtverify.Verifier{
		Issuer: "https://op.example.com", Audience: "s6BhdRkqt3", Now: func() time.Time { return testTime },
		Keys: jwtverify.StaticKeys(jwtverify.Key{ID: "2026-01-key-of-the-provider-xy", Algorithm: "RS256", Public: &key.PublicKey}),
	}
	idToken, err := verifier.IDToken(context.Background(), raw, jwtverify.Expect{Nonce: "n-0S6_WzA2Mj-and-some-more-of-it-0123456789"})
	if err != nil {
		t.Fatal(err)
	}
	access := sign(`{"alg":"RS256","typ":"at+jwt","kid":"2026-01-key-of-the-provider"}`, fmt.Sprintf(`{"iss":"https://op.example.com","sub":"248289761001",`+
		`"aud":"https://api.example.com/v1","exp":%d,"iat":%d,"jti":"6f1b7c1e-0a2b-4d7b-9a59-0a1f3c9ce6a7","client_id":"s6BhdRkqt3",`+
		`"scope":"openid profile email offline_access orders:read orders:write","roles":["customer","beta-tester","newsletter"],"tenant":"7d1f2f4c","acr":"1","amr":["pwd","otp"],"x":"01234567"}`, now+300, now))
	return &client.Tokens{
		AccessToken: access, TokenType: "Bearer", RefreshToken: strings.Repeat("r3fresh", 9)[:60],
		Expiry: time.Unix(now+300, 0), Scope: []string{"openid", "profile", "email", "offline_access"}, IDToken: idToken,
	}
}

// usualRecord is the session of such a sign-in.
func usualRecord(t testing.TB) *record {
	rec := sizedRecord(0)
	rec.values, rec.tokens = nil, usualTokens(t)
	return rec
}

func TestUsualSessionFitsInto3000Bytes(t *testing.T) {
	c, jar := testCookies(t, overTLS, func(cfg *cookieConfig) { cfg.app = DefaultName }), testJar()
	rec := usualRecord(t)
	h := written(t, c, requestWith(), rec)
	if err := c.writeSeen(h, rec.id, testTime, rec.expires); err != nil {
		t.Fatal(err)
	}
	jar.take(t, overTLS, h)
	r := jar.request(t, overTLS)
	raw := len(rec.tokens.IDToken.Raw()) + len(rec.tokens.AccessToken) + len(rec.tokens.RefreshToken)
	size := len("Cookie: ") + len(r.Header.Get("Cookie"))
	t.Logf("tokens of %d bytes (ID token %d, access token %d) in a Cookie header of %d", raw, len(rec.tokens.IDToken.Raw()), len(rec.tokens.AccessToken), size)
	if size > 3000 {
		t.Errorf("a Cookie header of %d bytes, at most 3,000 are wanted", size)
	}
	got, err := c.readSession(r)
	if err != nil {
		t.Fatal(err)
	}
	if got.tokens.IDToken.Raw() != rec.tokens.IDToken.Raw() || got.tokens.AccessToken != rec.tokens.AccessToken {
		t.Error("a token changed on its way through the cookie")
	}
}

// FuzzTokensComeBack: whatever a provider calls a token is the same, byte for byte,
// behind the cookies of a browser, in one chunk or several, as text or packed.
func FuzzTokensComeBack(f *testing.F) {
	c := large(f, overTLS)
	usual := usualTokens(f)
	for _, token := range []string{
		usual.AccessToken, "", ".", "a.b.c", "e30.e30.AA", "e30.e30.AB", "e30.e30.AA==", "e30.e3\n0.AA", "e30.e30.AA.e30.AA", "....",
		"ya29.opaque_-~+/=", "\x00\xff;, \"\\", strings.Repeat("A", 3000), strings.Repeat("e30.", 1500),
	} {
		f.Add(token, "r."+token, "DPoP", "openid profile")
	}
	f.Fuzz(func(t *testing.T, access, refresh, kind, scope string) {
		if len(access)+len(refresh)+len(kind)+len(scope) > 15_000 {
			return
		}
		rec := sizedRecord(1)
		tokens := *usual
		tokens.AccessToken, tokens.RefreshToken, tokens.TokenType, tokens.Scope = access, refresh, kind, strings.Fields(scope)
		rec.tokens = &tokens
		jar := testJar()
		for range 2 { // what came back goes out once more, as after a refresh
			jar.take(t, overTLS, written(t, c, jar.request(t, overTLS), rec))
			got, err := c.readSession(jar.request(t, overTLS))
			if err != nil {
				t.Fatalf("%v, refused %q", err, jar.refused)
			}
			if got.tokens.AccessToken != access || got.tokens.RefreshToken != refresh || got.tokens.IDToken.Raw() != usual.IDToken.Raw() {
				t.Fatalf("a token changed: %q, %q", access, refresh)
			}
			if !slices.Equal(got.tokens.Scope, tokens.Scope) || got.tokens.TokenType != cmp.Or(kind, "Bearer") {
				t.Fatalf("type %q and scope %q became %q and %q", kind, scope, got.tokens.TokenType, got.tokens.Scope)
			}
			rec = got
		}
	})
}

func TestTooLargeNamesClaims(t *testing.T) {
	c := testCookies(t, overTLS, func(cfg *cookieConfig) { cfg.budget = minBudget })
	err := c.writeSession(http.Header{}, requestWith(), usualRecord(t))
	tooLarge, ok := err.(*TooLargeError)
	if !ok {
		t.Fatalf("%v, want a *TooLargeError", err)
	}
	names := fmt.Sprint(tooLarge.Parts)
	for _, want := range []string{"access token", "ID token", `claim "nonce"`, "refresh token"} {
		if !strings.Contains(names, want) {
			t.Errorf("%s does not name %s", names, want)
		}
	}
	if strings.Contains(err.Error(), "n-0S6") {
		t.Errorf("%v tells a nonce", err)
	}
}

// A loading is the ways to open the usual session: ours, from the request to a
// record with subject and access token in hand, and what one has to write with
// securecookie alone for the same bytes, from the request and from the bare value.
type loading struct {
	load, raw, rawValue func() bool
	request             *http.Request // of load
	record              *record
	cookies             *cookies
}

func newLoading(t testing.TB) *loading {
	c, rec := testCookies(t, overTLS), usualRecord(t)
	plain, name := encoded(t, rec), c.names[0]
	codec := c.sealer.keys[0].codecs[purposeSession]
	text, err := codec.Encode(name, append([]byte(nil), plain...))
	if err != nil {
		t.Fatal(err)
	}
	ours := requestWith(pairs(written(t, c, requestWith(), rec))...)
	theirs := requestWith(name + "=" + text)
	openRaw := func(value string) bool {
		var got []byte
		return codec.Decode(name, value, &got) == nil && len(got) == len(plain)
	}
	return &loading{
		load: func() bool {
			got, err := c.readSession(ours)
			return err == nil && got.tokens.AccessToken != "" && got.tokens.IDToken.Subject != ""
		},
		raw: func() bool {
			cookie, err := theirs.Cookie(name)
			return err == nil && openRaw(cookie.Value)
		},
		rawValue: func() bool { return openRaw(text) },
		request:  ours, record: rec, cookies: c,
	}
}

func BenchmarkLoad(b *testing.B) {
	l := newLoading(b)
	h := http.Header{}
	if err := l.cookies.writeSeen(h, l.record.id, testTime, l.record.expires); err != nil {
		b.Fatal(err)
	}
	both := requestWith(l.request.Header.Get("Cookie"), pairs(h)[0])
	for _, row := range []struct {
		name string
		run  func() bool
	}{
		{"RawValue", l.rawValue}, {"Raw", l.raw}, {"Load", l.load},
		{"LoadAndSeen", func() bool {
			got, err := l.cookies.readSession(both)
			if err != nil {
				return false
			}
			_, ok := l.cookies.readSeen(both, got.id)
			return ok
		}},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !row.run() {
					b.Fatal("not opened")
				}
			}
		})
	}
}

// BenchmarkLoadRatio is the gate for times: a loop is one round of both, and the
// median of all rounds counts. Run it with -benchtime 100x.
func BenchmarkLoadRatio(b *testing.B) {
	const most, slack = 1.3, 1.1 // slack is for a busy machine, as in internal/bench
	l := newLoading(b)
	var ratios []float64
	for b.Loop() {
		ratios = append(ratios, float64(spent(l.load))/float64(spent(l.raw)))
	}
	slices.Sort(ratios)
	ratio := ratios[len(ratios)/2]
	b.ReportMetric(ratio, "x/raw")
	if len(ratios) >= 20 && ratio > most*slack {
		b.Errorf("loading takes %.2f times what securecookie takes, at most %.1f are wanted", ratio, most)
	}
}

// spent is over several collections of garbage, which are part of the price.
func spent(run func() bool) time.Duration {
	start := time.Now()
	for range 1000 {
		run()
	}
	return time.Since(start)
}

// TestLoadAllocations gates what loading adds to securecookie: record, tokens, ID
// token and its bytes, audience, access and refresh token, scope and its list; and
// of the 15 the floor has, 2 of http.Request.Cookie are not ours.
func TestLoadAllocations(t *testing.T) {
	l := newLoading(t)
	count := func(run func() bool) float64 {
		if !run() {
			t.Fatal("not opened")
		}
		return testing.AllocsPerRun(100, func() { run() })
	}
	if load, raw := count(l.load), count(l.raw); load > raw+7 {
		t.Errorf("%v allocations, securecookie has %v", load, raw)
	}
}

func BenchmarkSave(b *testing.B) {
	c := testCookies(b, overTLS)
	rec := usualRecord(b)
	r := requestWith()
	b.ReportAllocs()
	for b.Loop() {
		if err := c.writeSession(http.Header{}, r, rec); err != nil {
			b.Fatal(err)
		}
	}
}

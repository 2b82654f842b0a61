package session

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/pkce"
)

func testState(n byte) string { return fmt.Sprintf("state-of-the-attempt-number-%03d", n) }

// testAttempt ends n seconds after ten minutes.
func testAttempt(t testing.TB, n byte) *attempt {
	t.Helper()
	login, err := client.NewLogin(client.LoginSecrets{
		Issuer:      "https://op.example.com",
		ClientID:    "client",
		RedirectURL: overTLS,
		State:       testState(n),
		Nonce:       "canary-nonce-of-the-attempt-000",
		Verifier:    pkce.New(),
		Created:     testTime,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &attempt{login: login, returnTo: "/canary?a=b#c", data: []byte("canary-data"), expires: testTime.Add(10*time.Minute + time.Duration(n)*time.Second)}
}

// start writes an attempt in answer to a request of the jar's.
func start(t testing.TB, c *cookies, jar *strictJar, a *attempt, crossSitePost bool) {
	t.Helper()
	h := http.Header{}
	if err := c.writeAttempt(h, jar.request(t, overTLS), a, crossSitePost); err != nil {
		t.Fatal(err)
	}
	jar.take(t, overTLS, h)
	if len(jar.refused) > 0 {
		t.Fatalf("refused %q", jar.refused)
	}
}

func TestAttemptRoundTrip(t *testing.T) {
	for _, post := range []bool{false, true} {
		c, jar := testCookies(t, overTLS), testJar()
		want := testAttempt(t, 1)
		start(t, c, jar, want, post)
		r := jar.request(t, overTLS)
		got, err := c.readAttempt(r, testState(1))
		if err != nil {
			t.Fatal(err)
		}
		if got.login.State() != want.login.State() || got.returnTo != want.returnTo || string(got.data) != string(want.data) || !got.expires.Equal(want.expires) {
			t.Error("the attempt changed on its way")
		}
		if got, err := c.readAttempt(r, testState(2)); got != nil || err != nil {
			t.Errorf("another state: %v, %v; want none", got, err)
		}
		h := http.Header{}
		c.clearAttempt(h, r, testState(2))
		if len(h) != 0 {
			t.Errorf("deleted %q, which was not there", h)
		}
		c.clearAttempt(h, r, testState(1))
		jar.take(t, overTLS, h)
		if names := jar.names(); len(names) != 0 {
			t.Errorf("left %q", names)
		}
	}
}

// The browser sends an attempt back from the provider: by a link only if it is
// Lax, by a form only if it is None.
func TestAttemptsComeBack(t *testing.T) {
	c, jar := testCookies(t, overTLS, func(cfg *cookieConfig) { cfg.sameSite = http.SameSiteStrictMode }), testJar()
	start(t, c, jar, testAttempt(t, 1), false)
	start(t, c, jar, testAttempt(t, 2), true)
	for _, test := range []struct {
		ctx    jarContext
		states []byte
	}{
		{jarContext{crossSite: true}, []byte{1, 2}},
		{jarContext{crossSite: true, unsafe: true}, []byte{2}},
		{jarContext{crossSite: true, embedded: true}, nil},
	} {
		jar.as(test.ctx)
		r := jar.request(t, overTLS)
		for n := byte(1); n <= 2; n++ {
			got, err := c.readAttempt(r, testState(n))
			if found := got != nil; found != slices.Contains(test.states, n) || err != nil {
				t.Errorf("%+v: attempt %d found: %v, %v", test.ctx, n, found, err)
			}
		}
	}
}

func TestAttemptUnderTheNameOfAnother(t *testing.T) {
	c := testCookies(t, overTLS)
	h := http.Header{}
	if err := c.writeAttempt(h, requestWith(), testAttempt(t, 1), false); err != nil {
		t.Fatal(err)
	}
	_, value, _ := strings.Cut(pairs(h)[0], "=")
	lax, post := c.attemptNames(testState(2))
	_, own := c.attemptNames(testState(1))
	for _, name := range []string{lax, post} {
		if got, err := c.readAttempt(requestWith(name+"="+value), testState(2)); got != nil || !errors.Is(err, errUndecryptable) {
			t.Errorf("as %s: %v, %v", name, got, err)
		}
	}
	if got, err := c.readAttempt(requestWith(own+"="+value), testState(1)); got != nil || !errors.Is(err, errUndecryptable) {
		t.Errorf("a Lax attempt under its POST name: %v, %v", got, err)
	}
}

func TestAttemptUnknownKey(t *testing.T) {
	c, other := testCookies(t, overTLS), testCookies(t, overTLS)
	other.sealer = testSealer(t, "app", 2)
	h := http.Header{}
	if err := other.writeAttempt(h, requestWith(), testAttempt(t, 1), false); err != nil {
		t.Fatal(err)
	}
	if got, err := c.readAttempt(requestWith(pairs(h)[0]), testState(1)); got != nil || !errors.Is(err, errUnknownKey) {
		t.Errorf("%v, %v; want errUnknownKey", got, err)
	}
}

func TestV27EveryBitOfAnAttempt(t *testing.T) {
	c := testCookies(t, overTLS)
	h := http.Header{}
	if err := c.writeAttempt(h, requestWith(), testAttempt(t, 1), false); err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(pairs(h)[0], "=")
	for i := range len(value) {
		for bit := range 8 {
			flipped := []byte(value)
			flipped[i] ^= 1 << bit // in the hint in the clear, too
			if got, err := c.readAttempt(requestWith(name+"="+string(flipped)), testState(1)); got != nil || err == nil {
				t.Fatalf("byte %d, bit %d: %v, %v", i, bit, got, err)
			}
		}
	}
}

func TestAtMostFiveAttempts(t *testing.T) {
	c, jar := testCookies(t, overTLS), testJar()
	for n := range byte(9) {
		start(t, c, jar, testAttempt(t, n), n%2 == 1)
		if got := len(jar.names()); got != min(int(n)+1, maxAttempts) {
			t.Fatalf("%d attempts after %d", got, n+1)
		}
	}
	r := jar.request(t, overTLS)
	for n := range byte(9) {
		got, err := c.readAttempt(r, testState(n))
		if found := got != nil; found != (n >= 4) || err != nil {
			t.Errorf("attempt %d there: %v, %v", n, found, err)
		}
	}
	// The same state once more replaces its own, even as the other kind.
	start(t, c, jar, testAttempt(t, 8), true)
	if got := len(jar.names()); got != maxAttempts {
		t.Errorf("%d attempts after one was written again", got)
	}
	h := http.Header{}
	c.clearExpiredAttempts(h, jar.request(t, overTLS), testTime.Add(10*time.Minute+6*time.Second))
	if got := deleted(h); len(got) != 2 {
		t.Errorf("deleted %q, want those of 4 and 5", got)
	}
	c.clearAttempts(h, jar.request(t, overTLS))
	jar.take(t, overTLS, h)
	if names := jar.names(); len(names) != 0 {
		t.Errorf("left %q", names)
	}
}

// What stands where the time should be is older than any attempt.
func TestForgedHints(t *testing.T) {
	c := testCookies(t, overTLS)
	names := make([]string, 5)
	var cookies []string
	for i, hint := range []string{"zzzzzzzzzz", "", "-000000001", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "99"} {
		names[i], _ = c.attemptNames(testState(byte(100 + i)))
		cookies = append(cookies, names[i]+"=1"+hint)
	}
	r := requestWith(cookies...)
	h := http.Header{}
	c.clearExpiredAttempts(h, r, testTime)
	slices.Sort(names)
	if got := deleted(h); !slices.Equal(got, names) {
		t.Errorf("deleted %q, want all of %q", got, names)
	}
	genuine := http.Header{}
	for n := range byte(4) {
		if err := c.writeAttempt(genuine, requestWith(), testAttempt(t, n), false); err != nil {
			t.Fatal(err)
		}
	}
	h = http.Header{}
	if err := c.writeAttempt(h, requestWith(append(pairs(genuine), cookies...)...), testAttempt(t, 9), false); err != nil {
		t.Fatal(err)
	}
	if got := deleted(h); !slices.Equal(got, names) {
		t.Errorf("dropped %q, want the forged %q", got, names)
	}
}

// A name that attemptNames cannot give is never put into a header of ours.
func TestForeignAttemptNames(t *testing.T) {
	c := testCookies(t, overTLS)
	r := requestWith("__Host-app-login-=1", "__Host-app-login-x=1", "__Host-app-login-0123456789abcdef0=1", "__Host-app-login-0123456789abcd\r\n=1", "__Host-app-post-0123456789 bcdef=1")
	h := http.Header{}
	c.clearAttempts(h, r)
	if len(h) != 0 {
		t.Errorf("wrote %q", h)
	}
}

func TestAttemptRefuses(t *testing.T) {
	good, err := testAttempt(t, 1).appendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := new(attempt).unmarshal(good); err != nil {
		t.Fatalf("the accepted case: %v", err)
	}
	strange := testAttempt(t, 1)
	strange.mode = modeFrame + 1
	unknownMode, err := strange.appendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string][]byte{
		"version 0":     append([]byte{0}, good[1:]...),
		"version 1":     append([]byte{1}, good[1:]...),
		"version 3":     append([]byte{3}, good[1:]...),
		"trailing byte": append(bytes.Clone(good), 0),
		"unknown mode":  unknownMode,
	}
	for n := range good {
		cases[fmt.Sprintf("the first %d bytes", n)] = good[:n]
	}
	for name, data := range cases {
		if err := new(attempt).unmarshal(data); !errors.Is(err, errUndecryptable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a := testAttempt(t, 1)
	a.expires = time.Time{}
	if err := testCookies(t, overTLS).writeAttempt(http.Header{}, requestWith(), a, false); err == nil || !strings.Contains(err.Error(), "between 1970") {
		t.Errorf("an attempt without an end: %v", err)
	}
}

func FuzzAttempt(f *testing.F) {
	good, err := testAttempt(f, 1).appendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		var a attempt
		if err := a.unmarshal(data); err != nil {
			if !errors.Is(err, errUndecryptable) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		again, err := a.appendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var b attempt
		if err := b.unmarshal(again); err != nil || b.returnTo != a.returnTo || !bytes.Equal(b.data, a.data) || b.login.State() != a.login.State() {
			t.Fatalf("an attempt changed on its way through storage: %v", err)
		}
	})
}

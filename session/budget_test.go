package session

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// largest is the most bytes of app values that fit into the cookies of c.
func largest(t testing.TB, c *cookies) int {
	t.Helper()
	low, high := 0, maxChunks*maxCookie
	for low < high {
		n := (low + high + 1) / 2
		if c.writeSession(http.Header{}, requestWith(), sizedRecord(n)) == nil {
			low = n
		} else {
			high = n - 1
		}
	}
	return low
}

func TestBudget(t *testing.T) {
	for _, budget := range []int{0, minBudget, 4000, 12000, maxChunks * maxCookie} {
		c := testCookies(t, overTLS, func(cfg *cookieConfig) { cfg.budget = budget })
		n, jar := largest(t, c), testJar()
		h := written(t, c, requestWith(), sizedRecord(n))
		if err := c.writeSeen(h, sessionID{1}, testTime, testTime.Add(12*time.Hour)); err != nil {
			t.Fatal(err)
		}
		jar.take(t, overTLS, h)
		// There is room for a sign-in of usual size beside the largest session.
		a := testAttempt(t, 1)
		a.data = nil
		start(t, c, jar, a, false)
		size := len(jar.request(t, overTLS).Header.Get("Cookie"))
		if size > c.budget || size < c.budget-attemptRoom || len(jar.names()) < 3 {
			t.Errorf("budget %d: a header of %d bytes with %q", c.budget, size, jar.names())
		}
		err := c.writeSession(http.Header{}, requestWith(), sizedRecord(n+1))
		var tooLarge *TooLargeError
		if !errors.As(err, &tooLarge) || tooLarge.Limit != c.budget || tooLarge.Size <= c.budget || tooLarge.Size > c.budget+10 {
			t.Errorf("budget %d: one byte more: %v", c.budget, err)
		}
	}
}

func TestTooLargeChangesNothing(t *testing.T) {
	c := testCookies(t, overTLS)
	before := written(t, c, requestWith(), sizedRecord(10))
	h := before.Clone()
	r := requestWith("__Host-app.1=x")
	if err := c.writeSession(h, r, sizedRecord(40000)); err == nil {
		t.Fatal("40,000 bytes were written")
	}
	a := testAttempt(t, 1)
	a.data = make([]byte, 4000)
	if err := c.writeAttempt(h, r, a, false); err == nil {
		t.Fatal("an attempt of 4,000 bytes was written")
	}
	if !slices.Equal(h["Set-Cookie"], before["Set-Cookie"]) {
		t.Errorf("the header changed: %q", h["Set-Cookie"])
	}
}

func TestTooLargeNamesTheHeaviest(t *testing.T) {
	c := testCookies(t, overTLS)
	rec := testRecord()
	rec.tokens.AccessToken = strings.Repeat("a", 4100)
	rec.values = map[string][]byte{"cart": make([]byte, 3000), "small": make([]byte, 2), strings.Repeat("n", 500): make([]byte, 900)}
	err := c.writeSession(http.Header{}, requestWith(), rec)
	var tooLarge *TooLargeError
	if !errors.As(err, &tooLarge) {
		t.Fatal(err)
	}
	want := []Part{{"access token", 4100}, {`value "cart"`, 3000}, {`value "` + strings.Repeat("n", 64) + `"`, 900}, {"room for one sign-in", attemptRoom}}
	if got := tooLarge.Parts; len(got) < 6 || !slices.Equal(got[:4], want) {
		t.Errorf("got %v\nwant %v first", got, want)
	}
	if text := err.Error(); !strings.HasPrefix(text, "session: the cookies would take ") || !strings.Contains(text, `access token 4100, value "cart" 3000`) || strings.Contains(text, "canary") {
		t.Errorf("%s", text)
	}

	a := testAttempt(t, 1)
	a.data = make([]byte, 3000)
	err = c.writeAttempt(http.Header{}, requestWith(), a, false)
	if !errors.As(err, &tooLarge) || tooLarge.Parts[0] != (Part{"login data", 3000}) || tooLarge.Limit != maxCookie {
		t.Errorf("a large attempt: %v", err)
	}
	full := written(t, c, requestWith(), sizedRecord(largest(t, c)))
	a.data = make([]byte, 700)
	err = c.writeAttempt(http.Header{}, requestWith(pairs(full)...), a, false)
	if !errors.As(err, &tooLarge) || tooLarge.Parts[0].Name != "cookies of the present session" || tooLarge.Limit != c.budget {
		t.Errorf("an attempt beside a large session: %v", err)
	}
}

// Attempts give way to a session, oldest first, and no more of them than must.
func TestSessionDropsOldAttempts(t *testing.T) {
	c, jar := testCookies(t, overTLS), testJar()
	for n := range byte(5) {
		start(t, c, jar, testAttempt(t, n), false)
	}
	one := len(jar.request(t, overTLS).Header.Get("Cookie")) / 5
	small := largest(t, c) - 2*one*3/4
	jar.take(t, overTLS, written(t, c, jar.request(t, overTLS), sizedRecord(small)))
	r := jar.request(t, overTLS)
	if size := len(r.Header.Get("Cookie")) + c.seenSize(); size > c.budget || size < c.budget-one {
		t.Errorf("a header of %d bytes", size)
	}
	left := 0
	for n := range byte(5) {
		got, err := c.readAttempt(r, testState(n))
		if err != nil {
			t.Fatal(err)
		}
		if got != nil {
			left++
		} else if left > 0 {
			t.Errorf("attempt %d was dropped before an older one", n)
		}
	}
	if left == 0 || left == 5 {
		t.Errorf("%d attempts left", left)
	}
	if rec, err := c.readSession(r); rec == nil {
		t.Errorf("no session: %v", err)
	}
}

// The attempt that this response deletes leaves its room to the session.
func TestDeletedAttemptsTakeNoRoom(t *testing.T) {
	c, jar := testCookies(t, overTLS), testJar()
	for n := range byte(2) {
		start(t, c, jar, testAttempt(t, n), false)
	}
	h := http.Header{}
	c.clearAttempt(h, jar.request(t, overTLS), testState(1))
	a := testAttempt(t, 0)
	if err := c.writeSession(h, jar.request(t, overTLS), sizedRecord(largest(t, c)-200)); err != nil {
		t.Fatal(err)
	}
	lax, _ := c.attemptNames(a.login.State())
	if slices.Contains(deleted(h), lax) {
		t.Error("the older attempt was dropped though there was room")
	}
}

package session

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
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

// Of a JWT the names of its claims are told, of any token nothing else.
func TestTooLargeNamesClaimsOfBothTokens(t *testing.T) {
	c := testCookies(t, overTLS, func(cfg *cookieConfig) { cfg.budget = minBudget })
	jwt := func(payload string) string { return "e30." + strict.EncodeToString([]byte(payload)) + ".e30" }
	groups := strings.Repeat("canary-group,", 300)
	for _, test := range []struct {
		name, access string
		want         []string
		none         string
	}{
		{"a JWT", jwt(`{"scope":"x","realm_access":"` + groups + `"}`), []string{`access token claim "realm_access"`}, ""},
		{"a long name", jwt(`{"` + strings.Repeat("n", 500) + `":"` + groups + `"}`), []string{`access token claim "` + strings.Repeat("n", 64) + `"`}, ""},
		{"opaque", strings.Repeat("opaque", 600), nil, "access token claim"},
		{"a JWE", "e30.e30." + strings.Repeat("A", 4000) + ".e30.e30", nil, "access token claim"},
		{"a payload that is no object", jwt(`["` + groups + `"]`), nil, "access token claim"},
		{"a payload that is no JSON", jwt(groups), nil, "access token claim"},
	} {
		rec := usualRecord(t)
		rec.tokens.AccessToken = test.access
		var tooLarge *TooLargeError
		if err := c.writeSession(http.Header{}, requestWith(), rec); !errors.As(err, &tooLarge) {
			t.Fatalf("%s: %v", test.name, err)
		}
		names := ""
		for _, p := range tooLarge.Parts {
			names += p.Name + "; "
		}
		for _, want := range append(test.want, "access token; ", "ID token; ", `claim "nonce"; `) {
			if !strings.Contains(names, want) {
				t.Errorf("%s: %s does not name %s", test.name, names, want)
			}
		}
		if test.none != "" && strings.Contains(names, test.none) {
			t.Errorf("%s: %s names a %s", test.name, names, test.none)
		}
		if text := tooLarge.Error() + names; strings.Contains(text, "canary") || strings.Contains(text, "n-0S6") || strings.Contains(text, "jane") {
			t.Errorf("%s: %s tells what is in a token", test.name, text)
		}
	}
}

// What is not ours is counted and told, and refuses nothing: it may be there for
// this path only, and a neighbour could put it there.
func TestForeignCookies(t *testing.T) {
	c := testCookies(t, overTLS)
	r := requestWith("analytics="+strings.Repeat("x", 989), "__Host-app2=y", "__Host-app.1=stale")
	others := 1001 + headerSize("__Host-app2", "y")
	err := c.writeSession(http.Header{}, r, sizedRecord(40000))
	var tooLarge *TooLargeError
	if !errors.As(err, &tooLarge) || tooLarge.Others != others || !strings.HasSuffix(err.Error(), fmt.Sprintf("; cookies that are not ours take %d more", others)) {
		t.Errorf("%v, want %d bytes of others", err, others)
	}
	if err := c.writeSession(http.Header{}, requestWith(), sizedRecord(40000)); strings.Contains(err.Error(), "not ours") {
		t.Errorf("%v speaks of cookies that are not there", err)
	}
	if err := c.writeSession(http.Header{}, requestWith("x="+strings.Repeat("x", 20000)), sizedRecord(1000)); err != nil {
		t.Errorf("refused because of others: %v", err)
	}
	// Beside them a session that would have gone as text is packed.
	alone, beside := pairs(written(t, c, requestWith(), sizedRecord(1500))), pairs(written(t, c, requestWith("x="+strings.Repeat("x", 3000)), sizedRecord(1500)))
	if len(beside[0]) >= len(alone[0]) {
		t.Errorf("%d bytes beside others, %d alone", len(beside[0]), len(alone[0]))
	}
	if rec, err := c.readSession(requestWith(beside...)); rec == nil {
		t.Error(err)
	}
}

// An app that asks for some claims has those in its cookies, and room.
func TestWithClaims(t *testing.T) {
	c := testCookies(t, overTLS)
	rec := usualRecord(t)
	whole := len(pairs(written(t, c, requestWith(), rec))[0])
	if withClaims(rec.tokens, nil) != rec.tokens {
		t.Error("without a wish something changed")
	}
	before := rec.tokens
	rec.tokens = withClaims(rec.tokens, []string{"email"})
	if before.IDToken.Raw() == "" || rec.tokens.AccessToken != before.AccessToken || rec.tokens.RefreshToken != before.RefreshToken {
		t.Error("another thing than the ID token changed")
	}
	set := pairs(written(t, c, requestWith(), rec))
	if size := len(set[0]); size > whole-700 {
		t.Errorf("%d bytes with one claim, %d with all", size, whole)
	}
	got, err := c.readSession(requestWith(set...))
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := got.tokens.IDToken.Claims(&claims); err != nil || claims["email"] != "jane.doe@example.com" || claims["name"] != nil {
		t.Errorf("claims %v, %v", claims, err)
	}
	token, want := got.tokens.IDToken, before.IDToken
	if token.Issuer != want.Issuer || token.Subject != want.Subject || token.SessionID != want.SessionID || token.Nonce != want.Nonce ||
		!slices.Equal(token.Audience, want.Audience) || !token.AuthTime.Equal(want.AuthTime) || !token.IssuedAt.Equal(want.IssuedAt) || token.Raw() != "" {
		t.Error("who is signed in was not kept")
	}
	if none := withClaims(&client.Tokens{AccessToken: "a"}, []string{"email"}); none.IDToken != nil || none.AccessToken != "a" {
		t.Error("tokens without an ID token changed")
	}
	rec.tokens.AccessToken = strings.Repeat("a", 9000)
	var tooLarge *TooLargeError
	if err := c.writeSession(http.Header{}, requestWith(), rec); !errors.As(err, &tooLarge) || !slices.ContainsFunc(tooLarge.Parts, func(p Part) bool { return p.Name == "ID token" }) {
		t.Errorf("%v does not name what is left of the ID token", err)
	}
}

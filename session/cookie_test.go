package session

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	overTLS  = "https://app.example.com/auth/callback"
	loopHTTP = "http://localhost:8080/auth/callback"
)

func parseURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// testCookies are cookies of the app "app" under testSecret(1), at testTime.
func testCookies(t testing.TB, redirect string, change ...func(*cookieConfig)) *cookies {
	t.Helper()
	cfg := cookieConfig{app: "app", redirect: parseURL(t, redirect), now: func() time.Time { return testTime }}
	for _, f := range change {
		f(&cfg)
	}
	c, err := newCookies(testSealer(t, cfg.app, 1), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testJar() *strictJar { return &strictJar{now: func() time.Time { return testTime }} }

// sizedRecord is a record whose values take n bytes.
func sizedRecord(n int) *record {
	value := make([]byte, n)
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range value {
		value[i] = byte(rng.Uint32())
	}
	return &record{
		id: sessionID{byte(n), byte(n >> 8)}, created: testTime, expires: testTime.Add(12 * time.Hour), saved: testTime, identity: identity{issued: testTime},
		values: map[string][]byte{"v": value},
	}
}

// written are the Set-Cookie lines of a session in answer to r.
func written(t testing.TB, c *cookies, r *http.Request, rec *record) http.Header {
	t.Helper()
	h := http.Header{}
	if err := c.writeSession(h, r, rec); err != nil {
		t.Fatal(err)
	}
	return h
}

// requestWith is a request with these cookies, "name=value" each, in order.
func requestWith(pairs ...string) *http.Request {
	return &http.Request{Method: "GET", URL: &url.URL{Path: "/"}, Header: http.Header{"Cookie": {strings.Join(pairs, "; ")}}}
}

// pairs are the "name=value" of Set-Cookie lines that set something.
func pairs(h http.Header) []string {
	var out []string
	for _, line := range h["Set-Cookie"] {
		if _, rest, _ := strings.Cut(line, "="); !strings.HasPrefix(rest, ";") {
			pair, _, _ := strings.Cut(line, ";")
			out = append(out, pair)
		}
	}
	return out
}

// deleted are the names that Set-Cookie lines delete.
func deleted(h http.Header) []string {
	var out []string
	for _, line := range h["Set-Cookie"] {
		if name, rest, _ := strings.Cut(line, "="); strings.HasPrefix(rest, ";") {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func TestCookieLines(t *testing.T) {
	strict := func(cfg *cookieConfig) { cfg.sameSite = http.SameSiteStrictMode }
	for _, test := range []struct {
		name, redirect string
		change         func(*cookieConfig)
		session, login string // with * for the value
		post           string
	}{
		{
			"https", overTLS, func(*cookieConfig) {},
			"__Host-app=*; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=43200",
			"__Host-app-login-*=*; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=600",
			"__Host-app-post-*=*; Path=/; HttpOnly; Secure; SameSite=None; Max-Age=600",
		}, {
			"https, strict: attempts come back from another site", overTLS, strict,
			"__Host-app=*; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=43200",
			"__Host-app-login-*=*; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=600",
			"__Host-app-post-*=*; Path=/; HttpOnly; Secure; SameSite=None; Max-Age=600",
		}, {
			"http on loopback: Secure only where None needs it", loopHTTP, func(*cookieConfig) {},
			"app=*; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200",
			"app-login-*=*; Path=/; HttpOnly; SameSite=Lax; Max-Age=600",
			"app-post-*=*; Path=/; HttpOnly; Secure; SameSite=None; Max-Age=600",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := testCookies(t, test.redirect, test.change)
			h := written(t, c, requestWith(), sizedRecord(100))
			lineLike(t, h["Set-Cookie"][0], test.session)
			for post, want := range map[bool]string{false: test.login, true: test.post} {
				h := http.Header{}
				if err := c.writeAttempt(h, requestWith(), testAttempt(t, 0), post); err != nil {
					t.Fatal(err)
				}
				lineLike(t, h["Set-Cookie"][0], want)
			}
			h = http.Header{}
			if err := c.writeSeen(h, sessionID{1}, testTime, testTime.Add(12*time.Hour)); err != nil {
				t.Fatal(err)
			}
			lineLike(t, h["Set-Cookie"][0], strings.Replace(test.session, "app=", "app-seen=", 1))
		})
	}
}

// lineLike compares a line with a pattern whose stars stand for base64url.
func lineLike(t *testing.T, line, pattern string) {
	t.Helper()
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(line, parts[0])
	for _, part := range parts[1:] {
		rest = strings.TrimLeft(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
		var found bool
		rest, found = strings.CutPrefix(rest, part)
		if !found { // the padding of base64
			rest, found = strings.CutPrefix(strings.TrimLeft(rest, "="), part)
		}
		ok = ok && found
	}
	if !ok || rest != "" {
		t.Errorf("got  %s\nwant %s", line, pattern)
	}
}

func TestNamesOfChunks(t *testing.T) {
	c := testCookies(t, overTLS)
	for i, name := range c.names {
		if got, ok := c.chunkIndex(name); got != i || !ok {
			t.Errorf("%q is %d, %v, want %d", name, got, ok, i)
		}
	}
	for _, name := range []string{"", "app", c.names[0][:5], c.names[0] + ".", c.names[0] + ".0", c.names[0] + ".9", c.names[0] + ".11", c.names[0] + "-1", "x" + c.names[0], ".1"} {
		if got, ok := c.chunkIndex(name); ok {
			t.Errorf("%q is taken for chunk %d", name, got)
		}
	}
}

func TestNewCookiesRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*cookieConfig)
		reason string
	}{
		{"no redirect URL", func(c *cookieConfig) { c.redirect = nil }, "must be absolute"},
		{"relative redirect URL", func(c *cookieConfig) { c.redirect = &url.URL{Path: "/cb"} }, "must be absolute"},
		{"http", func(c *cookieConfig) { c.redirect = &url.URL{Scheme: "http", Host: "app.example.com"} }, "use https"},
		{"http on what looks like localhost", func(c *cookieConfig) { c.redirect = &url.URL{Scheme: "http", Host: "localhost.example.com"} }, "use https"},
		{"http on a name below localhost", func(c *cookieConfig) { c.redirect = &url.URL{Scheme: "http", Host: "app.localhost:8080"} }, "use https"},
		{"http on localhost with a dot", func(c *cookieConfig) { c.redirect = &url.URL{Scheme: "http", Host: "localhost."} }, "use https"},
		{"http on what ends like localhost", func(c *cookieConfig) { c.redirect = &url.URL{Scheme: "http", Host: "evillocalhost"} }, "use https"},
		{"private-use scheme", func(c *cookieConfig) { c.redirect = &url.URL{Scheme: "com.example.app", Host: "localhost"} }, "use https"},
		{"SameSite=None", func(c *cookieConfig) { c.sameSite = http.SameSiteNoneMode }, "must be Lax or Strict"},
		{"SameSite 9", func(c *cookieConfig) { c.sameSite = 9 }, "must be Lax or Strict"},
		{"budget below an empty session", func(c *cookieConfig) { c.budget = minBudget - 1 }, "is not between"},
		{"negative budget", func(c *cookieConfig) { c.budget = -1 }, "is not between"},
		{"budget above nine chunks", func(c *cookieConfig) { c.budget = maxChunks*maxCookie + 1 }, "is not between"},
		{"no name", func(c *cookieConfig) { c.app = "" }, "0 bytes"},
		{"long name", func(c *cookieConfig) { c.app = strings.Repeat("a", 33) }, "33 bytes"},
		{"name with a space", func(c *cookieConfig) { c.app = "my app" }, "not a letter or digit"},
		{"name with =", func(c *cookieConfig) { c.app = "a=b" }, "not a letter or digit"},
		{"name with ;", func(c *cookieConfig) { c.app = "a;b" }, "not a letter or digit"},
		{"name with a dot", func(c *cookieConfig) { c.app = "app.1" }, "not a letter or digit"},
		{"name with an umlaut", func(c *cookieConfig) { c.app = "\u00e4pp" }, "not a letter or digit"},
		{"name with a prefix", func(c *cookieConfig) { c.app = "__Host-app" }, "not a letter or digit"},
		{"name of another app's seen cookie", func(c *cookieConfig) { c.app = "app-seen" }, "which cookies of ours use"},
		{"name of another app's attempt", func(c *cookieConfig) { c.app = "app-Login-x" }, "which cookies of ours use"},
		{"name of another app's silent cookie", func(c *cookieConfig) { c.app = "app-silent" }, "which cookies of ours use"},
		{"name of another app's way back", func(c *cookieConfig) { c.app = "app-logout" }, "which cookies of ours use"},
		{"name of another app's POST attempt", func(c *cookieConfig) { c.app = "app-post" }, "which cookies of ours use"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := cookieConfig{app: "app", redirect: parseURL(t, overTLS)}
			if _, err := newCookies(testSealer(t, "app", 1), cfg); err != nil {
				t.Fatalf("the accepted case beside it: %v", err)
			}
			test.change(&cfg)
			if _, err := newCookies(testSealer(t, "app", 1), cfg); err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("%v, want %q", err, test.reason)
			}
		})
	}
	for _, host := range []string{"localhost", "LOCALHOST:80", "127.0.0.1", "127.9.9.9:1", "[::1]:8080"} {
		cfg := cookieConfig{app: "a", redirect: &url.URL{Scheme: "http", Host: host}}
		if _, err := newCookies(testSealer(t, "a", 1), cfg); err != nil {
			t.Errorf("http on %s: %v", host, err)
		}
	}
}

func TestSessionRoundTrip(t *testing.T) {
	for _, redirect := range []string{overTLS, loopHTTP} {
		for _, size := range []int{0, 1, 1000, 2800, 2900, 3000, 4500} {
			c, jar := testCookies(t, redirect), testJar()
			want := sizedRecord(size)
			jar.take(t, redirect, written(t, c, requestWith(), want))
			if len(jar.refused) > 0 {
				t.Fatalf("%d bytes: the browser refused %q", size, jar.refused)
			}
			got, err := c.readSession(jar.request(t, redirect))
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			sameRecord(t, got, want)
		}
	}
}

func TestNoSession(t *testing.T) {
	c := testCookies(t, overTLS)
	for _, r := range []*http.Request{
		{Header: http.Header{}},
		requestWith(""),
		requestWith("app=x"), // the name without the prefix is another cookie
		requestWith("__Host-app2=x", "x__Host-app=x", "__Host-app-seen=x", "__host-app=x"),
		requestWith("__Host-app"), // no value: not a cookie of ours
		requestWith("__Host-app.1=left over"),
		requestWith("__Host-app.10=x", "__Host-app.0=x", "__Host-app.a=x", "__Host-app.=x"),
	} {
		if rec, err := c.readSession(r); rec != nil || err != nil {
			t.Errorf("%q: %v, %v; want none", r.Header["Cookie"], rec, err)
		}
	}
}

func TestUndecryptable(t *testing.T) {
	c := testCookies(t, overTLS)
	id := c.sealer.keys[0].id
	for _, value := range []string{
		"", "1", "11", "11" + id, "11" + id + strings.Repeat("A", 100), `"quoted"`, "MTIzNDU2fGFiY3xkZWY=",
		"01" + id + strings.Repeat("A", 100), "10" + id + strings.Repeat("A", 100), "1:" + id + strings.Repeat("A", 100),
		"1\xff" + id + strings.Repeat("A", 100), "11" + id + strings.Repeat("A", 5000), "1 1", strings.Repeat("1", 1e6),
	} {
		if rec, err := c.readSession(requestWith("__Host-app=" + value)); rec != nil || !errors.Is(err, errUndecryptable) && !errors.Is(err, errUnknownKey) {
			t.Errorf("%.40q: %v, %v; want undecryptable", value, rec, err)
		}
	}
}

// A cookie of ours in a header written by any other client: several lines,
// tabs, no spaces.
func TestCookieHeaderForms(t *testing.T) {
	c := testCookies(t, overTLS)
	pair := pairs(written(t, c, requestWith(), sizedRecord(10)))[0]
	for _, lines := range [][]string{
		{pair}, {"a=b;" + pair}, {"a=b;\t " + pair + " \t;c=d"}, {"a=b", pair}, {";;;" + pair + ";"}, {"a;b;" + pair}, {"a=b", "", pair, "c"},
	} {
		if rec, err := c.readSession(&http.Request{Header: http.Header{"Cookie": lines}}); rec == nil || err != nil {
			t.Errorf("%.40q: %v", lines, err)
		}
	}
}

func TestV21NothingOfTheFormerSession(t *testing.T) {
	c, jar := testCookies(t, overTLS), testJar()
	alice, bob := sizedRecord(4000), sizedRecord(20)
	jar.take(t, overTLS, written(t, c, jar.request(t, overTLS), alice))
	before := jar.names()
	jar.take(t, overTLS, written(t, c, jar.request(t, overTLS), bob))
	got, err := c.readSession(jar.request(t, overTLS))
	if err != nil {
		t.Fatal(err)
	}
	sameRecord(t, got, bob)
	if names := jar.names(); len(before) < 2 || !slices.Equal(names, []string{"__Host-app"}) {
		t.Errorf("had %q, after the other sign-in %q", before, names)
	}
	// An id is under the seal: one that was not sealed is nobody's.
	if rec, _ := c.readSession(requestWith("__Host-app=" + fmt.Sprintf("%x", alice.id))); rec != nil {
		t.Error("a bare session id was taken for a session")
	}
}

func TestV23TossedCookies(t *testing.T) {
	c := testCookies(t, loopHTTP)
	small := pairs(written(t, c, requestWith(), sizedRecord(10)))[0]
	large := pairs(written(t, c, requestWith(), sizedRecord(4000)))
	if len(large) != 2 {
		t.Fatalf("%d chunks, want 2", len(large))
	}
	name1, value1, _ := strings.Cut(large[1], "=")
	tag := value1[:tagLength]
	foreign := pairs(written(t, testCookies(t, loopHTTP, func(cfg *cookieConfig) { cfg.app = "app2" }), requestWith(), sizedRecord(10)))[0]
	_, foreignValue, _ := strings.Cut(foreign, "=")
	for _, test := range []struct {
		name  string
		pairs []string
	}{
		{"rubbish beside the session", []string{"app=rubbish", small}},
		{"empty beside the session", []string{"app=", small}},
		{"another app's value beside the session", []string{"app=" + foreignValue, small}},
		{"forged chunk beside a session of one", []string{"app.1=forged", small}},
		{"forged chunk beside the chunk", []string{name1 + "=forged", large[0], large[1]}},
		{"forged chunk with the tag", []string{name1 + "=" + tag + "forged", large[0], large[1]}},
		{"session of more chunks, forged, beside it", []string{"app=12" + strings.Repeat("A", 60), small}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range 2 {
				if rec, err := c.readSession(requestWith(test.pairs...)); rec == nil || err != nil {
					t.Errorf("%.60q: %v", test.pairs, err)
				}
				slices.Reverse(test.pairs)
			}
		})
	}
	// Three of one name: the third is not looked at, whatever it is.
	if rec, err := c.readSession(requestWith("app=x", "app=y", small)); rec != nil || !errors.Is(err, errUndecryptable) {
		t.Errorf("third value: %v, %v", rec, err)
	}
	// One that only another process can open stays, even beside rubbish.
	unknown := "app=11" + "zzzzzz" + strings.Repeat("A", 100)
	for _, pairs := range [][]string{{unknown, "app=rubbish"}, {"app=11" + c.sealer.keys[0].id + strings.Repeat("A", 90), unknown}} {
		if _, err := c.readSession(requestWith(pairs...)); !errors.Is(err, errUnknownKey) {
			t.Errorf("%.60q: %v, want errUnknownKey", pairs, err)
		}
	}
	if rec, err := c.readSession(requestWith(unknown, small)); rec == nil {
		t.Errorf("a session beside one of an unknown key: %v", err)
	}
}

// Names differ by app; values are bound to their app and name besides.
func TestTwoAppsOnOneHost(t *testing.T) {
	jar := testJar()
	one := testCookies(t, loopHTTP)
	two := testCookies(t, "http://localhost:9090/cb", func(cfg *cookieConfig) { cfg.app = "app-2" })
	first, second := sizedRecord(4000), sizedRecord(20)
	jar.take(t, loopHTTP, written(t, one, jar.request(t, loopHTTP), first))
	jar.take(t, loopHTTP, written(t, two, jar.request(t, loopHTTP), second))
	r := jar.request(t, loopHTTP)
	for c, want := range map[*cookies]*record{one: first, two: second} {
		got, err := c.readSession(r)
		if err != nil {
			t.Fatal(err)
		}
		sameRecord(t, got, want)
	}
	h := http.Header{}
	two.clearSession(h, r)
	two.clearAttempts(h, r)
	jar.take(t, loopHTTP, h)
	if got, err := one.readSession(jar.request(t, loopHTTP)); got == nil {
		t.Errorf("signing out of one app ended the other: %v", err)
	}
	value := strings.TrimPrefix(pairs(written(t, one, requestWith(), second))[0], "app=")
	if rec, err := two.readSession(requestWith("app-2=" + value)); rec != nil || !errors.Is(err, errUnknownKey) {
		t.Errorf("a session of another app under our name: %v, %v", rec, err)
	}
}

// What deletes a cookie differs from what set it in nothing but the value and
// the times.

// A session that the same response has set is deleted too; what nobody has is not.
func TestClearSessionCountsTheResponse(t *testing.T) {
	c := testCookies(t, overTLS)
	h := http.Header{"Set-Cookie": {"other=1"}}
	c.clearSession(h, requestWith("foreign=1"))
	if got := h["Set-Cookie"]; !slices.Equal(got, []string{"other=1"}) {
		t.Errorf("without cookies: %q", got)
	}
	if err := c.writeSession(h, requestWith(), sizedRecord(4000)); err != nil {
		t.Fatal(err)
	}
	c.clearSession(h, requestWith("__Host-app.5=x", "__Host-app-seen=x"))
	if got := deleted(h); !slices.Equal(got, []string{"__Host-app", "__Host-app-seen", "__Host-app.1", "__Host-app.5"}) {
		t.Errorf("deleted %q", got)
	}
	if got := pairs(h); !slices.Equal(got, []string{"other=1"}) {
		t.Errorf("set %q", got)
	}
	if len(h["Set-Cookie"]) != 5 {
		t.Errorf("a name has two lines: %q", h["Set-Cookie"])
	}
	// Signing in again after that replaces the deletions.
	if err := c.writeSession(h, requestWith(), sizedRecord(10)); err != nil {
		t.Fatal(err)
	}
	if got := deleted(h); !slices.Equal(got, []string{"__Host-app-seen", "__Host-app.1", "__Host-app.5"}) {
		t.Errorf("deleted %q after writing again", got)
	}
}

func TestV26CookiesOfOtherPurposes(t *testing.T) {
	c := testCookies(t, overTLS)
	h := written(t, c, requestWith(), sizedRecord(10))
	if err := c.writeSeen(h, sessionID{1}, testTime, testTime.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	a := testAttempt(t, 1)
	if err := c.writeAttempt(h, requestWith(), a, false); err != nil {
		t.Fatal(err)
	}
	lax, post := c.attemptNames(a.login.State())
	values := map[string]string{}
	for _, pair := range pairs(h) {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	if len(values) != 3 {
		t.Fatalf("%d cookies", len(values))
	}
	for from, value := range values {
		for _, value := range []string{value, value[:1] + value[2:], value[:1] + "1" + value[1:], value[:1] + value[1+min(hintLength, len(value)-1):], value[:1] + hint(a.expires) + value[1:], value[:1] + hint(a.expires) + value[2:]} {
			r := requestWith("__Host-app="+value, "__Host-app-seen="+value, lax+"="+value, post+"="+value)
			if rec, _ := c.readSession(r); rec != nil && from != "__Host-app" {
				t.Errorf("%s taken for a session", from)
			}
			if _, ok := c.readSeen(r, sessionID{1}); ok && from != "__Host-app-seen" {
				t.Errorf("%s taken for seen", from)
			}
			if got, _ := c.readAttempt(r, a.login.State()); got != nil && from != lax {
				t.Errorf("%s taken for an attempt", from)
			}
		}
	}
}

// The times of a session are under the seal: whatever a browser keeps or a
// client edits, the record says when it ends.
func TestV26TimesAreSealed(t *testing.T) {
	c := testCookies(t, overTLS)
	rec := sizedRecord(10)
	rec.expires = testTime.Add(-time.Second)
	line := written(t, c, requestWith(), rec)["Set-Cookie"][0]
	if !strings.HasSuffix(line, "; Max-Age=0") {
		t.Errorf("a session that is over is kept: %s", line)
	}
	pair, _, _ := strings.Cut(line, ";")
	got, err := c.readSession(requestWith(pair))
	if err != nil || !got.expires.Equal(rec.expires) {
		t.Errorf("read %v, %v", got, err)
	}
}

func TestV27EveryBitOfASession(t *testing.T) {
	c := testCookies(t, overTLS)
	set := pairs(written(t, c, requestWith(), sizedRecord(40)))[0]
	name, value, _ := strings.Cut(set, "=")
	for i := range len(value) {
		for bit := range 8 {
			flipped := []byte(value)
			flipped[i] ^= 1 << bit
			if rec, err := c.readSession(requestWith(name + "=" + string(flipped))); rec != nil || err == nil {
				t.Fatalf("byte %d, bit %d: %v, %v", i, bit, rec, err)
			}
		}
	}
	if rec, err := c.readSession(requestWith(set)); rec == nil {
		t.Fatalf("the accepted case beside them: %v", err)
	}
}

func TestSeen(t *testing.T) {
	c := testCookies(t, overTLS)
	id := sessionID{1, 2, 3}
	line := func(id sessionID, at time.Time) string {
		h := http.Header{}
		if err := c.writeSeen(h, id, at, testTime.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		return pairs(h)[0]
	}
	early, late, foreign := line(id, testTime), line(id, testTime.Add(time.Minute)), line(sessionID{9}, testTime.Add(time.Hour))
	if got := len(early) + len("; "); got > c.seenSize() || got < c.seenSize()-8 {
		t.Errorf("a seen cookie takes %d bytes, seenSize says %d", got, c.seenSize())
	}
	for _, test := range []struct {
		name  string
		pairs []string
		want  time.Time
	}{
		{"one", []string{early}, testTime},
		{"two", []string{early, late}, testTime.Add(time.Minute)},
		{"one and rubbish", []string{early, "__Host-app-seen=rubbish"}, testTime},
		{"one and another session's", []string{early, foreign}, testTime},
		{"none", nil, time.Time{}},
		{"another session's", []string{foreign}, time.Time{}},
		{"cut", []string{early[:len(early)-1]}, time.Time{}},
		{"empty", []string{"__Host-app-seen="}, time.Time{}},
	} {
		for range 2 {
			at, ok := c.readSeen(requestWith(test.pairs...), id)
			if ok == test.want.IsZero() || ok && !at.Equal(test.want) {
				t.Errorf("%s: %v, %v; want %v", test.name, at, ok, test.want)
			}
			slices.Reverse(test.pairs)
		}
	}
	if err := c.writeSeen(http.Header{}, id, time.Time{}, testTime); err == nil || !strings.Contains(err.Error(), "between 1970") {
		t.Errorf("the zero time was stored: %v", err)
	}
}

// A session under an old secret is read, and comes under the first one when it
// is next written.
func TestRotationSealsAnew(t *testing.T) {
	old, both, young := testCookies(t, overTLS), testCookies(t, overTLS), testCookies(t, overTLS)
	both.sealer, young.sealer = testSealer(t, "app", 2, 1), testSealer(t, "app", 2)
	jar, want := testJar(), sizedRecord(4000)
	jar.take(t, overTLS, written(t, old, jar.request(t, overTLS), want))
	if _, err := young.readSession(jar.request(t, overTLS)); !errors.Is(err, errUnknownKey) {
		t.Errorf("without the old secret: %v", err)
	}
	rec, err := both.readSession(jar.request(t, overTLS))
	if err != nil {
		t.Fatal(err)
	}
	jar.take(t, overTLS, written(t, both, jar.request(t, overTLS), rec))
	got, err := young.readSession(jar.request(t, overTLS))
	if err != nil {
		t.Fatal(err)
	}
	sameRecord(t, got, want)
}

func TestV29ManyCookies(t *testing.T) {
	c := testCookies(t, overTLS)
	pair := pairs(written(t, c, requestWith(), sizedRecord(1000)))[0]
	id := c.sealer.keys[0].id
	few := []string{pair, "__Host-app=11" + id + strings.Repeat("A", 300), "__Host-app.1=AAAAAAAA", "__Host-app.1=AAAAAAAA"}
	many := slices.Clone(few)
	for i := range 3000 {
		many = append(many, few[i%len(few)], fmt.Sprintf("__Host-app-login-%016d=1%010d", i, i), fmt.Sprintf("c%d=%s", i, strings.Repeat("x", 300)))
	}
	r, least := requestWith(many...), requestWith(few...)
	if n := len(r.Header.Get("Cookie")); n < 1<<20 {
		t.Fatalf("a header of %d bytes is not large", n)
	}
	read := func(r *http.Request) func() {
		return func() {
			if rec, err := c.readSession(r); rec == nil {
				t.Fatal(err)
			}
		}
	}
	if a, b := testing.AllocsPerRun(10, read(r)), testing.AllocsPerRun(10, read(least)); a > b {
		t.Errorf("%v allocations for thousands of cookies, %v for four", a, b)
	}
	h := http.Header{}
	if err := c.writeAttempt(h, r, testAttempt(t, 1), false); err != nil {
		t.Fatal(err)
	}
	c.clearSession(h, r)
	c.clearAttempts(h, r)
	if n := len(h["Set-Cookie"]); n > maxHeld+maxChunks+2 {
		t.Errorf("%d lines in the answer", n)
	}
}

func FuzzReadSession(f *testing.F) {
	c := testCookies(f, loopHTTP)
	small, large := sizedRecord(10), sizedRecord(4000)
	for _, rec := range []*record{small, large} {
		f.Add(strings.Join(pairs(written(f, c, requestWith(), rec)), "; "))
	}
	f.Add("app=11" + c.sealer.keys[0].id + strings.Repeat("A", 90) + "; app.1=AAAAAAAA; app-seen=1; app-login-x=1")
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Cookie": {header}}}
		rec, err := c.readSession(r)
		if rec != nil && (err != nil || rec.id != small.id && rec.id != large.id) {
			t.Fatalf("%q was taken for a session", header)
		}
		c.readSeen(r, sessionID{})
		if a, _ := c.readAttempt(r, header); a != nil {
			t.Fatalf("%q was taken for an attempt", header)
		}
		h := http.Header{}
		c.clearSession(h, r)
		c.clearExpiredAttempts(h, r, testTime)
		c.clearAttempts(h, r)
		for _, line := range h["Set-Cookie"] {
			if strings.ContainsAny(line, "\r\n\x00") || !strings.HasPrefix(line, "app") {
				t.Fatalf("wrote %q", line)
			}
		}
	})
}

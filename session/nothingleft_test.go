package session

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
)

// A combination is one way for our cookies to be: the rest of a browser's session
// is the same for all.
type combination struct {
	callback string
	safari   bool
	sameSite http.SameSite
	name     string
	chunks   int
	lax      int // attempts that come back by a link
	post     int // attempts that come back by a form
}

func (c combination) String() string {
	return fmt.Sprintf("%s safari=%v SameSite=%d name=%q chunks=%d attempts=%d+%d", c.callback, c.safari, c.sameSite, c.name, c.chunks, c.lax, c.post)
}

func combinations() (all []combination) {
	for _, callback := range []string{appCallback, "http://localhost:8080/auth/callback", "https://app.example.com/deep/path/callback"} {
		for _, sameSite := range []http.SameSite{http.SameSiteLaxMode, http.SameSiteStrictMode} {
			for _, name := range []string{"", "shop-2"} {
				for _, chunks := range []int{1, 2, 5} {
					for _, attempts := range [][2]int{{0, 0}, {4, 0}, {0, 4}, {2, 2}} {
						all = append(all, combination{callback, false, sameSite, name, chunks, attempts[0], attempts[1]})
					}
				}
			}
		}
	}
	for _, c := range all {
		if strings.HasPrefix(c.callback, "http:") {
			c.safari = true
			all = append(all, c)
		}
	}
	return all
}

// After logout none of our cookies remain, whatever they were; and those of others do.
func TestV25LogoutLeavesNothing(t *testing.T) {
	for _, c := range combinations() {
		byForm := false
		a := newApp(t, func(cfg *appConfig) {
			cfg.callback = c.callback
			cfg.session.SameSite, cfg.session.Name, cfg.session.CookieBudget = c.sameSite, c.name, maxChunks*maxCookie
			cfg.session.AttemptLifetime = DefaultIdle
			cfg.session.Authorize = func(*http.Request) (*client.AuthorizeOptions, error) {
				if byForm {
					return &client.AuthorizeOptions{ResponseMode: "form_post"}, nil
				}
				return nil, nil
			}
		})
		b := a.browser()
		b.jar.safari = c.safari
		b.jar.take(t, c.callback, http.Header{"Set-Cookie": {"other=1; Path=/"}})
		for i := range c.lax + c.post {
			byForm = i >= c.lax
			b.begin("/" + fmt.Sprint(i))
		}
		byForm = false
		b.signIn("/", "alice")
		a.open = func(_ *http.Request, s *Session) {
			if err := s.Set("v", incompressible((c.chunks-1)*2900)); err != nil {
				t.Fatalf("%v: %v", c, err)
			}
		}
		b.fetch("/")
		a.open = nil
		a.op.Advance(DefaultIdle / 2) // so that there is a seen cookie
		b.get("/")

		checkHeld(t, c, b)
		b.post("/auth/logout")
		if names := b.jar.names(); !slices.Equal(names, []string{"other"}) {
			t.Errorf("%v: left %q", c, names)
		}
		a.op.Close()
	}
}

func incompressible(n int) []byte {
	value := make([]byte, n)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range value {
		value[i] = byte(rng.Uint32())
	}
	return value
}

// checkHeld is for the test itself: the browser has what the combination says, and
// refused nothing but what Safari must.
func checkHeld(t *testing.T, c combination, b *browser) {
	t.Helper()
	count := func(has func(name string) bool) (n int) {
		for _, name := range b.jar.names() {
			if has(name) {
				n++
			}
		}
		return n
	}
	m := b.m.cookies
	chunks := count(func(name string) bool { _, ok := m.chunkIndex(name); return ok })
	lax := count(func(name string) bool { return strings.HasPrefix(name, m.laxPrefix) })
	post := count(func(name string) bool { return strings.HasPrefix(name, m.postPrefix) })
	wantPost := c.post
	if c.safari {
		wantPost = 0
	}
	seen := count(func(name string) bool { return name == m.seenName })
	if chunks != c.chunks || lax != c.lax || post != wantPost || seen != 1 || len(b.jar.refused) != c.post-wantPost {
		t.Errorf("%v: %d chunks, %d+%d attempts, %d seen; refused %q", c, chunks, lax, post, seen, b.jar.refused)
	}
}

// What deletes a cookie has the attributes of what set it, for every kind of cookie,
// prefix and SameSite: a browser may keep it otherwise.
func TestV25DeletionIsLikeSetting(t *testing.T) {
	for _, redirect := range []string{overTLS, loopHTTP} {
		for _, sameSite := range []http.SameSite{http.SameSiteDefaultMode, http.SameSiteLaxMode, http.SameSiteStrictMode} {
			for _, app := range []string{"app", "a", "app-x", "Seen"} {
				c := testCookies(t, redirect, func(cfg *cookieConfig) { cfg.app, cfg.sameSite, cfg.budget = app, sameSite, maxChunks*maxCookie })
				h := written(t, c, requestWith(), sizedRecord(20000))
				if err := c.writeSeen(h, sessionID{1}, testTime, testTime.Add(DefaultLifetime)); err != nil {
					t.Fatal(err)
				}
				for n := range byte(4) {
					if err := c.writeAttempt(h, requestWith(), testAttempt(t, n), n%2 == 1); err != nil {
						t.Fatal(err)
					}
				}
				set := slices.Clone(h["Set-Cookie"])
				if len(set) < 7+1+4 {
					t.Fatalf("%d cookies to delete", len(set))
				}
				c.clearSession(h, requestWith())
				c.clearAttempts(h, requestWith())
				for i, line := range h["Set-Cookie"] {
					if want := attributesOf(set[i]); attributesOf(line) != want || !strings.HasSuffix(line, "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT") {
						t.Errorf("set as %q, deleted by %q", want, line)
					}
				}
			}
		}
	}
}

// attributesOf are the name and the attributes of a line, without value and age.
func attributesOf(line string) string {
	name, rest, _ := strings.Cut(line, "=")
	_, attributes, _ := strings.Cut(rest, ";")
	attributes, _, _ = strings.Cut(attributes, "; Max-Age=")
	return name + attributes
}

// Whatever somebody does to the chunks of a session, who presents them is nobody,
// for a reason, or still who they were.
func TestV24ChunkGamesAreAnonymous(t *testing.T) {
	a := newApp(t, func(cfg *appConfig) { cfg.session.CookieBudget = maxChunks * maxCookie })
	b := a.browser()
	b.mustSignIn("alice")
	save := func() []string {
		a.open = func(_ *http.Request, s *Session) { s.Set("v", incompressible(9500)) }
		b.fetch("/")
		a.open = nil
		var set []string
		for _, c := range b.jar.Cookies(b.base) {
			if _, ok := a.m.cookies.chunkIndex(c.Name); ok {
				set = append(set, c.Name+"="+c.Value)
			}
		}
		return set
	}
	stale := save()
	now := save()
	if len(now) != 4 || len(stale) != 4 {
		t.Fatalf("%d chunks, then %d", len(stale), len(now))
	}
	named := func(i int, pair string) string {
		name, _, _ := strings.Cut(now[i], "=")
		_, value, _ := strings.Cut(pair, "=")
		return name + "=" + value
	}
	count := func(n string) string { return strings.Replace(now[0], "=14", "=1"+n, 1) }
	rubbish := slices.Clone(now)
	for i := range 3000 {
		rubbish = append(rubbish, fmt.Sprintf("c%d=%d", i, i), named(1, now[2]))
	}
	for _, test := range []struct {
		name   string
		pairs  []string
		reason string // empty: alice
	}{
		{"all", now, ""},
		{"the older set, whole", stale, ""},
		{"two missing", []string{now[0], now[3]}, ReasonUndecryptable},
		{"the first missing", now[1:], ReasonNoSession},
		{"the last missing", now[:3], ReasonUndecryptable},
		{"swapped", []string{now[0], named(1, now[2]), named(2, now[1]), now[3]}, ReasonUndecryptable},
		{"one stale", []string{now[0], now[1], stale[2], now[3]}, ReasonUndecryptable},
		{"the first stale", []string{stale[0], now[1], now[2], now[3]}, ReasonUndecryptable},
		{"all but the first stale", []string{now[0], stale[1], stale[2], stale[3]}, ReasonUndecryptable},
		{"stale ones behind", append(slices.Clone(now), stale[1], stale[2], stale[3]), ""},
		{"stale ones before", append([]string{stale[1], stale[2], stale[3]}, now...), ""},
		{"a whole stale set behind", append(slices.Clone(now), stale...), ""},
		{"a tossed first before", append([]string{named(0, "x=rubbish")}, now...), ""},
		{"a tossed first behind", append(slices.Clone(now), named(0, "x=rubbish")), ""},
		{"two tossed firsts before", append([]string{named(0, "x=rubbish"), named(0, "x=more")}, now...), ReasonUndecryptable},
		{"two tossed firsts behind", append(slices.Clone(now), named(0, "x=rubbish"), named(0, "x=more")), ""},
		{"a tossed first alone", []string{named(0, "x=rubbish")}, ReasonUndecryptable},
		{"a lie: 3", append([]string{count("3")}, now[1:]...), ReasonUndecryptable},
		{"a lie: 5", append([]string{count("5")}, now[1:]...), ReasonUndecryptable},
		{"a lie: 9", append([]string{count("9")}, now[1:]...), ReasonUndecryptable},
		{"a lie: 0", append([]string{count("0")}, now[1:]...), ReasonUndecryptable},
		{"a lie: 1", append([]string{count("1")}, now[1:]...), ReasonUndecryptable},
		{"a lie: no digit", append([]string{count("x")}, now[1:]...), ReasonUndecryptable},
		{"thousands of others behind", rubbish, ""},
		{"nothing", nil, ReasonNoSession},
	} {
		r := b.request("GET", "/", fetchHeaders...)
		r.Header["Cookie"] = []string{strings.Join(test.pairs, "; ")}
		resp := b.lost(r)
		if test.reason == "" {
			if page := body(resp); resp.StatusCode != http.StatusOK || !strings.HasPrefix(page, "alice ") {
				t.Errorf("%s: %d %.60q, want alice", test.name, resp.StatusCode, page)
			}
			continue
		}
		if got := problemReason(t, resp); resp.StatusCode != http.StatusUnauthorized || got != test.reason {
			t.Errorf("%s: %d %s, want 401 %s", test.name, resp.StatusCode, got, test.reason)
		}
	}
}

// Nobody but the host itself gets a cookie under a name of ours into a browser, over
// https; on a loopback host another port can, with a longer path, and changes nothing.
func TestV23TossedIntoTheBrowser(t *testing.T) {
	c, jar := testCookies(t, overTLS), testJar()
	jar.take(t, overTLS, written(t, c, requestWith(), sizedRecord(4000)))
	for _, test := range []struct{ from, line, reason string }{
		{"https://evil.app.example.com/", "__Host-app=x; Path=/; Secure; Domain=app.example.com", "__Host-"},
		{"https://evil.example.com/", "__Host-app.1=x; Path=/; Secure; Domain=example.com", "__Host-"},
		{"https://evil.example.com/", "__Host-app=x; Path=/; Secure; Domain=app.example.com", "foreign domain"},
		{"http://app.example.com/", "__Host-app=x; Path=/; Secure", "Secure over http"},
		{"http://app.example.com/", "__Host-app=x; Path=/", "__Host-"},
		{"https://app.example.com/auth/", "__Host-app=x; Path=/auth; Secure", "__Host-"},
		{"https://evil.app.example.com/", "__HOST-app=x; Path=/; Secure; Domain=app.example.com", "__Host-"},
	} {
		before := len(jar.refused)
		jar.take(t, test.from, http.Header{"Set-Cookie": {test.line}})
		if len(jar.refused) != before+1 || !strings.Contains(jar.refused[before], test.reason) {
			t.Errorf("%s from %s: refused %q, want %s", test.line, test.from, jar.refused[before:], test.reason)
		}
	}
	if rec, err := c.readSession(jar.request(t, overTLS)); rec == nil {
		t.Error(err)
	}
	c = testCookies(t, loopHTTP)
	tossed := http.Header{"Set-Cookie": {"app=rubbish; Path=/auth", "app.1=rubbish; Path=/auth", "app-seen=rubbish; Path=/auth"}}
	for _, tossedFirst := range []bool{true, false} {
		jar := testJar()
		h := written(t, c, requestWith(), sizedRecord(4000))
		if tossedFirst {
			jar.take(t, "http://localhost:9999/auth/", tossed)
			jar.take(t, loopHTTP, h)
		} else {
			jar.take(t, loopHTTP, h)
			jar.take(t, "http://localhost:9999/auth/", tossed)
		}
		r := jar.request(t, loopHTTP)
		if n := len(r.Cookies()); n != 5 || r.Cookies()[0].Value != "rubbish" {
			t.Fatalf("%d cookies, the first is %q", n, r.Cookies()[0].Value)
		}
		if rec, err := c.readSession(r); rec == nil {
			t.Errorf("tossed first %v: %v", tossedFirst, err)
		}
	}
}

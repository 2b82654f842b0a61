package session

import (
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/internal/loopback"
)

// A strictJar is a browser's cookie jar by the rules of RFC 6265bis, with what
// net/http/cookiejar lacks: name prefixes, SameSite, Secure, size limits, and no
// overwriting of Secure cookies from http. It is an http.CookieJar.
//
// Requests are same-site page loads until context says otherwise.
type strictJar struct {
	now    func() time.Time // nil: time.Now
	safari bool             // Secure is for https alone, not for http on loopback

	mu      sync.Mutex
	cookies []*jarCookie
	context jarContext
	refused []string // "name: reason" of each cookie that was not stored
	stored  int
}

// A jarContext says what kind of request the browser makes.
type jarContext struct {
	from      string // the page that starts it, compared by scheme too; empty: see crossSite
	crossSite bool   // started by a page of another site
	embedded  bool   // not a top-level navigation: fetch, image, iframe
	unsafe    bool   // a method other than GET, HEAD, OPTIONS, TRACE
}

type jarCookie struct {
	name, value, domain, path  string
	hostOnly, secure, httpOnly bool
	sameSite                   http.SameSite
	created                    time.Time
	order                      int
	expires                    time.Time // zero: with the browser session
}

var _ http.CookieJar = (*strictJar)(nil)

// maxJarAge is how long a cookie lasts at most, 5.5.
const maxJarAge = 400 * 24 * time.Hour

// as sets the context of the following requests.
func (j *strictJar) as(c jarContext) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.context = c
}

func (j *strictJar) time() time.Time {
	if j.now == nil {
		return time.Now()
	}
	return j.now()
}

// SetCookies stores cookies as RFC 6265bis 5.7 says.
func (j *strictJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range cookies {
		if reason := j.store(u, c); reason != "" {
			j.refused = append(j.refused, c.Name+": "+reason)
		}
	}
}

func (j *strictJar) store(u *url.URL, c *http.Cookie) (refusal string) {
	host := strings.ToLower(u.Hostname())
	trusted := j.trustworthy(u)
	entry := &jarCookie{
		name: c.Name, value: c.Value, domain: host, hostOnly: true, path: c.Path,
		secure: c.Secure, httpOnly: c.HttpOnly, sameSite: c.SameSite, created: j.time(), order: j.stored,
	}
	if entry.path == "" || entry.path[0] != '/' {
		entry.path = defaultPath(u.Path)
	}
	if c.Domain != "" {
		domain := strings.ToLower(strings.TrimPrefix(c.Domain, "."))
		if !domainMatches(host, domain) || !strings.Contains(domain, ".") {
			return "foreign domain"
		}
		entry.domain, entry.hostOnly = domain, false
	}
	switch {
	case c.MaxAge < 0:
		entry.expires = time.Unix(0, 0)
	case c.MaxAge > 0:
		entry.expires = entry.created.Add(min(time.Duration(c.MaxAge), math.MaxInt64/time.Second) * time.Second)
	case !c.Expires.IsZero():
		entry.expires = c.Expires
	}
	if latest := entry.created.Add(maxJarAge); entry.expires.After(latest) {
		entry.expires = latest
	}
	if reason := j.refuses(u, entry, c, trusted); reason != "" {
		return reason
	}
	j.cookies = slices.DeleteFunc(j.cookies, func(old *jarCookie) bool {
		same := old.name == entry.name && old.domain == entry.domain && old.hostOnly == entry.hostOnly && old.path == entry.path
		if same {
			entry.created, entry.order = old.created, old.order
		}
		return same
	})
	if entry.expires.IsZero() || entry.expires.After(j.time()) {
		j.stored++
		j.cookies = append(j.cookies, entry)
	}
	return ""
}

func (j *strictJar) refuses(u *url.URL, entry *jarCookie, c *http.Cookie, trusted bool) string {
	lower := strings.ToLower(entry.name)
	switch {
	case len(entry.name)+len(entry.value) > 4096:
		return "name and value of more than 4096 bytes"
	case len(c.Path) > 1024 || len(c.Domain) > 1024: // browsers go on without the attribute
		return "attribute of more than 1024 bytes"
	case entry.secure && !trusted:
		return "Secure over http"
	case entry.sameSite == http.SameSiteNoneMode && !entry.secure:
		return "SameSite=None without Secure"
	case strings.HasPrefix(lower, "__secure-") && !entry.secure:
		return "__Secure- without Secure"
	case strings.HasPrefix(lower, "__host-") && (!entry.secure || !entry.hostOnly || c.Path != "/"):
		return "__Host- without Secure and Path=/, or with Domain"
	case entry.sameSite != http.SameSiteNoneMode && j.crossSite(u) && j.context.embedded:
		return "SameSite from an embedded cross-site answer"
	}
	if !entry.secure && !trusted {
		for _, old := range j.cookies {
			if old.secure && old.name == entry.name && domainsMeet(old.domain, entry.domain) && pathMatches(entry.path, old.path) {
				return "would overwrite a Secure cookie"
			}
		}
	}
	return ""
}

// Cookies gives what is sent to u (RFC 6265bis 5.8.3): longest path first, then
// the oldest.
func (j *strictJar) Cookies(u *url.URL) []*http.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []*jarCookie
	for _, c := range j.cookies {
		if j.sends(c, u) {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b *jarCookie) int {
		if len(a.path) != len(b.path) {
			return len(b.path) - len(a.path)
		}
		return a.order - b.order
	})
	var cookies []*http.Cookie
	for _, c := range out {
		cookies = append(cookies, &http.Cookie{Name: c.name, Value: c.value})
	}
	return cookies
}

func (j *strictJar) sends(c *jarCookie, u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	path := u.Path
	if path == "" {
		path = "/"
	}
	switch {
	case !c.expires.IsZero() && !c.expires.After(j.time()):
		return false
	case c.hostOnly && host != c.domain:
		return false
	case !c.hostOnly && !domainMatches(host, c.domain):
		return false
	case !pathMatches(path, c.path):
		return false
	case c.secure && !j.trustworthy(u):
		return false
	}
	return !j.crossSite(u) || sentCrossSite(c.sameSite, j.context)
}

func (j *strictJar) crossSite(u *url.URL) bool {
	if j.context.from == "" {
		return j.context.crossSite
	}
	from, err := url.Parse(j.context.from)
	return err != nil || from.Scheme != u.Scheme || site(from) != site(u)
}

// site is the registrable domain, as far as one needs no list for it: the last two
// labels of a name, an address as a whole.
func site(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	labels := strings.Split(host, ".")
	if net.ParseIP(host) != nil || len(labels) < 2 {
		return host
	}
	return strings.Join(labels[len(labels)-2:], ".")
}

// sentCrossSite has no exception for the first two minutes of a cookie without
// SameSite: a sign-in that needs it works in a quick test and nowhere else.
func sentCrossSite(sameSite http.SameSite, ctx jarContext) bool {
	switch sameSite {
	case http.SameSiteNoneMode:
		return !ctx.embedded // third-party cookies are blocked
	case http.SameSiteStrictMode:
		return false
	}
	return !ctx.embedded && !ctx.unsafe
}

// trustworthy: https, and http on this machine.
func (j *strictJar) trustworthy(u *url.URL) bool {
	return u.Scheme == "https" || !j.safari && loopback.Host(u.Hostname())
}

// domainMatches is 5.1.3: an address is not below another.
func domainMatches(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain) && net.ParseIP(host) == nil
}

func domainsMeet(a, b string) bool {
	return a == b || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a)
}

func pathMatches(path, cookiePath string) bool {
	rest, ok := strings.CutPrefix(path, cookiePath)
	return ok && (rest == "" || rest[0] == '/' || strings.HasSuffix(cookiePath, "/"))
}

func defaultPath(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return "/"
	}
	return path[:i]
}

// names of all cookies that are stored, whoever they are sent to; sorted.
func (j *strictJar) names() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var names []string
	for _, c := range j.cookies {
		if c.expires.IsZero() || c.expires.After(j.time()) {
			names = append(names, c.name)
		}
	}
	slices.Sort(names)
	return names
}

// take stores the Set-Cookie lines of h as coming from rawURL.
func (j *strictJar) take(t testing.TB, rawURL string, h http.Header) {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	j.SetCookies(u, (&http.Response{Header: h}).Cookies())
}

// request is a GET of rawURL with the cookies the jar has for it.
func (j *strictJar) request(t testing.TB, rawURL string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("GET", rawURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range j.Cookies(r.URL) {
		r.AddCookie(c)
	}
	return r
}

func TestStrictJarRefuses(t *testing.T) {
	for _, test := range []struct{ from, line, reason string }{
		{"https://a.example/", "__Host-a=1; Path=/", "__Host-"},
		{"https://a.example/", "__Host-a=1; Path=/x; Secure", "__Host-"},
		{"https://a.example/x", "__Host-a=1; Secure", "__Host-"},
		{"https://a.example/", "__Host-a=1; Path=/; Secure; Domain=a.example", "__Host-"},
		{"https://a.example/", "__hOsT-a=1; Path=/", "__Host-"},
		{"https://a.example/", "__Secure-a=1; Path=/", "__Secure-"},
		{"http://a.example/", "a=1; Secure", "Secure over http"},
		{"https://a.example/", "a=1; SameSite=None", "SameSite=None"},
		{"https://a.example/", "a=1; Domain=b.example", "foreign domain"},
		{"https://a.example/", "a=1; Domain=example", "foreign domain"},
		{"https://a.example/", "a=1; Domain=b.a.example", "foreign domain"},
		{"https://ba.example/", "a=1; Domain=a.example", "foreign domain"},
		{"http://127.0.0.1/", "a=1; Domain=0.0.1", "foreign domain"},
		{"http://localhost/", "a=1; Domain=localhost", "foreign domain"},
		{"https://x.a.example/", "__Host-a=1; Path=/; Secure; Domain=a.example", "__Host-"},
		{"http://a.example/", "__Host-a=1; Path=/; Secure", "Secure over http"},
		{"https://a.example/", "a=" + strings.Repeat("x", 4096), "4096"},
	} {
		var j strictJar
		j.take(t, test.from, http.Header{"Set-Cookie": {test.line}})
		if len(j.names()) != 0 || len(j.refused) != 1 || !strings.Contains(j.refused[0], test.reason) {
			t.Errorf("%.60s from %s: stored %q, refused %q; want refused for %s", test.line, test.from, j.names(), j.refused, test.reason)
		}
	}
}

func TestStrictJarSends(t *testing.T) {
	var j strictJar
	j.take(t, "https://a.example/x/y", http.Header{"Set-Cookie": {
		"none=1; Path=/; Secure; SameSite=None", "lax=1; Path=/; SameSite=Lax", "strict=1; Path=/; SameSite=Strict", "deep=1; Path=/x", "wide=1; Domain=a.example; Path=/"}})
	for _, test := range []struct {
		url  string
		ctx  jarContext
		want string
	}{
		{"https://a.example/", jarContext{}, "none lax strict wide"},
		{"https://a.example/x/z", jarContext{}, "deep none lax strict wide"},
		{"https://a.example/xx", jarContext{}, "none lax strict wide"},
		{"http://a.example/", jarContext{}, "lax strict wide"},
		{"https://b.a.example/", jarContext{}, "wide"},
		{"https://a.example/", jarContext{crossSite: true}, "none lax wide"},
		{"https://a.example/", jarContext{crossSite: true, unsafe: true}, "none"},
		{"https://a.example/", jarContext{crossSite: true, embedded: true}, ""},
	} {
		j.as(test.ctx)
		var got []string
		for _, c := range j.request(t, test.url).Cookies() {
			got = append(got, c.Name)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("to %s in %+v: %q, want %q", test.url, test.ctx, strings.Join(got, " "), test.want)
		}
	}
	j.as(jarContext{})
	j.take(t, "http://a.example/", http.Header{"Set-Cookie": {"none=2; Path=/"}})
	j.take(t, "https://a.example/", http.Header{"Set-Cookie": {"lax=; Path=/; Max-Age=0"}})
	if got := strings.Join(j.names(), " "); got != "deep none strict wide" {
		t.Errorf("after a deletion and an overwrite from http: %q", got)
	}
}

func TestStrictJarSites(t *testing.T) {
	jar := func() *strictJar {
		j := testJar()
		j.take(t, "https://a.example.com/", http.Header{"Set-Cookie": {
			"none=1; Path=/; Secure; SameSite=None", "lax=1; Path=/; SameSite=Lax", "strict=1; Path=/; SameSite=Strict"}})
		return j
	}
	for _, test := range []struct {
		ctx  jarContext
		url  string
		want string
	}{
		{jarContext{from: "https://a.example.com/"}, "https://a.example.com/", "none lax strict"},
		{jarContext{from: "https://b.example.com/x"}, "https://a.example.com/", "none lax strict"},
		{jarContext{from: "https://b.example.com/", embedded: true, unsafe: true}, "https://a.example.com/", "none lax strict"},
		{jarContext{from: "https://example.org/"}, "https://a.example.com/", "none lax"},
		{jarContext{from: "https://example.org/", unsafe: true}, "https://a.example.com/", "none"},
		{jarContext{from: "https://example.org/", embedded: true}, "https://a.example.com/", ""},
		// Another scheme is another site.
		{jarContext{from: "http://a.example.com/"}, "https://a.example.com/", "none lax"},
		{jarContext{from: "http://a.example.com/", unsafe: true}, "https://a.example.com/", "none"},
		{jarContext{from: "https://a.example.com/"}, "http://a.example.com/", "lax"},
		{jarContext{from: "http://a.example.com/"}, "http://a.example.com/", "lax strict"},
	} {
		j := jar()
		j.as(test.ctx)
		var got []string
		for _, c := range j.request(t, test.url).Cookies() {
			got = append(got, c.Name)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("to %s in %+v: %q, want %q", test.url, test.ctx, got, test.want)
		}
	}
}

func TestStrictJarOnLoopback(t *testing.T) {
	lines := http.Header{"Set-Cookie": {"plain=1; Path=/; SameSite=Lax", "secure=1; Path=/; Secure; SameSite=None"}}
	for safari, want := range map[bool]string{false: "plain secure", true: "plain"} {
		for _, origin := range []string{"http://localhost:8080/", "http://127.0.0.1:8080/", "http://[::1]:8080/"} {
			j := testJar()
			j.safari = safari
			j.take(t, origin, lines)
			if got := strings.Join(j.names(), " "); got != want {
				t.Errorf("safari %v, %s: %q, want %q", safari, origin, got, want)
			}
		}
	}
}

func TestStrictJarForgets(t *testing.T) {
	now := testTime
	j := &strictJar{now: func() time.Time { return now }}
	j.take(t, "https://a.example/", http.Header{"Set-Cookie": {
		"years=1; Max-Age=999999999", "date=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT", "minute=1; Max-Age=60", "visit=1", "both=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}})
	for _, test := range []struct {
		after time.Duration
		want  string
	}{
		{0, "both date minute visit years"}, {time.Minute, "date visit years"}, {maxJarAge - time.Second, "date visit years"}, {maxJarAge, "visit"},
	} {
		now = testTime.Add(test.after)
		if got := strings.Join(j.names(), " "); got != test.want {
			t.Errorf("after %v: %q, want %q", test.after, got, test.want)
		}
	}
}

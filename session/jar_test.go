package session

import (
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
	now func() time.Time // nil: time.Now

	mu      sync.Mutex
	cookies []*jarCookie
	context jarContext
	refused []string // "name: reason" of each cookie that was not stored
	stored  int
}

// A jarContext says what kind of request the browser makes.
type jarContext struct {
	crossSite bool // started by a page of another site
	embedded  bool // not a top-level navigation: fetch, image, iframe
	unsafe    bool // a method other than GET, HEAD, OPTIONS, TRACE
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
	trusted := trustworthy(u)
	entry := &jarCookie{
		name: c.Name, value: c.Value, domain: host, hostOnly: true, path: c.Path,
		secure: c.Secure, httpOnly: c.HttpOnly, sameSite: c.SameSite, created: j.time(), order: j.stored,
	}
	if entry.path == "" || entry.path[0] != '/' {
		entry.path = defaultPath(u.Path)
	}
	if c.Domain != "" {
		domain := strings.ToLower(strings.TrimPrefix(c.Domain, "."))
		if host != domain && !strings.HasSuffix(host, "."+domain) || !strings.Contains(domain, ".") {
			return "foreign domain"
		}
		entry.domain, entry.hostOnly = domain, false
	}
	switch {
	case c.MaxAge < 0:
		entry.expires = time.Unix(0, 0)
	case c.MaxAge > 0:
		entry.expires = entry.created.Add(time.Duration(c.MaxAge) * time.Second)
	case !c.Expires.IsZero():
		entry.expires = c.Expires
	}
	if reason := j.refuses(entry, c, trusted); reason != "" {
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

func (j *strictJar) refuses(entry *jarCookie, c *http.Cookie, trusted bool) string {
	lower := strings.ToLower(entry.name)
	switch {
	case len(entry.name)+len(entry.value) > 4096:
		return "name and value of more than 4096 bytes"
	case len(c.Path) > 1024 || len(c.Domain) > 1024:
		return "attribute of more than 1024 bytes"
	case entry.secure && !trusted:
		return "Secure over http"
	case entry.sameSite == http.SameSiteNoneMode && !entry.secure:
		return "SameSite=None without Secure"
	case strings.HasPrefix(lower, "__secure-") && !entry.secure:
		return "__Secure- without Secure"
	case strings.HasPrefix(lower, "__host-") && (!entry.secure || !entry.hostOnly || c.Path != "/"):
		return "__Host- without Secure and Path=/, or with Domain"
	case entry.sameSite != http.SameSiteNoneMode && j.context.crossSite && j.context.embedded:
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
	case !c.hostOnly && host != c.domain && !strings.HasSuffix(host, "."+c.domain):
		return false
	case !pathMatches(path, c.path):
		return false
	case c.secure && !trustworthy(u):
		return false
	}
	return !j.context.crossSite || sentCrossSite(c.sameSite, j.context)
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
func trustworthy(u *url.URL) bool {
	return u.Scheme == "https" || loopback.Host(u.Hostname())
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

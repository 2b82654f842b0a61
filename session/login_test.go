package session

import (
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
)

func TestSignIn(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	resp := b.get("/")
	for name, want := range map[string]string{"Cache-Control": "no-store", "Vary": "Cookie", "Referrer-Policy": "no-referrer"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s of the redirect is %q, want %q", name, got, want)
		}
	}
	resp = b.get(b.callbackOf(resp.Header.Get("Location"), "alice"), fromProvider...)
	a.wantRedirect(resp, "/")
	for name, want := range map[string]string{"Cache-Control": "no-store", "Vary": "Cookie", "Referrer-Policy": "no-referrer"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s of the callback is %q, want %q", name, got, want)
		}
	}
	a.wantUser(b, "alice")
	if names := b.jar.names(); len(names) != 1 || names[0] != "__Host-postern" {
		t.Errorf("cookies after the sign-in: %q", names)
	}
	if len(b.jar.refused) > 0 {
		t.Errorf("cookies a browser refuses: %q", b.jar.refused)
	}
}

func TestDeepLinkByteExact(t *testing.T) {
	a := newApp(t)
	for _, target := range []string{
		"/a?b=%2F%2fc&d=+%20&&=;x", "/a%2Fb/%c3%a4?q='\"<>", "/p;v=1/?return_to=/x", "/a?b=//c", "/?", "/x?a=%zz", "/login?next=https://e.example/",
	} {
		b := a.browser()
		a.wantRedirect(b.signIn(target, "alice"), target)
		if got := body(b.get(target)); !strings.HasSuffix(got, " "+target) {
			t.Errorf("the page says %q", got)
		}
	}
}

// The page is what the browser asked for, whatever a mux has made of it.
func TestDeepLinkUnderStripPrefix(t *testing.T) {
	a := newApp(t)
	a.mux.Handle("/app/", http.StripPrefix("/app", a.m.Require(http.HandlerFunc(a.page))))
	a.wantRedirect(a.browser().signIn("/app/a%2Fb?c", "alice"), "/app/a%2Fb?c")
	b := a.browser()
	r := b.request("GET", "/page?x")
	r.RequestURI = appURL + "/page?x" // as a proxy may ask
	authorization := b.send(r).Header.Get("Location")
	a.wantRedirect(b.get(b.callbackOf(authorization, "alice"), fromProvider...), "/page?x")
}

func TestTwoTabs(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	first, second := b.begin("/first"), b.begin("/second?x=1")
	a.wantRedirect(b.get(b.callbackOf(second, "alice"), fromProvider...), "/second?x=1")
	a.wantUser(b, "alice")
	a.wantRedirect(b.get(b.callbackOf(first, "alice"), fromProvider...), "/first")
	a.wantUser(b, "alice")
	if names := b.jar.names(); len(names) != 1 {
		t.Errorf("cookies after both: %q", names)
	}
}

func TestReturnAddress(t *testing.T) {
	a := newApp(t)
	long := "/" + strings.Repeat("x", maxAddress)
	tests := []struct{ query, want, reason string }{
		{"", "/", ""},
		{"return_to=/a?b=c", "/a?b=c", ""},
		{"return_to=" + url.QueryEscape("/a?b=//c&d=%2F"), "/a?b=//c&d=%2F", ""},
		{"return_to=" + url.QueryEscape("/\u00e4"), "/%C3%A4", ""},
		{"return_to=//evil.example", "/", ReasonReturnAddress},
		{"return_to=https://evil.example/", "/", ReasonReturnAddress},
		{"return_to=" + long, "/", ReasonReturnAddress},
		{"return_to=/a&return_to=/b", "/", ""},
		{"return_to=%zz", "/", ""},
	}
	for _, tt := range tests {
		b, before := a.browser(), len(a.logs.reasons())
		a.wantRedirect(b.signIn("/auth/login?"+tt.query, "alice"), tt.want)
		if logged := a.logs.reasons()[before:]; (tt.reason != "") != (len(logged) > 0 && logged[0] == tt.reason) {
			t.Errorf("%.40s: logged %q, want %q", tt.query, logged, tt.reason)
		}
	}
}

// The address in the attempt is sealed; all the same it is checked on the way out.
func TestV15ReturnAddressIsCheckedOnExit(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	authorization := b.begin("/page")
	state := parseURL(t, authorization).Query().Get("state")
	r := b.request("GET", "/")
	attempt, err := a.m.cookies.readAttempt(r, state)
	if err != nil {
		t.Fatal(err)
	}
	attempt.returnTo = "//evil.example/"
	h := http.Header{}
	if err := a.m.cookies.writeAttempt(h, r, attempt, false); err != nil {
		t.Fatal(err)
	}
	b.take(&http.Response{Header: h})
	a.wantRedirect(b.get(b.callbackOf(authorization, "alice"), fromProvider...), "/")
}

func TestV16TheQueryStaysHere(t *testing.T) {
	a := newApp(t)
	plain := parseURL(t, a.browser().begin("/auth/login")).Query()
	for _, query := range []string{
		"scope=admin&prompt=none&client_id=evil&redirect_uri=https://evil.example/&state=x&nonce=y&response_type=token",
		"return_to=" + url.QueryEscape("/x&scope=admin&redirect_uri=https://evil.example/"),
		"login_hint=bob&acr_values=high&audience=other",
	} {
		got := parseURL(t, a.browser().begin("/auth/login?"+query)).Query()
		for _, fresh := range []string{"state", "nonce", "code_challenge"} {
			got.Set(fresh, plain.Get(fresh))
		}
		if got.Encode() != plain.Encode() {
			t.Errorf("%s: the provider is asked %s, without it %s", query, got.Encode(), plain.Encode())
		}
	}
}

func TestAuthorizeParameters(t *testing.T) {
	a := newApp(t, func(cfg *appConfig) {
		cfg.session.Authorize = func(r *http.Request) (*client.AuthorizeOptions, error) {
			if r.URL.Query().Get("tenant") == "unknown" {
				return nil, http.ErrNoLocation
			}
			return &client.AuthorizeOptions{LoginHint: "hint of " + r.URL.Query().Get("tenant")}, nil
		}
	})
	b := a.browser()
	if got := parseURL(t, b.begin("/?tenant=one")).Query().Get("login_hint"); got != "hint of one" {
		t.Errorf("login_hint is %q", got)
	}
	a.wantPage(b.get("/?tenant=unknown"), http.StatusInternalServerError, ReasonInternal)
	a.mux.HandleFunc("/special", func(w http.ResponseWriter, r *http.Request) {
		a.m.Login(w, r, &LoginOptions{ReturnTo: "/after", Authorize: &client.AuthorizeOptions{
			Extra: url.Values{"connection": {"corp"}}}})
	})
	resp := b.get("/special")
	query := parseURL(t, resp.Header.Get("Location")).Query()
	if query.Get("connection") != "corp" || query.Has("login_hint") {
		t.Errorf("the provider is asked %s", query.Encode())
	}
	a.wantRedirect(b.get(b.callbackOf(resp.Header.Get("Location"), "alice"), fromProvider...), "/after")
}

func TestV14HeadersDecideNothing(t *testing.T) {
	a := newApp(t)
	plain := parseURL(t, a.browser().begin("/page?x=1")).Query()
	spoofed := map[string]string{
		"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-Port": "81",
		"X-Forwarded-Uri": "/elsewhere", "X-Forwarded-Prefix": "/p", "Forwarded": "host=evil.example;proto=http",
		"X-Original-URL": "/elsewhere", "X-Rewrite-URL": "/elsewhere",
	}
	b := a.browser()
	spoof := func(r *http.Request) *http.Request {
		r.Host = "evil.example"
		for name, value := range spoofed {
			r.Header.Set(name, value)
		}
		return r
	}
	resp := b.send(spoof(b.request("GET", "/page?x=1")))
	authorization := resp.Header.Get("Location")
	if got := parseURL(t, authorization).Query().Get("redirect_uri"); got != plain.Get("redirect_uri") {
		t.Errorf("redirect_uri is %q", got)
	}
	resp = b.send(spoof(b.request("GET", b.callbackOf(authorization, "alice"))))
	a.wantRedirect(resp, "/page?x=1")
	for _, c := range resp.Cookies() {
		if c.Domain != "" || !c.Secure || c.Path != "/" || !strings.HasPrefix(c.Name, "__Host-") {
			t.Errorf("cookie %v", c)
		}
	}
	a.wantUser(b, "alice")
}

// A proxy that ends TLS hands on plain http, to another host name and maybe
// another address. What it says of the outside changes nothing.
func TestTLSBehindProxy(t *testing.T) {
	for name, header := range map[string][]string{
		"silent":          {},
		"says https":      {"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app.example.com"},
		"says http":       {"X-Forwarded-Proto", "http"},
		"rewrites Origin": {"Origin", "https://app.example.com", "Sec-Fetch-Site", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			inside := func(method, target string) *http.Response {
				r := b.request(method, target, header...)
				r.Host, r.TLS = "10.0.0.7:8080", nil
				return b.send(r)
			}
			callback := b.callbackOf(inside("GET", "/deep?x").Header.Get("Location"), "alice")
			a.wantRedirect(inside("GET", callback), "/deep?x")
			if got := b.jar.names(); len(got) != 1 || got[0] != "__Host-postern" {
				t.Errorf("cookies: %q", got)
			}
			resp := inside("POST", "/auth/logout")
			if resp.StatusCode != http.StatusSeeOther || len(b.jar.names()) != 0 {
				t.Errorf("logout: %d, cookies left %q", resp.StatusCode, b.jar.names())
			}
		})
	}
}

// Nothing of a sign-in is kept here before it has succeeded.
func TestV38NoMemoryForLogins(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	login := func(n int) {
		for range n {
			b.lost(b.request("GET", "/auth/login"))
		}
	}
	inUse := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	login(100)
	a.logs.mu.Lock()
	a.logs.b.Reset()
	a.logs.mu.Unlock()
	before := inUse()
	login(10_000)
	if after := inUse(); after > before+1<<20 {
		t.Errorf("10,000 logins keep %d bytes", after-before)
	}
	for name, empty := range map[string]bool{
		"callbacks": a.m.callbacks.used.empty(), "results": a.m.refresher.results.empty(),
		"ended": a.m.ended.empty(), "values": a.m.values.empty(),
	} {
		if !empty {
			t.Errorf("%s has something", name)
		}
	}
}

func TestV22AbandonedLogin(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	before := b.cookie("")
	authorization := b.begin("/auth/login")
	a.wantUser(b, "alice")
	if b.cookie("") != before {
		t.Error("a login that has only begun has changed the session")
	}
	a.wantRedirect(b.get(b.callbackOf(authorization, "bob"), fromProvider...), "/")
	a.wantUser(b, "bob")
}

func TestLoginHandlerWantsPageLoads(t *testing.T) {
	a := newApp(t)
	tests := map[string]struct {
		headers []string
		status  int
	}{
		"page load":        {nil, 303},
		"old browser":      {[]string{"Sec-Fetch-Mode", "", "Sec-Fetch-Dest", "", "Sec-Fetch-Site", ""}, 303},
		"link elsewhere":   {fromProvider, 303},
		"image":            {[]string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, 403},
		"frame":            {[]string{"Sec-Fetch-Dest", "iframe"}, 403},
		"script":           {fetchHeaders, 403},
		"prefetch":         {[]string{"Sec-Purpose", "prefetch"}, 403},
		"prerender":        {[]string{"Sec-Purpose", "prefetch;prerender"}, 403},
		"prefetch of old":  {[]string{"Purpose", "prefetch", "Sec-Fetch-Dest", ""}, 403},
		"prefetch of more": {[]string{"X-Moz", "prefetch"}, 403},
	}
	for name, tt := range tests {
		resp := a.browser().get("/auth/login", tt.headers...)
		if resp.StatusCode != tt.status {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, tt.status)
		}
		if resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control is %q", name, resp.Header.Get("Cache-Control"))
		}
		if tt.status == 403 && (len(resp.Cookies()) > 0 || !a.logs.has(ReasonNotNavigation)) {
			t.Errorf("%s: cookies %v, log %s", name, resp.Cookies(), a.logs)
		}
	}
}

func TestMethods(t *testing.T) {
	a := newApp(t)
	for _, tt := range []struct {
		handler http.Handler
		path    string
		allow   string
	}{
		{a.m.LoginHandler(), "/auth/login", "GET, HEAD"},
		{a.m.CallbackHandler(), "/auth/callback", "GET, POST"},
		{a.m.LogoutHandler(), "/auth/logout", "GET, HEAD, POST"},
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "get"} {
			a.handler = tt.handler
			resp := a.browser().send(a.browser().request(method, tt.path))
			allowed := strings.Contains(", "+tt.allow+",", ", "+method+",")
			if (resp.StatusCode != http.StatusMethodNotAllowed) != allowed {
				t.Errorf("%s %s: %d", method, tt.path, resp.StatusCode)
			}
			if !allowed && (resp.Header.Get("Allow") != tt.allow || len(resp.Cookies()) > 0) {
				t.Errorf("%s %s: Allow is %q, cookies %v", method, tt.path, resp.Header.Get("Allow"), resp.Cookies())
			}
		}
	}
}

func TestProviderDownAtLogin(t *testing.T) {
	a := newApp(t)
	a.op.SetFaults("discovery-500")
	b := a.browser()
	resp := b.get("/")
	text := a.wantPage(resp, http.StatusServiceUnavailable, ReasonUnavailable)
	if resp.Header.Get("Retry-After") == "" || len(resp.Cookies()) > 0 {
		t.Errorf("Retry-After is %q, cookies %v", resp.Header.Get("Retry-After"), resp.Cookies())
	}
	if !strings.Contains(text, "cannot be reached") {
		t.Errorf("the page says %s", text)
	}
}

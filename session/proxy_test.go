package session

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// An upstream is an API behind a proxy of the app.
type upstream struct {
	*httptest.Server
	mu     sync.Mutex
	seen   []*http.Request // with bodies as they were
	bodies []string
	answer http.HandlerFunc // nil: "hello"
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	u.mu.Lock()
	u.seen, u.bodies = append(u.seen, r), append(u.bodies, string(text))
	answer := u.answer
	u.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	io.WriteString(w, "hello")
}

// last is the last request that arrived; the test fails if there was none since.
func (u *upstream) last(t testing.TB) *http.Request {
	t.Helper()
	if len(u.seen) == 0 {
		t.Fatal("nothing has arrived at the API")
	}
	last := u.seen[len(u.seen)-1]
	u.seen = nil
	return last
}

func (u *upstream) calls() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.bodies)
}

// newUpstream is an API and an app with a proxy to it at /api/.
func newUpstream(t testing.TB, p Proxy, change ...func(*appConfig)) (*app, *upstream) {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewUnstartedServer(u)
	u.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that are given up
	u.StartTLS()
	t.Cleanup(u.Close)
	transport := func(cfg *appConfig) { cfg.session.Transport = u.Client().Transport }
	a := newApp(t, append([]func(*appConfig){transport}, change...)...)
	p.Target = u.URL + p.Target
	h, err := a.m.Proxy(p)
	if err != nil {
		t.Fatal(err)
	}
	a.mux.Handle("/api/", http.StripPrefix("/api", h))
	a.mux.Handle("/raw/", h)
	return a, u
}

func signedIn(t testing.TB, p Proxy, change ...func(*appConfig)) (*browser, *upstream) {
	t.Helper()
	a, u := newUpstream(t, p, change...)
	b := a.browser()
	b.mustSignIn("alice")
	return b, u
}

// accessToken is that of the session of b.
func (b *browser) accessToken() (token string) {
	b.t.Helper()
	within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
		got, err := s.Token(r.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		token = got.AccessToken
	})
	return token
}

func (b *browser) wantProblem(resp *http.Response, status int, reason string) {
	b.t.Helper()
	if got := problemReason(b.t, resp); resp.StatusCode != status || got != reason {
		b.t.Errorf("%d %s, want %d %s; log %s", resp.StatusCode, got, status, reason, b.logs)
	}
}

func TestProxy(t *testing.T) {
	b, u := signedIn(t, Proxy{Target: "/v1"})
	u.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Total", "3")
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, "made")
	}
	r := b.request("POST", "/api/notes?x=%41&y=a+b", append(append(fetchHeaders, withHeader...), "Content-Type", "text/plain", "Idempotency-Key", "7")...)
	r.Body, r.ContentLength = bodyOf("a note"), 6
	resp := b.send(r)
	if text := body(resp); resp.StatusCode != http.StatusCreated || text != "made" || resp.Header.Get("X-Total") != "3" {
		t.Errorf("%d %q %v", resp.StatusCode, text, resp.Header)
	}
	if got := u.bodies[0]; got != "a note" {
		t.Errorf("body %q", got)
	}
	got := u.last(t)
	if got.Method != "POST" || got.RequestURI != "/v1/notes?x=%41&y=a+b" || got.Host != strings.TrimPrefix(u.URL, "https://") {
		t.Errorf("%s %s at %s", got.Method, got.RequestURI, got.Host)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer " + b.accessToken(), "Content-Type": "text/plain", "Idempotency-Key": "7",
		"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "app.example.com", "X-Forwarded-Proto": "https",
		"Cookie": "", "X-Csrf": "", "Sec-Fetch-Mode": "", "Sec-Fetch-Site": "",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Vary") != "Cookie" {
		t.Errorf("caches: %v", resp.Header)
	}
}

// Header smuggling (V-32): what a browser, or a script in it, says about who calls and from
// where does not arrive, in whatever spelling.
func TestV32ProxyRequestHeaders(t *testing.T) {
	// With the second one, the standard library would take the worst out by itself.
	for _, connection := range []string{"X-Secret", "X-Secret, Authorization, DPoP, X-Forwarded-For"} {
		t.Run(connection, func(t *testing.T) { testSmuggling(t, connection) })
	}
}

func testSmuggling(t *testing.T, connection string) {
	b, u := signedIn(t, Proxy{})
	r := b.request("GET", "/api/x", append(fetchHeaders, withHeader...)...)
	for _, name := range []string{
		"Authorization", "Proxy-Authorization", "DPoP", "Cookie", "X_Csrf",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Access-Token",
		"X_Forwarded_For", "X-Forwarded_For", "X.Forwarded.For", "x_forwarded_user", "Forwarded", "X-Forwarded",
		"X-User", "X_User", "x-user", "X-Remote-User", "Remote-User", "Remote_User", "X-Auth-Request-User", "X-WebAuth-User",
		"X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Client-IP", "X-Cluster-Client-IP", "Fastly-Client-IP", "X-Username", "Proxy-Client-IP", "X-SSL-Client-CN", "X-Client-Cert",
		"X-Authenticated-User", "Ssl-Client-Verify", "X-Amzn-Oidc-Data", "X-Amzn-Mtls-Clientcert", "X-Goog-Authenticated-User-Email", "X-Goog-Iap-Jwt-Assertion",
		"X-Ms-Client-Principal", "X-Ms-Token-Aad-Id-Token", "Cf-Access-Jwt-Assertion", "X-Authentik-Username", "Tailscale-User-Login", "X-Envoy-Original-Path", "X-Authenticated-Userid",
		"X-Authenticated-Groups", "Remote-Groups", "Remote-Email", "X-WebAuth-Role", "X-Consumer-Username", "X-Credential-Identifier", "X-Anonymous-Consumer",
		"X-Pomerium-Claim-Email", "X-Vouch-User", "X-Userinfo", "X-Id-Token", "X-Access-Token", "X-Jwt-Assertion", "Oidc-Claim-Sub", "X-User-Id", "X-User-Name", "X-User-Email", "X-User-Groups", "X-User-Roles",
		"X-Email", "X-Groups", "Impersonate-User", "X-Appengine-User-Ip", "X-Azure-ClientIP", "X-Originating-IP", "X-Host",
		"X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
		"Origin", "Referer", "Access-Control-Request-Method", "Te", "Trailer", "Keep-Alive", "Proxy-Connection", "Expect", "X-Secret",
	} {
		r.Header[name] = []string{"smuggled"}
	}
	r.Header["Cookie"] = append(b.request("GET", "/").Header["Cookie"], "theirs=smuggled")
	r.Header["Origin"] = []string{appURL}
	r.Header["Connection"] = []string{connection, "X-Forwarded-Host"}
	r.Header["Accept-Language"] = []string{"de"}
	r.Trailer = http.Header{"Authorization": {"smuggled"}}
	if resp := b.send(r); resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, body(resp))
	}
	got := u.last(t)
	for name, values := range got.Header {
		text := strings.Join(values, " ")
		if strings.Contains(text, "smuggled") || strings.Contains(text, "example.com/") || strings.Contains(text, b.cookie("")) {
			t.Errorf("%s: %s", name, text)
		}
	}
	if got.Header.Get("Authorization") != "Bearer "+b.accessToken() || got.Header.Get("X-Forwarded-For") != "192.0.2.1" ||
		got.Header.Get("X-Forwarded-Host") != "app.example.com" || got.Header.Get("Accept-Language") != "de" {
		t.Errorf("%v", got.Header)
	}
	if names := slices.Sorted(maps.Keys(got.Header)); !slices.Equal(names, []string{"Accept", "Accept-Encoding", "Accept-Language", "Authorization", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}) {
		t.Errorf("headers %q", names)
	}
	if len(got.Trailer) != 0 {
		t.Errorf("trailers %v", got.Trailer)
	}
}

// Path escapes (V-31): a path is passed on as it is, or not at all.
func TestV31ProxyPaths(t *testing.T) {
	passes := map[string]string{
		"/raw/notes":               "/v1/raw/notes",
		"/raw/notes/":              "/v1/raw/notes/",
		"/raw/a%20b/%C3%A9":        "/v1/raw/a%20b/%C3%A9",
		"/raw/100%25":              "/v1/raw/100%25",
		"/raw/100%25%20off%25/":    "/v1/raw/100%25%20off%25/",
		"/raw/a;v=1/b":             "/v1/raw/a;v=1/b",
		"/raw/...":                 "/v1/raw/...",
		"/raw/a..b":                "/v1/raw/a..b",
		"/raw/x?to=/../../admin":   "/v1/raw/x?to=/../../admin",
		"/raw/x?to=//evil.example": "/v1/raw/x?to=//evil.example",
		"/raw/caf\u00e9":           "/v1/raw/caf%C3%A9",
	}
	refused := []string{
		"/raw/../admin", "/raw/..", "/raw/./x", "/raw//x", "//evil.example/x", "/raw/x//",
		"/raw/%2e%2e/admin", "/raw/%2E./admin", "/raw/.%2e/admin", "/raw/%252e%252e/admin", "/raw/%25252e%25252e/admin",
		"/raw/..;/admin", "/raw/..;x=1/admin", "/raw/.;/x", "/raw/;/x", "/raw/;x", "/raw/%3b/x", "/raw/..%3b/admin",
		"/raw/x%2f..%2fadmin", "/raw/public%2fadmin", "/raw/x%2Fy", "/raw/x%252fy", "/raw/x%25252fy",
		"/raw/x%5cy", "/raw/..%5cadmin", "/raw/x%255cy", "/raw/x%00", "/raw/x%0d%0aX-Y:z", "/raw/x%7f", "/raw/%20", "/raw/..%20/admin",
		"/raw/%ff", "/raw/%c0%ae%c0%ae/admin", "/raw/%EF%BC%8E%EF%BC%8E/admin", "/raw/x%E2%88%95y", "/raw/%E2%80%8B",
		"/raw/%E2%80%A5/admin", "/raw/%25E2%2580%25A5/admin", "/raw/%EF%B8%B0/admin", "/raw/%E2%84%80", "/raw/x%E2%84%86y", // compositions of two dots, or with a slash
		"/raw/%2525252541",
		// Some decoders leave alone what is no escape, and go on behind it.
		"/raw/%25x%252f..%252f..%252fadmin", "/raw/%25/%252e%252e;%25/admin", "/raw/%252e%252e%2500%25", "/raw/a%255cb%25zz",
	}
	b, u := signedIn(t, Proxy{Target: "/v1"})
	b.handler = b.m.Load(pathsAsTheyAre(t, b.mux)) // http.ServeMux would clean some of them
	for path, want := range passes {
		if resp := b.call("GET", path); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body(resp))
			continue
		}
		if got := u.last(t).RequestURI; got != want {
			t.Errorf("%s arrives as %s", path, got)
		}
	}
	for _, path := range refused {
		r := b.request("GET", "/raw/x", append(fetchHeaders, withHeader...)...)
		parsed, err := url.ParseRequestURI(path)
		if err != nil {
			t.Fatal(path, err)
		}
		r.URL, r.RequestURI = parsed, path
		resp := b.send(r)
		if got := problemReason(t, resp); resp.StatusCode != http.StatusBadRequest || got != ReasonProxyPath || len(u.seen) != 0 {
			t.Errorf("%s: %d %s, at the API %d", path, resp.StatusCode, got, len(u.seen))
			u.seen = nil
		}
	}
}

// An address without a path in the request line is not put in the place of one.
func TestV31ProxyOpaqueAddress(t *testing.T) {
	b, u := signedIn(t, Proxy{Target: "/v1"})
	b.handler = pathsAsTheyAre(t, b.mux)
	for _, address := range []string{"http:x/../admin", "http:admin", "x:%2e%2e/admin"} {
		r := b.request("GET", "/raw/x", append(fetchHeaders, withHeader...)...)
		parsed, err := url.ParseRequestURI(address)
		if err != nil {
			t.Fatal(err)
		}
		r.URL, r.RequestURI = parsed, address
		b.wantProblem(b.send(r), http.StatusBadRequest, ReasonProxyPath)
		if u.calls() != 0 {
			t.Fatalf("%s arrives as %s", address, u.last(t).RequestURI)
		}
	}
}

// pathsAsTheyAre is a router that cleans nothing.
func pathsAsTheyAre(t *testing.T, mux *http.ServeMux) http.Handler {
	h, _ := mux.Handler(httptest.NewRequest("GET", "/raw/", nil))
	if h == nil {
		t.Fatal("no handler")
	}
	return h
}

// What StripPrefix leaves, and an address of another host in the request line.
func TestProxyTargets(t *testing.T) {
	for target, paths := range map[string]map[string]string{
		"":      {"/api/": "/", "/api/x": "/x", "/api/x/": "/x/"},
		"/":     {"/api/": "/", "/api/x": "/x"},
		"/v1":   {"/api/": "/v1/", "/api/x": "/v1/x"},
		"/v1/":  {"/api/": "/v1/", "/api/x": "/v1/x"},
		"/a%20": {"/api/%C3%A9": "/a%20/%C3%A9"},
	} {
		b, u := signedIn(t, Proxy{Target: target})
		for path, want := range paths {
			b.call("GET", path)
			if got := u.last(t).RequestURI; got != want {
				t.Errorf("%q: %s arrives as %s, want %s", target, path, got, want)
			}
		}
		h, err := b.m.Proxy(Proxy{Target: u.URL + target})
		if err != nil {
			t.Fatal(err)
		}
		b.handler = http.StripPrefix("/api", h)
		r := b.request("GET", "/api", append(fetchHeaders, withHeader...)...)
		r.URL.Scheme, r.URL.Host = "http", "evil.example"
		b.send(r)
		if got, want := u.last(t).RequestURI, orSlash(target); got != want {
			t.Errorf("%q: nothing arrives as %s, want %s", target, got, want)
		}
	}
}

func orSlash(path string) string { return or(path, "/") }

func TestProxyRefuses(t *testing.T) {
	tests := map[string]struct {
		method  string
		headers []string
		status  int
		reason  string
	}{
		"without the header":    {"GET", []string{"X-Csrf", ""}, 403, ReasonHeaderMissing},
		"POST without it":       {"POST", []string{"X-Csrf", ""}, 403, ReasonHeaderMissing},
		"another site":          {"GET", []string{"Sec-Fetch-Site", "cross-site"}, 403, ReasonCrossOrigin},
		"preflight":             {"OPTIONS", []string{"X-Csrf", "", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403, ReasonCrossOrigin},
		"TRACE":                 {"TRACE", nil, 405, ReasonMethod},
		"CONNECT":               {"CONNECT", nil, 405, ReasonMethod},
		"WebSocket":             {"GET", []string{"Upgrade", "websocket", "Connection", "Upgrade"}, 501, ReasonUpgrade},
		"upgrade without ado":   {"GET", []string{"Upgrade", "h2c"}, 501, ReasonUpgrade},
		"WebSocket cross-site":  {"GET", []string{"Upgrade", "websocket", "Connection", "Upgrade", "Sec-Fetch-Site", "cross-site", "X-Csrf", ""}, 501, ReasonUpgrade},
		"image on another site": {"GET", []string{"X-Csrf", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, 403, ReasonCrossOrigin},
	}
	b, u := signedIn(t, Proxy{})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			resp := b.call(tt.method, "/raw/x", tt.headers...)
			b.wantProblem(resp, tt.status, tt.reason)
			if u.calls() != 0 || resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%d calls of the API, %v", u.calls(), resp.Header)
			}
		})
	}
}

func TestProxyInsecureNoHeader(t *testing.T) {
	b, u := signedIn(t, Proxy{InsecureNoHeader: true})
	if resp := b.call("GET", "/api/x", "X-Csrf", ""); resp.StatusCode != http.StatusOK || u.calls() != 1 {
		t.Errorf("%d", resp.StatusCode)
	}
	b.wantProblem(b.call("GET", "/api/x", "X-Csrf", "", "Sec-Fetch-Site", "cross-site"), 403, ReasonCrossOrigin)
	b.wantProblem(b.call("GET", "/api/x", "X-Csrf", "", "Sec-Fetch-Site", "same-site"), 403, ReasonCrossOrigin)
	if u.calls() != 1 {
		t.Error("another site reaches the API")
	}
}

func TestProxyTokens(t *testing.T) {
	tests := map[string]struct {
		token     ProxyToken
		user      string // empty: not signed in
		want      string // "user", "client", "none"; empty: 401
		anonymous string
	}{
		"user":           {UserToken, "user", "", ""},
		"client":         {ClientToken, "client", "", ""},
		"none":           {NoToken, "none", "", ""},
		"user or client": {UserOrClientToken, "user", "client", ""},
		"user or none":   {UserOrNoToken, "user", "none", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, u := newUpstream(t, Proxy{Token: tt.token})
			kind := func(b *browser, user string) string {
				resp := b.call("GET", "/api/x")
				if resp.StatusCode == http.StatusUnauthorized && u.calls() == 0 {
					return problemReason(t, resp)
				}
				authorization := u.last(t).Header.Get("Authorization")
				switch {
				case authorization == "":
					return "none"
				case user != "" && authorization == "Bearer "+b.accessToken():
					return "user"
				case a.op.Count("token") > 0:
					return "client"
				}
				return authorization
			}
			b := a.browser()
			wantAnonymous := or(tt.want, ReasonNoSession)
			if got := kind(b, ""); got != wantAnonymous {
				t.Errorf("nobody: %s, want %s", got, wantAnonymous)
			}
			b.mustSignIn("alice")
			if got := kind(b, "alice"); got != tt.user {
				t.Errorf("alice: %s, want %s", got, tt.user)
			}
		})
	}
}

// The client's token is asked for once, and kept.
func TestProxyClientToken(t *testing.T) {
	a, u := newUpstream(t, Proxy{Token: UserOrClientToken})
	b := a.browser()
	for range 3 {
		b.call("GET", "/api/x")
	}
	if n := a.op.Count("token"); n != 1 || u.calls() != 3 {
		t.Errorf("%d token requests, %d calls", n, u.calls())
	}
}

// Another client than that of the Manager.
func TestProxyOtherClient(t *testing.T) {
	other := clienttest.New(&clienttest.Options{Algorithm: "ES256", Issuer: "https://other.example"})
	t.Cleanup(func() { other.Close() })
	a, u := newUpstream(t, Proxy{Token: UserOrClientToken, Client: clientOf(t, other, appCallback)})
	if resp := a.browser().call("GET", "/api/x"); resp.StatusCode != http.StatusOK || u.calls() != 1 {
		t.Errorf("%d", resp.StatusCode)
	}
	if other.Count("token") != 1 || a.op.Count("token") != 0 {
		t.Error("the token is another client's")
	}
}

// A connection without an address, such as a Unix socket's, has none to tell.
func TestProxyWithoutAddress(t *testing.T) {
	b, u := signedIn(t, Proxy{})
	r := b.request("GET", "/api/x", append(fetchHeaders, withHeader...)...)
	r.RemoteAddr = "@"
	b.send(r)
	if got := u.last(t).Header; got["X-Forwarded-For"] != nil || got.Get("X-Forwarded-Host") != "app.example.com" {
		t.Errorf("%v", got)
	}
}

// A provider that gives the client no token.
func TestProxyClientRefused(t *testing.T) {
	a, u := newUpstream(t, Proxy{Token: UserOrClientToken})
	a.op.SetFaults(clienttest.InvalidGrant)
	b := a.browser()
	b.wantProblem(b.call("GET", "/api/x"), 502, ReasonTokenRefused)
	if u.calls() != 0 {
		t.Error("the API was called")
	}
}

func TestProxyDeadGrant(t *testing.T) {
	b, u := signedIn(t, Proxy{})
	b.op.RevokeGrants("alice")
	b.expireToken()
	resp := b.call("GET", "/api/x")
	if resp.Header.Get("WWW-Authenticate") != "Session" {
		t.Errorf("%v", resp.Header)
	}
	b.wantProblem(resp, 401, ReasonRefreshFailed)
	if u.calls() != 0 {
		t.Error("the API was called")
	}
}

func TestProxyWithoutRefreshToken(t *testing.T) {
	b, u := signedIn(t, Proxy{}, func(cfg *appConfig) { cfg.client.Scopes = []string{"profile"} })
	b.expireToken()
	b.wantProblem(b.call("GET", "/api/x"), 401, ReasonRefreshFailed)
	if u.calls() != 0 {
		t.Error("the API was called")
	}
}

func TestProxyProviderDown(t *testing.T) {
	b, u := signedIn(t, Proxy{})
	b.op.SetFaults(clienttest.Token500)
	b.expireToken()
	b.wantProblem(b.call("GET", "/api/x"), 503, ReasonUnavailable)
	if u.calls() != 0 {
		t.Error("the API was called")
	}
}

func TestProxyConfig(t *testing.T) {
	const good = "https://api.example.com/v1"
	rp := newApp(t).rp
	tests := map[string]struct {
		proxy Proxy
		want  string
	}{
		"no target":             {Proxy{}, "it is missing"},
		"http":                  {Proxy{Target: "http://api.example.com"}, "neither https nor http on a loopback host"},
		"userinfo":              {Proxy{Target: "https://a:b@api.example.com"}, "without user and fragment"},
		"query":                 {Proxy{Target: good + "?x"}, "has a query"},
		"empty query":           {Proxy{Target: good + "?"}, "has a query"},
		"fragment":              {Proxy{Target: good + "#x"}, "without user and fragment"},
		"dots":                  {Proxy{Target: good + "/../v2"}, "no plain path"},
		"relative":              {Proxy{Target: "/v1"}, "not an absolute URL"},
		"unknown token":         {Proxy{Target: good, Token: 9}, "unknown value 9"},
		"negative token":        {Proxy{Target: good, Token: -1}, "unknown value -1"},
		"negative timeout":      {Proxy{Target: good, Timeout: -1}, "negative Timeout"},
		"resource of no user":   {Proxy{Target: good, Token: ClientToken, Resource: "https://api.example.com"}, "Resource is for the user's token"},
		"client of the user":    {Proxy{Target: good, Client: rp}, "Client and Grant are for the client's own token"},
		"grant of the user":     {Proxy{Target: good, Grant: &client.GrantOptions{}}, "Client and Grant are for the client's own token"},
		"grant without a token": {Proxy{Target: good, Token: NoToken, Grant: &client.GrantOptions{}}, "Client and Grant are for the client's own token"},
	}
	m := newApp(t).m
	for name, tt := range tests {
		h, err := m.Proxy(tt.proxy)
		if err == nil || h != nil || !strings.HasPrefix(err.Error(), "session: Proxy: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	for _, p := range []Proxy{{Target: good}, {Target: "http://localhost:8080"}, {Target: good, Token: ClientToken, Client: rp}} {
		if _, err := m.Proxy(p); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
	two, _, _ := newTwo(t)
	if _, err := two.m.Proxy(Proxy{Target: good, Token: ClientToken}); err == nil || !strings.Contains(err.Error(), "several providers") {
		t.Errorf("two providers, and no client: %v", err)
	}
}

// With a resource, the token is the one for it or none: never that of the sign-in.
func TestProxyResource(t *testing.T) {
	const resource = "https://api.example.com"
	b, u := signedIn(t, Proxy{Resource: resource})
	resp := b.call("GET", "/api/x")
	within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
		token, err := s.TokenFor(r.Context(), resource)
		if err != nil {
			b.wantProblem(resp, http.StatusBadGateway, ReasonTokenRefused)
			if u.calls() != 0 {
				t.Error("the API was called")
			}
			return
		}
		usual, err := s.Token(r.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := u.last(t).Header.Get("Authorization"); got != "Bearer "+token.AccessToken || got == "Bearer "+usual.AccessToken {
			t.Error("the API got another token than that for it")
		}
	})
}

// 100 users at once, and each request with the token of who sent it.
func TestProxyNeverMixesUsers(t *testing.T) {
	a, u := newUpstream(t, Proxy{})
	u.answer = func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(r.Header.Get("Authorization"))
	}
	var wg sync.WaitGroup
	for i := range 100 {
		b := a.browser()
		b.mustSignIn(fmt.Sprintf("user%d", i))
		want := "Bearer " + b.accessToken()
		requests := make([]*http.Request, 10)
		for j := range requests {
			requests[j] = b.request("GET", "/api/x", append(fetchHeaders, withHeader...)...)
		}
		for _, r := range requests {
			wg.Go(func() {
				var got string
				resp := b.lost(r)
				if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got != want {
					t.Errorf("%d: another token than that of the session (%v)", resp.StatusCode, err)
				}
			})
		}
	}
	wg.Wait()
}

// A DPoP-bound token goes with its proof, made for the address of the API.
func TestProxyDPoP(t *testing.T) {
	b, u := signedIn(t, Proxy{Target: "/v1"}, func(cfg *appConfig) { cfg.client.DPoP = client.GenerateDPoPKey() })
	if resp := b.call("GET", "/api/x?y=z", "DPoP", "theirs"); resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, body(resp))
	}
	got := u.last(t)
	proof := got.Header.Values("DPoP")
	if got.Header.Get("Authorization") != "DPoP "+b.accessToken() || len(proof) != 1 {
		t.Fatalf("%v", got.Header)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(proof[0], ".")[1])
	if err != nil || !strings.Contains(string(payload), `"htu":"`+u.URL+`/v1/x"`) || !strings.Contains(string(payload), `"htm":"GET"`) {
		t.Errorf("%v: %s", err, payload)
	}
}

// A body that is longer than it says, as one that a middleware has decompressed, is not read
// into memory.
func TestProxyBodyLongerThanStated(t *testing.T) {
	b, u := signedIn(t, Proxy{})
	r := b.request("POST", "/api/x", append(fetchHeaders, withHeader...)...)
	r.Body, r.ContentLength = bodyOf(strings.Repeat("x", maxReplay+1)), 10
	b.wantProblem(b.send(r), http.StatusBadRequest, ReasonBody)
	if len(u.seen) != 0 {
		t.Error("it went to the API")
	}
}

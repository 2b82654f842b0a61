package session

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

const (
	appURL      = "https://app.example.com"
	appCallback = appURL + "/auth/callback"
)

// An app is a web application and its provider, both in memory.
type app struct {
	t       testing.TB
	op      *clienttest.Provider
	rp      *client.Client
	m       *Manager
	mux     *http.ServeMux
	handler http.Handler // what answers; the mux unless a test wraps it
	base    *url.URL
	logs    *logBuffer
	open    func(*http.Request, *Session) // called by the page "/", if set
}

// An appConfig is what a test may change before an app is made.
type appConfig struct {
	op       clienttest.Options
	client   client.Config
	callback string
	session  Config
}

func newApp(t testing.TB, change ...func(*appConfig)) *app {
	t.Helper()
	logs := &logBuffer{}
	cfg := appConfig{callback: appCallback}
	cfg.op.Algorithm = "ES256" // makes its key in no time
	cfg.session.Secrets = []string{testSecret(1)}
	cfg.session.Logger = logs.logger()
	for _, c := range change {
		c(&cfg)
	}
	op := clienttest.New(&cfg.op)
	t.Cleanup(func() { op.Close() })
	cc := op.Config(cfg.callback)
	if cfg.client.Scopes != nil {
		cc.Scopes = cfg.client.Scopes
	}
	cc.DPoP = cfg.client.DPoP
	rp, err := client.New(cc)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(rp, cfg.session)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{t: t, op: op, logs: logs, base: parseURL(t, cfg.callback)}
	return a.serving(rp, m)
}

// serving is an app with the same provider that serves by m.
func (a *app) serving(rp *client.Client, m *Manager) *app {
	a = &app{t: a.t, op: a.op, rp: rp, m: m, mux: http.NewServeMux(), logs: a.logs, base: a.base}
	a.handler = a.mux
	m.Routes(a.mux)
	a.mux.Handle("/", m.Require(http.HandlerFunc(a.page)))
	return a
}

// page says who is signed in, and with which tokens.
func (a *app) page(w http.ResponseWriter, r *http.Request) {
	s := From(r.Context())
	if a.open != nil {
		a.open(r, s)
	}
	access := "none"
	if token, err := s.Token(r.Context()); err == nil {
		access = token.AccessToken
	}
	fmt.Fprintf(w, "%s %s %s", s.Subject(), access, r.URL.RequestURI())
}

// A browser has a strict cookie jar, and sends what Chromium would.
type browser struct {
	*app
	jar *strictJar
}

func (a *app) browser() *browser { return &browser{a, &strictJar{now: a.op.Now}} }

// request makes the request of a page load; the headers change it, and one with
// an empty value takes it out.
func (b *browser) request(method, target string, headers ...string) *http.Request {
	b.t.Helper()
	u := b.base.ResolveReference(parseURL(b.t, target))
	raw := target
	if !strings.HasPrefix(target, "/") {
		raw = u.RequestURI()
	}
	r := httptest.NewRequest(method, raw, nil)
	r.Host = u.Host
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	for _, c := range b.jar.Cookies(u) {
		r.Header.Add("Cookie", c.Name+"="+c.Value)
	}
	return r
}

var fetchHeaders = []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "*/*"}

// lost sends r and drops the answer: the jar does not see it.
func (b *browser) lost(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w.Result()
}

// take lets an answer arrive.
func (b *browser) take(resp *http.Response) *http.Response {
	b.jar.SetCookies(b.base, resp.Cookies())
	return resp
}

func (b *browser) send(r *http.Request) *http.Response { return b.take(b.lost(r)) }

func (b *browser) get(target string, headers ...string) *http.Response {
	b.t.Helper()
	return b.send(b.request("GET", target, headers...))
}

func (b *browser) fetch(target string) *http.Response {
	b.t.Helper()
	return b.get(target, fetchHeaders...)
}

func (b *browser) post(target string, headers ...string) *http.Response {
	b.t.Helper()
	return b.send(b.request("POST", target, headers...))
}

// begin asks for a page and gives the address at the provider it was sent to.
func (b *browser) begin(target string) string {
	b.t.Helper()
	resp := b.get(target)
	location := resp.Header.Get("Location")
	if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(location, b.op.Issuer()+"/") {
		b.t.Fatalf("GET %s: %d to %q instead of 303 to the provider", target, resp.StatusCode, location)
	}
	return location
}

// callbackOf signs a user in at the provider and gives the address of the callback.
func (b *browser) callbackOf(authorization, user string) string {
	b.t.Helper()
	callback, err := b.op.SignIn(authorization, user)
	if err != nil {
		b.t.Fatal(err)
	}
	return callback.RequestURI()
}

// fromProvider marks a page load that the provider's page has caused.
var fromProvider = []string{"Sec-Fetch-Site", "cross-site"}

// signIn asks for a page, signs a user in and gives the answer to the callback.
func (b *browser) signIn(target, user string) *http.Response {
	b.t.Helper()
	return b.get(b.callbackOf(b.begin(target), user), fromProvider...)
}

// mustSignIn is signIn for tests that begin after it.
func (b *browser) mustSignIn(user string) {
	b.t.Helper()
	b.wantRedirect(b.signIn("/", user), "/")
}

// cookie is the value of a cookie in the jar, the session's for an empty suffix.
func (b *browser) cookie(suffix string) string {
	name := b.m.cookies.names[0] + suffix
	for _, c := range b.jar.Cookies(b.base) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func body(resp *http.Response) string {
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}

// user gets "/" and says who the app thinks is there.
func (b *browser) user() string {
	b.t.Helper()
	resp := b.fetch("/")
	if resp.StatusCode == http.StatusUnauthorized {
		return "nobody: " + problemReason(b.t, resp)
	}
	name, _, _ := strings.Cut(body(resp), " ")
	return name
}

func problemReason(t testing.TB, resp *http.Response) string {
	t.Helper()
	var problem struct{ Reason string }
	if err := json.NewDecoder(resp.Body).Decode(&problem); err != nil {
		t.Fatalf("no JSON problem: %v", err)
	}
	return problem.Reason
}

func (a *app) wantRedirect(resp *http.Response, to string) {
	a.t.Helper()
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != to {
		a.t.Fatalf("%d to %q instead of 303 to %q; log: %s", resp.StatusCode, resp.Header.Get("Location"), to, a.logs)
	}
}

// wantPage checks an answer of ours, and its reason in the log.
func (a *app) wantPage(resp *http.Response, status int, reason string) string {
	a.t.Helper()
	text := body(resp)
	if resp.StatusCode != status || !slices.Contains(a.logs.reasons(), reason) {
		a.t.Fatalf("%d instead of %d, or no %q in the log: %s", resp.StatusCode, status, reason, a.logs)
	}
	if resp.Header.Get("Cache-Control") != "no-store" {
		a.t.Errorf("Cache-Control is %q", resp.Header.Get("Cache-Control"))
	}
	return text
}

func (a *app) wantUser(b *browser, want string) {
	a.t.Helper()
	if got := b.user(); got != want {
		a.t.Fatalf("signed in is %q instead of %q; log: %s", got, want, a.logs)
	}
}

// A logBuffer keeps a log.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// bodyOf is a request body.
func bodyOf(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }

// reasons are those of all lines.
func (l *logBuffer) reasons() []string {
	var reasons []string
	for line := range strings.Lines(l.String()) {
		var entry struct{ Reason string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Reason != "" {
			reasons = append(reasons, entry.Reason)
		}
	}
	return reasons
}

func (l *logBuffer) has(reason string) bool { return slices.Contains(l.reasons(), reason) }

// setCookies are the names of the cookies an answer sets or deletes.
func setCookies(resp *http.Response) []string {
	var names []string
	for _, c := range resp.Cookies() {
		names = append(names, c.Name)
	}
	return names
}

// expired moves the clock to where the access token is over.
func (a *app) expireToken() { a.op.Advance(5*time.Minute + time.Second) }

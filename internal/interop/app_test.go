package interop

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
)

// An app is a small site on session, in this process: it counts who comes in, and
// shows at /api what the access token is worth at the provider.
type app struct {
	url      string
	loopback string // where programs without a browser's names find it, over plain http
	reg      registration
	rp       *client.Client
	auth     *session.Manager
	entered  atomic.Int64
	visits   visits
	log      *lockedBuffer
	mux      *http.ServeMux
}

// startApp runs an app at http://127.0.0.1, another site than the providers at localhost.
// change is for the client's metadata, and configure for its sessions.
func startApp(t *testing.T, p *provider, change metadata, configure func(*session.Config)) *app {
	t.Helper()
	a := listen(t)
	a.start(t, p, p.register(t, a.url+"/auth/callback", change), configure)
	return a
}

// listen gives an app its address, and nothing to answer with yet.
func listen(t *testing.T) *app {
	t.Helper()
	a := &app{}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	a.url, a.loopback = srv.URL, srv.URL
	return a
}

// startSecureApp runs an app at https://rp.test, for Chromium, with a provider of
// startSecureProvider.
func startSecureApp(t *testing.T, p *provider, change metadata, configure func(*session.Config)) *app {
	t.Helper()
	a := listenSecurely(t)
	a.start(t, p, p.register(t, a.url+"/auth/callback", change), configure)
	return a
}

// listenSecurely gives an app its addresses, and nothing to answer with yet.
func listenSecurely(t *testing.T) *app {
	t.Helper()
	a := &app{}
	plain := httptest.NewServer(a)
	t.Cleanup(plain.Close)
	srv := httptest.NewUnstartedServer(a)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{newCertificate(t, "app")}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	a.url, a.loopback = strings.Replace(srv.URL, "127.0.0.1", "rp.test", 1), plain.URL
	return a
}

// start opens the app as a client of the provider.
func (a *app) start(t *testing.T, p *provider, reg registration, configure func(*session.Config)) {
	t.Helper()
	a.reg = reg
	a.rp = p.client(t, a.reg, func(cfg *client.Config) { cfg.HTTPClient = p.http })
	a.startSessions(t, a.rp, func(cfg *session.Config) {
		cfg.Transport = p.http.Transport
		if configure != nil {
			configure(cfg)
		}
	})
}

// startSessions opens the app with sessions; rp is nil where they are with several providers.
func (a *app) startSessions(t *testing.T, rp *client.Client, configure func(*session.Config)) {
	t.Helper()
	a.log = &lockedBuffer{}
	cfg := session.Config{
		Secrets: []string{"0123456789abcdef-interop-0123456789ABCDEF"},
		Name:    "interop",
		Logger:  slog.New(slog.NewTextHandler(a.log, nil)),
	}
	configure(&cfg)
	auth, err := session.New(rp, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("session:\n%s", a.log)
		}
	})
	a.open(auth)
}

// open makes the pages.
func (a *app) open(auth *session.Manager) {
	a.auth = auth
	a.mux = http.NewServeMux()
	auth.Routes(a.mux)
	a.mux.Handle("/who", auth.Require(http.HandlerFunc(a.who)))
	a.mux.Handle("/api", auth.Require(http.HandlerFunc(a.api)))
}

// ServeHTTP implements http.Handler.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.entered.Add(1)
	a.visits.add(r.URL.RequestURI())
	a.mux.ServeHTTP(w, r)
}

// page is what the app shows at path: HTML, as it stands.
func (a *app) page(path, html string) {
	a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!doctype html>"+html)
	})
}

// visits are the addresses that were asked for, oldest first.
type visits struct {
	mu  sync.Mutex
	all []string
}

func (v *visits) add(address string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all = append(v.all, address)
}

// to counts those of addresses that begin with prefix.
func (v *visits) to(prefix string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := 0
	for _, address := range v.all {
		if strings.HasPrefix(address, prefix) {
			n++
		}
	}
	return n
}

func (a *app) who(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><p id=who>%s</p>", session.From(r.Context()).Subject())
}

// seen is what /api answers. The tokens are those of a test.
type seen struct {
	Status      int    // of the provider's userinfo
	Subject     string // in it
	AccessToken string
	Error       string
}

func (a *app) api(w http.ResponseWriter, r *http.Request) {
	var got seen
	if err := a.useToken(r, &got); err != nil {
		got.Error = err.Error()
	}
	json.NewEncoder(w).Encode(got)
}

func (a *app) useToken(r *http.Request, got *seen) error {
	s := session.From(r.Context())
	token, err := s.Token(r.Context())
	if err != nil {
		return err
	}
	got.AccessToken = token.AccessToken
	document, err := a.rp.Metadata(r.Context())
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, document.UserInfoEndpoint, nil)
	if err != nil {
		return err
	}
	resp, err := s.HTTPClient().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got.Status = resp.StatusCode
	var info struct {
		Subject string `json:"sub"`
	}
	err = json.NewDecoder(resp.Body).Decode(&info)
	got.Subject = info.Subject
	return err
}

// jarCookies are the cookies that person would send to the app.
func (a *app) jarCookies(t *testing.T, person *person) []*http.Cookie {
	t.Helper()
	u, err := url.Parse(a.url)
	if err != nil {
		t.Fatal(err)
	}
	return person.http.Jar.Cookies(u)
}

// get asks for a page with these cookies and no others, and follows nothing.
func (a *app) get(path string, cookies []*http.Cookie) (*http.Response, []byte, error) {
	req, err := http.NewRequest(http.MethodGet, a.url+path, nil)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range cookies {
		req.AddCookie(c)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

func (a *app) callAPI(cookies []*http.Cookie) (*http.Response, seen, error) {
	resp, body, err := a.get("/api", cookies)
	var got seen
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("/api: %s", resp.Status)
	}
	if err == nil {
		err = json.NewDecoder(bytes.NewReader(body)).Decode(&got)
	}
	if err == nil && got.Error != "" {
		err = fmt.Errorf("/api: %s", got.Error)
	}
	return resp, got, err
}

// shortLived is the knob for an access token that runs out soon, but not before the
// sign-in is over; what a refresh gives is good for an hour.
var shortLived = metadata{"x_first_access_token_ttl": 4}

// signedIn is somebody with a session in the app.
func (a *app) signedIn(t *testing.T, user string) (*person, []*http.Cookie) {
	t.Helper()
	person := newPerson(t, "")
	end, _ := person.open(a.url + "/who").signIn(user)
	if end.status != http.StatusOK || !strings.Contains(end.body, ">"+user+"<") {
		t.Fatalf("signing in ended on %s (status %d):\n%s", end.url, end.status, end.body)
	}
	return person, a.jarCookies(t, person)
}

// expire waits until none of the app's access tokens is good at the provider.
func (a *app) expire(t *testing.T, p *provider) {
	t.Helper()
	eventually(t, "all access tokens of the app expired", func() (bool, error) {
		var live struct{ N int }
		err := p.call("access-tokens", map[string]string{"client": a.reg.ID}, &live)
		return err == nil && live.N == 0, err
	})
}

// newest is what a browser has after an answer: its cookies in place of the old ones.
func newest(old, set []*http.Cookie) []*http.Cookie {
	byName := map[string]*http.Cookie{}
	for _, c := range old {
		byName[c.Name] = c
	}
	for _, c := range set {
		byName[c.Name] = c
	}
	var all []*http.Cookie
	for _, c := range byName {
		if c.MaxAge >= 0 && c.Value != "" {
			all = append(all, c)
		}
	}
	return all
}

package interop

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A cluster is some sites that are one app: processes of their own behind a proxy that
// takes them in turn. Its methods are those of an app; entered and rp are not used.
type cluster struct {
	*app
	sites []*site

	mu   sync.Mutex
	turn int
}

// A site is one process of a cluster.
type site struct {
	*process
	URL   string `json:"url"`
	app   *app   // past the proxy
	proxy *httputil.ReverseProxy
	dead  bool
}

// startCluster starts n sites as one client of the provider. change is for the client's
// metadata, and configure for what the sites are told.
func startCluster(t *testing.T, p *provider, n int, change metadata, configure func(*siteConfig)) *cluster {
	t.Helper()
	c := &cluster{}
	front := httptest.NewServer(c)
	t.Cleanup(front.Close)
	c.app = &app{url: front.URL}
	c.reg = p.register(t, c.url+"/auth/callback", change)
	cfg := siteConfig{
		Issuer: p.Issuer, ClientID: c.reg.ID, ClientSecret: c.reg.Secret, RedirectURL: c.reg.redirectURL,
		Scopes: []string{"profile", "email"}, Secrets: []string{"0123456789abcdef-interop-0123456789ABCDEF"},
	}
	if configure != nil {
		configure(&cfg)
	}
	for cfg.Number = range n {
		c.sites = append(c.sites, startOneSite(t, cfg))
	}
	return c
}

func startOneSite(t *testing.T, cfg siteConfig) *site {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), siteVariable+"="+string(told))
	s := &site{}
	if s.process, err = launch(cmd, s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.stop()
		if log := s.stderr.String(); strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic") {
			t.Errorf("site %d: a data race or a panic", cfg.Number)
		}
		if t.Failed() {
			t.Logf("site %d:\n%s", cfg.Number, s.stderr)
		}
	})
	s.app = &app{url: s.URL}
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	return s
}

// kill ends one site, as a power failure would. What it was about to answer is a 502; what
// comes later, the others get.
func (c *cluster) kill(number int) {
	c.mu.Lock()
	c.sites[number].dead = true
	c.mu.Unlock()
	c.sites[number].stop()
}

// ServeHTTP implements http.Handler: it asks the sites in turn.
func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s := c.next(); s != nil {
		s.proxy.ServeHTTP(w, r)
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

func (c *cluster) next() *site {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range c.sites {
		s := c.sites[c.turn%len(c.sites)]
		c.turn++
		if !s.dead {
			return s
		}
	}
	return nil
}

// asked is how many requests have come to the proxy.
func (c *cluster) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn
}

// alive are the sites that were not killed.
func (c *cluster) alive() []*site {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.sites), func(s *site) bool { return s.dead })
}

// logged counts the lines of a log, that of all sites, which have all of these texts.
func (c *cluster) logged(texts ...string) int {
	n := 0
	for _, s := range c.sites {
		for line := range strings.Lines(s.stderr.String()) {
			if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
				n++
			}
		}
	}
	return n
}

// setAhead sets the clock of a site.
func (s *site) setAhead(t *testing.T, ahead time.Duration) {
	t.Helper()
	s.post(t, "/clock", nil, url.Values{"ahead": {ahead.String()}}, http.StatusOK)
}

// post sends a form with these cookies and no others, and wants a status.
func (s *site) post(t *testing.T, path string, cookies []*http.Cookie, form url.Values, status int) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range cookies {
		req.AddCookie(c)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != status {
		t.Fatalf("POST %s: %s, want %d", path, resp.Status, status)
	}
	return resp
}

// state asks a site who is signed in: it gives the name, or the status and the reason why
// nobody is, and how long the site took to answer.
func (s *site) state(t *testing.T, cookies []*http.Cookie) (who string, took time.Duration) {
	t.Helper()
	begin := time.Now()
	resp, body, err := s.app.get("/who", cookies)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK {
		_, rest, _ := strings.Cut(string(body), "<p id=who>")
		who, _, _ = strings.Cut(rest, "<")
		return who, time.Since(begin)
	}
	var problem struct{ Reason string }
	if err := json.Unmarshal(body, &problem); err != nil {
		t.Fatalf("%s: %v\n%s", resp.Status, err, body)
	}
	if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	if len(resp.Cookies()) > 0 {
		t.Errorf("cookies with %s", resp.Status)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, problem.Reason), time.Since(begin)
}

// wantState asks all sites that are alive.
func (c *cluster) wantState(t *testing.T, when string, cookies []*http.Cookie, want string) {
	t.Helper()
	for _, s := range c.alive() {
		if got, _ := s.state(t, cookies); got != want {
			t.Errorf("%s: %s says %q, want %q", when, s.URL, got, want)
		}
	}
}

// bothPlaces runs a test with the sessions in cookies, and in Redis, at the same time.
func bothPlaces(t *testing.T, test func(t *testing.T, r *redisServer, keep func(*siteConfig))) {
	for name, inStore := range map[string]bool{"in cookies": false, "in the store": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait most of the time: for tokens and leases to run out
			r := startRedis(t)
			test(t, r, func(cfg *siteConfig) { cfg.Redis, cfg.SessionsInStore = r.socket, inStore })
		})
	}
}

// Three processes with one secret are one app, and one that dies in the middle of a refresh
// takes no session with it: its request never came to the provider.
func TestClusterLosesASite(t *testing.T) {
	g := startGate(t, op)
	c := startCluster(t, op, 3, shortLived, func(cfg *siteConfig) { cfg.BackChannelURL = g.url })
	_, cookies := c.signedIn(t, "alice")
	answered := map[string]bool{}
	for range 3 {
		resp, _, err := c.get("/who", cookies)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", resp, err)
		}
		answered[resp.Header.Get(siteHeader)] = true
	}
	if len(answered) != 3 {
		t.Errorf("the sites %v answered, want all three", answered)
	}

	c.expire(t, op)
	h := g.hold(t, "/token", beforeProvider)
	status := make(chan int, 1)
	go func() {
		resp, _, err := c.get("/api", cookies)
		if err != nil {
			status <- 0
			return
		}
		status <- resp.StatusCode
	}()
	k := h.next(t)
	number := int(k.site[0] - '0')
	c.kill(number)
	if got := <-status; got != http.StatusBadGateway {
		t.Errorf("the request that a dead site was answering: %d, want 502", got)
	}
	k.cut()
	h.open()
	resp, got, err := c.callAPI(cookies)
	if err != nil || got.Status != http.StatusOK || got.Subject != "alice" {
		t.Fatalf("afterwards: %d, %v", got.Status, err)
	}
	if resp.Header.Get(siteHeader) == k.site {
		t.Error("the dead answer")
	}
	if n := op.reuses(t, c.reg.ID); n != 0 {
		t.Errorf("%d reuses", n)
	}
}

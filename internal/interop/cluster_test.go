package interop

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"testing"
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
		if t.Failed() {
			t.Logf("site %d:\n%s", cfg.Number, s.stderr)
		}
	})
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

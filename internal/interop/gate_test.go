package interop

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
)

// A gate stands in front of a provider and lets requests through, or keeps them. Relying
// parties reach it by client.Config.BackChannelURL; browsers go to the provider itself.
type gate struct {
	url      string
	provider *url.URL

	mu    sync.Mutex
	holds map[string]*hold // by path
}

// A moment is where a request is kept.
type moment int

const (
	beforeProvider moment = iota // the provider does not know of it yet
	beforeAnswer                 // the provider has done what was asked, and answered
)

// A hold keeps the requests to one path at one moment.
type hold struct {
	moment moment
	kept   chan *kept
	opened chan struct{}
	open   func() // lets go on what is kept, and keeps nothing more
}

// A kept request waits at a gate.
type kept struct {
	site    string // the number of the site that sent it, in a cluster
	decided chan bool
}

// pass lets it go on its way.
func (k *kept) pass() { k.decided <- true }

// cut ends the connection: the sender gets no answer, and before the provider nothing was
// asked.
func (k *kept) cut() { k.decided <- false }

func startGate(t *testing.T, p *provider) *gate {
	t.Helper()
	target, err := url.Parse(origin(t, p.Issuer))
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{provider: target, holds: map[string]*hold{}}
	srv := httptest.NewServer(g)
	t.Cleanup(srv.Close)
	g.url = srv.URL
	return g
}

// behind is a change for provider.client.
func (g *gate) behind(cfg *client.Config) { cfg.BackChannelURL = g.url }

// hold keeps the requests to a path from now on, until open or the end of the test.
func (g *gate) hold(t *testing.T, path string, m moment) *hold {
	t.Helper()
	h := &hold{moment: m, kept: make(chan *kept), opened: make(chan struct{})}
	h.open = sync.OnceFunc(func() { close(h.opened) })
	t.Cleanup(h.open)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds[path] = h
	return h
}

// next is a request that waits, or will.
func (h *hold) next(t *testing.T) *kept {
	t.Helper()
	select {
	case k := <-h.kept:
		return k
	case <-time.After(startTimeout):
		t.Fatal("no request came to the gate")
		return nil
	}
}

// passes says whether a request may go on, when that is decided.
func (g *gate) passes(r *http.Request, m moment) bool {
	g.mu.Lock()
	h := g.holds[r.URL.Path]
	g.mu.Unlock()
	if h == nil || h.moment != m {
		return true
	}
	k := &kept{site: r.Header.Get(siteHeader), decided: make(chan bool, 1)}
	select {
	case h.kept <- k:
	case <-h.opened:
		return true
	}
	select {
	case pass := <-k.decided:
		return pass
	case <-h.opened:
		return true
	}
}

// ServeHTTP implements http.Handler. What has come is asked of the provider whether or not
// the sender is still there, as over a real network.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !g.passes(r, beforeProvider) {
		panic(http.ErrAbortHandler)
	}
	req := r.Clone(context.WithoutCancel(r.Context()))
	req.RequestURI = ""
	req.URL.Scheme, req.URL.Host, req.Host = g.provider.Scheme, g.provider.Host, g.provider.Host
	req.Body = io.NopCloser(bytes.NewReader(body))
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || !g.passes(r, beforeAnswer) {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	w.Write(answer)
}

// An answer that is lost on its way costs the refresh token: the provider has used it up.
func TestGate(t *testing.T) {
	for name, c := range map[string]struct {
		moment moment
		spent  bool
	}{"before the provider": {beforeProvider, false}, "before the answer": {beforeAnswer, true}} {
		t.Run(name, func(t *testing.T) {
			g := startGate(t, op)
			reg := op.register(t, callbackURL, nil)
			rp := op.client(t, reg, g.behind)
			tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)

			h := g.hold(t, "/token", c.moment)
			refreshed := make(chan error, 1)
			send := func() {
				_, err := rp.Refresh(t.Context(), tokens)
				refreshed <- err
			}
			go send()
			h.next(t).cut()
			if err := <-refreshed; err == nil {
				t.Fatal("a refresh without an answer worked")
			}
			go send()
			h.next(t).pass()
			err := <-refreshed
			if c.spent != (err != nil) {
				t.Errorf("the next refresh: %v", err)
			}
			if n := op.reuses(t, reg.ID); c.spent != (n == 1) {
				t.Errorf("%d reuses at the provider", n)
			}
		})
	}
}

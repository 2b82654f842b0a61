package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
	"github.com/postern-go/postern/session/redisstore"
)

const (
	// siteVariable, in the environment, makes the test binary a site: what a siteConfig is.
	siteVariable = "POSTERN_INTEROP_SITE"
	// siteHeader says which site of a cluster a request comes from, or an answer.
	siteHeader = "Interop-Site"
)

// A siteConfig is what a site of a cluster is told. Processes that answer for one another
// differ in Number alone.
type siteConfig struct {
	Number          int
	Issuer          string
	BackChannelURL  string
	ClientID        string
	ClientSecret    string
	RedirectURL     string
	Scopes          []string
	Secrets         []string
	Redis           string // the socket; empty: none
	SessionsInStore bool
}

// A siteClock is what a site takes for the time: the real one, but for what POST /clock adds.
type siteClock struct{ ahead atomic.Int64 }

func (c *siteClock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// ServeHTTP implements http.Handler: it sets how far the clock is ahead.
func (c *siteClock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ahead, err := time.ParseDuration(r.FormValue("ahead"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.ahead.Store(int64(ahead))
}

// runSite is the whole program of a site: it says where it is, and serves until standard
// input ends. It has the pages of an app.
func runSite(told string) int {
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := serveSite(told); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

func serveSite(told string) error {
	var cfg siteConfig
	if err := json.Unmarshal([]byte(told), &cfg); err != nil {
		return err
	}
	handler, err := cfg.handler()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("{\"url\": %q}\n", "http://"+ln.Addr().String())
	return http.Serve(ln, handler)
}

func (cfg *siteConfig) handler() (http.Handler, error) {
	a := &app{}
	var err error
	a.rp, err = client.New(client.Config{
		Issuer: cfg.Issuer, BackChannelURL: cfg.BackChannelURL, ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret,
		RedirectURL: cfg.RedirectURL, Scopes: cfg.Scopes, HTTPClient: &http.Client{Transport: numbered(cfg.Number)},
	})
	if err != nil {
		return nil, err
	}
	clock := &siteClock{}
	auth, err := session.New(a.rp, cfg.session(clock))
	if err != nil {
		return nil, err
	}
	a.open(auth)
	a.mux.Handle("POST /clock", clock)
	a.mux.Handle("/note", auth.Require(http.HandlerFunc(note)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(siteHeader, strconv.Itoa(cfg.Number))
		a.ServeHTTP(w, r)
	}), nil
}

// session is how the sites of a cluster keep sessions. The log has the events, too.
func (cfg *siteConfig) session(clock *siteClock) session.Config {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("site", cfg.Number)
	all := session.Config{
		Secrets: cfg.Secrets, Name: "interop", Logger: logger, Now: clock.now, SessionsInStore: cfg.SessionsInStore,
		OnEvent: func(_ context.Context, e session.Event) { logger.Info("event", "event", e) },
	}
	if cfg.Redis != "" {
		store := &redisstore.Store{Client: redis.NewClient(&redis.Options{Network: "unix", Addr: cfg.Redis, MaxRetries: 1, DialerRetries: 1})}
		all.Store, all.Locker = store, store
	}
	return all
}

// note keeps a text in the session: a change that is no refresh.
func note(w http.ResponseWriter, r *http.Request) {
	if err := session.From(r.Context()).Set("note", []byte(r.FormValue("text"))); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// numbered says in each request which site it is from.
type numbered int

// RoundTrip implements http.RoundTripper.
func (n numbered) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set(siteHeader, strconv.Itoa(int(n)))
	return http.DefaultTransport.RoundTrip(req)
}

package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
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
	Number         int
	Issuer         string
	BackChannelURL string
	ClientID       string
	ClientSecret   string
	RedirectURL    string
	Scopes         []string
	Secrets        []string
	Redis          string // the socket; empty: none
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
	auth, err := session.New(a.rp, cfg.session())
	if err != nil {
		return nil, err
	}
	a.open(auth)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(siteHeader, strconv.Itoa(cfg.Number))
		a.ServeHTTP(w, r)
	}), nil
}

// session is how the sites of a cluster keep sessions.
func (cfg *siteConfig) session() session.Config {
	return session.Config{
		Secrets: cfg.Secrets, Name: "interop",
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)).With("site", cfg.Number),
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

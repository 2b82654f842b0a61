package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// hydra is one Ory Hydra for all tests, started by the first of them that wants it.
var hydra struct {
	once   sync.Once
	server *hydraServer
	err    error
}

// A hydraServer is Ory Hydra, which has no pages of its own, with those of hydraPages. It
// is here for its front-channel logout. It listens on Unix sockets; in front of it is a
// server of ours, so its address is known before it starts.
type hydraServer struct {
	*provider
	front  *httptest.Server
	dir    string
	admin  *http.Client // of its admin API, at http://hydra
	public http.RoundTripper
}

func startHydra(t *testing.T) *hydraServer {
	t.Helper()
	hydra.once.Do(func() { hydra.server, hydra.err = launchHydra() })
	if hydra.err != nil {
		t.Fatal(hydra.err)
	}
	return hydra.server
}

func stopHydra() {
	if hydra.server != nil {
		hydra.server.stop()
		hydra.server.front.Close()
		os.RemoveAll(hydra.server.dir)
	}
}

func launchHydra() (*hydraServer, error) {
	install := exec.Command("hydra/install")
	var why lockedBuffer
	install.Stderr = &why
	program, err := install.Output()
	if err != nil {
		return nil, fmt.Errorf("Hydra is not installed: %w\n%s", err, why.String())
	}
	dir, err := os.MkdirTemp("", "hydra") // short, for a socket's path has at most 107 bytes
	if err != nil {
		return nil, err
	}
	h := &hydraServer{dir: dir, admin: &http.Client{Transport: overSocket(filepath.Join(dir, "admin"))}, public: overSocket(filepath.Join(dir, "public"))}
	h.front = httptest.NewServer(h.handler())
	config := filepath.Join(dir, "hydra.json")
	if err := h.configure(config); err != nil {
		return nil, err
	}
	p, err := launch(exec.Command("./tied", strings.TrimSpace(string(program)), "serve", "all", "--dev", "--sqa-opt-out", "--config", config), nil)
	if err != nil {
		return nil, err
	}
	h.provider = &provider{process: p, http: http.DefaultClient}
	if h.Issuer, err = h.ready(); err != nil {
		p.stop()
		return nil, fmt.Errorf("Hydra did not start: %w\n%s", err, p.stderr)
	}
	return h, nil
}

func overSocket(path string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
}

// address is where browsers find it: at localhost, another site than the relying party.
func (h *hydraServer) address() string {
	return strings.Replace(h.front.URL, "127.0.0.1", "localhost", 1)
}

// configure writes the configuration; YAML takes JSON.
func (h *hydraServer) configure(path string) error {
	base := h.address()
	text, err := json.Marshal(map[string]any{
		"dsn": "memory",
		"log": map[string]any{"level": "warn"},
		"serve": map[string]any{
			"public": map[string]any{"host": "unix:" + filepath.Join(h.dir, "public")},
			"admin":  map[string]any{"host": "unix:" + filepath.Join(h.dir, "admin")},
		},
		"urls": map[string]any{
			"self":  map[string]any{"issuer": base},
			"login": base + "/interaction/login", "consent": base + "/interaction/consent", "logout": base + "/interaction/logout",
			"post_logout_redirect": base + "/interaction/goodbye",
		},
		"secrets":   map[string]any{"system": []string{"a secret of the tests alone"}},
		"oidc":      map[string]any{"dynamic_client_registration": map[string]any{"enabled": true, "default_scope": []string{"openid", "offline_access", "profile", "email"}}},
		"webfinger": map[string]any{"oidc_discovery": map[string]any{"client_registration_url": base + "/oauth2/register"}},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// ready waits until it listens, and gives the issuer that it says it is.
func (h *hydraServer) ready() (issuer string, err error) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(startTimeout)
	for {
		var document struct {
			Issuer string `json:"issuer"`
		}
		if err = h.discover(&document); err == nil || time.Now().After(deadline) {
			return document.Issuer, err
		}
		<-ticker.C
	}
}

func (h *hydraServer) discover(document any) error {
	resp, err := http.Get(h.address() + "/.well-known/openid-configuration")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("discovery: %s", resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(document)
}

// handler is what stands in front of it: its pages, and behind them itself.
func (h *hydraServer) handler() http.Handler {
	mux := http.NewServeMux()
	hydraPages{h}.routes(mux)
	mux.Handle("/", &httputil.ReverseProxy{
		Transport: h.public,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "hydra"})
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	})
	return mux
}

// register makes a client with the scopes that Postern's tests ask for.
func (h *hydraServer) register(t *testing.T, redirectURL string, change metadata) registration {
	t.Helper()
	if change == nil {
		change = metadata{}
	}
	change["scope"] = "openid offline_access profile email"
	return h.provider.register(t, redirectURL, change)
}

// endUser ends all sessions that a user has. Hydra tells no client about it: only a
// logout that begins in a browser has front and back channels.
func (h *hydraServer) endUser(t *testing.T, sub string) {
	t.Helper()
	if err := h.call(http.MethodDelete, "sessions/login?subject="+url.QueryEscape(sub), nil, nil); err != nil {
		t.Fatal(err)
	}
}

// call uses the admin API.
func (h *hydraServer) call(method, path string, body, answer any) error {
	payload, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, "http://hydra/admin/oauth2/auth/"+path, strings.NewReader(string(payload)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := h.admin.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
)

// startTimeout is generous: a machine that also compiles takes seconds to start Node,
// and half a minute to start Java.
const startTimeout = 2 * time.Minute

// A provider is one oidc-provider process, configured by op/*.mjs.
type provider struct {
	Issuer  string `json:"issuer"`
	Control string `json:"control"`
	MTLS    string `json:"mtls"` // where it asks for client certificates; empty: nowhere

	*process
	http *http.Client // what the tests call it with
}

// installPackages puts node_modules there where they are missing: the provider's, and
// those of the relying party that is not ours. The lock files say which packages, to
// the byte.
func installPackages() error {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is missing: these tests run a real OpenID provider on Node 20 or later (%w)", program, err)
		}
	}
	for dir, name := range map[string]string{"op": "oidc-provider", "rp": "openid-client"} {
		if _, err := os.Stat(filepath.Join(dir, "node_modules", name, "package.json")); err == nil {
			continue
		}
		npm := exec.Command("npm", "ci", "--no-audit", "--no-fund")
		npm.Dir = dir
		if out, err := npm.CombinedOutput(); err != nil {
			return fmt.Errorf("npm ci in %s: %w\n%s", dir, err, out)
		}
	}
	return nil
}

// launchProvider starts a provider on a free port and returns when it listens.
// env is added to the environment; op.mjs says what it understands.
func launchProvider(env ...string) (*provider, error) {
	cmd := exec.Command("node", "op.mjs")
	cmd.Dir = "op"
	cmd.Env = append(append(os.Environ(), "PORT=0", "OP_WITH_STDIN=1"), env...)
	return launchAsProvider(cmd)
}

// launchAsProvider starts a program that says as its first line what provider it is.
func launchAsProvider(cmd *exec.Cmd) (p *provider, err error) {
	p = &provider{http: http.DefaultClient}
	p.process, err = launch(cmd, p)
	return p, err
}

// startProvider is launchProvider for the time of one test.
func startProvider(t *testing.T, env ...string) *provider {
	t.Helper()
	p, err := launchProvider(env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return p
}

// call uses a test control of op.mjs: a nil body reads, any other posts.
func (p *provider) call(name string, body, answer any) error {
	method, payload := http.MethodGet, []byte(nil)
	if body != nil {
		method = http.MethodPost
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequest(method, p.Control+name, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("control %s: %s: %s", name, resp.Status, text)
	}
	if answer == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

func (p *provider) control(t *testing.T, name string, body any) {
	t.Helper()
	if err := p.call(name, body, nil); err != nil {
		t.Fatal(err)
	}
}

// An event is something that oidc-provider emitted; its error and cause say why
// the provider refused.
type event struct {
	Event     string `json:"event"`
	Client    string `json:"client"`
	GrantType string `json:"grant_type"`
	Error     string `json:"error"`
	Detail    string `json:"detail"`
	Reason    string `json:"reason"` // what the client is not told
	Cause     string `json:"cause"`
}

// events are those about one client, and those about none.
func (p *provider) events(t *testing.T, clientID string) []event {
	t.Helper()
	var all, mine []event
	if err := p.call("events", nil, &all); err != nil {
		t.Error(err)
	}
	for _, e := range all {
		if e.Client == clientID || e.Client == "" {
			mine = append(mine, e)
		}
	}
	return mine
}

// count says how often an event was about a client and a grant type.
func (p *provider) count(t *testing.T, clientID, name, grantType string) int {
	t.Helper()
	n := 0
	for _, e := range p.events(t, clientID) {
		if e.Client == clientID && e.Event == name && e.GrantType == grantType {
			n++
		}
	}
	return n
}

// reuses counts how often a client showed a refresh token that it had used before: each
// time the provider took it for stolen, and ended the grant.
func (p *provider) reuses(t *testing.T, clientID string) int {
	t.Helper()
	n := 0
	for _, e := range p.events(t, clientID) {
		if e.Client == clientID && e.Event == "grant.error" && e.Reason == "refresh token already used" {
			n++
		}
	}
	return n
}

// requests counts the requests that reached one path of the provider.
func (p *provider) requests(t *testing.T, path string) int {
	t.Helper()
	var all []struct{ Path string }
	if err := p.call("requests", nil, &all); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range all {
		if r.Path == path {
			n++
		}
	}
	return n
}

// A registration is a client of the provider, made for one test.
type registration struct {
	ID          string `json:"client_id"`
	Secret      string `json:"client_secret"`
	redirectURL string
}

// metadata is the client metadata of RFC 7591.
type metadata map[string]any

// register makes a client by RFC 7591: a confidential web client with the code
// flow and refresh tokens at redirectURL, but for what change says. If the test
// fails, it prints what the provider has to say about that client.
func (p *provider) register(t *testing.T, redirectURL string, change metadata) registration {
	t.Helper()
	body := metadata{
		"redirect_uris":  []string{redirectURL},
		"grant_types":    []string{"authorization_code", "refresh_token"},
		"response_types": []string{"code"},
	}
	for name, value := range change {
		body[name] = value
	}
	payload, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.http.Post(p.endpoint(t, "registration_endpoint"), "application/json", bytes.NewReader(payload))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("register: %s: %s", resp.Status, answer)
	}
	reg := registration{redirectURL: redirectURL}
	if err := json.Unmarshal(answer, &reg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.explain(t, reg.ID) })
	return reg
}

// endpoint reads one member of the discovery document.
func (p *provider) endpoint(t *testing.T, name string) string {
	t.Helper()
	resp, err := p.http.Get(strings.TrimSuffix(p.Issuer, "/") + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var document map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&document); err != nil {
		t.Fatal(err)
	}
	url, ok := document[name].(string)
	if !ok {
		t.Fatalf("the provider has no %s", name)
	}
	return url
}

func (p *provider) explain(t *testing.T, clientID string) {
	if !t.Failed() {
		return
	}
	if p.Control == "" { // one whose events are in its log
		t.Logf("provider, log:\n%s", p.stderr)
		return
	}
	for _, e := range p.events(t, clientID) {
		t.Logf("provider: %s %s %s %s %s %s", e.Event, e.GrantType, e.Error, e.Detail, e.Reason, e.Cause)
	}
	t.Logf("provider, standard error:\n%s", p.stderr)
}

// client makes the relying party for a registration.
func (p *provider) client(t *testing.T, reg registration, change func(*client.Config)) *client.Client {
	t.Helper()
	cfg := client.Config{
		Issuer: p.Issuer, ClientID: reg.ID, ClientSecret: reg.Secret, RedirectURL: reg.redirectURL,
		Scopes: []string{"profile", "email"},
	}
	if change != nil {
		change(&cfg)
	}
	rp, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rp
}

// eventually waits for a condition that another process brings about.
func eventually(t *testing.T, what string, condition func() (bool, error)) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	for {
		ok, err := condition()
		if ok {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatalf("still not: %s (%v)", what, err)
		}
	}
}

// A lockedBuffer takes the output of a process while a test reads it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && leaked() {
		buf := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "goroutines left:\n%s\n", buf[:runtime.Stack(buf, true)])
		code = 1
	}
	os.Exit(code)
}

// leaked waits up to two seconds for the goroutines of the tests to end.
func leaked() bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		if runtime.NumGoroutine() <= 1 {
			return false
		}
		<-tick.C
	}
	return true
}

// A site is the program, and a browser that follows redirects and keeps cookies.
type site struct {
	*testing.T
	address string
	browser *http.Client
	at      string // the address of the page that the browser shows
	status  int
	text    string
}

// start runs the program as main does; nil is its own provider.
func start(t *testing.T, provider *clienttest.Provider) *site {
	t.Helper()
	env := map[string]string{"ADDR": "127.0.0.1:0", "API_ADDR": "127.0.0.1:0"}
	if provider != nil {
		cfg := provider.Config("")
		env["ISSUER"], env["CLIENT_ID"], env["CLIENT_SECRET"] = cfg.Issuer, cfg.ClientID, cfg.ClientSecret
	}
	ctx, cancel := context.WithCancel(t.Context())
	printed, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, func(name string) string { return env[name] }, w)
		w.CloseWithError(err)
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("run: %v", err)
		}
	})
	line, err := bufio.NewReader(printed).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "open ")
	if !ok {
		t.Fatalf("the program says %q", line)
	}
	if provider != nil {
		provider.Config(address + "/auth/callback") // registers it
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &site{T: t, address: address, browser: &http.Client{Jar: jar}}
}

// newProvider is one that a test can look into.
func newProvider(t *testing.T) *clienttest.Provider {
	t.Helper()
	provider := clienttest.New(nil)
	t.Cleanup(func() { provider.Close() })
	if err := provider.Listen("localhost:0"); err != nil {
		t.Fatal(err)
	}
	return provider
}

func (s *site) send(method, address, form string, headers ...string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, address, strings.NewReader(form))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.browser.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		s.Fatal(err)
	}
	s.at, s.status, s.text = resp.Request.URL.String(), resp.StatusCode, string(text)
}

func (s *site) open(path string) {
	s.Helper()
	s.send("GET", s.address+path, "")
}

var (
	action = regexp.MustCompile(`action="([^"]*)"`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// signIn is at the provider's page, as alice.
func (s *site) signIn(title string) {
	s.Helper()
	to := action.FindStringSubmatch(s.text)
	if to == nil || !strings.Contains(s.text, "<h1>"+title+"</h1>") {
		s.Fatalf("%s is no page with %q to sign in:\n%s", s.at, title, s.text)
	}
	form := url.Values{"subject": {"alice"}}
	for _, field := range hidden.FindAllStringSubmatch(s.text, -1) {
		form.Set(field[1], html.UnescapeString(field[2]))
	}
	s.send("POST", html.UnescapeString(to[1]), form.Encode())
}

func (s *site) want(path, text string) {
	s.Helper()
	if s.status != http.StatusOK || s.at != s.address+path || !strings.Contains(s.text, text) {
		s.Fatalf("%d at %s, want %s with %q:\n%s", s.status, s.at, path, text, s.text)
	}
}

// TestSecondFactor: once for each page that wants it, and not for those that do not.
func TestSecondFactor(t *testing.T) {
	s := start(t, nil)
	s.open("/")
	s.signIn("Sign in")
	s.want("/", "Your balance is 42.")
	s.want("/", "acr 1.")

	s.open("/transfer?to=%42ob")
	s.signIn("Sign in again")
	s.want("/transfer?to=%42ob", "Transfer all of it.")
	s.want("/transfer?to=%42ob", "acr mfa.")

	for path, text := range map[string]string{"/": "balance", "/address": "address", "/transfer": "Transfer", "/statement": "from the API"} {
		s.open(path)
		s.want(path, text)
	}
}

// TestAPIAsks: the page has no rule, and the API it calls has.
func TestAPIAsks(t *testing.T) {
	s := start(t, nil)
	s.open("/")
	s.signIn("Sign in")
	s.open("/statement")
	if at, err := url.Parse(s.at); err != nil || at.Query().Get("acr_values") != "mfa" {
		t.Errorf("the API wants a second factor, and the provider is asked at %s", s.at)
	}
	s.signIn("Sign in again")
	s.want("/statement", "The statement of alice, from the API.")
}

// TestTooLongAgo: who signed in yesterday does it again. The provider is told what would do.
func TestTooLongAgo(t *testing.T) {
	provider := newProvider(t)
	provider.SetFaults(clienttest.OldAuthTime)
	s := start(t, provider)
	s.open("/")
	s.signIn("Sign in")
	s.want("/", "Your balance is 42.")
	provider.SetFaults()
	s.open("/address") // the provider, to which it is not long ago, asks nobody
	s.want("/address", "Change your address.")
	asked := provider.Requests()[slices.IndexFunc(provider.Requests(), func(r clienttest.Request) bool { return r.Form.Get("max_age") != "" })]
	if asked.Endpoint != "authorization" || asked.Form.Get("max_age") != "300" {
		t.Errorf("asked %s for max_age %q", asked.Endpoint, asked.Form.Get("max_age"))
	}
}

// TestInVain: a provider that knows no second factor is asked once, and nobody goes in circles.
func TestInVain(t *testing.T) {
	provider := newProvider(t)
	provider.SetFaults(clienttest.ACRIgnored)
	s := start(t, provider)
	s.open("/")
	s.signIn("Sign in")
	for _, path := range []string{"/transfer", "/statement"} {
		s.open(path)
		if s.status != http.StatusForbidden || !strings.HasPrefix(s.at, s.address+"/auth/callback?") || !strings.Contains(s.text, "acr-too-low") {
			t.Errorf("%s: %d at %s:\n%s", path, s.status, s.at, s.text)
		}
	}
	s.open("/")
	s.want("/", "Your balance is 42.")
}

// TestScripts are told what is wrong, and where their page may go.
func TestScripts(t *testing.T) {
	s := start(t, nil)
	s.open("/")
	s.signIn("Sign in")
	for _, path := range []string{"/transfer", "/statement"} {
		s.send("GET", s.address+path, "", "Accept", "application/json", "Sec-Fetch-Mode", "cors")
		if s.status != http.StatusUnauthorized || !strings.Contains(s.text, `"reason":"acr-too-low","login":"/auth/login?step_up=`) {
			t.Errorf("%s: %d\n%s", path, s.status, s.text)
		}
	}
}

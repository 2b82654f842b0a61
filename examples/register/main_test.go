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
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
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

// environment is that of a test: any free port, and what set says.
func environment(set map[string]string) func(string) string {
	return func(name string) string {
		if name == "ADDR" {
			return "127.0.0.1:0"
		}
		return set[name]
	}
}

// start runs the program as main does and gives the address that it prints.
func start(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	printed, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, environment(nil), w)
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
	return address
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
var action = regexp.MustCompile(`action="([^"]*)"`)

// TestDemo signs in at the site, whose provider did not know it before.
func TestDemo(t *testing.T) {
	address := start(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	read := func(resp *http.Response, err error) (*url.URL, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		return resp.Request.URL, string(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	at, page := read(browser.Do(req))
	to := action.FindStringSubmatch(page)
	if to == nil {
		t.Fatalf("no sign-in page at %s:\n%s", at, page)
	}
	target, err := at.Parse(html.UnescapeString(to[1]))
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{}
	for _, field := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(field[1], html.UnescapeString(field[2]))
	}
	form.Set("subject", "alice")
	at, page = read(browser.PostForm(target.String(), form))
	if at.String() != address+"/" || !regexp.MustCompile(`^hello, alice: this site is dynamic-[A-Z2-7]+ to its provider\n$`).MatchString(page) {
		t.Errorf("at %s:\n%s", at, page)
	}
}

// TestKept: one client, however often the program starts.
func TestKept(t *testing.T) {
	provider := clienttest.New(nil)
	if err := provider.Listen("localhost:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Close() })
	file := filepath.Join(t.TempDir(), "registration")
	env := environment(map[string]string{"ISSUER": provider.Issuer(), "FILE": file})
	const redirectURL = "http://127.0.0.1:8080/auth/callback"
	first, err := registration(t.Context(), env, redirectURL)
	if err != nil {
		t.Fatal(err)
	}
	second, err := registration(t.Context(), env, redirectURL)
	if err != nil || second.ClientID != first.ClientID || provider.Count("registration") != 1 {
		t.Errorf("got %v after %v, %v", second, first, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the secret: %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := registration(t.Context(), env, redirectURL); err == nil || provider.Count("registration") != 1 {
		t.Errorf("a damaged file gives %v, and %d clients", err, provider.Count("registration"))
	}
	provider.SetFaults(clienttest.NoRegistration)
	if _, err := registration(t.Context(), environment(map[string]string{"ISSUER": provider.Issuer()}), redirectURL); !errors.Is(err, client.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
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

// start runs the program as main does and gives the address that it prints.
func start(t *testing.T, env map[string]string) string {
	t.Helper()
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
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	lines := bufio.NewReader(printed)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, lines)
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "open ")
	if !ok {
		t.Fatalf("the program says %q, want open ADDRESS", line)
	}
	return address
}

// A browser follows redirects and keeps cookies.
type browser struct {
	*testing.T
	client *http.Client
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t, &http.Client{Jar: jar, Transport: transport}}
}

// A shown page is where the browser ended up.
type shown struct {
	at     *url.URL
	status int
	header http.Header
	body   string
}

func (b *browser) do(req *http.Request) shown {
	b.Helper()
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "text/html")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		b.Fatal(err)
	}
	return shown{resp.Request.URL, resp.StatusCode, resp.Header, string(body)}
}

func (b *browser) open(address string) shown {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.Fatal(err)
	}
	return b.do(req)
}

var (
	formTag  = regexp.MustCompile(`(?s)<form([^>]*)>(.*?)</form>`)
	fieldTag = regexp.MustCompile(`<(?:input|button)([^>]*)>`)
	attrText = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
)

func attributes(tag string) map[string]string {
	attrs := make(map[string]string)
	for _, m := range attrText.FindAllStringSubmatch(tag, -1) {
		attrs[m[1]] = html.UnescapeString(m[2])
	}
	return attrs
}

// submit sends the first form of a page whose text has the word, with the given
// fields over its own; of several buttons, the one whose value is given.
func (b *browser) submit(p shown, word string, fields url.Values) shown {
	b.Helper()
	for _, form := range formTag.FindAllStringSubmatch(p.body, -1) {
		if !strings.Contains(form[0], word) {
			continue
		}
		attrs := attributes(form[1])
		values := make(url.Values)
		for _, field := range fieldTag.FindAllStringSubmatch(form[2], -1) {
			if a := attributes(field[1]); a["type"] == "hidden" {
				values.Set(a["name"], a["value"])
			}
		}
		for name, v := range fields {
			values[name] = v
		}
		action, err := p.at.Parse(attrs["action"])
		if err != nil {
			b.Fatal(err)
		}
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, action.String(), strings.NewReader(values.Encode()))
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", p.at.Scheme+"://"+p.at.Host)
		return b.do(req)
	}
	b.Fatalf("no form with %q at %s:\n%s", word, p.at, p.body)
	return shown{}
}

func (b *browser) want(p shown, at, text string) {
	b.Helper()
	if p.status != http.StatusOK || p.at.String() != at || !strings.Contains(p.body, text) {
		b.Fatalf("got %d at %s, want 200 at %s with %q:\n%s", p.status, p.at, at, text, p.body)
	}
}

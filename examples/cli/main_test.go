package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
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

// nothing is an environment in which the program brings its own provider.
func nothing(string) string { return "" }

var hidden = regexp.MustCompile(`name="request" value="([^"]*)"`)

// signIn is alice with a browser: the page, its form, and back to the program.
func signIn(t *testing.T, address string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Error(err)
	}
	browser := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	page := read(t)(browser.Get(address))
	field := hidden.FindStringSubmatch(page)
	if field == nil {
		t.Errorf("there is no form: %s", page)
		return ""
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Error(err)
		return ""
	}
	form := url.Values{"request": {unescape.Replace(field[1])}, "subject": {"alice"}}
	return read(t)(browser.PostForm(u.Scheme+"://"+u.Host+"/sign-in", form))
}

var unescape = strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#39;", "'", "&#34;", `"`)

func read(t *testing.T) func(*http.Response, error) string {
	return func(resp *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Error(err)
			return ""
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			t.Error(err)
		}
		return string(body)
	}
}

func TestSignIn(t *testing.T) {
	out, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(t.Context(), []string{"-no-browser"}, nothing, w)
		w.CloseWithError(err)
		done <- err
	}()
	var said []string
	shown := make(chan string, 1)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		said = append(said, line)
		if strings.HasPrefix(line, "http://localhost:") {
			go func() { shown <- signIn(t, line) }()
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if page := <-shown; !strings.Contains(page, "You are signed in. You can close this page") {
		t.Errorf("the browser shows %s", page)
	}
	text := strings.Join(said, "\n")
	for _, want := range []string{`as "alice"`, `name "Alice Ashby", email "alice@example.com"`, "(no browser was opened)"} {
		if !strings.Contains(text, want) {
			t.Errorf("the program does not say %s:\n%s", want, text)
		}
	}
}

// TestDevice plays somebody who opens the page elsewhere, types the code and signs in.
func TestDevice(t *testing.T) {
	out, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(t.Context(), []string{"-device"}, nothing, w)
		w.CloseWithError(err)
		done <- err
	}()
	browser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var address, said string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said += lines.Text() + "\n"
		if strings.HasPrefix(lines.Text(), "http://localhost:") {
			address = lines.Text()
		}
		if _, code, found := strings.Cut(lines.Text(), "enter the code "); found {
			page := read(t)(browser.PostForm(address, url.Values{"user_code": {code}, "subject": {"alice"}}))
			if !strings.Contains(page, "Go back to the device.") {
				t.Errorf("the browser shows %s", page)
			}
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said, `as "alice"`) {
		t.Errorf("the program says %s", said)
	}
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-no-browser"}, nothing, w)
		w.CloseWithError(err)
		done <- err
	}()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "no browser") {
			cancel()
		}
	}
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	cancel()
}

func TestCheck(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-check"}, nothing, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(out.String(), "\nnothing is known to be wrong\n") {
		t.Errorf("got %s", out.String())
	}
	out.Reset()
	env := map[string]string{"ISSUER": "http://127.0.0.1:1", "CLIENT_ID": "cli"}
	if err := run(t.Context(), []string{"-check"}, func(name string) string { return env[name] }, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "error: Config.Issuer: The metadata at http://127.0.0.1:1/.well-known/openid-configuration cannot be had") {
		t.Errorf("got %s", out.String())
	}
	if err := run(t.Context(), []string{"-help"}, nothing, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("got %v", err)
	}
}

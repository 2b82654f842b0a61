package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
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

var printed = regexp.MustCompile(`^curl -i -d '([^']+)' (http://\S+/call)$`)

// start runs the program as main does, and gives the request that it prints.
func start(t *testing.T) (address string, form url.Values) {
	t.Helper()
	log.SetOutput(io.Discard)
	ctx, cancel := context.WithCancel(t.Context())
	out, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, func(name string) string { return map[string]string{"ADDR": "127.0.0.1:0"}[name] }, w)
		w.CloseWithError(err)
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("run: %v", err)
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		m := printed.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		form, err := url.ParseQuery(m[1])
		if err != nil {
			t.Fatal(err)
		}
		return m[2], form
	}
	t.Fatal("the program printed no request")
	return "", nil
}

func post(t *testing.T, address string, form url.Values) (status int, body string) {
	t.Helper()
	resp, err := http.PostForm(address, form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestDemo sends what the program prints, after what is wrong with one thing changed.
func TestDemo(t *testing.T) {
	address, good := start(t)
	const refused = "the sign-in was refused: begin another\n"
	other := strings.Repeat("x", 43)
	for _, tc := range []struct{ name, field, value string }{
		{"another state", "state", other},
		{"a short state", "state", "x"},
		{"no nonce", "nonce", ""},
		{"no verifier", "verifier", ""},
		{"no time", "created", ""},
		{"too long ago", "created", time.Now().Add(-2 * time.Hour).Format(time.RFC3339)},
		{"no callback", "callback", ""},
	} {
		form := url.Values{}
		for name := range good {
			form.Set(name, good.Get(name))
		}
		form.Set(tc.field, tc.value)
		if status, body := post(t, address, form); status != http.StatusForbidden || body != refused {
			t.Errorf("%s: %d %s", tc.name, status, body)
		}
	}
	if status, body := post(t, address, good); status != http.StatusOK || body != "alice: the notes of alice, for web\n" {
		t.Errorf("%d %s", status, body)
	}
	if status, body := post(t, address, good); status != http.StatusForbidden || body != refused {
		t.Errorf("the same code again: %d %s", status, body)
	}
	if status, _ := post(t, address, url.Values{"callback": {strings.Repeat("x", 65<<10)}}); status != http.StatusBadRequest {
		t.Errorf("a large form: %d", status)
	}
}

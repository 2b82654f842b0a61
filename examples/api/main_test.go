package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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

// A request is one that the demonstration prints.
type request struct{ method, token, address string }

var printed = regexp.MustCompile(`^curl -i -X ([A-Z]+) -H 'Authorization: Bearer ([^']+)' (http://\S+)$`)

// start runs the program as main does, and gives the three requests that it prints.
func start(t *testing.T) []request {
	t.Helper()
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
	var requests []request
	lines := bufio.NewScanner(out)
	for len(requests) < 3 && lines.Scan() {
		if m := printed.FindStringSubmatch(lines.Text()); m != nil {
			requests = append(requests, request{m[1], m[2], m[3]})
		}
	}
	if len(requests) != 3 {
		t.Fatalf("the program printed %d requests", len(requests))
	}
	return requests
}

// call sends a request; without a token if that is empty.
func call(t *testing.T, r request) (status int, challenge, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.method, r.address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("WWW-Authenticate"), string(text)
}

// TestDemo sends what the program prints, and what is wrong with one thing changed.
func TestDemo(t *testing.T) {
	requests := start(t)
	read, weak, strong := requests[0], requests[1], requests[2]
	without, changed, foreign := read, read, read
	without.token = ""
	changed.token = strings.Replace(read.token, ".", ".x", 1)
	foreign.token = "x"
	for _, tc := range []struct {
		name            string
		request         request
		status          int
		challenge, body string
	}{
		{"read", read, 200, "", "GET the notes of alice"},
		{"too weak", weak, 401, `error="insufficient_user_authentication"`, "a different authentication level is required"},
		{"strong enough", strong, 200, "", "DELETE the notes of alice"},
		{"no token", without, 401, `Bearer scope="notes", resource_metadata="http://127.0.0.1:`, "an access token is needed"},
		{"a changed token", changed, 401, `error="invalid_token"`, "the access token is not acceptable"},
		{"no token at all", foreign, 401, `error="invalid_token"`, "the access token is not acceptable"},
	} {
		status, challenge, body := call(t, tc.request)
		if status != tc.status || !strings.Contains(challenge, tc.challenge) || !strings.Contains(body, tc.body) {
			t.Errorf("%s: %d %s\n%s", tc.name, status, challenge, body)
		}
	}

	metadata := request{"GET", "", strings.Replace(read.address, "/notes", "/.well-known/oauth-protected-resource", 1)}
	status, _, body := call(t, metadata)
	resource := strings.TrimSuffix(read.address, "/notes")
	if status != 200 || !strings.Contains(body, `"resource":"`+resource+`","authorization_servers":["http://localhost:`) {
		t.Errorf("metadata: %d\n%s", status, body)
	}
}

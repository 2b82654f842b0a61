package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"runtime"
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

// lines runs the program as main does, and gives the first n lines that it prints.
func lines(t *testing.T, n int, env map[string]string) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, func(name string) string { return env[name] }, w)
		w.CloseWithError(err)
		done <- err
	}()
	var printed []string
	for scanner := bufio.NewScanner(out); len(printed) < n && scanner.Scan(); {
		printed = append(printed, scanner.Text())
	}
	cancel()
	out.Close()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	if len(printed) < n {
		t.Fatalf("the program printed %q", printed)
	}
	return printed
}

// TestDemo works three times with one token.
func TestDemo(t *testing.T) {
	printed := lines(t, 3, map[string]string{"EVERY": "10ms"})
	if !regexp.MustCompile(`^200 OK: "done for web, token [A-Z0-9]{4}"$`).MatchString(printed[0]) {
		t.Errorf("the program printed %s", printed[0])
	}
	if printed[1] != printed[0] || printed[2] != printed[0] {
		t.Errorf("the token is not kept: %q", printed)
	}
}

// TestProviderDown: the worker says so, goes on, and leaves the provider alone.
func TestProviderDown(t *testing.T) {
	provider := clienttest.New(nil)
	defer provider.Close()
	if err := provider.Listen("localhost:0"); err != nil {
		t.Fatal(err)
	}
	provider.SetFaults(clienttest.Token500)
	cfg := provider.Config("http://localhost/callback")
	printed := lines(t, 3, map[string]string{
		"ISSUER": cfg.Issuer, "CLIENT_ID": cfg.ClientID, "CLIENT_SECRET": cfg.ClientSecret,
		"API_URL": "http://127.0.0.1:9/", "EVERY": "10ms",
	})
	for _, line := range printed {
		if !strings.HasPrefix(line, "failed, and will be tried again: ") || !strings.Contains(line, "client: token endpoint: provider unavailable: status 500") {
			t.Errorf("the program printed %s", line)
		}
		if strings.Contains(line, cfg.ClientSecret) {
			t.Error("it prints the secret")
		}
	}
	if n := provider.Count("token"); n != 1 {
		t.Errorf("%d token requests", n)
	}
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
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

// A program is one that runs.
type program struct {
	*testing.T
	lines *bufio.Scanner
	stop  func() error
}

func start(t *testing.T, env map[string]string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, func(name string) string { return env[name] }, w)
		w.CloseWithError(err)
		done <- err
	}()
	return &program{t, bufio.NewScanner(out), func() error {
		cancel()
		out.Close()
		return <-done
	}}
}

// line is the next that the program prints.
func (p *program) line() string {
	p.Helper()
	if !p.lines.Scan() {
		p.Fatalf("the program ended: %v", p.stop())
	}
	return p.lines.Text()
}

var printed = regexp.MustCompile(`^open (http://localhost:\d+/device) and type ([A-Z0-9-]+)$`)

// signIn does what the program asks for, as alice.
func (p *program) signIn() {
	p.Helper()
	line := p.line()
	m := printed.FindStringSubmatch(line)
	if m == nil {
		p.Fatalf("the program printed %s", line)
	}
	resp, err := http.PostForm(m[1], url.Values{"user_code": {m[2]}, "subject": {"alice"}})
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(text), "You are signed in") {
		p.Fatalf("signing in: %v\n%s", err, text)
	}
}

// works reads lines until count has grown, and wants each to be about alice.
func (p *program) works(count func() int, until int) {
	p.Helper()
	for count() < until {
		if line := p.line(); !strings.HasPrefix(line, "200 OK: ") || !strings.Contains(line, `\"sub\":\"alice\"`) {
			p.Fatalf("the program printed %s", line)
		}
	}
}

func TestDemo(t *testing.T) {
	p := start(t, map[string]string{"EVERY": "10ms"})
	p.signIn()
	calls := 0
	p.works(func() int { calls++; return calls }, 3)
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}

// TestRestart: refresh tokens rotate, the program ends and starts again, the grant ends.
func TestRestart(t *testing.T) {
	provider := clienttest.New(&clienttest.Options{AccessTokenTTL: 2 * time.Second}) // a refresh each second and a half
	defer provider.Close()
	if err := provider.Listen("localhost:0"); err != nil {
		t.Fatal(err)
	}
	cfg := provider.Config("http://localhost/callback")
	file := filepath.Join(t.TempDir(), "tokens")
	env := map[string]string{
		"ISSUER": cfg.Issuer, "CLIENT_ID": cfg.ClientID, "CLIENT_SECRET": cfg.ClientSecret,
		"FILE": file, "KEY": strings.Repeat("01", 32), "EVERY": "20ms",
	}
	refreshes := func() int {
		n := 0
		for _, r := range provider.Requests() {
			if r.Endpoint == "token" && r.Status == http.StatusOK && r.Form.Get("grant_type") == "refresh_token" {
				n++
			}
		}
		return n
	}

	first := start(t, env)
	first.signIn()
	first.works(refreshes, 1)
	if err := first.stop(); err != nil {
		t.Error(err)
	}
	sealed, err := os.ReadFile(file)
	if err != nil || bytes.Contains(sealed, []byte("eyJ")) {
		t.Errorf("the file is not sealed, or not there: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}

	second := start(t, env) // nobody is asked
	second.works(refreshes, refreshes()+1)
	provider.RevokeGrants("alice")
	for line := ""; !strings.HasPrefix(line, "the grant is over: "); line = second.line() {
		if strings.Contains(line, "open ") {
			t.Fatal("somebody is asked before the grant is over")
		}
	}
	second.signIn()
	calls := 0
	second.works(func() int { calls++; return calls }, 3)
	if err := second.stop(); err != nil {
		t.Error(err)
	}

	env["KEY"] = strings.Repeat("02", 32)
	third := start(t, env)
	for third.lines.Scan() {
		t.Errorf("the program printed %s", third.lines.Text())
	}
	if err := third.stop(); err == nil || !strings.HasSuffix(err.Error(), "was sealed with another KEY, or changed") {
		t.Errorf("another key: %v", err)
	}
}

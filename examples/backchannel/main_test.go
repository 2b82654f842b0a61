package main

import (
	"bufio"
	"context"
	"errors"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(m)) }

// startRedis gives the URL of a Redis of the test's own.
func startRedis(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("this test needs redis-server (on Debian: apt-get install redis-server): %v", err)
	}
	dir, err := os.MkdirTemp("", "redis") // t.TempDir is too long a name for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "socket")
	server := exec.Command(program, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
		os.RemoveAll(dir)
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return "unix://" + socket
		}
		<-tick.C
	}
	t.Fatal("redis-server does not answer")
	return ""
}

// start runs the program as main does, and gives the addresses of its two processes.
func start(t *testing.T, redisURL string) (one, two string) {
	t.Helper()
	env := map[string]string{"ADDR": "127.0.0.1:0 127.0.0.1:0", "REDIS_URL": redisURL}
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
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run: %v", err)
		}
	})
	lines := bufio.NewReader(printed)
	for _, address := range []*string{&one, &two} {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "open" {
			t.Fatalf("the program says %q", line)
		}
		*address = words[1]
	}
	return one, two
}

// A browser follows redirects, keeps cookies and shows a page. Cookies ignore ports, so both
// processes get the same.
type browser struct {
	t      *testing.T
	client *http.Client
	at     *url.URL
	text   string
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, client: &http.Client{Jar: jar, Transport: transport}}
}

func (b *browser) send(method, address, form string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.at.Scheme+"://"+b.at.Host)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		b.t.Fatal(err)
	}
	b.at, b.text = resp.Request.URL, string(text)
}

func (b *browser) open(address string) {
	b.t.Helper()
	b.send(http.MethodGet, address, "")
}

var (
	formTag = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)".*?</form>`)
	hidden  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	link    = regexp.MustCompile(`<a href="([^"]*)">Sign out at the provider</a>`)
	shown   = regexp.MustCompile(`You are <b>(\w+)</b> in session <code>([^<]+)</code>`)
)

// submit sends the form that has a word in it, with fields besides its own.
func (b *browser) submit(word string, fields url.Values) {
	b.t.Helper()
	for _, form := range formTag.FindAllStringSubmatch(b.text, -1) {
		if !strings.Contains(form[0], word) {
			continue
		}
		values := url.Values{}
		for _, field := range hidden.FindAllStringSubmatch(form[0], -1) {
			values.Set(field[1], html.UnescapeString(field[2]))
		}
		for name, value := range fields {
			values[name] = value
		}
		action, err := b.at.Parse(html.UnescapeString(form[1]))
		if err != nil {
			b.t.Fatal(err)
		}
		b.send(http.MethodPost, action.String(), values.Encode())
		return
	}
	b.t.Fatalf("no form with %q at %s:\n%s", word, b.at, b.text)
}

// signIn begins at a process, and gives the session that the provider speaks of.
func (b *browser) signIn(site, name string) (sid string) {
	b.t.Helper()
	b.open(site + "/auth/login")
	if strings.Contains(b.text, `id="subject"`) {
		b.submit(`id="subject"`, url.Values{"subject": {name}})
	}
	who := shown.FindStringSubmatch(b.text)
	if who == nil || who[1] != name {
		b.t.Fatalf("signing in led to %s:\n%s", b.at, b.text)
	}
	return who[2]
}

// wantIn: both processes know the session.
func (b *browser) wantIn(sid string, sites ...string) {
	b.t.Helper()
	for _, address := range sites {
		b.open(address)
		if who := shown.FindStringSubmatch(b.text); who == nil || who[2] != sid {
			b.t.Errorf("%s says, want session %s:\n%s", address, sid, b.text)
		}
	}
}

// wantOut: for no process anybody is signed in. The first to say so deletes the cookie.
func (b *browser) wantOut(reason string, sites ...string) {
	b.t.Helper()
	for i, address := range sites {
		b.open(address)
		if i > 0 {
			reason = "no-session"
		}
		if !strings.Contains(b.text, "Nobody is signed in ("+reason+").") {
			b.t.Errorf("%s says, want nobody because %s:\n%s", address, reason, b.text)
		}
	}
}

// nextSecond waits until tokens have another time: a sign-in of the same second as a logout
// token is over with it, because nobody could tell which was first.
func nextSecond() {
	now := time.Now()
	<-time.After(now.Truncate(time.Second).Add(time.Second).Sub(now))
}

// One person in two browsers. The provider tells one process what has ended, and the other
// knows.
func TestSignedOutFromOutside(t *testing.T) {
	for name, redisURL := range map[string]func(*testing.T) string{
		"with Redis":    startRedis,
		"with a memory": func(*testing.T) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			one, two := start(t, redisURL(t))
			laptop, phone, other := newBrowser(t), newBrowser(t), newBrowser(t)
			onLaptop, onPhone, ofOther := laptop.signIn(one, "alice"), phone.signIn(two, "alice"), other.signIn(one, "bob")
			laptop.wantIn(onLaptop, one, two)
			phone.wantIn(onPhone, one, two)

			nextSecond()
			laptop.open(one)
			laptop.open(html.UnescapeString(link.FindStringSubmatch(laptop.text)[1]))
			laptop.submit(`id="confirm"`, nil)
			laptop.wantOut("revoked", two, one) // the logout token went to the first process
			phone.wantIn(onPhone, one, two)

			nextSecond()
			onLaptop = laptop.signIn(two, "alice")
			laptop.wantIn(onLaptop, one, two)
			phone.submit("Sign out everywhere", nil)
			laptop.wantOut("revoked", one, two)
			phone.wantOut("no-session", one, two) // where it went next has deleted the cookie
			other.wantIn(ofOther, one, two)

			again := phone.signIn(one, "alice")
			phone.wantIn(again, one, two)
			if again != onPhone {
				t.Errorf("at the provider the session is %s, want that of before, %s", again, onPhone)
			}
			phone.submit("Sign out</button>", nil)
			phone.wantOut("no-session", one, two)
		})
	}
}

// A stranger's page signs nobody out.
func TestForgedSignOut(t *testing.T) {
	one, two := start(t, "")
	b := newBrowser(t)
	sid := b.signIn(one, "alice")
	for _, path := range []string{"/everywhere", "/auth/logout"} {
		b.at = &url.URL{Scheme: "https", Host: "stranger.example"}
		b.send(http.MethodPost, one+path, "")
		b.wantIn(sid, one, two)
	}
}

// What the environment gets wrong is said before anything is served.
func TestSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"no secret": {map[string]string{"ISSUER": "https://op.example.com"}, "SECRET is missing: all processes need the same"},
		"no Redis":  {map[string]string{"REDIS_URL": "http://user:password@redis"}, "REDIS_URL is not the address of a Redis"},
		"no client": {map[string]string{"ISSUER": "https://op.example.com", "SECRET": strings.Repeat("s", 32)},
			"client: Config.ClientID is empty: is the environment variable set?"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.env["ADDR"] = "127.0.0.1:0"
			err := run(t.Context(), func(name string) string { return tc.env[name] }, io.Discard)
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

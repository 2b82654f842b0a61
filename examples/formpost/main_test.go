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

// start runs the program as main does, and gives the two addresses that it prints.
func start(t *testing.T, env map[string]string) (site, initiate string) {
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
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("run: %v", err)
		}
	})
	lines := bufio.NewScanner(printed)
	for _, line := range []struct {
		begin string
		to    *string
	}{{"open ", &site}, {"or come from elsewhere: ", &initiate}} {
		lines.Scan()
		var ok bool
		if *line.to, ok = strings.CutPrefix(lines.Text(), line.begin); !ok {
			t.Fatalf("the program says %q", lines.Text())
		}
	}
	return site, initiate
}

// A trusting jar takes Secure cookies of loopback addresses over http, and sends them there,
// as Chromium and Firefox do.
type trusting struct{ jar http.CookieJar }

func secured(u *url.URL) *url.URL {
	s := *u
	s.Scheme = "https"
	return &s
}

func (t trusting) SetCookies(u *url.URL, cookies []*http.Cookie) {
	t.jar.SetCookies(secured(u), cookies)
}
func (t trusting) Cookies(u *url.URL) []*http.Cookie { return t.jar.Cookies(secured(u)) }

// A browser follows redirects, and keeps cookies and what it has posted.
type browser struct {
	*testing.T
	client *http.Client
	posted []string // the addresses
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{T: t, client: &http.Client{Jar: trusting{jar}}}
}

// A page is what a browser shows.
type page struct{ at, text string }

func (b *browser) send(method, address, form string) page {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, address, strings.NewReader(form))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		b.posted = append(b.posted, address)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		b.Fatal(err)
	}
	return page{resp.Request.URL.String(), string(text)}
}

var (
	action = regexp.MustCompile(`action="([^"]*)"`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// submit sends the first form of a page, as somebody or by its script.
func (b *browser) submit(p page, subject ...string) page {
	b.Helper()
	form := url.Values{}
	for _, field := range hidden.FindAllStringSubmatch(p.text, -1) {
		form.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	if subject != nil {
		form["subject"] = subject
	}
	to := action.FindStringSubmatch(p.text)
	if to == nil {
		b.Fatalf("no form at %s:\n%s", p.at, p.text)
	}
	return b.send("POST", html.UnescapeString(to[1]), form.Encode())
}

func (b *browser) want(p page, at, text string) {
	b.Helper()
	if p.at != at || p.text != text {
		b.Fatalf("at %s, want %s with %q:\n%s", p.at, at, text, p.text)
	}
}

// TestDemo signs in at the site, whose answer comes in a form, and comes back to the page.
func TestDemo(t *testing.T) {
	site, _ := start(t, map[string]string{"ADDR": "127.0.0.1:0"})
	b := newBrowser(t)
	answer := b.submit(b.send("GET", site+"/mail?box=%41", ""), "alice")
	if !strings.Contains(answer.text, `name="id_token"`) || strings.Contains(answer.text, `name="code"`) {
		t.Fatalf("the provider's answer is\n%s", answer.text)
	}
	b.want(b.submit(answer), site+"/mail?box=%41", "hello, alice: this is /mail?box=%41\n")
	if last := b.posted[len(b.posted)-1]; last != site+"/auth/callback" {
		t.Errorf("posted to %s", last)
	}
	b.want(b.send("GET", site+"/", ""), site+"/", "hello, alice: this is /\n")
}

// TestFromElsewhere starts where a page of apps leads to, and ends at the page that it names.
func TestFromElsewhere(t *testing.T) {
	site, initiate := start(t, map[string]string{"ADDR": "127.0.0.1:0"})
	b := newBrowser(t)
	signIn := b.send("GET", initiate, "")
	if !strings.Contains(signIn.text, `class="user hinted" name="subject" value="alice"`) {
		t.Errorf("the provider does not know who is meant:\n%s", signIn.text)
	}
	b.want(b.submit(b.submit(signIn, "alice")), site+"/mail?unread", "hello, alice: this is /mail?unread\n")

	foreign := strings.Replace(initiate, url.QueryEscape(site), url.QueryEscape("https://evil.example"), 1)
	if p := b.send("GET", foreign, ""); p.at != foreign || !strings.Contains(p.text, "initiation-invalid") {
		t.Errorf("a page of another site: at %s:\n%s", p.at, p.text)
	}
}

// TestNoSecret: nothing goes from this program to the provider but the question for its keys.
func TestNoSecret(t *testing.T) {
	provider := clienttest.New(&clienttest.Options{Clients: []clienttest.Client{{ID: "formpost"}}})
	t.Cleanup(func() { provider.Close() })
	if err := provider.Listen("localhost:0"); err != nil {
		t.Fatal(err)
	}
	site, _ := start(t, map[string]string{"ADDR": "127.0.0.1:0", "ISSUER": provider.Issuer(), "CLIENT_ID": "formpost"})
	provider.Config(site + "/auth/callback") // registers it
	b := newBrowser(t)
	b.want(b.submit(b.submit(b.send("GET", site, ""), "alice")), site+"/", "hello, alice: this is /\n")
	for endpoint, want := range map[string]int{"token": 0, "userinfo": 0, "jwks": 1, "discovery": 1} {
		if got := provider.Count(endpoint); got != want {
			t.Errorf("%d requests to %s, want %d", got, endpoint, want)
		}
	}

	provider.SetFaults(clienttest.WrongNonce) // an ID token of another sign-in
	other := newBrowser(t)
	if p := other.submit(other.submit(other.send("GET", site, ""), "alice")); !strings.Contains(p.text, "callback-rejected") {
		t.Errorf("at %s:\n%s", p.at, p.text)
	}
}

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

// A browser follows redirects, keeps cookies and knows where it is.
type browser struct {
	*testing.T
	client *http.Client
	site   string
	at     string // the address of the page
	text   string // of the page
}

// start runs the program as main does, and gives a browser that is about to open it.
func start(t *testing.T) *browser {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	printed, w := io.Pipe()
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
	lines := bufio.NewReader(printed)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, lines)
	site, ok := strings.CutPrefix(strings.TrimSpace(line), "open ")
	if !ok {
		t.Fatalf("the program says %q", line)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{T: t, client: &http.Client{Jar: jar}, site: site}
}

// send makes a request, and is where it led to.
func (b *browser) send(method, address, form string, headers ...string) int {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, address, strings.NewReader(form))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
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
	b.at, b.text = resp.Request.URL.String(), string(text)
	return resp.StatusCode
}

func (b *browser) open(path string) int {
	b.Helper()
	return b.send("GET", b.site+path, "")
}

// follow presses the link with a text.
func (b *browser) follow(label string) {
	b.Helper()
	link := regexp.MustCompile(`<a href="([^"]*)">` + label + `</a>`).FindStringSubmatch(b.text)
	if link == nil {
		b.Fatalf("no link %q at %s:\n%s", label, b.at, b.text)
	}
	b.open(html.UnescapeString(link[1]))
}

var (
	action = regexp.MustCompile(`action="([^"]*)"`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// signIn is at the page of a provider, and types a name there.
func (b *browser) signIn(title, name string) {
	b.Helper()
	to := action.FindStringSubmatch(b.text)
	if to == nil || !strings.Contains(b.text, "<h1>"+title+"</h1>") || strings.HasPrefix(b.at, b.site) {
		b.Fatalf("%s is no page of a provider with %q:\n%s", b.at, title, b.text)
	}
	form := url.Values{"subject": {name}}
	for _, field := range hidden.FindAllStringSubmatch(b.text, -1) {
		form.Set(field[1], html.UnescapeString(field[2]))
	}
	b.send("POST", html.UnescapeString(to[1]), form.Encode())
}

// want is at a page of the site that says who somebody is.
func (b *browser) want(path, text string) {
	b.Helper()
	if b.at != b.site+path || !strings.Contains(b.text, text) {
		b.Fatalf("at %s, want %s with %q:\n%s", b.at, path, text, b.text)
	}
}

var aliceAt = regexp.MustCompile(`<code>alice</code> at <code>(http://localhost:\d+)</code>, which is (\w+) here`)

// TestTenants: each page is for the people of one provider, and one name is two people.
func TestTenants(t *testing.T) {
	b := start(t)
	b.open("/")
	b.want("/", "Nobody is signed in.")

	b.open("/acme/reports?year=2026")
	b.signIn("Sign in", "alice")
	b.want("/acme/reports?year=2026", "Alice Ashby")
	atAcme := aliceAt.FindStringSubmatch(b.text)

	b.open("/globex/")
	b.signIn("Sign in", "alice")
	b.want("/globex/", "Alice Ashby")
	atGlobex := aliceAt.FindStringSubmatch(b.text)
	if atAcme == nil || atGlobex == nil || atAcme[2] != "acme" || atGlobex[2] != "globex" || atAcme[1] == atGlobex[1] {
		t.Errorf("signed in with %q, then %q", atAcme, atGlobex)
	}

	b.open("/all/") // for all: who is signed in anywhere
	b.want("/all/", "which is globex here")
	b.open("/acme/") // whose provider still knows alice
	b.want("/acme/", "which is acme here")
}

// TestChoose: a page for all asks where people have their account.
func TestChoose(t *testing.T) {
	b := start(t)
	b.open("/all/x")
	b.want("/auth/login?return_to=%2Fall%2Fx", "How do you want to sign in?")
	for _, label := range []string{">acme<", ">globex<", ">GitHub<"} {
		if !strings.Contains(b.text, label) {
			t.Errorf("%s is not there to choose:\n%s", label, b.text)
		}
	}
	b.follow("GitHub")
	b.signIn("Sign in", "octocat")
	b.want("/all/x", "which is github here")
	if !regexp.MustCompile(`You are octocat: <code>\d+</code> at <code>http://localhost:\d+/login/oauth</code>`).MatchString(b.text) {
		t.Errorf("signed in:\n%s", b.text)
	}
	b.send("POST", b.site+"/auth/logout", "", "Origin", b.site) // GitHub has no way to sign out there
	b.want("/auth/logout", "You are signed out.")
}

// TestSwitchAccount: the provider asks which account, and the page is the same.
func TestSwitchAccount(t *testing.T) {
	b := start(t)
	b.open("/acme/")
	b.signIn("Sign in", "alice")
	b.follow("Use another account")
	b.signIn("Choose an account", "bob")
	b.want("/acme/", "<code>bob</code>")
}

// TestScriptsAreSentToTheRightProvider: by an address in the answer.
func TestScriptsAreSentToTheRightProvider(t *testing.T) {
	b := start(t)
	b.open("/acme/")
	b.signIn("Sign in", "alice")
	status := b.send("GET", b.site+"/globex/", "", "Accept", "application/json", "Sec-Fetch-Mode", "cors")
	login := regexp.MustCompile(`"login":"([^"]*)"`).FindStringSubmatch(b.text)
	if status != http.StatusUnauthorized || login == nil {
		t.Fatalf("%d\n%s", status, b.text)
	}
	b.open(login[1] + "&return_to=/globex/")
	b.signIn("Sign in", "bob")
	b.want("/globex/", "which is globex here")
}

// TestSettings: what the environment gets wrong is said before anything starts.
func TestSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"a tenant without a client": {map[string]string{"TENANTS": "acme", "ACME_ISSUER": "https://op.example.com"},
			"tenant acme: client: Config.ClientID is empty: is the environment variable set?"},
		"one tenant twice": {map[string]string{"TENANTS": "a a", "A_ISSUER": "https://op.example.com", "A_CLIENT_ID": "x"},
			`session: Config.Providers[1]: the name "a" is there twice`},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := providers(func(name string) string { return tc.env[name] }, "http://127.0.0.1:8080")
			if err == nil {
				_, err = newSite(list)
			}
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

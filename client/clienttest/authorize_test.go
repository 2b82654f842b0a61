package clienttest_test

import (
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

// TestAuthorizeRefuses changes one parameter of a good request at a time; the client
// hears of it.
func TestAuthorizeRefuses(t *testing.T) {
	for _, c := range []struct{ name, parameter, value, code, why string }{
		{"no PKCE", "code_challenge", "", "invalid_request", "SHA-256"},
		{"short challenge", "code_challenge", "abc", "invalid_request", "SHA-256"},
		{"PKCE plain", "code_challenge_method", "plain", "invalid_request", "S256"},
		{"PKCE plain by default", "code_challenge_method", "", "invalid_request", "S256"},
		{"implicit", "response_type", "token", "unsupported_response_type", "code"},
		{"code twice", "response_type", "code code", "unsupported_response_type", "code"},
		{"no response type", "response_type", "", "unsupported_response_type", "code"},
		{"no openid", "scope", "profile", "invalid_scope", "openid"},
		{"unknown mode", "response_mode", "web_message", "invalid_request", "response_mode"},
		{"none and login", "prompt", "none login", "invalid_request", "alone"},
		{"negative age", "max_age", "-1", "invalid_request", "max_age"},
		{"an age in words", "max_age", "old", "invalid_request", "max_age"},
		{"request object", "request", "e30.e30.", "request_not_supported", "request"},
		{"request_uri", "request_uri", "https://evil.example", "request_uri_not_supported", "request"},
		{"nobody signed in", "prompt", "none", "login_required", "sign in"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFlow(t, fast())
			q := f.signIn(c.parameter, c.value)
			if q.Get("error") != c.code || !strings.Contains(q.Get("error_description"), c.why) || q.Has("code") {
				t.Errorf("got %q", q)
			}
			if q.Get("state") != f.state || q.Get("iss") != f.op.Issuer() {
				t.Errorf("the error has state %q and iss %q", q.Get("state"), q.Get("iss"))
			}
		})
	}
	t.Run("a parameter twice", func(t *testing.T) {
		f := newFlow(t, fast())
		callback, err := f.op.SignIn(f.authorizationURL()+"&scope=openid", "alice")
		if err != nil {
			t.Fatal(err)
		}
		if q := callback.Query(); q.Get("error") != "invalid_request" || !strings.Contains(q.Get("error_description"), `"scope" came twice`) {
			t.Errorf("got %q", q)
		}
	})
	t.Run("the user refuses", func(t *testing.T) {
		f := newFlow(t, fast())
		callback, err := f.op.SignIn(f.authorizationURL(), "")
		if err != nil {
			t.Fatal(err)
		}
		if q := callback.Query(); q.Get("error") != "access_denied" || q.Has("code") {
			t.Errorf("got %q", q)
		}
	})
}

// TestAuthorizeNeverRedirectsToStrangers: an error page instead, by SignIn and over HTTP.
func TestAuthorizeNeverRedirectsToStrangers(t *testing.T) {
	for _, c := range []struct{ name, parameter, value, why string }{
		{"another host", "redirect_uri", "https://evil.example/callback", "not registered"},
		{"a slash more", "redirect_uri", redirectURL + "/", "not registered"},
		{"a query more", "redirect_uri", redirectURL + "?a=b", "not registered"},
		{"another case", "redirect_uri", strings.ToUpper(redirectURL), "not registered"},
		{"none", "redirect_uri", "", "where to return to"},
		{"no client", "client_id", "", "what it is"},
		{"another client", "client_id", "stranger", "no client of this ID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFlow(t, fast())
			address := f.authorizationURL(c.parameter, c.value)
			if callback, err := f.op.SignIn(address, "alice"); err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("got %v, %v", callback, err)
			}
			response := f.get(address)
			if text := body(t, response); response.StatusCode != 400 || !strings.Contains(text, c.why) || response.Header.Get("Location") != "" {
				t.Errorf("got %s", response.Status)
			}
		})
	}
	f := newFlow(t, fast())
	if _, err := f.op.SignIn("https://elsewhere.example.com/authorize?client_id=web", "alice"); err == nil || !strings.Contains(err.Error(), "not the authorization endpoint") {
		t.Errorf("SignIn at another host: %v", err)
	}
}

func TestRedirectURLKeepsItsQuery(t *testing.T) {
	const registered = "https://app.example.com/cb?tenant=%C3%A9&x"
	f := newFlow(t, &clienttest.Options{Clients: []clienttest.Client{
		{ID: "web", Secret: "a secret", RedirectURLs: []string{registered}},
	}})
	f.op.Config(redirectURL) // a client with a list keeps it
	if _, err := f.op.SignIn(f.authorizationURL(), "alice"); err == nil || !strings.Contains(err.Error(), "not registered") {
		t.Errorf("Config registered a redirect URL for a client with a list: %v", err)
	}
	callback, err := f.op.SignIn(f.authorizationURL("redirect_uri", registered), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(callback.String(), registered+"&code=") {
		t.Errorf("got %s", callback)
	}
}

// A browser keeps cookies, follows redirects inside the provider, and stops at the application.
type browser struct {
	t    *testing.T
	op   *clienttest.Provider
	http *http.Client
}

func newBrowser(f *flow, transport http.RoundTripper) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return &browser{f.t, f.op, &http.Client{
		Transport:     transport,
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (b *browser) open(address string) (*http.Response, string) {
	b.t.Helper()
	response, err := b.http.Get(address)
	if err != nil {
		b.t.Fatal(err)
	}
	return response, body(b.t, response)
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// fields are the hidden fields of the first form of a page.
func fields(page string) url.Values {
	form, _, _ := strings.Cut(page, "</form>")
	values := url.Values{}
	for _, match := range hidden.FindAllStringSubmatch(form, -1) {
		values.Add(html.UnescapeString(match[1]), html.UnescapeString(match[2]))
	}
	return values
}

// submit sends the first form of a page, with a button pressed.
func (b *browser) submit(page, name, value string, header ...string) (*http.Response, string) {
	b.t.Helper()
	_, after, _ := strings.Cut(page, `action="`)
	action, _, _ := strings.Cut(after, `"`)
	form := fields(page)
	if name != "" {
		form.Set(name, value)
	}
	r, err := http.NewRequest("POST", html.UnescapeString(action), strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return response, body(b.t, response)
}

// callback is the query of a redirect to the application; nil if the answer is a page.
func callback(response *http.Response) url.Values {
	at, err := response.Location()
	if err != nil || !strings.HasPrefix(at.String(), redirectURL+"?") {
		return nil
	}
	return at.Query()
}

// TestSignInPage signs in by hand, then silently, over a socket.
func TestSignInPage(t *testing.T) {
	f := listening(t)
	b := newBrowser(f, http.DefaultTransport)
	response, page := b.open(f.authorizationURL("login_hint", "bob"))
	if response.StatusCode != 200 || !strings.Contains(page, `class="user hinted" name="subject" value="bob" autofocus`) {
		t.Fatalf("got %s, and bob is not preselected", response.Status)
	}
	for _, name := range []string{"Content-Security-Policy", "Referrer-Policy", "Cache-Control"} {
		if response.Header.Get(name) == "" {
			t.Errorf("the page has no %s", name)
		}
	}
	response, _ = b.submit(page, "subject", "bob")
	q := callback(response)
	if q.Get("code") == "" || q.Get("state") != f.state || q.Get("iss") != f.op.Issuer() {
		t.Fatalf("got %s and %q", response.Status, q)
	}
	cookie := response.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Secure {
		t.Errorf("the cookie is %v", cookie)
	}
	first := f.exchange(q.Get("code"))
	response, _ = b.open(f.authorizationURL("prompt", "none"))
	second := f.exchange(callback(response).Get("code"))
	_, one := parts(t, first.IDToken)
	_, two := parts(t, second.IDToken)
	if one["sub"] != "bob" || two["sub"] != "bob" || one["sid"] != two["sid"] || one["auth_time"] != two["auth_time"] {
		t.Errorf("the sessions differ: %v %v", one, two)
	}
}

func listening(t *testing.T) *flow {
	t.Helper()
	f := newFlow(t, fast())
	if err := f.op.Listen("localhost:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return f
}

func TestSignInPageTyped(t *testing.T) {
	f := newFlow(t, fast())
	b := newBrowser(f, f.http.Transport)
	_, page := b.open(f.authorizationURL("login_hint", `"><script>`))
	if strings.Contains(page, `"><script>`) || !strings.Contains(page, `value="&#34;&gt;&lt;script&gt;"`) {
		t.Error("the hint is not on the page, escaped")
	}
	if response, page := b.submit(page, "subject", "   "); response.StatusCode != 200 || !strings.Contains(page, "Sign in") {
		t.Errorf("no name: %s", response.Status)
	}
	if response, _ := b.submit(page, "subject", strings.Repeat("x", 256)); response.StatusCode != 200 {
		t.Errorf("a long name: %s", response.Status)
	}
	response, _ := b.submit(page, "subject", " Zoë ")
	_, claims := parts(t, f.exchange(callback(response).Get("code")).IDToken)
	if claims["sub"] != "Zoë" || claims["name"] != "Zoë" {
		t.Errorf("the claims are %v", claims)
	}
}

func TestSignInPageCancel(t *testing.T) {
	f := newFlow(t, fast())
	b := newBrowser(f, f.http.Transport)
	_, page := b.open(f.authorizationURL())
	response, _ := b.submit(page, "cancel", "yes")
	if q := callback(response); q.Get("error") != "access_denied" || q.Get("state") != f.state {
		t.Errorf("got %s %q", response.Status, q)
	}
}

// TestSignInPageRefuses what the page did not send: a form of another site, or with
// another request.
func TestSignInPageRefuses(t *testing.T) {
	f := newFlow(t, fast())
	b := newBrowser(f, f.http.Transport)
	_, page := b.open(f.authorizationURL())
	response, text := b.submit(page, "subject", "alice", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
	if response.StatusCode != 403 || !strings.Contains(text, "another site") || len(response.Cookies()) != 0 {
		t.Errorf("from another site: %s %s", response.Status, text)
	}
	stranger := strings.Replace(page, url.QueryEscape(redirectURL), url.QueryEscape("https://evil.example/"), 1)
	if stranger == page {
		t.Fatal("the redirect URL is not on the page")
	}
	response, text = b.submit(stranger, "subject", "alice")
	if response.StatusCode != 400 || !strings.Contains(text, "not registered") {
		t.Errorf("to another host: %s", response.Status)
	}
}

// TestSilentSignIn asks again in a browser that is signed in.
func TestSilentSignIn(t *testing.T) {
	for _, c := range []struct {
		name    string
		request []string
		later   time.Duration
		silent  bool
	}{
		{"plain", nil, time.Hour, true},
		{"none", []string{"prompt", "none"}, time.Hour, true},
		{"login", []string{"prompt", "login"}, 0, false},
		{"select_account", []string{"prompt", "select_account"}, 0, false},
		{"young enough", []string{"max_age", "60"}, 58 * time.Second, true},
		{"too old", []string{"max_age", "60"}, 62 * time.Second, false},
		{"age 0", []string{"max_age", "0"}, 0, false},
		{"the same class", []string{"acr_values", "2 1"}, 0, true},
		{"a higher class", []string{"acr_values", "2 3"}, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFlow(t, fast())
			b := newBrowser(f, f.http.Transport)
			_, page := b.open(f.authorizationURL())
			b.submit(page, "subject", "alice")
			f.op.Advance(c.later)
			response, page := b.open(f.authorizationURL(c.request...))
			if silent := callback(response) != nil; silent != c.silent {
				t.Fatalf("silent: %t", silent)
			}
			if c.silent {
				return
			}
			response, _ = b.submit(page, "subject", "alice")
			_, claims := parts(t, f.exchange(callback(response).Get("code")).IDToken)
			if age := until(f, claims, "auth_time"); age < -2*time.Second {
				t.Errorf("auth_time is %v ago", -age)
			}
			if c.name == "a higher class" && claims["acr"] != "2" {
				t.Errorf("acr is %v", claims["acr"])
			}
		})
	}
	t.Run("too old for none", func(t *testing.T) {
		f := newFlow(t, fast())
		b := newBrowser(f, f.http.Transport)
		_, page := b.open(f.authorizationURL())
		b.submit(page, "subject", "alice")
		response, _ := b.open(f.authorizationURL("prompt", "none", "max_age", "0"))
		if q := callback(response); q.Get("error") != "login_required" {
			t.Errorf("got %q", q)
		}
	})
	t.Run("ended", func(t *testing.T) {
		f := newFlow(t, fast())
		b := newBrowser(f, f.http.Transport)
		_, page := b.open(f.authorizationURL())
		b.submit(page, "subject", "alice")
		f.op.EndSessions("alice")
		if response, _ := b.open(f.authorizationURL()); callback(response) != nil {
			t.Error("still signed in after EndSessions")
		}
	})
}

func TestFormPost(t *testing.T) {
	f := newFlow(t, fast())
	b := newBrowser(f, f.http.Transport)
	_, page := b.open(f.authorizationURL("response_mode", "form_post"))
	response, page := b.submit(page, "subject", "alice")
	if !strings.Contains(page, `action="`+redirectURL+`"`) || !strings.Contains(page, `.submit()</script>`) {
		t.Fatalf("got %s, no form to the application", response.Status)
	}
	q := fields(page)
	if q.Get("state") != f.state || q.Get("iss") != f.op.Issuer() || f.exchange(q.Get("code")).AccessToken == "" {
		t.Errorf("the form has %q", q)
	}
	if q := f.signIn("response_mode", "form_post"); q.Get("state") != f.state || f.exchange(q.Get("code")).AccessToken == "" {
		t.Errorf("SignIn gives %q", q)
	}
	f.op.SetFaults(clienttest.DoubleState)
	_, page = b.open(f.authorizationURL("response_mode", "form_post"))
	if states := fields(page)["state"]; len(states) != 2 {
		t.Errorf("with double-state the form has the states %q", states)
	}
}

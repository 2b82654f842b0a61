package native_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/client/native"
)

func newProvider(t *testing.T, redirectURL string) *clienttest.Provider {
	t.Helper()
	op := clienttest.New(&clienttest.Options{Clients: []clienttest.Client{{ID: "cli", RedirectURLs: []string{redirectURL}}}})
	t.Cleanup(func() { op.Close() })
	return op
}

const redirectURL = "http://127.0.0.1/callback"

// A visit is what the browser got.
type visit struct {
	status int
	header http.Header
	body   string
}

// open is a browser that follows nothing.
func open(t *testing.T, method, address, host string) visit {
	t.Helper()
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Error(err)
		return visit{}
	}
	if host != "" {
		req.Host = host
	}
	hc := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := hc.Do(req)
	if err != nil {
		t.Error(err)
		return visit{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return visit{resp.StatusCode, resp.Header, string(body)}
}

// signIn has somebody do with the address whatever browse says, and come back.
func signIn(t *testing.T, op *clienttest.Provider, redirect string, opts *native.Options) (*client.Client, *client.Tokens, error) {
	t.Helper()
	cfg := op.Config(redirect)
	return native.SignIn(t.Context(), cfg, opts)
}

// answer plays alice at the provider, and returns where she is sent.
func answer(t *testing.T, op *clienttest.Provider, address string) *url.URL {
	t.Helper()
	callback, err := op.SignIn(address, "alice")
	if err != nil {
		t.Error(err)
		return &url.URL{}
	}
	return callback
}

func TestSignIn(t *testing.T) {
	for _, redirect := range []string{"", redirectURL, "http://localhost/auth/back", "http://127.0.0.1"} {
		t.Run(redirect, func(t *testing.T) {
			registered := redirect
			if registered == "" {
				registered = redirectURL
			}
			op := newProvider(t, registered)
			var got visit
			rp, tokens, err := signIn(t, op, redirect, &native.Options{Open: func(_ context.Context, address string) error {
				got = open(t, http.MethodGet, answer(t, op, address).String(), "")
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			if tokens.IDToken.Subject != "alice" || got.status != http.StatusOK || !strings.Contains(got.body, "You are signed in.") {
				t.Errorf("%q is signed in, and the browser shows %d %s", tokens.IDToken.Subject, got.status, got.body)
			}
			for name, want := range map[string]string{
				"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
				"Referrer-Policy":         "no-referrer",
				"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			} {
				if value := got.header.Get(name); value != want {
					t.Errorf("%s is %q, want %q", name, value, want)
				}
			}
			if _, err := rp.UserInfo(t.Context(), tokens); err != nil {
				t.Error(err)
			}
			if conn, err := net.Dial("tcp", hostOf(t, rp)); err == nil {
				conn.Close()
				t.Error("the port is still open")
			}
		})
	}
}

func hostOf(t *testing.T, rp *client.Client) string {
	t.Helper()
	u, err := url.Parse(rp.RedirectURL())
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// Whatever the machine and the pages in its browser send: it changes nothing.
func TestHostileRequests(t *testing.T) {
	op := newProvider(t, redirectURL)
	changed := func(u *url.URL, change func(url.Values)) string {
		c := *u
		q := c.Query()
		change(q)
		c.RawQuery = q.Encode()
		return c.String()
	}
	_, tokens, err := signIn(t, op, "", &native.Options{Open: func(_ context.Context, address string) error {
		good := answer(t, op, address)
		other := *good
		other.Path = "/callback/"
		root := *good
		root.Path = "/"
		for _, test := range []struct {
			name, method, address, host string
			status                      int
		}{
			{"no parameters", "GET", "http://" + good.Host + "/callback", "", 400},
			{"wrong state", "GET", changed(good, func(q url.Values) { q.Set("state", "x") }), "", 400},
			{"no state", "GET", changed(good, func(q url.Values) { q.Del("state") }), "", 400},
			{"state twice", "GET", good.String() + "&state=x", "", 400},
			{"error with a wrong state", "GET", "http://" + good.Host + "/callback?error=access_denied&state=x", "", 400},
			{"a signed answer that is none", "GET", "http://" + good.Host + "/callback?response=x.y.z", "", 400},
			{"malformed query", "GET", good.String() + "&%zz", "", 400},
			{"another path", "GET", other.String(), "", 404},
			{"root", "GET", root.String(), "", 404},
			{"a name that was rebound", "GET", good.String(), "evil.example:80", 404},
			{"localhost", "GET", good.String(), "localhost:" + good.Port(), 404},
			{"POST", "POST", good.String(), "", 405},
			{"HEAD", "HEAD", good.String(), "", 405},
		} {
			got := open(t, test.method, test.address, test.host)
			if got.status != test.status || strings.Contains(got.body, "signed in") {
				t.Errorf("%s: got %d %s", test.name, got.status, got.body)
			}
			for _, text := range []string{"evil", good.Query().Get("code"), good.Query().Get("state")} {
				if strings.Contains(got.body, text) {
					t.Errorf("%s: the page repeats the request: %s", test.name, got.body)
				}
			}
		}
		if got := open(t, http.MethodGet, good.String(), ""); got.status != http.StatusOK {
			t.Errorf("the answer: got %d %s", got.status, got.body)
		}
		return nil
	}})
	if err != nil || tokens.IDToken.Subject != "alice" {
		t.Errorf("got %v", err)
	}
}

// An answer of another kind than was asked for is none: a page that sends some has the
// program ask nobody for keys.
func TestSignedAnswersThatNobodyAskedFor(t *testing.T) {
	op := newProvider(t, redirectURL)
	_, _, err := signIn(t, op, "", &native.Options{Open: func(_ context.Context, address string) error {
		good := answer(t, op, address)
		got := open(t, http.MethodGet, "http://"+good.Host+"/callback?response=eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.e30.AA", "")
		if n := op.Count("jwks"); got.status != http.StatusBadRequest || n != 0 {
			t.Errorf("got %d, and keys were asked for %d times", got.status, n)
		}
		open(t, http.MethodGet, good.String(), "")
		return nil
	}})
	if err != nil {
		t.Error(err)
	}
}

// And a plain one is none where it must be signed, even with the right state.
func TestPlainAnswerInPlaceOfASignedOne(t *testing.T) {
	op := newProvider(t, redirectURL)
	signed := &client.AuthorizeOptions{ResponseMode: "jwt"}
	_, _, err := signIn(t, op, "", &native.Options{Authorize: signed, Timeout: 100 * time.Millisecond, Open: func(_ context.Context, address string) error {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		q := u.Query()
		plain := q.Get("redirect_uri") + "?code=c&state=" + q.Get("state")
		if got := open(t, http.MethodGet, plain, ""); got.status != http.StatusBadRequest {
			t.Errorf("got %d %s", got.status, got.body)
		}
		return nil
	}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want DeadlineExceeded: the sign-in goes on", err)
	}
}

// The answer is taken once, and its second bearer learns nothing.
func TestAnswerTwice(t *testing.T) {
	op := newProvider(t, redirectURL)
	op.SetFaults(clienttest.TokenSlow)
	_, _, err := signIn(t, op, "", &native.Options{Open: func(_ context.Context, address string) error {
		good := answer(t, op, address)
		first := make(chan visit)
		go func() { first <- open(t, http.MethodGet, good.String(), "") }()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for op.Count("token") == 0 { // until the first is with the provider
			<-tick.C
		}
		if got := open(t, http.MethodGet, good.String(), ""); got.status != http.StatusConflict {
			t.Errorf("the second: got %d %s", got.status, got.body)
		}
		op.Release()
		if got := <-first; got.status != http.StatusOK {
			t.Errorf("the first: got %d %s", got.status, got.body)
		}
		return nil
	}})
	if err != nil {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		fault clienttest.Fault
		check func(error) bool
	}{
		{clienttest.ErrorCallback, func(err error) bool {
			var refused *client.AuthError
			return errors.As(err, &refused) && refused.Code == "access_denied"
		}},
		{clienttest.WrongIss, func(err error) bool { return errors.Is(err, client.ErrRejected) }},
		{clienttest.WrongNonce, func(err error) bool { return errors.Is(err, client.ErrRejected) }},
		{clienttest.InvalidGrant, func(err error) bool { return errors.Is(err, client.ErrInvalidGrant) }},
	} {
		op := newProvider(t, redirectURL)
		op.SetFaults(test.fault)
		_, tokens, err := signIn(t, op, "", &native.Options{Open: func(_ context.Context, address string) error {
			got := open(t, http.MethodGet, answer(t, op, address).String(), "")
			if got.status != http.StatusForbidden || !strings.Contains(got.body, "The sign-in did not succeed.") {
				t.Errorf("%s: got %d %s", test.fault, got.status, got.body)
			}
			return nil
		}})
		if !test.check(err) || tokens != nil {
			t.Errorf("%s: got %v", test.fault, err)
		}
	}
}

func TestNobodyComes(t *testing.T) {
	op := newProvider(t, redirectURL)
	waits := func(ctx context.Context, _ string) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, opener := range []func(context.Context, string) error{waits, func(context.Context, string) error { return nil }} {
		_, _, err := signIn(t, op, "", &native.Options{Timeout: 100 * time.Millisecond, Open: opener})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want DeadlineExceeded", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := native.SignIn(ctx, op.Config(""), &native.Options{Open: func(context.Context, string) error {
		cancel()
		return nil
	}})
	if !errors.Is(err, context.Canceled) || err.Error() != "native: nobody has signed in: context canceled" {
		t.Errorf("got %v, want Canceled", err)
	}
}

// Somebody who holds connections open does not hold the program up.
func TestIdleConnections(t *testing.T) {
	op := newProvider(t, redirectURL)
	var answered time.Time
	var held net.Conn
	_, _, err := signIn(t, op, "", &native.Options{Open: func(_ context.Context, address string) error {
		good := answer(t, op, address)
		var err error
		if held, err = net.Dial("tcp", good.Host); err != nil {
			t.Error(err)
		}
		open(t, http.MethodGet, good.String(), "")
		answered = time.Now()
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(answered); took > time.Second {
		t.Errorf("it took %v to end", took)
	}
	held.Close()
}

func TestOpenFails(t *testing.T) {
	op := newProvider(t, redirectURL)
	for want, opener := range map[string]func(context.Context, string) error{
		"native: the browser cannot be opened: none here":             func(context.Context, string) error { return errors.New("none here") },
		"native: the browser cannot be opened: Options.Open panicked": func(context.Context, string) error { panic("CANARY") },
	} {
		_, _, err := signIn(t, op, "", &native.Options{Open: opener})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestRefusedConfig(t *testing.T) {
	op := newProvider(t, redirectURL)
	const notLoopback = "native: Config.RedirectURL must be http on a loopback host: http://127.0.0.1/callback"
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct {
		name, redirect string
		authorize      *client.AuthorizeOptions
		want           string
	}{
		{"https", "https://127.0.0.1/callback", nil, notLoopback},
		{"every address", "http://0.0.0.0/callback", nil, notLoopback},
		{"another host", "http://example.com/callback", nil, notLoopback},
		{"scheme of the app", "com.example.app:/callback", nil, notLoopback},
		{"taken port", "http://" + taken.Addr().String() + "/callback", nil, "address already in use"},
		{"fragment", "http://127.0.0.1/callback#a", nil, "client: Config.RedirectURL must not have a fragment"},
		{"form_post", "", &client.AuthorizeOptions{ResponseMode: "form_post"}, "native: Options.Authorize: an answer by form_post does not reach a program: leave ResponseMode empty"},
	} {
		_, _, err := signIn(t, op, test.redirect, &native.Options{Authorize: test.authorize, Open: func(context.Context, string) error {
			t.Errorf("%s: the browser was opened", test.name)
			return nil
		}})
		if err == nil || !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

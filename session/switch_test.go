package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// These sign-ins come back without the cookie of the session that was there before:
// browsers add it neither to a cross-site POST nor, with SameSite=Strict, to any
// request from another site.

func byFormPost(cfg *appConfig) {
	cfg.session.Authorize = func(*http.Request) (*client.AuthorizeOptions, error) {
		return &client.AuthorizeOptions{ResponseMode: "form_post"}, nil
	}
}

func strictly(cfg *appConfig) { cfg.session.SameSite = http.SameSiteStrictMode }

// crossSite signs a user in, with the cookies that a browser sends along from the
// provider's site.
func (b *browser) crossSite(user string) *http.Response {
	b.t.Helper()
	authorization := parseURL(b.t, b.get("/auth/login").Header.Get("Location"))
	query := authorization.Query()
	post := query.Get("response_mode") == "form_post"
	query.Del("response_mode") // for the answer at hand; it is posted below
	authorization.RawQuery = query.Encode()
	callback := parseURL(b.t, b.callbackOf(authorization.String(), user))
	b.jar.as(jarContext{crossSite: true, unsafe: post})
	defer b.jar.as(jarContext{})
	if !post {
		return b.send(b.request("GET", callback.String(), fromProvider...))
	}
	r := b.request("POST", callback.Path, fromProvider...)
	r.Body = io.NopCloser(strings.NewReader(callback.RawQuery))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(r)
}

// A slow answer to the user before brings her session back neither to the browser nor to life.
func TestV21UserSwitchWithoutTheCookie(t *testing.T) {
	for name, mode := range map[string]func(*appConfig){"form_post": byFormPost, "strict": strictly} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, mode)
			started, goOn := make(chan struct{}), make(chan struct{})
			a.mux.Handle("/slow", a.m.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				From(r.Context()).Set("x", []byte("y"))
				close(started)
				<-goOn
			})))
			b := a.browser()
			b.crossSite("alice")
			a.wantUser(b, "alice")
			alices := allCookies(b)
			slow, done := b.request("GET", "/slow", fetchHeaders...), make(chan *http.Response)
			go func() { done <- b.lost(slow) }()
			<-started
			b.crossSite("bob")
			a.wantUser(b, "bob")
			close(goOn)
			b.take(<-done)
			a.wantUser(b, "bob")
			old := b.request("GET", "/", fetchHeaders...)
			old.Header.Set("Cookie", alices)
			if status := b.lost(old).StatusCode; status != http.StatusUnauthorized {
				t.Errorf("the cookies of alice: %d", status)
			}
		})
	}
}

func TestRefusedLoginWithoutTheCookie(t *testing.T) {
	for name, mode := range map[string]func(*appConfig){"form_post": byFormPost, "strict": strictly} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, mode, func(cfg *appConfig) {
				cfg.session.OnLogin = func(_ context.Context, s *Session) error {
					if s.Subject() == "bob" {
						return errors.New("no bobs")
					}
					return nil
				}
			})
			b := a.browser()
			b.crossSite("alice")
			a.wantUser(b, "alice")
			alices := allCookies(b)
			a.wantPage(b.crossSite("bob"), http.StatusForbidden, ReasonLoginRefused)
			a.wantUser(b, "nobody: no-session")
			old := b.request("GET", "/", fetchHeaders...)
			old.Header.Set("Cookie", alices)
			if status := b.lost(old).StatusCode; status != http.StatusUnauthorized {
				t.Errorf("the cookies of alice: %d", status)
			}
		})
	}
}

// Signing out ends the session before as well, which could still be answered.
func TestLogoutEndsTheReplacedSession(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	before := allCookies(b)
	again := b.callbackOf(b.get("/auth/login").Header.Get("Location"), "alice")
	b.get(again, fromProvider...)
	read := func() int {
		r := b.request("GET", "/", fetchHeaders...)
		r.Header.Set("Cookie", before)
		return b.lost(r).StatusCode
	}
	if status := read(); status != http.StatusOK {
		t.Fatalf("on its way while signing in again: %d", status)
	}
	b.post("/auth/logout")
	if status := read(); status != http.StatusUnauthorized {
		t.Errorf("after signing out: %d", status)
	}
}

// Whichever of several sessions signs out, of those that one user has begun within a minute one
// over the other, or at once in two tabs: none of them goes on.
func TestLogoutEndsAllThatReplacedEachOther(t *testing.T) {
	again := func(b *browser) *browser {
		callback := b.callbackOf(b.get("/auth/login").Header.Get("Location"), "alice")
		arrived := &browser{b.app, copyOf(b.jar)}
		arrived.wantRedirect(arrived.get(callback, fromProvider...), "/")
		return arrived
	}
	for name, begin := range map[string]func(first *browser) []*browser{
		"one over the other": func(first *browser) []*browser {
			second := again(first)
			return []*browser{first, second, again(second)}
		},
		"in two tabs": func(first *browser) []*browser { return []*browser{first, again(first), again(first)} },
	} {
		for out := range 3 {
			t.Run(fmt.Sprintf("%s, %d signs out", name, out), func(t *testing.T) {
				a := newApp(t)
				b := a.browser()
				b.mustSignIn("alice")
				all := begin(b)
				for _, b := range all {
					a.wantUser(b, "alice")
				}
				requests := make([]*http.Request, len(all))
				for i, b := range all {
					requests[i] = b.request("GET", "/", fetchHeaders...)
				}
				all[out].post("/auth/logout")
				for i, r := range requests {
					if resp := b.lost(r); resp.StatusCode != http.StatusUnauthorized {
						t.Errorf("session %d goes on", i)
					}
				}
			})
		}
	}
}

// Sessions that replaced each other in a circle, as answers in two tabs can, end once each; one
// that comes up again and again pushes no other one out.
func TestBesidesNamesEachOnce(t *testing.T) {
	a := newApp(t)
	now := a.op.Now()
	session := func(n byte) *record {
		rec := &record{id: sessionID{n}, expires: now.Add(time.Hour)}
		rec.identity.issuer, rec.identity.subject = a.op.Issuer(), "alice"
		return rec
	}
	first := session(1)
	want := []presence{presenceOf(session(2))}
	a.m.replace(want[0], first)
	for range maxBesides {
		a.m.replace(presenceOf(session(3)), first)
	}
	a.m.replace(presenceOf(first), session(3))
	want = append(want, presenceOf(session(3)))
	if got := a.m.besides(first.id, now); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// silent is a transport that does not say which request it has answered.
type silent func(*http.Request) *http.Response

func (f silent) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

func TestHTTPClientRedirectsOfASilentTransport(t *testing.T) {
	for name, own := range map[string]string{"our token": "", "the app's own": "Basic own"} {
		t.Run(name, func(t *testing.T) {
			var seen []string
			a := newApp(t, func(cfg *appConfig) {
				cfg.session.Transport = silent(func(r *http.Request) *http.Response {
					seen = append(seen, r.Header.Get("Authorization"))
					h, status := http.Header{}, http.StatusFound
					switch r.URL.String() {
					case "https://api.example.com/":
						h.Set("Location", "https://evil.example.net/1")
					case "https://evil.example.net/1":
						h.Set("Location", "https://evil.example.net/2")
					default:
						status = http.StatusOK
					}
					return &http.Response{StatusCode: status, Header: h, Body: http.NoBody}
				})
			})
			b := a.browser()
			b.mustSignIn("alice")
			within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
				req := httptest.NewRequest("GET", "https://api.example.com/", nil)
				req.RequestURI = ""
				if own != "" {
					req.Header.Set("Authorization", own)
				}
				if _, err := s.HTTPClient().Do(req); err != nil {
					t.Error(err)
				}
			})
			if len(seen) != 3 || seen[0] == "" || seen[1]+seen[2] != "" {
				t.Errorf("%d requests, and elsewhere %q", len(seen), seen[1:])
			}
		})
	}
}

// An API that refuses every token does not make the provider issue one for each call.
func TestHTTPClientOfAnAPIThatAlwaysRefuses(t *testing.T) {
	a := newApp(t, func(cfg *appConfig) {
		cfg.session.Transport = silent(func(*http.Request) *http.Response {
			return &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{}, Body: http.NoBody}
		})
	})
	b := a.browser()
	b.mustSignIn("alice")
	for range 10 {
		within(b, func(_ http.ResponseWriter, _ *http.Request, s *Session) {
			for range 10 {
				resp, err := s.HTTPClient().Get("https://api.example.com/")
				if err != nil || resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("want the API's 401, got %v", err)
				}
			}
		})
	}
	if n := refreshes(a); n != 1 {
		t.Errorf("%d refreshes for 100 calls", n)
	}
}

func TestNewRefusesWhatRoutesCannotServe(t *testing.T) {
	op := clienttest.New(&clienttest.Options{Algorithm: "ES256"})
	defer op.Close()
	for name, tt := range map[string]struct {
		callback string
		cfg      Config
		reason   string
	}{
		"dots":              {"https://app.example.com/x/../cb", Config{}, "would clean"},
		"two slashes":       {"https://app.example.com//cb", Config{}, "would clean"},
		"login everywhere":  {"https://app.example.com/cb", Config{LoginPath: "/"}, "every path"},
		"logout everywhere": {"https://app.example.com/cb", Config{LogoutPath: "/"}, "every path"},
		"space":             {"https://app.example.com/cb", Config{PostLogoutRedirectURL: "https://app.example.com/a b"}, "not a URL"},
		"beyond ASCII":      {"https://app.example.com/cb", Config{PostLogoutRedirectURL: "https://app.example.com/ü"}, "not a URL"},
	} {
		t.Run(name, func(t *testing.T) {
			rp, err := client.New(op.Config(tt.callback))
			if err != nil {
				t.Fatal(err)
			}
			tt.cfg.Secrets = []string{testSecret(1)}
			if _, err := New(rp, tt.cfg); err == nil || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("got %v, want %q in it", err, tt.reason)
			}
		})
	}
	// A slash at the end is a path like any other.
	rp, err := client.New(op.Config("https://app.example.com/cb/"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(rp, Config{Secrets: []string{testSecret(1)}})
	if err != nil {
		t.Fatal(err)
	}
	m.Routes(http.NewServeMux())
}

// Who is signed in may be told after the first byte.
func TestLoadIsNotStoredWhereSomebodyIsSignedIn(t *testing.T) {
	a := newApp(t)
	a.mux.Handle("/late", a.m.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=600")
		io.WriteString(w, "hello ")
		fmt.Fprint(w, From(r.Context()).Subject())
	})))
	b := a.browser()
	if h := b.get("/late").Header; h.Get("Cache-Control") != "public, max-age=600" || h.Get("Vary") != "Cookie" {
		t.Errorf("for nobody: %v", h)
	}
	b.mustSignIn("alice")
	if h := b.get("/late").Header; h.Get("Cache-Control") != "no-store" || h.Get("Vary") != "Cookie" {
		t.Errorf("for alice: %v", h)
	}
}

// Beside a session that is as large as it may be, the sign-in goes on without its
// return address.
func TestLoginBesideALargeSession(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	within(b, func(_ http.ResponseWriter, _ *http.Request, s *Session) {
		fits, tooMuch := 0, 8000
		for tooMuch-fits > 1 {
			if n := (fits + tooMuch) / 2; s.Set("fill", []byte(rand.Text()+strings.Repeat("x", n))) == nil {
				fits = n
			} else {
				tooMuch = n
			}
		}
	})
	address := "/page?" + strings.Repeat("x", 1000)
	authorization := b.get("/auth/login?return_to=" + url.QueryEscape(address)).Header.Get("Location")
	a.wantRedirect(b.get(b.callbackOf(authorization, "bob"), fromProvider...), "/")
	a.wantUser(b, "bob") // and not who was there before
	if !a.logs.has(ReasonTooLarge) {
		t.Error("the log does not say why")
	}
}

// Nobody would ever arrive: each callback would start a sign-in.
func TestRequireAroundTheRoutes(t *testing.T) {
	a := newApp(t)
	a.handler = a.m.Require(a.mux)
	b := a.browser()
	callback := b.callbackOf(b.begin("/page"), "alice")
	a.wantPage(b.get(callback, fromProvider...), http.StatusInternalServerError, ReasonInternal)
	if !strings.Contains(a.logs.String(), "register Routes outside") {
		t.Error("the log does not say what to do")
	}
}

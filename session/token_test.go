package session

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// within runs do as the handler of a request of b.
func within(b *browser, do func(w http.ResponseWriter, r *http.Request, s *Session)) *http.Response {
	b.t.Helper()
	ran := false
	handler := b.m.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ran = true
		do(w, r, From(r.Context()))
	}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, b.request("GET", "/", fetchHeaders...))
	if !ran {
		b.t.Fatalf("the handler did not run: %d; log %s", w.Code, b.logs)
	}
	return b.take(w.Result())
}

// Handlers that take long: the token expires while they run.
func TestTokenInTheMiddle(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	var sources []oauth2.TokenSource
	resp := within(b, func(w http.ResponseWriter, r *http.Request, s *Session) {
		first, err := s.Token(r.Context())
		if err != nil || first.Type() != "Bearer" || first.RefreshToken != "" {
			t.Errorf("%v, type %s", err, first.Type())
		}
		a.expireToken()
		second, err := s.TokenSource().Token()
		if err != nil || second.AccessToken == first.AccessToken {
			t.Fatalf("no new token: %v", err)
		}
		again, err := s.Token(r.Context())
		if err != nil || again.AccessToken != second.AccessToken || refreshes(a) != 1 {
			t.Errorf("%v, %d refreshes", err, refreshes(a))
		}
		io.WriteString(w, "the header is out")
		a.op.Advance(4*time.Minute + 30*time.Second) // near its end, and good
		again, err = s.Token(r.Context())
		if err != nil || again.AccessToken != second.AccessToken {
			t.Errorf("a good token: %v", err)
		}
		a.op.Advance(time.Minute)
		if _, err = s.Token(r.Context()); !errors.Is(err, ErrHeadersSent) || refreshes(a) != 1 {
			t.Errorf("expired: %v, %d refreshes", err, refreshes(a))
		}
		sources = append(sources, s.TokenSource())
	})
	if len(resp.Cookies()) == 0 {
		t.Error("the new tokens are not in the cookie")
	}
	if _, err := sources[0].Token(); !errors.Is(err, ErrHeadersSent) || refreshes(a) != 1 {
		t.Errorf("after the request: %v, %d refreshes", err, refreshes(a))
	}
	within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
		if _, err := s.Token(r.Context()); err != nil || refreshes(a) != 2 {
			t.Errorf("the next request: %v, %d refreshes", err, refreshes(a))
		}
		// A request whose header is out may use what another one brought.
		if _, err := sources[0].Token(); err != nil {
			t.Errorf("the earlier request, now: %v", err)
		}
	})
}

func TestTokenErrors(t *testing.T) {
	tests := map[string]struct {
		faults []clienttest.Fault
		scopes []string
		want   error
		ends   bool
	}{
		"no refresh token": {nil, []string{"profile"}, ErrSignIn, false},
		"dead grant":       {[]clienttest.Fault{clienttest.InvalidGrant}, nil, ErrSignIn, true},
		"provider down":    {[]clienttest.Fault{clienttest.Token500}, nil, client.ErrUnavailable, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, func(cfg *appConfig) { cfg.client.Scopes = tt.scopes })
			b := a.browser()
			b.mustSignIn("alice")
			resp := within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
				a.expireToken()
				a.op.SetFaults(tt.faults...)
				for range 3 {
					if _, err := s.Token(r.Context()); !errors.Is(err, tt.want) || !strings.HasPrefix(err.Error(), "session: ") {
						t.Errorf("%v, want %v", err, tt.want)
					}
				}
				if s.Subject() != "alice" {
					t.Error("the user has gone in the middle of a request")
				}
			})
			if got := a.op.Count("token"); got > 2 {
				t.Errorf("%d token requests", got)
			}
			if gone := b.cookie("") == ""; gone != tt.ends {
				t.Errorf("the session has ended: %v; %v", gone, resp.Cookies())
			}
		})
	}
}

// An api answers with what it was sent, and 401 while the token is in refused.
type api struct {
	*httptest.Server
	seen    []string // "method authorization body"
	refused func(authorization string) bool
}

func newAPI(t *testing.T) *api {
	p := &api{refused: func(string) bool { return false }}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization := r.Header.Get("Authorization")
		p.seen = append(p.seen, r.Method+" "+authorization+" "+body(&http.Response{Body: r.Body}))
		switch {
		case r.URL.Path == "/redirect":
			http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
		case p.refused(authorization):
			http.Error(w, "refused", http.StatusUnauthorized)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func appWithAPI(t *testing.T) (*browser, *api) {
	p := newAPI(t)
	a := newApp(t, func(cfg *appConfig) { cfg.session.Transport = p.Client().Transport })
	b := a.browser()
	b.mustSignIn("alice")
	return b, p
}

func TestHTTPClientRetries(t *testing.T) {
	replayable := func() io.Reader { return strings.NewReader("text") }
	stream := func() io.Reader { return struct{ io.Reader }{strings.NewReader("text")} }
	tests := map[string]struct {
		method  string
		body    func() io.Reader
		always  bool // refuses every token
		header  string
		out     bool // the header of the response is out
		status  int
		calls   int
		renewed int
	}{
		"GET":                     {"GET", nil, false, "", false, 200, 2, 1},
		"POST that can be sent":   {"POST", replayable, false, "", false, 200, 2, 1},
		"POST of a stream":        {"POST", stream, false, "", false, 401, 1, 0},
		"refused for good":        {"GET", nil, true, "", false, 401, 2, 1},
		"own authorization":       {"GET", nil, false, "Basic x", false, 401, 1, 0},
		"header of the page sent": {"GET", nil, false, "", true, 401, 1, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b, p := appWithAPI(t)
			within(b, func(w http.ResponseWriter, r *http.Request, s *Session) {
				first, err := s.Token(r.Context())
				if err != nil {
					t.Fatal(err)
				}
				p.refused = func(got string) bool {
					return tt.always || got != "Bearer "+first.AccessToken == false || tt.header != ""
				}
				if tt.out {
					w.WriteHeader(http.StatusOK)
				}
				var payload io.Reader
				if tt.body != nil {
					payload = tt.body()
				}
				request, err := http.NewRequestWithContext(r.Context(), tt.method, p.URL+"/", payload)
				if err != nil {
					t.Fatal(err)
				}
				if tt.header != "" {
					request.Header.Set("Authorization", tt.header)
				}
				resp, err := s.HTTPClient().Do(request)
				if err != nil {
					t.Fatal(err)
				}
				text := body(resp)
				resp.Body.Close()
				if resp.StatusCode != tt.status || len(p.seen) != tt.calls || refreshes(b.app) != tt.renewed {
					t.Errorf("%d, %d calls, %d refreshes", resp.StatusCode, len(p.seen), refreshes(b.app))
				}
				if tt.status == 401 && text != "refused\n" {
					t.Errorf("the answer is %q", text)
				}
				if tt.calls == 2 && p.seen[0] == p.seen[1] {
					t.Error("the same token again")
				}
				if tt.body != nil && !strings.HasSuffix(p.seen[len(p.seen)-1], " text") {
					t.Error("the body is lost")
				}
				if request.Header.Get("Authorization") != tt.header || resp.Request.Header.Get("Authorization") != tt.header {
					t.Error("the request was changed")
				}
			})
		})
	}
}

// Two calls that meet a 401 at the same time, and one refresh.
func TestHTTPClientRefreshesOnce(t *testing.T) {
	b, p := appWithAPI(t)
	within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
		first, _ := s.Token(r.Context())
		p.refused = func(got string) bool { return got == "Bearer "+first.AccessToken }
		if _, err := s.token(r.Context(), first.AccessToken); err != nil {
			t.Fatal(err)
		}
		fresh, err := s.token(r.Context(), first.AccessToken)
		if err != nil || fresh.AccessToken == first.AccessToken || refreshes(b.app) != 1 {
			t.Errorf("%v, %d refreshes", err, refreshes(b.app))
		}
	})
}

func TestHTTPClientKeepsTheTokenHome(t *testing.T) {
	b, p := appWithAPI(t)
	elsewhere := newAPI(t)
	within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
		get := func(address string) error {
			resp, err := s.HTTPClient().Get(address)
			if err == nil {
				resp.Body.Close()
			}
			return err
		}
		if err := get(p.URL + "/redirect?to=/here"); err != nil || len(p.seen) != 2 || !strings.Contains(p.seen[1], "Bearer ") {
			t.Errorf("within one origin: %v, %q", err, p.seen)
		}
		// There and back again: who was in the middle has chosen the address.
		redirect := func(from, to string) string { return from + "/redirect?to=" + url.QueryEscape(to) }
		p.seen = nil
		if err := get(redirect(p.URL, redirect(elsewhere.URL, redirect(p.URL, "/back")))); err != nil {
			t.Fatal(err)
		}
		if len(elsewhere.seen) != 1 || strings.Contains(elsewhere.seen[0], "Bearer") {
			t.Errorf("elsewhere: %q", elsewhere.seen)
		}
		if len(p.seen) != 3 || strings.Contains(p.seen[1]+p.seen[2], "Bearer") {
			t.Errorf("and back: %d, %q", len(p.seen), p.seen)
		}
		err := get("http://api.example.com/")
		if err == nil || !strings.Contains(err.Error(), "not sent over http") {
			t.Errorf("by http: %v", err)
		}
	})
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A transport that does not rewind bodies by itself, as http.Transport does.
func TestHTTPClientSendsTheBodyAgain(t *testing.T) {
	var bodies []string
	a := newApp(t, func(cfg *appConfig) {
		cfg.session.Transport = roundTripFunc(func(r *http.Request) (*http.Response, error) {
			bodies = append(bodies, body(&http.Response{Body: r.Body}))
			status := http.StatusUnauthorized
			if len(bodies) == 2 {
				status = http.StatusOK
			}
			return &http.Response{StatusCode: status, Body: http.NoBody, Request: r}, nil
		})
	})
	b := a.browser()
	b.mustSignIn("alice")
	within(b, func(_ http.ResponseWriter, _ *http.Request, s *Session) {
		resp, err := s.HTTPClient().Post("https://api.example.com/", "text/plain", strings.NewReader("text"))
		if err != nil || resp.StatusCode != http.StatusOK || len(bodies) != 2 || bodies[1] != "text" {
			t.Errorf("%v, bodies %q", err, bodies)
		}
	})
}

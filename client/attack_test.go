package client

import (
	"context"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// V-8: an attempt at one provider is never finished at another, and nothing of it
// is sent there.
func TestV8MixUp(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct {
		name    string
		promise bool
		params  func(a *Login) url.Values
		want    string
	}{
		{"iss of the other", false, func(a *Login) url.Values {
			params := callbackOf(a)
			params.Set("iss", "https://evil.example")
			return params
		}, "iss is not the issuer"},
		{"no iss, and it is promised", true, callbackOf, "iss is missing, and the provider promises it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.metadata["authorization_response_iss_parameter_supported"] = test.promise
			c := p.client(nil)
			login := p.authorize(c, nil)
			_, err := c.Exchange(ctx, login, test.params(login))
			p.wantRejected(err, test.want)
		})
	}
	t.Run("login of the other", func(t *testing.T) {
		p := newOP(t)
		cfg := handConfig()
		cfg.Issuer, cfg.Metadata.Issuer, cfg.Now = "https://evil.example", "https://evil.example", p.clock
		evil, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		login, err := evil.Authorize(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.client(nil).Exchange(ctx, login, callbackOf(login))
		p.wantRejected(err, "login is of another issuer")
	})
	t.Run("ID token of the other", func(t *testing.T) {
		p := newOP(t)
		c := p.client(nil)
		login := p.authorize(c, nil)
		p.claims["iss"] = "https://evil.example"
		var e *jwtverify.ClaimError
		if _, err := c.Exchange(ctx, login, callbackOf(login)); !errors.Is(err, ErrRejected) || !errors.As(err, &e) || e.Claim != "iss" {
			t.Errorf("got %v, want iss refused", err)
		}
	})
	t.Run("tokens of the other", func(t *testing.T) {
		p := newOP(t)
		c := p.client(nil)
		tokens := p.signIn(c)
		tokens.IDToken.Issuer = "https://evil.example"
		p.requests = nil
		_, refresh := c.Refresh(ctx, tokens)
		_, userinfo := c.UserInfo(ctx, tokens)
		for _, err := range []error{refresh, userinfo, c.Revoke(ctx, tokens)} {
			if want := "client: rejected: the tokens are of another issuer"; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		if len(p.requests) != 0 {
			t.Errorf("%d requests", len(p.requests))
		}
	})
}

// wantRejected checks for a refused callback after which no token request was sent.
func (p *op) wantRejected(err error, rule string) {
	p.t.Helper()
	var e *CallbackError
	if !errors.As(err, &e) || !errors.Is(err, ErrRejected) || e.Param+" "+e.Reason != rule {
		p.t.Errorf("got %v, want %s", err, rule)
	}
	if n := len(p.seen("/token")); n != 0 {
		p.t.Errorf("%d token requests", n)
	}
}

// V-12: tokens of another flow.
func TestV12TokenSubstitution(t *testing.T) {
	for name, test := range map[string]struct {
		claim  string
		change func(p *op, open *Login)
	}{
		"nonce of another open flow": {"nonce", func(p *op, open *Login) { p.claims["nonce"] = open.nonce }},
		"no nonce":                   {"nonce", func(p *op, _ *Login) { delete(p.claims, "nonce") }},
		"access token swapped": {"at_hash", func(p *op, _ *Login) {
			p.claims["at_hash"] = "d0Zz_5lLFBsEJxCPYOZKMQ" // of another one
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newOP(t)
			c := p.client(nil)
			open := p.authorize(c, nil)
			login := p.authorize(c, nil)
			test.change(p, open)
			var e *jwtverify.ClaimError
			got, err := c.Exchange(context.Background(), login, callbackOf(login))
			if got != nil || !errors.Is(err, ErrRejected) || !errors.As(err, &e) || e.Claim != test.claim {
				t.Errorf("got %v, want %s refused", err, test.claim)
			}
		})
	}
}

// V-13: userinfo of somebody else, or of nobody.
func TestV13UserInfoSubstitution(t *testing.T) {
	for name, test := range map[string]struct {
		reply func(*http.Request) (*http.Response, error)
		want  error
		text  string
	}{
		"other sub": {func(*http.Request) (*http.Response, error) {
			return jsonResponse(200, map[string]any{"sub": "mallory"}), nil
		}, ErrRejected, "sub is not the one of the ID token"},
		"missing sub": {func(*http.Request) (*http.Response, error) {
			return jsonResponse(200, map[string]any{"name": "a"}), nil
		}, ErrRejected, "sub is missing"},
		"array":     {func(*http.Request) (*http.Response, error) { return jsonResponse(200, []any{"alice"}), nil }, ErrRejected, notMembers},
		"redirect":  {redirectTo(302, "https://evil.example/userinfo"), ErrRejected, "status 302"},
		"same host": {redirectTo(302, "/userinfo2"), ErrRejected, "status 302"},
		"10 MB": {func(*http.Request) (*http.Response, error) {
			return textResponse(200, "application/json", strings.Repeat(" ", 10<<20)), nil
		}, ErrRejected, "more than 1048576 bytes"},
		"JWT without a signature": {func(*http.Request) (*http.Response, error) {
			return textResponse(200, "application/jwt", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9."), nil
		}, ErrUnsupported, "the answer is a JWT"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newOP(t)
			c := p.client(nil)
			tokens := p.signIn(c)
			p.handle("/userinfo", test.reply)
			got, err := c.UserInfo(context.Background(), tokens)
			if got != nil || !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %s", err, test.text)
			}
		})
	}
}

// V-16: parameters that come in by a side door.
func TestV16ParameterInjection(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, &AuthorizeOptions{
		LoginHint: "x&scope=admin&redirect_uri=https://evil.example",
		Extra:     url.Values{"connection": {"a&client_id=evil#"}},
	})
	q := parseQuery(t, login.URL())
	for name, values := range q {
		if len(values) != 1 {
			t.Errorf("%s is there %d times", name, len(values))
		}
	}
	if q.Get("scope") != "openid" || q.Get("redirect_uri") != testRedirect || q.Get("client_id") != testClientID {
		t.Errorf("got %v", q)
	}
	for _, name := range []string{"state", "code"} {
		params := callbackOf(login)
		params.Add(name, params.Get(name))
		_, err := c.Exchange(context.Background(), login, params)
		p.wantRejected(err, name+" is there more than once")
	}
}

// V-17: the attacker's callback in another browser, which has another login or none.
func TestV17LoginCSRF(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	attacker, victim := p.authorize(c, nil), p.authorize(c, nil)
	_, err := c.Exchange(context.Background(), victim, callbackOf(attacker))
	p.wantRejected(err, "state is not the one of the login")
	_, err = c.Exchange(context.Background(), nil, callbackOf(attacker))
	p.wantRejected(err, "login is empty")
	_, err = c.Exchange(context.Background(), new(Login), url.Values{"code": {"c"}, "state": {""}})
	p.wantRejected(err, "login is empty")
}

// V-18: PKCE is there whatever the provider says, and its verifier nowhere else.
func TestV18PKCEDowngrade(t *testing.T) {
	for _, methods := range []any{nil, []string{}, []string{"plain"}} {
		p := newOP(t)
		p.metadata["code_challenge_methods_supported"] = methods
		c := p.client(nil)
		login := p.authorize(c, nil)
		q := parseQuery(t, login.URL())
		if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") != login.verifier.Challenge() || len(login.verifier) != 43 {
			t.Errorf("got %v", q)
		}
		if strings.Contains(login.URL(), string(login.verifier)) {
			t.Error("the URL has the verifier")
		}
		if _, err := c.Exchange(context.Background(), login, callbackOf(login)); err != nil {
			t.Fatal(err)
		}
		if got := parseForm(t, p.seen("/token")[0].Body).Get("code_verifier"); got != string(login.verifier) {
			t.Error("the token request has another verifier")
		}
	}
}

// V-19: a code is sent once, however often its callback comes.
func TestV19CodeReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		c := p.client(nil)
		login := p.authorize(c, nil)
		copied := *login // shares its one use
		p.handle("/token", func(*http.Request) (*http.Response, error) {
			<-time.After(time.Second)
			return jsonResponse(200, p.tokenAnswer()), nil
		})
		var mu sync.Mutex
		var wg sync.WaitGroup
		accepted := 0
		for i := range 50 {
			l := login
			if i%2 == 1 {
				l = &copied
			}
			wg.Go(func() {
				_, err := c.Exchange(context.Background(), l, callbackOf(l))
				mu.Lock()
				defer mu.Unlock()
				var e *CallbackError
				switch {
				case err == nil:
					accepted++
				case !errors.As(err, &e) || e.Reason != "was used already":
					t.Errorf("got %v, want it used", err)
				}
			})
		}
		wg.Wait()
		if n := len(p.seen("/token")); n != 1 || accepted != 1 {
			t.Errorf("%d token requests and %d sign-ins", n, accepted)
		}
	})
}

// A failed token request uses the login up too: the code may have been consumed.
func TestV19NoSecondAttempt(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, nil)
	p.handle("/token", func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
	if _, err := c.Exchange(context.Background(), login, callbackOf(login)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
	var e *CallbackError
	if _, err := c.Exchange(context.Background(), login, callbackOf(login)); !errors.As(err, &e) || e.Reason != "was used already" {
		t.Errorf("got %v, want it used", err)
	}
	if n := len(p.seen("/token")); n != 1 {
		t.Errorf("%d token requests", n)
	}
}

// V-20: all secrets are of 256 bits from crypto/rand.
func TestV20Randomness(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	seen := map[string]bool{}
	for range 100 {
		login := p.authorize(c, nil)
		for _, secret := range []string{login.state, login.nonce, string(login.verifier)} {
			if len(secret) != 43 || url.QueryEscape(secret) != secret || seen[secret] {
				t.Fatalf("%q is short, not URL-safe or not new", secret)
			}
			seen[secret] = true
		}
	}
}

func TestV20NoMathRand(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imported := range file.Imports {
			if strings.HasPrefix(imported.Path.Value, `"math/rand`) {
				t.Errorf("%s imports %s", path, imported.Path.Value)
			}
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Errorf("looked at %d files: %v", files, err)
	}
}

// V-39: no URL from a token, an answer or a redirect is fetched.
func TestV39ServerSideRequestForgery(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	p.claims["picture"] = "http://169.254.169.254/latest/meta-data/"
	p.claims["_claim_names"] = map[string]any{"groups": "src1"}
	p.claims["_claim_sources"] = map[string]any{"src1": map[string]any{"endpoint": "https://evil.example/"}}
	p.userinfo["picture"] = "file:///etc/passwd"
	tokens := p.signIn(c)
	if _, err := c.UserInfo(context.Background(), tokens); err != nil {
		t.Fatal(err)
	}
	for _, r := range p.requests { // RoundTrip complains about any other host, too
		if !strings.HasPrefix(r.URL, testIssuer+"/") {
			t.Errorf("a request went to %s", r.URL)
		}
	}
	for _, place := range []string{"http://169.254.169.254/jwks", "file:///etc/passwd", "http://op.example.com/jwks", "gopher://op.example.com/"} {
		p := newOP(t)
		p.metadata["jwks_uri"] = place
		if _, err := p.client(nil).Metadata(context.Background()); !errors.Is(err, ErrRejected) || !strings.HasSuffix(err.Error(), "jwks_uri must be https, as the issuer is") {
			t.Errorf("%s: got %v", place, err)
		}
	}
}

// V-40: no credential follows a redirect, on the same host or another.
func TestV40CredentialsOverRedirect(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, location := range []string{"https://evil.example/token", "/token2", "http://op.example.com/token"} {
			p := newOP(t)
			c := p.client(nil)
			tokens := p.signIn(c)
			login := p.authorize(c, nil)
			p.requests = nil
			for _, path := range []string{"/token", "/userinfo", "/revoke"} {
				p.handle(path, redirectTo(status, location))
			}
			_, exchange := c.Exchange(context.Background(), login, callbackOf(login))
			_, refresh := c.Refresh(context.Background(), tokens)
			_, userinfo := c.UserInfo(context.Background(), tokens)
			for _, err := range []error{exchange, refresh, userinfo, c.Revoke(context.Background(), tokens)} {
				var e *ResponseError
				if !errors.Is(err, ErrRejected) || !errors.As(err, &e) || e.Status != status {
					t.Errorf("got %v, want status %d", err, status)
				}
			}
			if len(p.requests) != 4 {
				t.Errorf("%d to %s: %d requests, want 4", status, location, len(p.requests))
			}
		}
	}
}

// An endless is a body that gives its text again and again.
type endless struct {
	text string
	wait time.Duration
	done <-chan struct{}
	read int
}

func (b *endless) Read(buf []byte) (int, error) {
	if b.wait > 0 {
		select {
		case <-time.After(b.wait):
		case <-b.done:
			return 0, context.DeadlineExceeded
		}
		buf = buf[:1]
	}
	n := copy(buf, b.text)
	b.read += n
	return n, nil
}

func (b *endless) Close() error { return nil }

// V-41: answers without an end, and answers that drip.
func TestV41OversizedAndSlowAnswers(t *testing.T) {
	for _, path := range []string{discoveryPath, "/token", "/userinfo", "/revoke", "/jwks"} {
		for _, wait := range []time.Duration{0, time.Second} {
			t.Run(path[1:]+" "+wait.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newOP(t)
					tokens := p.signIn(p.client(nil))
					var body *endless
					p.handle(path, func(req *http.Request) (*http.Response, error) {
						body = &endless{text: strings.Repeat("[", 512), wait: wait, done: req.Context().Done()}
						resp := textResponse(200, "application/json", "")
						resp.Body, resp.ContentLength = body, -1
						return resp, nil
					})
					c := p.client(nil)
					began := time.Now()
					err := p.use(c, path, tokens)
					if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrRejected) {
						t.Errorf("got %v", err)
					}
					if took := time.Since(began); took > httpTimeout {
						t.Errorf("it took %v", took)
					}
					if body.read > maxBody+64<<10 {
						t.Errorf("it read %d bytes", body.read)
					}
				})
			})
		}
	}
}

// use makes a client call the endpoint at path.
func (p *op) use(c *Client, path string, tokens *Tokens) error {
	ctx := context.Background()
	switch path {
	case "/userinfo":
		_, err := c.UserInfo(ctx, tokens)
		return err
	case "/revoke":
		return c.Revoke(ctx, tokens)
	case discoveryPath:
		_, err := c.Metadata(ctx)
		return err
	}
	login := p.authorize(c, nil)
	_, err := c.Exchange(ctx, login, callbackOf(login))
	return err
}

// A provider that never answers is given up after the timeout, and by a caller who leaves.
func TestV41NoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		c := p.client(nil)
		tokens := p.signIn(c)
		p.handle("/token", func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		began := time.Now()
		_, err := c.Refresh(context.Background(), tokens)
		if !errors.Is(err, ErrUnavailable) || !strings.HasSuffix(err.Error(), "timed out") || time.Since(began) != httpTimeout {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err = c.Refresh(ctx, tokens)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) || time.Since(began) != httpTimeout+time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

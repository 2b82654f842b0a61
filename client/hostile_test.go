package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// A hostileEndpoint is one that this package calls.
type hostileEndpoint struct {
	name, path string
	reads      reading
	inOK       string                                  // why an error in a 200 is refused
	begin      func(p *op) func(context.Context) error // prepares with a good provider, and returns the call
}

// A reading is what is made of an answer.
type reading int

const (
	readsJSON     reading = iota // an object that calls itself application/json
	readsMetadata                // an object, whatever it calls itself
	readsKeys                    // likewise, in jwtverify
	readsOurKeys                 // likewise, here
	readsStatus                  // the status alone (RFC 7009 2.2, RFC 7592 2.3)
)

// hostileEndpoints are all of them, the token endpoint once for each grant.
func hostileEndpoints() []hostileEndpoint {
	endpoints := []hostileEndpoint{
		{"discovery", discoveryPath, readsMetadata, `issuer is ""`, func(p *op) func(context.Context) error {
			c := p.client(nil)
			return func(ctx context.Context) error { _, err := c.Metadata(ctx); return err }
		}},
		{"keys", "/jwks", readsKeys, "no array of keys", beginExchange},
		{"encryption keys", "/jwks", readsOurKeys, "not a JWK set", func(p *op) func(context.Context) error {
			p.encrypting()
			c := p.signing(RequestObject{EncryptionAlgorithm: "ECDH-ES"}, nil)
			return func(ctx context.Context) error { _, err := c.Authorize(ctx, nil); return err }
		}},
		{"pushed authorization request", "/par", readsJSON, "the status is not 201", func(p *op) func(context.Context) error {
			p.pushing()
			c := p.client(func(cfg *Config) { cfg.PushedAuthorizationRequests = true })
			return func(ctx context.Context) error { _, err := c.Authorize(ctx, nil); return err }
		}},
		{"authorization_code", "/token", readsJSON, `"oops" "no"`, beginExchange},
		{"refresh_token", "/token", readsJSON, `"oops" "no"`, signedIn(func(ctx context.Context, c *Client, t *Tokens) error { _, err := c.Refresh(ctx, t); return err })},
		{"refresh_token for another resource", "/token", readsJSON, `"oops" "no"`, signedIn(func(ctx context.Context, c *Client, t *Tokens) error {
			_, err := c.RefreshFor(ctx, t, &GrantOptions{Resource: []string{"https://api.example.com"}})
			return err
		})},
		{"authorization_code of OAuth", "/token", readsJSON, `"oops" "no"`, beginOAuth},
		{"user", "/user", readsJSON, "id is missing", beginOAuth},
		{"userinfo", "/userinfo", readsJSON, "sub is missing", signedIn(func(ctx context.Context, c *Client, t *Tokens) error { _, err := c.UserInfo(ctx, t); return err })},
		{"revocation", "/revoke", readsStatus, "", signedIn(func(ctx context.Context, c *Client, t *Tokens) error {
			return c.Revoke(ctx, &Tokens{RefreshToken: t.RefreshToken})
		})},
		{"introspection", "/introspect", readsJSON, "active is not a boolean", func(p *op) func(context.Context) error {
			p.vouch(nil)
			c := p.client(nil)
			return func(ctx context.Context) error { _, err := c.Introspect(ctx, "token"); return err }
		}},
		{"introspection of an access token", "/introspect", readsJSON, "active is not a boolean", func(p *op) func(context.Context) error {
			p.vouch(nil)
			i := p.introspector(nil)
			return func(ctx context.Context) error { _, err := i.AccessToken(ctx, "token"); return err }
		}},
		{"registration", "/register", readsJSON, `"oops" "no"`, func(p *op) func(context.Context) error {
			p.metadata["registration_endpoint"] = testIssuer + "/register"
			p.reply("/register", 201, "application/json", registered)
			return func(ctx context.Context) error {
				_, err := Register(ctx, testIssuer, RegistrationRequest{
					Metadata: ClientMetadata{RedirectURIs: []string{testRedirect}}, InitialAccessToken: "iat-CANARY",
					HTTPClient: &http.Client{Transport: p}, Now: p.clock,
				})
				return err
			}
		}},
		{"client configuration, read", "/register/web", readsJSON, `"oops" "no"`, managing(func(ctx context.Context, r *Registration) error { _, err := r.Read(ctx); return err })},
		{"client configuration, update", "/register/web", readsJSON, `"oops" "no"`, managing(func(ctx context.Context, r *Registration) error { _, err := r.Update(ctx, r.Metadata); return err })},
		{"client configuration, delete", "/register/web", readsStatus, "", managing(func(ctx context.Context, r *Registration) error { return r.Delete(ctx) })},
	}
	for _, call := range append(grantCalls(), waitCalls()...) {
		endpoints = append(endpoints, hostileEndpoint{call.name, call.path, readsJSON, `"oops" "no"`, func(p *op) func(context.Context) error {
			p.metadata["device_authorization_endpoint"] = testIssuer + "/device"
			p.metadata["backchannel_authentication_endpoint"] = testIssuer + "/ciba"
			p.handle("/device", answering(deviceAnswer(), nil))
			p.handle("/ciba", answering(cibaAnswer(), nil))
			p.answer["issued_token_type"] = string(TypeAccessToken)
			c := p.client(nil)
			return func(ctx context.Context) error { return call.call(ctx, c, nil) }
		}})
	}
	return endpoints
}

func beginExchange(p *op) func(context.Context) error {
	c := p.client(nil)
	login := p.authorize(c, nil)
	return func(ctx context.Context) error { _, err := c.Exchange(ctx, login, callbackOf(login)); return err }
}

func beginOAuth(p *op) func(context.Context) error {
	p.dropOpenID()
	c := p.oauth(nil)
	login, err := c.Authorize(context.Background(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return func(ctx context.Context) error { _, err := c.Exchange(ctx, login, callbackOf(login)); return err }
}

func signedIn(call func(context.Context, *Client, *Tokens) error) func(*op) func(context.Context) error {
	return func(p *op) func(context.Context) error {
		p.reply("/revoke", 200, "application/json", `{"a":1}`)
		c := p.client(nil)
		tokens := p.signIn(c)
		return func(ctx context.Context) error { return call(ctx, c, tokens) }
	}
}

func managing(call func(context.Context, *Registration) error) func(*op) func(context.Context) error {
	return func(p *op) func(context.Context) error {
		p.reply("/register/web", 200, "application/json", `{"client_id":"web"}`)
		reg := p.managed()
		return func(ctx context.Context) error { return call(ctx, reg) }
	}
}

// A hostileAnswer is the good one of an endpoint, changed in one thing.
type hostileAnswer struct {
	name   string
	change func(r *http.Response, body string)
	want   func(e hostileEndpoint) string // why it is refused; empty: it is not
}

func hostileAnswers() []hostileAnswer {
	answers := []hostileAnswer{
		{"the good one", func(*http.Response, string) {}, func(hostileEndpoint) string { return "" }},
		{"HTML", func(r *http.Response, _ string) {
			r.Header.Set("Content-Type", "text/html")
			setBody(r, "<html>")
		}, malformed(`the content type is "text/html", not application/json`, "not a JSON object")},
		{"another content type", func(r *http.Response, _ string) {
			r.Header.Set("Content-Type", "text/plain")
		}, func(e hostileEndpoint) string {
			if e.reads != readsJSON { // a public document that providers serve from a disk
				return ""
			}
			return `the content type is "text/plain", not application/json`
		}},
		{"truncated", func(r *http.Response, body string) { setBody(r, body[:len(body)-1]) }, malformed(notMembers, "not valid JSON")},
		{"a member twice", func(r *http.Response, body string) { setBody(r, firstMemberTwice(body)) }, malformed(notMembers, "duplicate member")},
		{"more than 1 MiB", func(r *http.Response, body string) {
			setBody(r, strings.Repeat(" ", maxBody)+body)
		}, func(hostileEndpoint) string { return "than 1048576 bytes" }},
		{"an error in a 200", func(r *http.Response, _ string) {
			r.StatusCode = 200
			setBody(r, `{"error":"oops","error_description":"no"}`)
		}, func(e hostileEndpoint) string { return e.inOK }},
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		answers = append(answers, hostileAnswer{fmt.Sprintf("redirect %d", status), func(r *http.Response, _ string) {
			r.StatusCode = status
			r.Header.Set("Location", "https://evil.example/")
		}, func(e hostileEndpoint) string {
			if e.reads == readsKeys {
				return "redirect to another host"
			}
			return fmt.Sprintf("rejected: status %d: ", status)
		}})
	}
	return answers
}

// malformed is why an answer is refused that is not the JSON it should be.
func malformed(answer, metadata string) func(hostileEndpoint) string {
	return func(e hostileEndpoint) string {
		return map[reading]string{readsJSON: answer, readsMetadata: metadata, readsKeys: "JWK set: ", readsOurKeys: "not a JWK set"}[e.reads]
	}
}

func setBody(r *http.Response, body string) {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
}

// firstMemberTwice doubles the first member of an object.
func firstMemberTwice(object string) string {
	d := json.NewDecoder(strings.NewReader(object))
	var value json.RawMessage
	_, open := d.Token()
	name, first := d.Token()
	if err := errors.Join(open, first, d.Decode(&value)); err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{%q:%s,%s`, name, value, object[1:])
}

// spoil changes every answer of the endpoint.
func (p *op) spoil(path string, change func(r *http.Response, body string)) {
	p.mu.Lock()
	good := p.handlers[testIssuer+path]
	p.mu.Unlock()
	p.handle(path, func(req *http.Request) (*http.Response, error) {
		resp, err := good(req)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		setBody(resp, string(body))
		change(resp, string(body))
		return resp, nil
	})
}

// Every endpoint, and every answer that means harm or comes from somebody else: an error of
// a known kind for a known reason, one request, and nothing to another host.
func TestHostileAnswers(t *testing.T) {
	for _, e := range hostileEndpoints() {
		for _, answer := range hostileAnswers() {
			t.Run(e.name+"/"+answer.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newOP(t)
					call := e.begin(p)
					before := len(p.seen(e.path))
					p.spoil(e.path, answer.change)
					wantRefused(t, e, call(t.Context()), ErrRejected, answer.want(e))
					wantOneRequest(t, p, e, before)
				})
			})
		}
	}
}

// A body of which nothing comes is given up.
func TestHostileSlowBody(t *testing.T) {
	for _, e := range hostileEndpoints() {
		t.Run(e.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newOP(t)
				call := e.begin(p)
				before := len(p.seen(e.path))
				p.mu.Lock()
				good := p.handlers[testIssuer+e.path]
				p.mu.Unlock()
				p.handle(e.path, func(req *http.Request) (*http.Response, error) {
					resp, err := good(req)
					resp.Body, resp.ContentLength = hanging{req.Context()}, -1
					return resp, err
				})
				// Who waits for a person's decision asks again, a second later at the least.
				ctx, cancel := context.WithTimeout(t.Context(), httpTimeout+time.Second+time.Millisecond)
				defer cancel()
				start := time.Now()
				reason := "timed out"
				if e.reads == readsKeys {
					reason = context.DeadlineExceeded.Error()
				}
				wantRefused(t, e, call(ctx), ErrUnavailable, reason)
				if waited := time.Since(start); waited == 0 || ctx.Err() != nil && !strings.HasSuffix(e.name, " wait") {
					t.Errorf("it took %v", waited)
				}
				wantOneRequest(t, p, e, before)
			})
		})
	}
}

func wantRefused(t *testing.T, e hostileEndpoint, err, kind error, reason string) {
	t.Helper()
	if reason == "" {
		if err != nil {
			t.Errorf("got %v", err)
		}
		return
	}
	if e.reads == readsKeys { // those that an ID token is verified with
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, jwtverify.ErrKeys) || !strings.Contains(err.Error(), reason) {
			t.Errorf("got %v, want %s", err, reason)
		}
		return
	}
	var refused *ResponseError
	if !errors.As(err, &refused) || !errors.Is(err, kind) || !strings.Contains(err.Error(), reason) {
		t.Errorf("got %v, want %v: %s", err, kind, reason)
	}
}

func wantOneRequest(t *testing.T, p *op, e hostileEndpoint, before int) {
	t.Helper()
	if n := len(p.seen(e.path)) - before; n != 1 {
		t.Errorf("%d requests", n)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.requests {
		if !strings.HasPrefix(r.URL, testIssuer+"/") {
			t.Errorf("a request went to %s", r.URL)
		}
	}
}

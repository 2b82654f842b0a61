package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestClientCredentials(t *testing.T) {
	for _, test := range []struct {
		name  string
		body  string
		scope []string
	}{
		{"least", `{"access_token":"a","token_type":"bearer"}`, []string{"read"}},
		{"scope", `{"access_token":"a","token_type":"Bearer","scope":"other"}`, []string{"other"}},
		{"refresh token", `{"access_token":"a","token_type":"Bearer","refresh_token":"r"}`, []string{"read"}},
	} {
		p := newOP(t)
		p.reply("/token", 200, "application/json", test.body)
		got, err := p.client(nil).ClientCredentials(context.Background(), &GrantOptions{Scopes: []string{"read"}})
		if err != nil {
			t.Fatal(err)
		}
		if got.AccessToken != "a" || got.TokenType != "Bearer" || got.RefreshToken != "" || got.IDToken != nil || !got.Expiry.IsZero() || !slices.Equal(got.Scope, test.scope) {
			t.Errorf("%s: got %q %q %q %q", test.name, got.AccessToken, got.TokenType, got.RefreshToken, got.Scope)
		}
	}
	p := newOP(t)
	p.reply("/token", 200, "application/json", `{"access_token":"a","token_type":"Bearer","expires_in":60}`)
	got, err := p.client(nil).ClientCredentials(context.Background(), nil)
	if err != nil || got.Scope != nil || !got.Expiry.Equal(testStart.Add(time.Minute)) {
		t.Errorf("got %v, scope %q, until %v", err, got.Scope, got.Expiry)
	}
}

// RFC 6749 4.4: a client that cannot prove who it is gets nothing for itself.
func TestClientCredentialsOfPublicClient(t *testing.T) {
	p := newOP(t)
	c := p.client(func(cfg *Config) { cfg.ClientSecret = "" })
	const want = "client: client_credentials are for a client that authenticates: Config.ClientSecret and Config.Auth are empty"
	if _, err := c.ClientCredentials(context.Background(), nil); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	p.wantRequests("/token")
}

// numbered makes each answer of the token endpoint another token.
func (p *op) numbered(life int) *atomic.Int32 {
	n := new(atomic.Int32)
	p.handle("/token", func(*http.Request) (*http.Response, error) {
		answer := map[string]any{"access_token": fmt.Sprintf("a%d", n.Add(1)), "token_type": "Bearer"}
		if life > 0 {
			answer["expires_in"] = life
		}
		return jsonResponse(200, answer), nil
	})
	return n
}

func TestClientCredentialsSource(t *testing.T) {
	for _, test := range []struct {
		name      string
		life      int
		keptUntil time.Duration
	}{
		{"five minutes", 300, 4 * time.Minute},
		{"an hour", 3600, 59 * time.Minute},
		{"a minute", 60, 45 * time.Second},
		{"not said", 0, unsaidLifetime},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			n := p.numbered(test.life)
			source := p.client(nil).ClientCredentialsSource(&GrantOptions{Scopes: []string{"read"}})
			if len(p.requests) != 0 {
				t.Error("it sends before it is asked")
			}
			wantToken(t, source, "a1")
			p.advance(test.keptUntil - time.Second)
			wantToken(t, source, "a1")
			p.advance(time.Second)
			wantToken(t, source, "a2")
			wantToken(t, source, "a2")
			if n.Load() != 2 {
				t.Errorf("%d requests", n.Load())
			}
			if got := p.seen("/token")[1].Body; got != "grant_type=client_credentials&scope=read" {
				t.Errorf("sent %s", got)
			}
		})
	}
}

// What a caller does to its token or options is no concern of the others.
func TestClientCredentialsSourceCopies(t *testing.T) {
	p := newOP(t)
	p.numbered(300)
	opts := &GrantOptions{Scopes: []string{"read"}, Resource: []string{"urn:r"}, Audience: []string{"a"}, Extra: url.Values{"x": {"y"}}}
	source := p.client(nil).ClientCredentialsSource(opts)
	opts.Scopes[0], opts.Resource[0], opts.Audience[0], opts.Extra["x"][0], opts.Extra["z"] = "n", "n", "n", "n", []string{"n"}
	first, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	first.AccessToken = "changed"
	wantToken(t, source, "a1")
	if got, want := p.seen("/token")[0].Body, "audience=a&grant_type=client_credentials&resource=urn%3Ar&scope=read&x=y"; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

func TestClientCredentialsSourceAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		var n atomic.Int32
		p.handle("/token", func(*http.Request) (*http.Response, error) {
			n.Add(1)
			<-time.After(time.Second)
			return jsonResponse(200, map[string]any{"access_token": "a1", "token_type": "Bearer", "expires_in": 300}), nil
		})
		source := p.client(nil).ClientCredentialsSource(nil)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { wantToken(t, source, "a1") })
		}
		wg.Wait()
		if n.Load() != 1 {
			t.Errorf("%d requests", n.Load())
		}
	})
}

func TestClientCredentialsSourceInTrouble(t *testing.T) {
	p := newOP(t)
	n := p.numbered(300)
	source := p.client(nil).ClientCredentialsSource(nil)
	wantToken(t, source, "a1")
	p.reply("/token", 503, "", "")
	p.advance(4 * time.Minute) // due
	wantToken(t, source, "a1")
	wantToken(t, source, "a1") // not asked again at once
	p.advance(time.Second)
	wantToken(t, source, "a1")
	if got := len(p.seen("/token")); got != 3 {
		t.Errorf("%d requests, want one, one that failed, and one a second later", got)
	}
	p.advance(59*time.Second - time.Millisecond)
	wantToken(t, source, "a1")
	before := len(p.seen("/token"))
	p.advance(time.Millisecond) // its end; the last failure is fresh
	if _, err := source.Token(); !errors.Is(err, ErrUnavailable) || len(p.seen("/token")) != before {
		t.Errorf("got %v after %d requests", err, len(p.seen("/token"))-before)
	}
	p.handle("/token", func(*http.Request) (*http.Response, error) {
		n.Add(1)
		return jsonResponse(200, map[string]any{"access_token": "back", "token_type": "Bearer"}), nil
	})
	p.advance(maxBackoff)
	wantToken(t, source, "back")
}

func TestClientCredentialsSourceBacksOff(t *testing.T) {
	p := newOP(t)
	p.reply("/token", 401, "application/json", `{"error":"invalid_client"}`)
	source := p.client(nil).ClientCredentialsSource(nil)
	var waits []time.Duration
	last := p.clock()
	for range 200 {
		before := len(p.seen("/token"))
		if _, err := source.Token(); !errors.Is(err, ErrRejected) {
			t.Fatalf("got %v", err)
		}
		if len(p.seen("/token")) > before {
			waits = append(waits, p.clock().Sub(last))
			last = p.clock()
		}
		p.advance(time.Second)
	}
	if got := fmt.Sprint(waits); got != "[0s 1s 2s 4s 8s 16s 32s 1m0s 1m0s]" {
		t.Errorf("requests after %s", got)
	}
}

// A transport that panics takes its own caller with it, and nobody else. In a bubble,
// because net/http keeps a goroutine for the timeout of such a request.
func TestClientCredentialsSourceTransportPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		p.handle("/token", func(*http.Request) (*http.Response, error) { panic("transport") })
		source := p.client(nil).ClientCredentialsSource(nil)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is lost")
				}
			}()
			source.Token()
		}()
		p.numbered(300)
		wantToken(t, source, "a1")
		<-time.After(httpTimeout)
	})
}

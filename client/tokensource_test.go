package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
)

// saver records what was saved, and fails while err is set.
type saver struct {
	mu    sync.Mutex
	saved []string
	err   error
}

func (s *saver) save(ctx context.Context, t *Tokens) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := ctx.Deadline(); !ok {
		return errors.New("save has no deadline")
	}
	if s.err == nil {
		s.saved = append(s.saved, t.AccessToken+" "+t.RefreshToken)
	}
	return s.err
}

// rotating makes every refresh give other tokens.
func (p *op) rotating() {
	n := 1
	p.handle("/token", func(*http.Request) (*http.Response, error) {
		n++
		return jsonResponse(200, map[string]any{
			"access_token": fmt.Sprintf("a%d", n), "refresh_token": fmt.Sprintf("r%d", n), "token_type": "Bearer", "expires_in": 300,
		}), nil
	})
}

func wantToken(t *testing.T, s oauth2.TokenSource, want string) {
	t.Helper()
	got, err := s.Token()
	if err != nil || got.AccessToken != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestTokenSource(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	p.rotating()
	var s saver
	source := c.TokenSource(tokens, s.save)
	wantToken(t, source, "access-token-CANARY-1")
	p.advance(4*time.Minute - time.Second)
	wantToken(t, source, "access-token-CANARY-1")
	if len(s.saved) != 0 {
		t.Fatalf("it refreshed early: %q", s.saved)
	}
	p.advance(time.Second) // a minute before its end
	wantToken(t, source, "a2")
	wantToken(t, source, "a2")
	p.advance(time.Hour)
	wantToken(t, source, "a3")
	if fmt.Sprint(s.saved) != "[a2 r2 a3 r3]" {
		t.Errorf("saved %q", s.saved)
	}
	if got := parseForm(t, p.seen("/token")[2].Body).Get("refresh_token"); got != "r2" {
		t.Errorf("sent the refresh token %q, want the rotated one", got)
	}
}

func TestTokenSourceWithoutSave(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	_, err := c.TokenSource(&Tokens{AccessToken: "a"}, nil).Token()
	if want := "client: TokenSource needs a save function, or rotated refresh tokens would be lost"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := c.TokenSource(nil, new(saver).save).Token(); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("got %v, want no tokens", err)
	}
}

func TestTokenSourceWithoutExpiryOrRefreshToken(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	var s saver
	wantToken(t, c.TokenSource(&Tokens{AccessToken: "a", RefreshToken: "r"}, s.save), "a")
	source := c.TokenSource(&Tokens{AccessToken: "a", Expiry: testStart.Add(time.Second)}, s.save)
	wantToken(t, source, "a")
	p.advance(time.Second)
	if _, err := source.Token(); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("got %v, want no refresh token", err)
	}
	if len(p.requests) != 0 {
		t.Errorf("%d requests", len(p.requests))
	}
}

// What was not saved is not given out, and not lost.
func TestTokenSourceSaveFails(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	p.rotating()
	p.advance(time.Hour)
	s := saver{err: errors.New("disk full")}
	source := c.TokenSource(tokens, s.save)
	for range 2 {
		if _, err := source.Token(); !errors.Is(err, s.err) || err.Error() != "client: the new tokens could not be saved: disk full" {
			t.Errorf("got %v, want the error of save", err)
		}
	}
	s.err = nil
	wantToken(t, source, "a2")
	if n := len(p.seen("/token")); n != 2 || fmt.Sprint(s.saved) != "[a2 r2]" {
		t.Errorf("%d token requests, saved %q", n, s.saved)
	}
}

func TestTokenSourceProviderInTrouble(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	p.reply("/token", 503, "", "")
	var s saver
	source := c.TokenSource(tokens, s.save)
	p.advance(4*time.Minute + 30*time.Second)
	for range 3 {
		wantToken(t, source, "access-token-CANARY-1")
	}
	if n := len(p.seen("/token")); n != 2 {
		t.Errorf("%d token requests, want one beside the login's: there is a cool-down", n)
	}
	p.advance(30*time.Second - time.Millisecond)
	wantToken(t, source, "access-token-CANARY-1")
	p.advance(time.Millisecond)
	if _, err := source.Token(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
	p.advance(refreshCooldown)
	if _, err := source.Token(); !errors.Is(err, ErrUnavailable) || len(p.seen("/token")) != 4 {
		t.Errorf("got %v after %d requests, want another attempt", err, len(p.seen("/token")))
	}
	p.rotating()
	p.advance(refreshCooldown)
	wantToken(t, source, "a2")
}

func TestTokenSourceDeadGrant(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	p.reply("/token", 400, "application/json", `{"error":"invalid_grant"}`)
	source := c.TokenSource(tokens, new(saver).save)
	p.advance(time.Hour)
	for range 3 {
		if _, err := source.Token(); !errors.Is(err, ErrInvalidGrant) {
			t.Errorf("got %v, want the grant dead", err)
		}
		p.advance(time.Hour)
	}
	if n := len(p.seen("/token")); n != 2 {
		t.Errorf("%d token requests, want one beside the login's", n)
	}
}

// spoiled wants a token, and changes what it got: that is the caller's own.
func spoiled(t *testing.T, source oauth2.TokenSource, want string) {
	token, err := source.Token()
	if err != nil || token.AccessToken != want {
		t.Errorf("got %v, %v, want %s", token, err, want)
		return
	}
	token.AccessToken = "another"
}

func TestTokenSourceRefreshesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		c := p.client(nil)
		tokens := p.signIn(c)
		p.advance(time.Hour)
		var refreshes atomic.Int32
		p.handle("/token", func(*http.Request) (*http.Response, error) {
			refreshes.Add(1)
			<-time.After(time.Second)
			return jsonResponse(200, map[string]any{"access_token": "a2", "token_type": "Bearer", "expires_in": 300}), nil
		})
		source := c.TokenSource(tokens, new(saver).save)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { spoiled(t, source, "a2") })
		}
		wg.Wait()
		if refreshes.Load() != 1 {
			t.Errorf("%d refreshes", refreshes.Load())
		}
	})
}

func TestTokenSourceSavePanics(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	p.rotating()
	p.advance(time.Hour)
	calls := 0
	source := c.TokenSource(tokens, func(context.Context, *Tokens) error {
		if calls++; calls == 1 {
			panic("oops")
		}
		return nil
	})
	func() {
		defer func() { recover() }()
		source.Token()
	}()
	wantToken(t, source, "a2")
}

// What is saved late may have expired meanwhile.
func TestTokenSourceSavesLate(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	p.rotating()
	p.advance(time.Hour)
	s := saver{err: errors.New("disk full")}
	source := c.TokenSource(tokens, s.save)
	if _, err := source.Token(); !errors.Is(err, s.err) {
		t.Fatal(err)
	}
	p.advance(4 * time.Minute) // a2 is due again
	s.err = nil
	wantToken(t, source, "a3")
	if fmt.Sprint(s.saved) != "[a2 r2 a3 r3]" {
		t.Errorf("saved %q", s.saved)
	}
}

func TestTokenSourceClockPanics(t *testing.T) {
	p := newOP(t)
	boom := false
	c := p.client(func(cfg *Config) {
		cfg.Now = func() time.Time {
			if boom {
				panic("clock")
			}
			return p.clock()
		}
	})
	source := c.TokenSource(p.signIn(c), new(saver).save)
	func() {
		defer func() { recover() }()
		boom = true
		source.Token()
	}()
	boom = false
	done := make(chan bool)
	go func() { source.Token(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("the source hangs")
	}
}

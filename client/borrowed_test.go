package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/postern-go/postern/jwtverify"
)

// borrowed are the two ways in which a program makes credentials that fail with err.
func borrowed(err error) map[string]ClientAuth {
	fail := func(context.Context) (string, error) { return "", err }
	return map[string]ClientAuth{"assertion": AssertionFunc(fail), "secret": SecretFunc(fail)}
}

// The credentials come from another provider, which refuses: that says nothing of the
// grant here, of the person, or of the password.
func TestBorrowedErrorIsNoVerdict(t *testing.T) {
	for _, cause := range []error{
		fmt.Errorf("workload identity: %w", &ResponseError{Endpoint: "token", Status: 400, Code: "invalid_grant", Err: ErrInvalidGrant}),
		&ResponseError{Endpoint: "token", Status: 400, Code: "access_denied", Err: ErrRejected},
		&ResponseError{Endpoint: "token", Status: 400, Code: "slow_down", Err: ErrRejected},
		&AuthError{Code: "access_denied"},
		&jwtverify.ClaimError{Claim: "sub", Err: jwtverify.ErrInvalid},
	} {
		for name, auth := range borrowed(cause) {
			t.Run(name, func(t *testing.T) {
				p := newOP(t)
				c := p.client(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = auth, "" })
				expired := &Tokens{RefreshToken: "r", Expiry: testStart.Add(-time.Hour)}
				_, refresh := c.Refresh(t.Context(), expired)
				_, source := c.TokenSource(expired, func(context.Context, *Tokens) error { return nil }).Token()
				_, password := c.InsecurePassword(t.Context(), Password{"alice", "secret"}, nil)
				_, person := c.poll(t.Context(), &pending{issuer: testIssuer, clientID: testClientID, expires: testStart.Add(time.Hour), interval: time.Second}, 0, url.Values{})
				for _, err := range []error{refresh, source, password, person} {
					if err == nil || !strings.Contains(err.Error(), "client authentication: "+cause.Error()) {
						t.Errorf("got %v", err)
					}
					var answer *ResponseError
					var no *AuthError
					var claim *jwtverify.ClaimError
					var retrieve *oauth2.RetrieveError
					if errors.Is(err, ErrInvalidGrant) || errors.Is(err, ErrRejected) || errors.As(err, &answer) ||
						errors.As(err, &no) || errors.As(err, &claim) || errors.As(err, &retrieve) {
						t.Errorf("%v passes for a verdict of this provider", err)
					}
				}
				if len(p.seen("/token")) != 0 {
					t.Error("a request was sent without credentials")
				}
			})
		}
	}
}

// Anything else of the program is found.
func TestBorrowedErrorKeepsItsCause(t *testing.T) {
	cause := &fs.PathError{Op: "open", Path: "identity", Err: fs.ErrNotExist}
	for name, auth := range borrowed(fmt.Errorf("vault: %w", errors.Join(cause, context.DeadlineExceeded))) {
		p := newOP(t)
		err := p.refreshWith(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = auth, "" })
		var found *fs.PathError
		if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &found) || found != cause {
			t.Errorf("%s: %v has lost its cause", name, err)
		}
	}
}

// One source of assertions for several clients gives all of them the same error while its
// provider is in trouble: no client writes into it.
func TestBorrowedErrorIsNotChanged(t *testing.T) {
	shared := &ResponseError{Endpoint: "token", Status: 400, Code: "access_denied", Err: ErrRejected}
	var wg sync.WaitGroup
	for range 4 {
		p := newOP(t)
		c := p.client(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = borrowed(shared)["assertion"], "" })
		wg.Go(func() {
			c.Refresh(t.Context(), &Tokens{RefreshToken: "r", Expiry: testStart.Add(-time.Hour)})
			c.InsecurePassword(t.Context(), Password{"alice", "secret"}, nil)
		})
	}
	wg.Wait()
	if shared.Err != ErrRejected || shared.Hint != "" {
		t.Errorf("the error of another client became %v", shared)
	}
}

// Nor is it a reason to poll on: the credentials are not asked for again and again.
func TestBorrowedErrorEndsPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		calls := 0
		c := p.client(func(cfg *Config) {
			cfg.ClientSecret, cfg.Now = "", time.Now
			cfg.Auth = AssertionFunc(func(context.Context) (string, error) {
				calls++
				return "", &ResponseError{Endpoint: "token", Status: 400, Code: "authorization_pending", Err: ErrRejected}
			})
		})
		l := &DeviceLogin{pending: pending{issuer: testIssuer, clientID: testClientID, expires: time.Now().Add(time.Hour), interval: time.Second}}
		if _, err := c.WaitDevice(t.Context(), l); err == nil || errors.Is(err, ErrInvalidGrant) || calls != 1 {
			t.Errorf("got %v after %d calls", err, calls)
		}
	})
}

package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

const filesAPI = "https://files.example.com"

// resources are those that refreshes named, in their order.
func resources(a *app) []string {
	var all []string
	for _, r := range a.op.Requests() {
		if r.Endpoint == "token" && r.Form.Get("grant_type") == "refresh_token" {
			all = append(all, r.Form.Get("resource"))
		}
	}
	return all
}

func mustToken(t *testing.T, s *Session, r *http.Request, resource string) string {
	t.Helper()
	token, err := s.tokenFor(r.Context(), resource, "")
	if err != nil {
		t.Fatalf("%q: %v", resource, err)
	}
	return token.AccessToken
}

// A second access token: had once, kept with the session, renewed near its end, beside the
// usual one.
func TestTokenFor(t *testing.T) {
	for name, store := range map[string]Store{"cookie": nil, "cookie and a store": newLockingStore(), "store": newLockingStore()} {
		t.Run(name, func(t *testing.T) {
			nodes := cluster(t, 2, store, func(cfg *appConfig) { cfg.session.SessionsInStore = name == "store" })
			a := nodes[0]
			b := a.browser()
			b.mustSignIn("alice")
			var usual, files string
			within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
				usual = mustToken(t, s, r, "")
				token, err := s.TokenFor(r.Context(), filesAPI)
				if err != nil {
					t.Fatal(err)
				}
				files = token.AccessToken
				if again := mustToken(t, s, r, filesAPI); again != files || mustToken(t, s, r, "") != usual {
					t.Error("the tokens changed")
				}
			})
			if got := resources(a); files == usual || len(got) != 1 || got[0] != filesAPI {
				t.Errorf("refreshes for %q", got)
			}
			for _, node := range nodes {
				within(b.at(node), func(_ http.ResponseWriter, r *http.Request, s *Session) {
					if mustToken(t, s, r, filesAPI) != files || mustToken(t, s, r, "") != usual {
						t.Error("another token in the next request")
					}
				})
			}
			a.op.Advance(4*time.Minute + 30*time.Second)
			within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
				if mustToken(t, s, r, filesAPI) == files || mustToken(t, s, r, "") == usual {
					t.Error("a token near its end")
				}
			})
			if got := resources(a); fmt.Sprint(got) != fmt.Sprint([]string{filesAPI, "", filesAPI}) {
				t.Errorf("refreshes for %q", got)
			}
			a.op.RevokeGrants("alice")
			a.op.Advance(10 * time.Minute)
			a.wantUser(b, "nobody: "+ReasonRefreshFailed)
		})
	}
}

// All tokens come by one refresh token, and it is used once at a time.
func TestTokensForManyAtOnce(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		nodes := cluster(t, 2, newLockingStore(), mode)
		a := nodes[0]
		b := a.browser()
		b.mustSignIn("alice")
		a.expireToken()
		var mu sync.Mutex
		tokens := map[string]string{}
		for i, node := range nodes {
			node.open = func(r *http.Request, s *Session) {
				for k := range 3 {
					resource := fmt.Sprintf("%s/%d", filesAPI, (i+k)%3)
					token, err := s.TokenFor(r.Context(), resource)
					if err != nil {
						t.Errorf("%s: %v", resource, err)
						continue
					}
					mu.Lock()
					if known := tokens[resource]; known != "" && known != token.AccessToken {
						t.Errorf("%s: two tokens", resource)
					}
					tokens[resource] = token.AccessToken
					mu.Unlock()
				}
			}
		}
		var wg sync.WaitGroup
		for i := range 20 {
			r, node := b.request("GET", "/", fetchHeaders...), nodes[i%2]
			wg.Go(func() { (&browser{node, b.jar}).lost(r) })
		}
		wg.Wait()
		if n := refreshes(a); n != 4 {
			t.Errorf("%d refreshes: %q", n, resources(a))
		}
	})
}

func TestTokenForFails(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	if _, err := From(t.Context()).TokenFor(t.Context(), filesAPI); !errors.Is(err, ErrSignIn) {
		t.Errorf("without a session: %v", err)
	}
	within(b, func(w http.ResponseWriter, r *http.Request, s *Session) {
		if _, err := s.TokenFor(r.Context(), ""); !errors.Is(err, errNoResource) {
			t.Errorf("without a resource: %v", err)
		}
		if _, err := s.HTTPClientFor("").Get(filesAPI); !errors.Is(err, errNoResource) {
			t.Errorf("a client without a resource: %v", err)
		}
		a.op.SetFaults(clienttest.InvalidClient)
		if _, err := s.TokenFor(r.Context(), filesAPI); !errors.Is(err, client.ErrRejected) || errors.Is(err, ErrSignIn) {
			t.Errorf("refused: %v", err)
		}
		n := refreshes(a)
		if _, err := s.TokenFor(r.Context(), filesAPI); err == nil || refreshes(a) != n {
			t.Errorf("at once again: %v", err)
		}
		a.op.SetFaults()
		mustToken(t, s, r, filesAPI+"/other") // one is not the other's business
		a.expireToken()
		mustToken(t, s, r, "")
		for i := range maxResources - 1 {
			mustToken(t, s, r, fmt.Sprintf("%s/%d", filesAPI, i))
		}
		if _, err := s.TokenFor(r.Context(), filesAPI+"/more"); !errors.Is(err, errTooManyResources) {
			t.Errorf("beyond the bound: %v", err)
		}
		w.WriteHeader(http.StatusOK)
		if _, err := s.TokenFor(r.Context(), filesAPI+"/late"); !errors.Is(err, ErrHeadersSent) {
			t.Errorf("after the header: %v", err)
		}
	})
}

// The API says 401, and gets a new token for itself.
func TestHTTPClientFor(t *testing.T) {
	b, p := appWithAPI(t)
	within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
		usual, first := mustToken(t, s, r, ""), mustToken(t, s, r, p.URL)
		p.refused = func(got string) bool { return got == "Bearer "+first || got == "Bearer "+usual }
		request, err := http.NewRequestWithContext(r.Context(), "GET", p.URL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.HTTPClientFor(p.URL).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		fresh := mustToken(t, s, r, p.URL)
		if resp.StatusCode != http.StatusOK || fmt.Sprint(p.seen) != fmt.Sprint([]string{"GET Bearer " + first + " ", "GET Bearer " + fresh + " "}) {
			t.Errorf("%d, seen %q", resp.StatusCode, p.seen)
		}
		if mustToken(t, s, r, "") != usual {
			t.Error("the usual token changed")
		}
	})
}

// Where a cookie has no room for them, the other tokens stay behind, and the refresh token
// that brought them does not.
func TestOtherTokensStayBehind(t *testing.T) {
	a := newApp(t, func(cfg *appConfig) { cfg.session.CookieBudget = 3500 })
	b := a.browser()
	b.mustSignIn("alice")
	within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
		for i := range 4 {
			mustToken(t, s, r, fmt.Sprintf("%s/%d", filesAPI, i))
		}
	})
	rec := ticketOf(t, b)
	newest := a.m.refresher.newest(rec.id, rec.grant(), a.op.Now())
	if len(rec.others) != 0 || rec.tokens.RefreshToken != newest.tokens.RefreshToken {
		t.Errorf("%d other tokens in the cookie", len(rec.others))
	}
}

// A refresh that OnLogin does not wait for is waited for before anybody has the session: another
// process knows nothing of it, and would use the same refresh token.
func TestRefreshThatOutlivesOnLogin(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		synctest.Test(t, func(t *testing.T) {
			var op *clienttest.Provider
			nodes := cluster(t, 2, newLockingStore(), mode, func(cfg *appConfig) {
				cfg.session.OnLogin = func(ctx context.Context, s *Session) error {
					op.SetFaults(clienttest.TokenSlow)
					time.AfterFunc(2*refreshPatience, func() { op.SetFaults() })
					ctx, cancel := context.WithTimeout(ctx, time.Second)
					defer cancel()
					if _, err := s.TokenFor(ctx, filesAPI); err == nil {
						t.Error("OnLogin has the token")
					}
					return nil
				}
			})
			a, other := nodes[0], nodes[1]
			op = a.op
			defer op.Close()
			b := a.browser()
			b.mustSignIn("alice")
			within(b.at(other), func(_ http.ResponseWriter, r *http.Request, s *Session) {
				mustToken(t, s, r, filesAPI)
			})
			if refreshes(a) != 1 {
				t.Errorf("%d refreshes", refreshes(a))
			}
			a.wantNoTrouble()
		})
	})
}

// Config.OnLogin has the tokens for all APIs, wherever the session will be, and what it got of
// them is in every process.
func TestTokenForInOnLogin(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		var files string
		nodes := cluster(t, 2, newLockingStore(), mode, func(cfg *appConfig) {
			cfg.session.OnLogin = func(ctx context.Context, s *Session) error {
				token, err := s.TokenFor(ctx, filesAPI)
				if err == nil {
					files = token.AccessToken
				}
				return err
			}
		})
		a, other := nodes[0], nodes[1]
		b := a.browser()
		b.mustSignIn("alice")
		within(b.at(other), func(_ http.ResponseWriter, r *http.Request, s *Session) {
			if got := mustToken(t, s, r, filesAPI); got != files || refreshes(a) != 1 {
				t.Errorf("another token after %d refreshes", refreshes(a))
			}
		})
		a.expireToken()
		other.wantUser(b.at(other), "alice")
		a.wantNoTrouble()
	})
}

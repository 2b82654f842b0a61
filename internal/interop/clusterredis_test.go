package interop

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/session"
)

const (
	unavailable = "503 " + session.ReasonStoreDown
	revoked     = "401 " + session.ReasonRevoked
)

// startWithRedis is a cluster whose tokens last, and two people who are signed in.
func startWithRedis(t *testing.T, r *redisServer, inStore bool) (c *cluster, told siteConfig, alice, bob []*http.Cookie) {
	t.Helper()
	c = startCluster(t, op, 3, nil, func(cfg *siteConfig) {
		cfg.Redis, cfg.SessionsInStore = r.socket, inStore
		told = *cfg
	})
	_, alice = c.signedIn(t, "alice")
	_, bob = c.signedIn(t, "bob")
	return c, told, alice, bob
}

// revoke ends all sessions of a user, as the provider does: one of the sites hears of it.
func (c *cluster) revoke(t *testing.T, sub string) {
	t.Helper()
	token := op.issueLogoutToken(t, c.reg, sub, "")
	c.sites[0].post(t, "/auth/backchannel-logout", nil, url.Values{"logout_token": {token}}, http.StatusOK)
}

// wantStateAgain is wantState when Redis is back, which a site finds out with a request: it
// leaves Redis alone for a second after a failure.
func (c *cluster) wantStateAgain(t *testing.T, cookies []*http.Cookie, want string) {
	t.Helper()
	for _, s := range c.alive() {
		eventually(t, s.URL+" has found Redis", func() (bool, error) {
			s.state(t, cookies)
			return strings.Contains(s.stderr.String(), "the store answers again"), nil
		})
	}
	c.wantState(t, "Redis is back", cookies, want)
}

// Redis is gone for five minutes and more, by the clocks of the sites. The sessions are in
// cookies.
func TestRedisGone(t *testing.T) {
	r := startRedis(t)
	c, told, alice, bob := startWithRedis(t, r, false)
	told.Redis, told.Number = "", 3
	plain := startOneSite(t, told) // the same app without a Store
	all := append(c.alive(), plain)
	wantPlain := func(when string) {
		t.Helper()
		if got, _ := plain.state(t, alice); got != "alice" {
			t.Errorf("%s: without a Store: %q", when, got)
		}
	}
	c.revoke(t, "bob")
	c.wantState(t, "revoked", bob, revoked)
	c.wantState(t, "of bob", alice, "alice")

	if got, err := r.ask("SAVE"); got != "+OK" {
		t.Fatalf("%q, %v", got, err)
	}
	r.stop()
	gone := time.Now()
	for _, ahead := range []time.Duration{0, 2 * time.Minute, 4 * time.Minute} {
		for _, s := range all {
			s.setAhead(t, ahead)
		}
		c.wantState(t, ahead.String(), alice, "alice")
		c.wantState(t, ahead.String(), bob, revoked)
		wantPlain(ahead.String())
	}
	if time.Since(gone) > 55*time.Second {
		t.Fatal("this machine is too slow to tell")
	}
	for _, s := range all {
		s.setAhead(t, 5*time.Minute)
	}
	c.wantState(t, "after five minutes", alice, unavailable)
	c.wantState(t, "after five minutes", bob, revoked)
	c.wantState(t, "after five minutes, nobody", nil, "401 "+session.ReasonNoSession)
	wantPlain("after five minutes")

	r.restart(t)
	c.wantStateAgain(t, alice, "alice")
	c.wantState(t, "Redis is back", bob, revoked)
	told.Redis, told.Number = r.socket, 4
	c.sites = append(c.sites, startOneSite(t, told)) // which knows what Redis says
	c.wantState(t, "a new process", bob, revoked)
	c.wantState(t, "a new process", alice, "alice")
	c.revoke(t, "alice")
	c.wantState(t, "revoked after it all", alice, revoked)
}

// The sessions are in Redis: without it nobody knows anything of anybody, and afterwards
// nobody has to sign in again.
func TestRedisGoneWithTheSessions(t *testing.T) {
	r := startRedis(t)
	c, _, alice, bob := startWithRedis(t, r, true)
	c.revoke(t, "bob")
	c.wantState(t, "revoked", bob, revoked)
	if got, err := r.ask("SAVE"); got != "+OK" {
		t.Fatalf("%q, %v", got, err)
	}
	r.stop()
	c.wantState(t, "Redis is gone", alice, unavailable)
	c.wantState(t, "Redis is gone", bob, revoked)
	c.wantState(t, "Redis is gone, nobody", nil, "401 "+session.ReasonNoSession)
	r.restart(t)
	c.wantStateAgain(t, alice, "alice")
	c.wantState(t, "Redis is back", bob, revoked)
	if n := op.count(t, c.reg.ID, "grant.success", "authorization_code"); n != 2 {
		t.Errorf("%d sign-ins, want 2", n)
	}
}

// Redis hangs, and does not refuse connections: one request finds out, and the others are
// answered at once. Every three seconds one asks again.
func TestRedisHangs(t *testing.T) {
	for name, test := range map[string]struct {
		inStore bool
		want    string
	}{"sessions in cookies": {false, "alice"}, "in the store": {true, unavailable}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			c, _, alice, _ := startWithRedis(t, r, test.inStore)
			c.wantState(t, "Redis answers", alice, "alice")
			r.pause(t)
			for _, s := range c.sites {
				delayed, begin := 0, time.Now()
				for range 30 {
					got, took := s.state(t, alice)
					if got != test.want {
						t.Errorf("%q, want %q", got, test.want)
					}
					if took > time.Second {
						delayed++
					}
				}
				if most := 1 + int(time.Since(begin)/(3*time.Second)); delayed == 0 || delayed > most {
					t.Errorf("%d of 30 requests were delayed, in %v", delayed, time.Since(begin))
				}
			}
			r.resume(t)
			c.wantStateAgain(t, alice, "alice")
			c.revoke(t, "alice")
			c.wantState(t, "revoked", alice, revoked)
		})
	}
}

// Tokens run out while Redis hangs: the process that is asked refreshes by itself, and as the
// cookie has what came of it, nothing is lost. That request waits for Redis once in full, and
// then for a glance each time.
func TestRefreshWhileRedisHangs(t *testing.T) {
	r := startRedis(t)
	c := startCluster(t, op, 3, shortLived, func(cfg *siteConfig) { cfg.Redis = r.socket })
	_, cookies := c.signedIn(t, "alice")
	c.wantState(t, "Redis answers", cookies, "alice")
	c.expire(t, op)
	r.pause(t)
	begin := time.Now()
	answer, got, err := c.sites[0].app.callAPI(cookies)
	if err != nil || got.Status != http.StatusOK || got.Subject != "alice" {
		t.Fatalf("userinfo answered %d about %q, %v", got.Status, got.Subject, err)
	}
	took := time.Since(begin).Round(time.Millisecond)
	if took > 7*time.Second {
		t.Errorf("refreshed in %v", took)
	}
	t.Logf("refreshed in %v", took)
	cookies = newest(cookies, answer.Cookies())
	c.wantState(t, "with the new cookie", cookies, "alice")
	r.resume(t)
	c.wantState(t, "Redis goes on", cookies, "alice")
	c.wantRefreshes(t, "in the end", 1, 0)
}

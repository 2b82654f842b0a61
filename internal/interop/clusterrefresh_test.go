package interop

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/session"
)

// calls are requests to /api that were sent at once, with the same cookies.
type calls struct {
	answers []*http.Response
	got     []seen
	errs    []error
	wg      sync.WaitGroup
}

// callAtOnce sends n requests, to each of the apps in turn.
func callAtOnce(n int, cookies []*http.Cookie, apps ...*app) *calls {
	all := &calls{make([]*http.Response, n), make([]seen, n), make([]error, n), sync.WaitGroup{}}
	for i := range n {
		all.wg.Go(func() { all.answers[i], all.got[i], all.errs[i] = apps[i%len(apps)].callAPI(cookies) })
	}
	return all
}

// wantOneToken waits for the answers: all are about user, with one token that is good at
// the provider. It gives the cookies that came with them.
func (all *calls) wantOneToken(t *testing.T, user string) (set []*http.Cookie) {
	t.Helper()
	all.wg.Wait()
	for i, got := range all.got {
		switch {
		case all.errs[i] != nil:
			t.Fatalf("request %d: %v", i, all.errs[i])
		case got.Status != http.StatusOK || got.Subject != user:
			t.Fatalf("request %d: userinfo answered %d about %q", i, got.Status, got.Subject)
		case got.AccessToken != all.got[0].AccessToken:
			t.Fatalf("request %d has a token of its own", i)
		}
		if cookies := all.answers[i].Cookies(); len(cookies) > 0 {
			set = cookies
		}
	}
	return set
}

// wantRefreshes compares what the provider has seen of a client.
func (c *cluster) wantRefreshes(t *testing.T, when string, done, reused int) {
	t.Helper()
	if n := op.count(t, c.reg.ID, "grant.success", "refresh_token"); n != done {
		t.Errorf("%s: %d refreshes at the provider, want %d", when, n, done)
	}
	if n := op.count(t, c.reg.ID, "grant.error", "refresh_token"); n != reused {
		t.Errorf("%s: %d refreshes were refused, want %d", when, n, reused)
	}
	if n := op.reuses(t, c.reg.ID); n != reused {
		t.Errorf("%s: %d refresh tokens came again, want %d", when, n, reused)
	}
}

// apps are those of all sites, or of all but one.
func (c *cluster) apps(except int) (others []*app) {
	for number, s := range c.sites {
		if number != except {
			others = append(others, s.app)
		}
	}
	return others
}

// Three processes, a thousand requests at once, all with an access token that has run out
// and a refresh token that the provider takes once.
func TestThousandRequestsOneRefresh(t *testing.T) {
	const n = 1000
	bothPlaces(t, func(t *testing.T, _ *redisServer, keep func(*siteConfig)) {
		g := startGate(t, op)
		var told siteConfig
		c := startCluster(t, op, 3, shortLived, func(cfg *siteConfig) {
			keep(cfg)
			cfg.BackChannelURL, told = g.url, *cfg
		})
		_, old := c.signedIn(t, "alice")
		c.expire(t, op)

		h := g.hold(t, "/token", beforeProvider)
		before := c.asked()
		begin := time.Now()
		all := callAtOnce(n, old, c.app)
		first := h.next(t)
		eventually(t, "all of them inside", func() (bool, error) { return c.asked() == before+n, nil })
		first.pass()
		h.open()
		set := all.wantOneToken(t, "alice")
		t.Logf("%d requests in %v", n, time.Since(begin).Round(time.Millisecond))
		c.wantRefreshes(t, "a thousand at once", 1, 0)
		if told.SessionsInStore == (len(set) > 0) {
			t.Errorf("%d cookies in the answers", len(set))
		}

		// The answers may be lost on their way, or arrive.
		token := all.got[0].AccessToken
		for name, cookies := range map[string][]*http.Cookie{"old": old, "new": newest(old, set)} {
			for _, a := range c.apps(-1) {
				if _, got, err := a.callAPI(cookies); err != nil || got.AccessToken != token || got.Status != http.StatusOK {
					t.Errorf("the %s cookie at %s: userinfo %d, %v", name, a.url, got.Status, err)
				}
			}
		}
		c.wantRefreshes(t, "with both cookies", 1, 0)
	})
}

// dieRefreshing kills the site that refreshes, with its token request at a moment. Others
// have the same session at the same time, and wait: their requests are what it gives.
func dieRefreshing(t *testing.T, c *cluster, g *gate, m moment, cookies []*http.Cookie) *calls {
	t.Helper()
	h := g.hold(t, "/token", m)
	status := make(chan int, 1)
	go func() {
		resp, _, err := c.get("/api", cookies)
		if err != nil {
			status <- 0
			return
		}
		status <- resp.StatusCode
	}()
	k := h.next(t)
	number := int(k.site[0] - '0')
	all := callAtOnce(20, cookies, c.apps(number)...)
	c.kill(number)
	if got := <-status; got != http.StatusBadGateway {
		t.Errorf("the request that a dead site was answering: %d, want 502", got)
	}
	died := time.Now()
	k.cut()
	next := h.next(t)
	t.Logf("the next process took over after %v", time.Since(died).Round(time.Millisecond))
	if next.site == k.site {
		t.Error("the dead refresh")
	}
	next.pass()
	h.open()
	return all
}

// startDying is a cluster whose access tokens have run out.
func startDying(t *testing.T, keep func(*siteConfig), change metadata) (*cluster, *gate, *person) {
	t.Helper()
	g := startGate(t, op)
	all := metadata{}
	for _, m := range []metadata{shortLived, change} {
		for name, value := range m {
			all[name] = value
		}
	}
	c := startCluster(t, op, 3, all, func(cfg *siteConfig) {
		keep(cfg)
		cfg.BackChannelURL = g.url
	})
	person, _ := c.signedIn(t, "alice")
	c.expire(t, op)
	return c, g, person
}

// The process that has the lock dies, and the provider has not heard of it: when the lease
// is over another one refreshes, and those who wait get what comes of it.
func TestKilledBeforeTheRequest(t *testing.T) {
	bothPlaces(t, func(t *testing.T, _ *redisServer, keep func(*siteConfig)) {
		c, g, person := startDying(t, keep, nil)
		old := c.jarCookies(t, person)
		set := dieRefreshing(t, c, g, beforeProvider, old).wantOneToken(t, "alice")
		c.wantRefreshes(t, "afterwards", 1, 0)
		c.wantState(t, "with the old cookie", old, "alice")
		c.wantState(t, "with the new cookie", newest(old, set), "alice")
		if n := c.logged(session.ReasonRefreshLost); n != 0 {
			t.Errorf("%d lines about a lost refresh", n)
		}
	})
}

// The process dies between the answer and saving it. A provider with leeway takes the
// refresh token once more.
func TestKilledBeforeSavingWithLeeway(t *testing.T) {
	bothPlaces(t, func(t *testing.T, _ *redisServer, keep func(*siteConfig)) {
		c, g, person := startDying(t, keep, metadata{"x_reuse_leeway": 60})
		old := c.jarCookies(t, person)
		set := dieRefreshing(t, c, g, beforeAnswer, old).wantOneToken(t, "alice")
		c.wantRefreshes(t, "afterwards", 2, 0)
		c.wantState(t, "with the old cookie", old, "alice")
		c.wantState(t, "with the new cookie", newest(old, set), "alice")
		if n := c.logged(session.ReasonRefreshLost); n != 0 {
			t.Errorf("%d lines about a lost refresh", n)
		}
	})
}

// Without leeway the grant is over, which nothing can help. The provider is asked once, the
// log says what happened, and there is one sign-in, which this provider does without asking.
func TestKilledBeforeSaving(t *testing.T) {
	bothPlaces(t, func(t *testing.T, _ *redisServer, keep func(*siteConfig)) {
		c, g, person := startDying(t, keep, nil)
		old := c.jarCookies(t, person)
		all := dieRefreshing(t, c, g, beforeAnswer, old)
		all.wg.Wait()
		for i, answer := range all.answers {
			if answer == nil || answer.StatusCode != http.StatusUnauthorized {
				t.Errorf("request %d: %v", i, all.errs[i])
			}
		}
		c.wantRefreshes(t, "afterwards", 1, 1)
		c.wantState(t, "with the old cookie", old, "401 "+session.ReasonRefreshLost)
		if n := c.logged("event.type=refresh", "event.reason="+session.ReasonRefreshLost); n != 1 {
			t.Errorf("%d events of a lost refresh, want 1", n)
		}

		for range 3 {
			page, asked := person.open(c.url + "/who").signIn("alice")
			if page.status != http.StatusOK || asked != 0 {
				t.Fatalf("asked %d times, ended on %s (status %d):\n%s", asked, page.url, page.status, page.body)
			}
		}
		if n := op.count(t, c.reg.ID, "grant.success", "authorization_code"); n != 2 {
			t.Errorf("%d sign-ins, want one before and one after", n)
		}
		c.wantState(t, "signed in again", c.jarCookies(t, person), "alice")
	})
}

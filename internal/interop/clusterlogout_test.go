package interop

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/postern-go/postern/session"
)

const signedOut = "401 " + session.ReasonSignedOut

// signOut signs out at one site.
func (s *site) signOut(t *testing.T, cookies []*http.Cookie) {
	t.Helper()
	s.post(t, "/auth/logout", cookies, nil, http.StatusSeeOther)
}

// Who signs out at one process is signed out at all of them, whatever copy of the cookies
// comes; and in another browser they are not.
func TestSignOutAtOneSite(t *testing.T) {
	bothPlaces(t, func(t *testing.T, _ *redisServer, keep func(*siteConfig)) {
		c := startCluster(t, op, 3, nil, keep)
		person, first := c.signedIn(t, "alice")
		_, other := c.signedIn(t, "alice")
		for _, s := range c.sites {
			c.wantState(t, "before", first, "alice")
			s.signOut(t, first)
			c.wantState(t, "signed out at "+s.URL, first, signedOut)
			c.wantState(t, "in another browser", other, "alice")
			person.open(c.url + "/who").signIn("alice")
			next := c.jarCookies(t, person)
			c.wantState(t, "with the cookies of before", first, signedOut)
			first = next
		}
	})
}

// A refresh is on its way in one process, and the user signs out in another: what comes of
// it brings nothing back.
func TestSignOutDuringRefresh(t *testing.T) {
	bothPlaces(t, func(t *testing.T, _ *redisServer, keep func(*siteConfig)) {
		g := startGate(t, op)
		c := startCluster(t, op, 3, shortLived, func(cfg *siteConfig) {
			keep(cfg)
			cfg.BackChannelURL = g.url
		})
		_, cookies := c.signedIn(t, "alice")
		c.expire(t, op)
		h := g.hold(t, "/token", beforeAnswer)
		late := callAtOnce(1, cookies, c.sites[1].app)
		k := h.next(t)
		c.sites[2].signOut(t, cookies)
		k.pass()
		h.open()
		late.wg.Wait()
		c.wantState(t, "with the old cookies", cookies, signedOut)
		if answer := late.answers[0]; answer != nil {
			c.wantState(t, "with those of the late answer", newest(cookies, answer.Cookies()), signedOut)
		}
	})
}

// Forty requests change the session, at all sites, while the user signs out: none of them
// brings it back.
func TestSignOutDuringChanges(t *testing.T) {
	bothPlaces(t, func(t *testing.T, _ *redisServer, keep func(*siteConfig)) {
		c := startCluster(t, op, 3, nil, keep)
		for round := range 5 {
			_, cookies := c.signedIn(t, fmt.Sprintf("user%d", round))
			answers := make([]*http.Response, 40)
			errs := make([]error, len(answers))
			var wg sync.WaitGroup
			for i := range answers {
				if i == len(answers)/2 {
					wg.Go(func() { c.sites[round%3].signOut(t, cookies) })
				}
				wg.Go(func() { answers[i], _, errs[i] = c.get(fmt.Sprintf("/note?text=%d", i), cookies) })
			}
			wg.Wait()
			saved := 0
			for i, answer := range answers {
				if errs[i] != nil {
					t.Fatal(errs[i])
				}
				if answer.StatusCode == http.StatusOK {
					saved++
				}
				c.wantState(t, "with an answer of before", newest(cookies, answer.Cookies()), signedOut)
			}
			t.Logf("%d of %d requests were before the end", saved, len(answers))
		}
	})
}

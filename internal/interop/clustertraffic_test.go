package interop

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// trafficVariable says how long TestTraffic goes on, as time.ParseDuration has it.
const trafficVariable = "POSTERN_INTEROP_TRAFFIC"

// A visitor is a browser with several tabs, which share its cookies.
type visitor struct {
	user string

	mu      sync.Mutex
	cookies []*http.Cookie
}

func (v *visitor) sends() []*http.Cookie {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.cookies
}

func (v *visitor) takes(set []*http.Cookie) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cookies = newest(v.cookies, set)
}

// traffic is what came of it all.
type traffic struct {
	requests, lost, late atomic.Int64
	slowest              atomic.Int64 // a time.Duration
}

// wait is for some time up to most.
func wait(most time.Duration) { <-time.After(rand.N(most)) }

// tab loads a page now and then, each with up to four requests at once, until the end or
// until something is not as it should be.
func (tr *traffic) tab(t *testing.T, c *cluster, v *visitor, end time.Time) {
	var all sync.WaitGroup
	defer all.Wait()
	for time.Now().Before(end) && !t.Failed() {
		wait(1500 * time.Millisecond)
		for range 1 + rand.IntN(4) {
			all.Go(func() {
				if err := tr.request(c, v); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// request loses some answers, and takes some so late that they bring older cookies than
// there are.
func (tr *traffic) request(c *cluster, v *visitor) error {
	begin := time.Now()
	resp, err := tr.ask(c, v)
	if err != nil {
		return err
	}
	tr.requests.Add(1)
	if took := int64(time.Since(begin)); took > tr.slowest.Load() {
		tr.slowest.Store(took)
	}
	switch rand.IntN(8) {
	case 0:
		tr.lost.Add(1)
		return nil
	case 1:
		tr.late.Add(1)
		wait(2 * time.Second)
	}
	v.takes(resp.Cookies())
	return nil
}

// ask calls the API with the token of the session, or changes the session.
func (tr *traffic) ask(c *cluster, v *visitor) (*http.Response, error) {
	if rand.IntN(8) == 0 {
		resp, body, err := c.get(fmt.Sprintf("/note?text=%d", rand.Int()), v.sends())
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: /note: %s: %s", v.user, resp.Status, body)
		}
		return resp, err
	}
	resp, got, err := c.callAPI(v.sends())
	if err == nil && (got.Status != http.StatusOK || got.Subject != v.user) {
		err = fmt.Errorf("%s: userinfo answered %d about %q", v.user, got.Status, got.Subject)
	}
	return resp, err
}

// Browsers with several tabs on three processes, and a provider whose access tokens last
// for five seconds and whose refresh tokens can be used once: nobody is signed out, and no
// refresh token comes twice.
//
// It takes 20 seconds, or as long as POSTERN_INTEROP_TRAFFIC says, such as 5m; then run it
// alone, for go test ends a package after ten minutes.
func TestTraffic(t *testing.T) {
	long := 20 * time.Second
	if told := os.Getenv(trafficVariable); told != "" {
		var err error
		if long, err = time.ParseDuration(told); err != nil {
			t.Fatal(err)
		}
	}
	const users, tabs = 4, 3
	bothPlaces(t, func(t *testing.T, _ *redisServer, keep func(*siteConfig)) {
		c := startCluster(t, op, 3, metadata{"x_access_token_ttl": 5}, keep)
		visitors := make([]*visitor, users)
		for i := range visitors {
			user := fmt.Sprintf("visitor%d", i)
			_, cookies := c.signedIn(t, user)
			visitors[i] = &visitor{user: user, cookies: cookies}
		}
		var tr traffic
		var wg sync.WaitGroup
		end := time.Now().Add(long)
		for _, v := range visitors {
			for range tabs {
				wg.Go(func() { tr.tab(t, c, v, end) })
			}
		}
		wg.Wait()

		for _, v := range visitors {
			c.wantState(t, "in the end", v.sends(), v.user)
		}
		refreshes := op.count(t, c.reg.ID, "grant.success", "refresh_token")
		refused, reused := op.count(t, c.reg.ID, "grant.error", "refresh_token"), op.reuses(t, c.reg.ID)
		t.Logf("%v: %d requests, %d answers lost and %d late, %d refreshes, %d refused, %d reuses, slowest answer %v", long, tr.requests.Load(),
			tr.lost.Load(), tr.late.Load(), refreshes, refused, reused, time.Duration(tr.slowest.Load()).Round(time.Millisecond))
		if refused != 0 || reused != 0 {
			t.Errorf("%d refreshes were refused, of them %d because a refresh token came again", refused, reused)
		}
		if least := users * int(long/(10*time.Second)); refreshes < least {
			t.Errorf("%d refreshes, want at least %d", refreshes, least)
		}
		if n := op.count(t, c.reg.ID, "grant.success", "authorization_code"); n != users {
			t.Errorf("%d sign-ins, want %d", n, users)
		}
	})
}

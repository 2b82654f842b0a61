package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

// stores are those that a refresh has to live with.
func stores() map[string]func() Store {
	return map[string]func() Store{
		"with a Locker":    func() Store { return newLockingStore() },
		"without a Locker": func() Store { return &mapStore{} },
	}
}

// Three processes, one expired session: one refresh, and one token for all.
func TestOneRefreshInAllProcesses(t *testing.T) {
	for name, store := range stores() {
		t.Run(name, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode func(*appConfig)) {
				nodes := cluster(t, 3, store(), mode)
				b := nodes[0].browser()
				b.mustSignIn("alice")
				old := access(b.fetch("/"))
				nodes[0].expireToken()
				tokens := make([]string, 150)
				var wg sync.WaitGroup
				for i := range tokens {
					if _, locks := nodes[0].m.cfg.Store.(Locker); !locks && i == 1 {
						waitForMark(nodes[0])
					}
					r, node := b.request("GET", "/", fetchHeaders...), nodes[i%3]
					wg.Go(func() { tokens[i] = access((&browser{node, b.jar}).lost(r)) })
				}
				wg.Wait()
				slices.Sort(tokens)
				if all := slices.Compact(tokens); len(all) != 1 || all[0] == old || all[0] == "none" {
					t.Errorf("%d tokens: %q", len(all), all)
				}
				if n := refreshes(nodes[0]); n != 1 {
					t.Errorf("%d refreshes", n)
				}
				for _, line := range []string{"without a lock", "not shared", "for this process alone"} {
					if strings.Contains(nodes[0].logs.String(), line) {
						t.Errorf("%q in the log", line)
					}
				}
			})
		})
	}
}

// waitForMark waits until somebody has begun: without a lock, that is what keeps two from
// beginning.
func waitForMark(a *app) {
	for store := a.m.cfg.Store.(*mapStore); ; waitABit() {
		store.mu.Lock()
		for key := range store.values {
			if strings.HasPrefix(key, kindRefresh) || refreshes(a) > 0 {
				store.mu.Unlock()
				return
			}
		}
		store.mu.Unlock()
	}
}

// The answer with the new cookie was lost, and the browser comes to another process.
func TestLostResponseInAnotherProcess(t *testing.T) {
	for _, rotates := range []bool{true, false} {
		t.Run(fmt.Sprintf("rotation %v", rotates), func(t *testing.T) {
			nodes := cluster(t, 3, newLockingStore(), func(cfg *appConfig) { cfg.op.NoRotation = !rotates })
			a := nodes[0]
			b := a.browser()
			b.mustSignIn("alice")
			a.expireToken()
			fresh := access(b.lost(b.request("GET", "/", fetchHeaders...)))
			resp := b.at(nodes[1]).lost(b.request("GET", "/", fetchHeaders...))
			if got := access(resp); got != fresh || len(resp.Cookies()) == 0 || refreshes(a) != 1 {
				t.Errorf("another token, or no cookie, after %d refreshes", refreshes(a))
			}
			// Twice in a row, and then a third process follows.
			a.expireToken()
			fresh = access(b.lost(b.request("GET", "/", fetchHeaders...)))
			if got := access(b.at(nodes[2]).fetch("/")); got != fresh || refreshes(a) != 2 {
				t.Errorf("another token after %d refreshes", refreshes(a))
			}
			a.expireToken()
			nodes[1].wantUser(b.at(nodes[1]), "alice")
			a.wantUser(b, "alice")
		})
	}
}

// startedBy leaves the mark of another process that has begun to refresh.
func startedBy(a *app, rec *record, tokens string, process string) {
	name := a.m.shared.key(kindRefresh, string(rec.id[:]), tokens)
	if err := a.m.cfg.Store.Save(context.Background(), name, append([]byte{startedMark}, process...), a.op.Now().Add(time.Hour)); err != nil {
		a.t.Fatal(err)
	}
}

// The process that had the lock has died, before its request left, or after the answer.
func TestProcessDies(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		tests := map[string]struct {
			marked, used bool // the mark is there; the refresh token is used up
			by           string
			want         string
		}{
			"before its request":               {marked: true, by: "another", want: "alice"},
			"after the answer":                 {marked: true, by: "another", used: true, want: "nobody: " + ReasonRefreshLost},
			"it was this one":                  {marked: true, used: true, want: "nobody: " + ReasonRefreshFailed},
			"nobody died, the grant was ended": {used: true, want: "nobody: " + ReasonRefreshFailed},
		}
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				a := cluster(t, 1, newLockingStore(), mode)[0]
				b := a.browser()
				b.mustSignIn("alice")
				rec := ticketOf(t, b)
				if err := a.m.recall(t.Context(), rec); err != nil {
					t.Fatal(err)
				}
				a.expireToken()
				if tt.marked {
					startedBy(a, rec, rec.tokens.RefreshToken, or(tt.by, a.m.shared.process))
				}
				if tt.used {
					if _, err := a.rp.Refresh(t.Context(), rec.tokens); err != nil {
						t.Fatal(err)
					}
				}
				a.wantUser(b, tt.want)
			})
		}
	})
}

// A dead grant is decided once. Nobody else asks, in whatever process, and the cookie with
// an access token that looks good is over too.
func TestDeadGrantInAllProcesses(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		nodes := cluster(t, 3, newLockingStore(), mode)
		a := nodes[0]
		b := a.browser()
		b.mustSignIn("alice")
		old := b.request("GET", "/", fetchHeaders...)
		a.op.RevokeGrants("alice")
		a.op.Advance(4*time.Minute + 30*time.Second)
		for range 3 {
			for _, node := range nodes {
				if got := problemReason(t, (&browser{node, b.jar}).lost(old.Clone(t.Context()))); got != ReasonRefreshFailed {
					t.Errorf("reason %q", got)
				}
			}
		}
		if n := refreshes(a); n != 1 {
			t.Errorf("%d refreshes", n)
		}
	})
}

// An API's 401 uncovers it, long before the access token ends.
func TestDeadGrantFoundByAnAPI(t *testing.T) {
	for name, store := range map[string]Store{"one process": nil, "several": newLockingStore()} {
		t.Run(name, func(t *testing.T) {
			nodes := cluster(t, 2, store)
			a := nodes[0]
			b := a.browser()
			b.mustSignIn("alice")
			old := b.request("GET", "/", fetchHeaders...)
			a.op.RevokeGrants("alice")
			resp := within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
				token, err := s.Token(r.Context())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.token(r.Context(), token.AccessToken); !errors.Is(err, ErrSignIn) {
					t.Errorf("%v", err)
				}
			})
			if b.take(resp); b.cookie("") != "" {
				t.Errorf("cookies %v", setCookies(resp))
			}
			if store == nil {
				nodes = nodes[:1]
			}
			for _, node := range nodes {
				if got := problemReason(t, (&browser{node, b.jar}).lost(old.Clone(t.Context()))); got != ReasonRefreshFailed {
					t.Errorf("reason %q", got)
				}
			}
		})
	}
}

// With the lease the right to send is gone.
func TestLeaseLost(t *testing.T) {
	var w witness
	store := newLockingStore()
	a := cluster(t, 1, store, w.listen)[0]
	b := a.browser()
	b.mustSignIn("alice")
	a.expireToken()
	store.lost = true
	if got := access(b.fetch("/")); got != "none" || refreshes(a) != 0 {
		t.Errorf("token %q, %d refreshes", got, refreshes(a))
	}
	if got, want := w.take("refresh"), []string{"refresh begins", "refresh ends: " + errLeaseLost.Error()}; !slices.Equal(got, want) {
		t.Errorf("observed %q, want %q", got, want)
	}
	store.lost = false
	a.op.Advance(firstBackoff)
	if got := access(b.fetch("/")); got == "none" || refreshes(a) != 1 {
		t.Errorf("token %q, %d refreshes", got, refreshes(a))
	}
}

// While the Locker is down each process refreshes for itself, and finds what others have saved.
func TestLockerDown(t *testing.T) {
	store := newLockingStore()
	nodes := cluster(t, 2, store)
	a := nodes[0]
	b := a.browser()
	b.mustSignIn("alice")
	a.expireToken()
	store.err = errTestStore
	held := copyOf(b.jar)
	fresh := access(b.fetch("/"))
	if fresh == "none" || refreshes(a) != 1 || !strings.Contains(a.logs.String(), "refresh without a lock") {
		t.Errorf("token %q, %d refreshes", fresh, refreshes(a))
	}
	if got := access((&browser{nodes[1], held}).fetch("/")); got != fresh || refreshes(a) != 1 {
		t.Errorf("another token after %d refreshes", refreshes(a))
	}
}

// Somebody has the lock, and works: nobody else sends.
func TestLockBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLockingStore()
		a := cluster(t, 1, store)[0]
		defer a.op.Close()
		b := a.browser()
		b.mustSignIn("alice")
		rec := ticketOf(t, b)
		a.expireToken()
		_, unlock, err := store.Lock(t.Context(), "lock."+a.m.shared.key(kindRefresh, string(rec.id[:]), rec.tokens.RefreshToken))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if got := access(b.fetch("/")); got != "none" || refreshes(a) != 0 || time.Since(start) != lockPatience {
			t.Errorf("token %q, %d refreshes, after %v", got, refreshes(a), time.Since(start))
		}
		unlock()
		time.Sleep(firstBackoff)
		if got := access(b.fetch("/")); got == "none" || refreshes(a) != 1 {
			t.Errorf("token %q, %d refreshes", got, refreshes(a))
		}
	})
}

// Without a Locker there is the mark: who finds one waits, and not for ever.
func TestMarkWithoutLocker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &mapStore{}
		nodes := cluster(t, 2, store)
		a := nodes[0]
		defer a.op.Close()
		b := a.browser()
		b.mustSignIn("alice")
		held := copyOf(b.jar)
		a.expireToken()
		a.op.SetFaults(clienttest.TokenSlow)
		var first, second string
		var wg sync.WaitGroup
		wg.Go(func() { first = access(b.fetch("/")) })
		synctest.Wait()
		wg.Go(func() { second = access((&browser{nodes[1], held}).fetch("/")) })
		synctest.Wait()
		time.Sleep(time.Second)
		a.op.SetFaults()
		wg.Wait()
		if first != second || first == "none" || refreshes(a) != 1 {
			t.Errorf("%d refreshes", refreshes(a))
		}
		// One that has died leaves its mark.
		rec := ticketOf(t, b)
		a.expireToken()
		startedBy(a, rec, rec.tokens.RefreshToken, "another")
		start := time.Now()
		if got := access(b.fetch("/")); got == "none" || got == first || time.Since(start) < markPatience {
			t.Errorf("token %q after %v", got, time.Since(start))
		}
	})
}

// Without a Locker, two can send at once. The one who is refused finds what the other saves.
func TestRefusedWithoutLocker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &mapStore{}
		nodes := cluster(t, 2, store)
		a := nodes[0]
		defer a.op.Close()
		b := a.browser()
		b.mustSignIn("alice")
		a.expireToken()
		rec := ticketOf(t, b)
		want := renewal{rp: a.rp, rec: rec, grant: rec.grant()}
		name := a.m.shared.key(kindRefresh, string(rec.id[:]), rec.tokens.RefreshToken)
		fresh, err := a.m.refresher.request(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(refusedPatience / 2)
			a.m.refresher.publish(context.Background(), want, name, fresh)
		}()
		other := nodes[1]
		if got := access((&browser{other, b.jar}).fetch("/")); got != fresh.tokens.AccessToken {
			t.Errorf("token %q", got)
		}
		synctest.Wait()
	})
}

// While the Store is down, a cookie can take what came of a refresh, and a ticket cannot.
func TestRefreshWhileStoreDown(t *testing.T) {
	for _, locked := range []bool{true, false} {
		store := newLockingStore()
		a := cluster(t, 1, store)[0]
		b := a.browser()
		b.mustSignIn("alice")
		a.wantUser(b, "alice")
		a.op.Advance(4*time.Minute + 30*time.Second)
		a.wantUser(b, "alice")
		n := refreshes(a)
		store.broken(down)
		if locked {
			store.err = errTestStore
		}
		a.op.Advance(4*time.Minute + 50*time.Second)
		if got := access(b.fetch("/")); got == "none" || refreshes(a) != n+1 {
			t.Errorf("token %q, %d refreshes", got, refreshes(a)-n)
		}
	}

	store := newLockingStore()
	a := cluster(t, 1, store, inStore)[0]
	b := a.browser()
	b.mustSignIn("alice")
	a.expireToken()
	for name, failing := range map[string]func(operation, key string) error{
		"the look": func(operation, key string) error {
			if operation == "load" && strings.HasPrefix(key, kindRefresh) {
				return errTestStore
			}
			return nil
		},
		"the mark": func(operation, key string) error {
			if operation == "save" && strings.HasPrefix(key, kindRefresh) {
				return errTestStore
			}
			return nil
		},
	} {
		store.broken(failing)
		if got := access(b.fetch("/")); got != "none" || refreshes(a) != 0 {
			t.Errorf("%s fails: token %q, %d refreshes", name, got, refreshes(a))
		}
		store.broken(nil)
		a.op.Advance(time.Minute)
		if _, err := a.m.shared.load(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if got := access(b.fetch("/")); got == "none" || refreshes(a) != 1 {
		t.Errorf("when it is back: token %q, %d refreshes", got, refreshes(a))
	}
}

// What could not be saved is saved with the next request.
func TestUnsavedRefreshIsSavedLater(t *testing.T) {
	store := newLockingStore()
	nodes := cluster(t, 2, store, inStore)
	a := nodes[0]
	b := a.browser()
	b.mustSignIn("alice")
	a.expireToken()
	store.broken(func(operation, key string) error {
		if operation == "save" && strings.HasPrefix(key, kindRecord) {
			return errTestStore
		}
		return nil
	})
	fresh := access(b.fetch("/"))
	if fresh == "none" || !strings.Contains(a.logs.String(), "a refresh was not shared") {
		t.Errorf("token %q", fresh)
	}
	store.broken(nil)
	a.op.Advance(storePause)
	a.wantUser(b, "alice")
	if got := access(b.at(nodes[1]).fetch("/")); got != fresh || refreshes(a) != 1 {
		t.Errorf("the other process has another token, after %d refreshes", refreshes(a))
	}
}

// The mark goes with an answer that says no, for then the refresh token is as good as it
// was. After any other nobody knows.
func TestMarkGoesWithAnAnswer(t *testing.T) {
	for fault, left := range map[clienttest.Fault]bool{
		clienttest.Token429: false, clienttest.Token500: true, clienttest.TokenHTML: true, clienttest.RefreshLost: true,
	} {
		store := newLockingStore()
		a := cluster(t, 1, store)[0]
		b := a.browser()
		b.mustSignIn("alice")
		rec := ticketOf(t, b)
		a.expireToken()
		a.op.SetFaults(fault)
		a.wantUser(b, "alice")
		if _, ok := store.get(a.m.shared.key(kindRefresh, string(rec.id[:]), rec.tokens.RefreshToken)); ok != left {
			t.Errorf("%s: the mark is left: %t", fault, ok)
		}
	}
}

// What stands in the place of a result and is not one is as if nothing stood there.
func TestForgedResult(t *testing.T) {
	store := newLockingStore()
	nodes := cluster(t, 2, store)
	a := nodes[0]
	mallory, b := a.browser(), a.browser()
	mallory.mustSignIn("mallory")
	b.mustSignIn("alice")
	theirs, mine := ticketOf(t, mallory), ticketOf(t, b)
	a.expireToken()
	a.wantUser(mallory, "mallory")
	result, _ := store.get(a.m.shared.key(kindRefresh, string(theirs.id[:]), theirs.tokens.RefreshToken))
	name := a.m.shared.key(kindRefresh, string(mine.id[:]), mine.tokens.RefreshToken)
	for _, value := range [][]byte{result, {}, {sealedVersion}, []byte("hello")} {
		store.put(name, value, a.op.Now().Add(time.Hour))
		want := renewal{rp: a.rp, rec: mine, grant: mine.grant()}
		turn := turn{name: name}
		if err := nodes[1].m.refresher.look(t.Context(), want, &turn); err != nil || turn.newer != nil || turn.marked {
			t.Errorf("%.20x: %v, newer %t", value, err, turn.newer != nil)
		}
	}
	store.put(name, result, a.op.Now().Add(time.Hour))
	if got := access(b.at(nodes[1]).fetch("/")); subjectOf(t, got) != "alice" {
		t.Errorf("a token of %s", subjectOf(t, got))
	}
}

// 100 users, 10 parallel requests each, at two processes.
func TestV30NobodyGetsAnothersTokenFromTheStore(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		nodes := cluster(t, 2, newLockingStore(), mode)
		a := nodes[0]
		browsers := make([]*browser, 100)
		for i := range browsers {
			browsers[i] = a.browser()
			browsers[i].mustSignIn(fmt.Sprintf("user%02d", i))
		}
		a.expireToken()
		var wg sync.WaitGroup
		for i, b := range browsers {
			for k := range 10 {
				r, node := b.request("GET", "/", fetchHeaders...), nodes[k%2]
				wg.Go(func() {
					fields := strings.Fields(body((&browser{node, b.jar}).lost(r)))
					if want := fmt.Sprintf("user%02d", i); fields[0] != want || subjectOf(t, fields[1]) != want {
						t.Errorf("%s got %s, with a token of %s", want, fields[0], subjectOf(t, fields[1]))
					}
				})
			}
		}
		wg.Wait()
		if n := refreshes(a); n != 100 {
			t.Errorf("%d refreshes", n)
		}
	})
}

// A starter makes the processes of an app.
type starter func(testing.TB, func(*appConfig)) []*app

// inThreeWays runs a test with one process that remembers by itself, and with two that share
// a Store, or keep the sessions in it.
func inThreeWays(t *testing.T, test func(t *testing.T, start starter)) {
	for name, start := range map[string]starter{
		"alone":  func(t testing.TB, change func(*appConfig)) []*app { return cluster(t, 1, nil, change) },
		"cookie": func(t testing.TB, change func(*appConfig)) []*app { return cluster(t, 2, newLockingStore(), change) },
		"store": func(t testing.TB, change func(*appConfig)) []*app {
			return cluster(t, 2, newLockingStore(), change, inStore)
		},
	} {
		t.Run(name, func(t *testing.T) { test(t, start) })
	}
}

// An hour of traffic and a provider that ends a grant when a refresh token comes twice: with
// answers that are slow or lost, and APIs that say 401.
func TestHourOfTraffic(t *testing.T) {
	inThreeWays(t, func(t *testing.T, start starter) {
		synctest.Test(t, func(t *testing.T) {
			nodes := start(t, func(cfg *appConfig) { cfg.op.AccessTokenTTL = time.Minute })
			a := nodes[0]
			defer a.op.Close()
			for _, node := range nodes {
				node.open = func(r *http.Request, s *Session) {
					time.Sleep(time.Duration(rand.IntN(3000)) * time.Millisecond)
					switch rand.IntN(20) {
					case 0:
						s.Set("x", []byte(r.URL.RawQuery))
					case 1:
						if token, err := s.Token(r.Context()); err == nil {
							s.token(r.Context(), token.AccessToken)
						}
					}
				}
			}
			users := make([]*browser, 5)
			for i := range users {
				users[i] = a.browser()
				users[i].mustSignIn(fmt.Sprintf("user%d", i))
			}
			var wg sync.WaitGroup
			for end := time.Now().Add(time.Hour); time.Now().Before(end); {
				time.Sleep(time.Duration(rand.IntN(20_000)) * time.Millisecond)
				i := rand.IntN(len(users))
				for range 1 + rand.IntN(4) {
					b := users[i].at(nodes[rand.IntN(len(nodes))])
					r, lost := b.request("GET", "/", fetchHeaders...), rand.IntN(8) == 0
					if rand.IntN(3) == 0 {
						r = b.request("GET", "/")
					}
					wg.Go(func() {
						resp := b.lost(r)
						if text := body(resp); resp.StatusCode != http.StatusOK || !strings.HasPrefix(text, fmt.Sprintf("user%d ", i)) {
							t.Errorf("user %d: %d %s", i, resp.StatusCode, text)
						}
						if !lost {
							b.take(resp)
						}
					})
				}
			}
			wg.Wait()
			if n := refreshes(a); n < 100 {
				t.Errorf("only %d refreshes", n)
			} else {
				t.Logf("%d refreshes", n)
			}
			if strings.Contains(a.logs.String(), "refresh failed") {
				t.Error("a refresh failed")
			}
		})
	})
}

// What an audit log is told.
func TestRefreshEvents(t *testing.T) {
	var mu sync.Mutex
	var events []Event
	observed := map[string]int{}
	nodes := cluster(t, 2, newLockingStore(), func(cfg *appConfig) {
		cfg.session.OnEvent = func(_ context.Context, e Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		}
		cfg.session.Observe = func(ctx context.Context, operation string) (context.Context, func(error)) {
			mu.Lock()
			defer mu.Unlock()
			observed[operation]++
			return ctx, func(error) {}
		}
	})
	a := nodes[0]
	b := a.browser()
	b.mustSignIn("alice")
	held := copyOf(b.jar)
	told := func(want ...string) {
		t.Helper()
		for range 1000 { // that of a refresh is told after its result
			mu.Lock()
			n := len(events)
			mu.Unlock()
			if n >= len(want) {
				break
			}
			waitABit()
		}
		mu.Lock()
		defer mu.Unlock()
		var got []string
		for _, e := range events {
			got = append(got, e.Type+" "+e.Reason)
			if e.Subject != "alice" || e.Session == "" && e.Type != EventRevoked || (e.Err != nil) != (e.Type == EventRefresh && e.Reason != "") {
				t.Errorf("%v, %v", e, e.Err)
			}
		}
		slices.Sort(got) // a refresh is told of while its requests go on
		if !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		events = nil
	}
	told("login ")
	a.expireToken()
	a.wantUser(b, "alice")
	nodes[1].wantUser(&browser{nodes[1], held}, "alice") // finds it in the Store
	told("refresh ")
	a.op.RevokeGrants("alice")
	a.expireToken()
	held = copyOf(b.jar)
	for range 3 {
		a.wantUser(&browser{a, held}, "nobody: refresh-failed")
	}
	told("expired refresh-failed", "refresh refresh-failed")
	other := a.browser()
	other.mustSignIn("alice")
	if err := nodes[1].m.RevokeUser(t.Context(), a.op.Issuer(), "alice"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		a.wantUser(other, "nobody: revoked")
	}
	told("login ", "revoked revoked", "revoked revoked")
	if observed["refresh"] == 0 || observed["store"] == 0 {
		t.Errorf("observed %v", observed)
	}
}

// wish is what a process wants that has the session of a browser.
func wish(t testing.TB, a *app, b *browser) (want renewal, name string) {
	t.Helper()
	rec := ticketOf(t, b)
	if err := a.m.recall(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	return renewal{rp: a.rp, rec: rec, grant: rec.grant()}, a.m.shared.key(kindRefresh, string(rec.id[:]), rec.tokens.RefreshToken)
}

// A session that ends just before its refresh is not refreshed; one that has been replaced
// and may still be answered is.
func TestEndedBeforeRefresh(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		for name, tt := range map[string]struct {
			end  func(a *app, store *lockingStore, rec *record)
			want string // a reason; empty: it is refreshed
		}{
			"not at all": {func(*app, *lockingStore, *record) {}, ""},
			"signed out": {func(a *app, _ *lockingStore, rec *record) { a.m.end(presenceOf(rec), ReasonSignedOut, a.op.Now()) }, ReasonSignedOut},
			"replaced": {func(a *app, _ *lockingStore, rec *record) {
				a.m.end(presenceOf(rec), ReasonReplaced, a.op.Now().Add(time.Minute))
			}, ""},
			"gone": {func(a *app, store *lockingStore, rec *record) { store.drop(a.m.recordName(rec.id)) }, ReasonExpired},
		} {
			store := newLockingStore()
			nodes := cluster(t, 2, store, mode)
			a := nodes[0]
			b := a.browser()
			b.mustSignIn("alice")
			want, _ := wish(t, a, b)
			tt.end(nodes[1], store, want.rec)
			_, _, err := a.m.refresher.renewShared(t.Context(), want)
			if !want.rec.inStore() && name == "gone" {
				tt.want = ""
			}
			if tt.want == "" {
				if err != nil || refreshes(a) != 1 {
					t.Errorf("%s: %v, %d refreshes", name, err, refreshes(a))
				}
				continue
			}
			if failed := judge(err); !failed.dead || failed.reason != tt.want || refreshes(a) != 0 {
				t.Errorf("%s: %v, %d refreshes", name, err, refreshes(a))
			}
		}
	})
}

// Who has no lock, for there is no Locker or it is down, waits for another's mark: until it
// is gone, or there is a result, or it has been long enough.
func TestWaitsForTheMark(t *testing.T) {
	tests := map[string]struct {
		used   bool                      // the refresh token is used up
		during func(a *app, name string) // after half a second
		after  time.Duration
		want   string // reason; empty: it is refreshed
	}{
		"it stays":                {after: markPatience},
		"it goes":                 {during: func(a *app, name string) { a.m.cfg.Store.Delete(context.Background(), name) }, after: 500 * time.Millisecond},
		"it stays, and was used":  {used: true, after: markPatience + refusedPatience, want: ReasonRefreshLost},
		"the store breaks":        {during: func(a *app, _ string) { broken(a.m.cfg.Store) }, after: 500 * time.Millisecond},
		"it breaks, and was used": {used: true, during: func(a *app, _ string) { broken(a.m.cfg.Store) }, after: 500 * time.Millisecond, want: ReasonRefreshLost},
	}
	for name, tt := range tests {
		for kind, newStore := range map[string]func() Store{
			"no Locker":     func() Store { return &mapStore{} },
			"a Locker down": func() Store { s := newLockingStore(); s.err = errTestStore; return s },
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a := cluster(t, 1, newStore())[0]
					defer a.op.Close()
					b := a.browser()
					b.mustSignIn("alice")
					want, key := wish(t, a, b)
					startedBy(a, want.rec, want.grant.tokens.RefreshToken, "another")
					if tt.used {
						if _, err := a.rp.Refresh(t.Context(), want.grant.tokens); err != nil {
							t.Fatal(err)
						}
					}
					if tt.during != nil {
						go func() { time.Sleep(500 * time.Millisecond); tt.during(a, key) }()
					}
					start := time.Now()
					_, _, err := a.m.refresher.renewShared(t.Context(), want)
					if d := time.Since(start); d < tt.after || d > tt.after+2*markInterval {
						t.Errorf("after %v", d)
					}
					switch {
					case tt.want == "" && err != nil:
						t.Error(err)
					case tt.want != "" && (err == nil || judge(err).reason != tt.want):
						t.Errorf("%v", err)
					}
				})
			})
		}
	}
}

func broken(store Store) {
	switch s := store.(type) {
	case *mapStore:
		s.broken(down)
	case *lockingStore:
		s.broken(down)
	}
}

// A dead grant is one at once where there is a lock, and a moment later where there is none.
func TestDeadGrantTakesNoTime(t *testing.T) {
	for _, locks := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var store Store = &mapStore{}
			want := refusedPatience
			if locks {
				store, want = newLockingStore(), 0
			}
			a := cluster(t, 1, store)[0]
			defer a.op.Close()
			b := a.browser()
			b.mustSignIn("alice")
			a.op.RevokeGrants("alice")
			time.Sleep(6 * time.Minute)
			start := time.Now()
			a.wantUser(b, "nobody: "+ReasonRefreshFailed)
			if d := time.Since(start); d != want {
				t.Errorf("with a lock %t: after %v", locks, d)
			}
		})
	}
}

// An error that is no answer says nothing about the refresh token.
func TestRefusedByNobody(t *testing.T) {
	store := newLockingStore()
	a := cluster(t, 1, store)[0]
	b := a.browser()
	b.mustSignIn("alice")
	want, name := wish(t, a, b)
	startedBy(a, want.rec, want.grant.tokens.RefreshToken, a.m.shared.process)
	if _, _, err := a.m.refresher.refused(t.Context(), want, &turn{name: name, exclusive: true}, errTestStore); err != errTestStore {
		t.Errorf("%v", err)
	}
	if _, ok := store.get(name); !ok {
		t.Error("the mark is gone")
	}
}

// A save that fails once is tried once more; and when it is done the mark is not needed.
func TestRefreshIsSavedAtTheSecondTry(t *testing.T) {
	store := newLockingStore()
	a := cluster(t, 1, store, inStore)[0]
	b := a.browser()
	b.mustSignIn("alice")
	want, name := wish(t, a, b)
	a.expireToken()
	failures := 1
	store.broken(func(operation, key string) error {
		if operation == "save" && strings.HasPrefix(key, kindRecord) && failures > 0 {
			failures--
			return errTestStore
		}
		return nil
	})
	fresh := access(b.fetch("/"))
	rec := *want.rec
	if err := a.m.recall(t.Context(), &rec); err != nil || rec.tokens.AccessToken != fresh || failures != 0 {
		t.Errorf("not saved: %v", err)
	}
	if _, ok := store.get(name); ok {
		t.Error("the mark is left")
	}
}

// A result goes with the session, and after an hour.
func TestResultsLife(t *testing.T) {
	for name, tt := range map[string]struct{ lifetime, want time.Duration }{
		"a long session": {12 * time.Hour, resultLife}, "a short one": {30 * time.Minute, 25 * time.Minute},
	} {
		store := newLockingStore()
		a := cluster(t, 1, store, func(cfg *appConfig) { cfg.session.Lifetime = tt.lifetime })[0]
		b := a.browser()
		b.mustSignIn("alice")
		_, key := wish(t, a, b)
		a.op.Advance(4*time.Minute + 30*time.Second)
		now := a.op.Now()
		a.wantUser(b, "alice")
		if life := store.values[key].expires.Sub(now); life < tt.want || life > tt.want+time.Minute {
			t.Errorf("%s: %v", name, life)
		}
	}
}

// What opens and is no record is no result.
func TestResultIsNoRecord(t *testing.T) {
	store := newLockingStore()
	a := cluster(t, 1, store)[0]
	b := a.browser()
	b.mustSignIn("alice")
	want, name := wish(t, a, b)
	sealed, err := resultKey(want).sealFor(name, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if g := a.m.refresher.resultIn(sealed, want, name); g != nil {
		t.Error("a result of nothing")
	}
}

// A panicsHandler is a log handler that panics once somebody has said so.
type panicsHandler struct {
	slog.Handler
	now *atomic.Bool
}

func (h panicsHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.now.Load() {
		panic("boom")
	}
	return h.Handler.Handle(ctx, r)
}

// What a refresh has brought is not lost because a hook or the log panics after it.
func TestRefreshOutlivesThePanicsOfTheApp(t *testing.T) {
	for _, what := range []string{"refresh", "store", "log"} {
		bothModes(t, func(t *testing.T, mode func(*appConfig)) {
			var panics atomic.Bool
			store := newLockingStore()
			a := cluster(t, 1, store, mode, func(cfg *appConfig) {
				if what == "log" {
					cfg.session.Logger = slog.New(panicsHandler{slog.NewTextHandler(io.Discard, nil), &panics})
					return
				}
				cfg.session.Observe = func(ctx context.Context, operation string) (context.Context, func(error)) {
					return ctx, func(error) {
						if panics.Load() && operation == what {
							panic("boom")
						}
					}
				}
			})[0]
			b := a.browser()
			b.mustSignIn("alice")
			want, name := wish(t, a, b)
			store.broken(func(operation, key string) error {
				if operation == "save" && (key != name || refreshes(a) > 0) {
					panics.Store(true) // from the moment that the tokens are there
					if what == "log" {
						return errTestStore
					}
				}
				return nil
			})
			fresh, _, err := a.m.refresher.renew(t.Context(), want)
			if err != nil || fresh.tokens == nil || fresh.tokens.RefreshToken == want.grant.tokens.RefreshToken || refreshes(a) != 1 {
				t.Errorf("%s: %v, %d refreshes", what, err, refreshes(a))
			}
			if !panics.Load() {
				t.Error("nothing has panicked")
			}
			panics.Store(false)
			if logs := a.logs.String(); what != "log" && !strings.Contains(logs, `"session: a panic in what the app has given us","panic":"string"`) {
				t.Errorf("%s: the log does not say so: %s", what, logs)
			}
		})
	}
}

// A Locker that panics when it is given its lock back does not lose the tokens either.
func TestRefreshOutlivesALockerThatPanics(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		a := cluster(t, 1, newLockingStore(), mode, func(cfg *appConfig) { cfg.session.Locker = leavingPanics{&mapLocker{}} })[0]
		b := a.browser()
		b.mustSignIn("alice")
		a.expireToken()
		if got := access(b.fetch("/")); got == "none" || refreshes(a) != 1 {
			t.Errorf("token %q after %d refreshes; log: %s", got, refreshes(a), a.logs)
		}
		a.wantNoTrouble()
	})
}

package session

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

// A hangingStore hangs with its locks, as Redis does, which redisstore gives two seconds for
// an attempt, whoever asks.
type hangingStore struct{ *lockingStore }

func newHangingStore() *hangingStore { return &hangingStore{newLockingStore()} }

func (s *mapStore) hangs(hang bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hang = hang
}

func (s *hangingStore) Lock(ctx context.Context, key string) (context.Context, func(), error) {
	s.mapStore.mu.Lock()
	hang := s.hang
	s.mapStore.mu.Unlock()
	if !hang {
		return s.lockingStore.Lock(ctx, key)
	}
	select {
	case <-time.After(storeTimeout):
		return nil, nil, errTestStore
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
}

// tokensOver is when the tokens of a shortLived session are over, and what each process knows
// of revocations is not.
const tokensOver = 90 * time.Second

func shortLived(cfg *appConfig) { cfg.op.AccessTokenTTL = time.Minute }

// hangingCluster is some processes with a Store that can hang and has answered each of them,
// and alice signed in, whose tokens are over. The provider wants to be closed.
func hangingCluster(t *testing.T, n int, change ...func(*appConfig)) (nodes []*app, store *hangingStore, b *browser) {
	t.Helper()
	store = newHangingStore()
	nodes = cluster(t, n, store, append(change, shortLived)...)
	store.now = nodes[0].op.Now
	b = nodes[0].browser()
	b.mustSignIn("alice")
	for _, node := range nodes {
		node.wantUser(b.at(node), "alice")
	}
	nodes[0].op.Advance(tokensOver)
	return nodes, store, b
}

func TestPatience(t *testing.T) {
	var none *patience
	none.learn(errTestStore, time.Hour)
	if got := none.of(storeTimeout); got != storeTimeout {
		t.Errorf("no refresh: %v", got)
	}
	p := &patience{}
	for _, step := range []struct {
		err  error
		took time.Duration
		want time.Duration // of a second from then on
	}{
		{nil, time.Second, time.Second},
		{errTestStore, storeGlance - 1, time.Second},
		{errTestStore, storeGlance, storeGlance},
		{errTestStore, 0, storeGlance},
		{nil, 0, time.Second},
	} {
		p.learn(step.err, step.took)
		if got := p.of(time.Second); got != step.want {
			t.Errorf("after %v within %v: %v, want %v", step.err, step.took, got, step.want)
		}
	}
	p.lost = true
	if got := p.of(time.Millisecond); got != time.Millisecond {
		t.Errorf("less than a glance: %v", got)
	}
}

// A request whose tokens are over waits once in full for a Store that hangs, however often
// its refresh asks it.
func TestRefreshWhileStoreHangs(t *testing.T) {
	for name, newStore := range map[string]func() (Store, *mapStore){
		"a Locker that hangs": func() (Store, *mapStore) { s := newHangingStore(); return s, s.mapStore },
		"a Locker that works": func() (Store, *mapStore) { s := newLockingStore(); return s, s.mapStore },
		"without a Locker":    func() (Store, *mapStore) { s := &mapStore{}; return s, s },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, hanging := newStore()
				nodes := cluster(t, 2, store, shortLived)
				a := nodes[0]
				defer a.op.Close()
				hanging.now = a.op.Now
				b := a.browser()
				b.mustSignIn("alice")
				old := access(b.fetch("/"))
				a.op.Advance(tokensOver)
				hanging.hangs(true)
				start := time.Now()
				fresh := access(b.fetch("/"))
				if d := time.Since(start); d > storeTimeout+4*storeGlance {
					t.Errorf("the request takes %v", d)
				}
				if fresh == old || fresh == "none" || refreshes(a) != 1 {
					t.Fatalf("token %q, %d refreshes; log: %s", fresh, refreshes(a), a.logs)
				}
				// The cookie has what came of it, in every process and when the Store is back.
				a.wantUser(b, "alice")
				hanging.hangs(false)
				time.Sleep(storePause)
				for _, node := range nodes {
					if got := access(b.at(node).fetch("/")); got != fresh || refreshes(a) != 1 {
						t.Errorf("token %q, want %q, after %d refreshes", got, fresh, refreshes(a))
					}
				}
			})
		})
	}
}

// A Store that begins to hang while a handler runs delays its token once.
func TestTokenWhileStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, store, b := hangingCluster(t, 1)
		defer nodes[0].op.Close()
		within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
			nodes[0].op.Advance(tokensOver)
			store.hangs(true)
			start := time.Now()
			if _, err := s.Token(r.Context()); err != nil {
				t.Error(err)
			}
			if d := time.Since(start); d > storeTimeout+3*storeGlance {
				t.Errorf("the token takes %v", d)
			}
			store.hangs(false)
		})
	})
}

// What comes of a refresh that began while the Store hung is saved if that answers again in
// the meantime: the browser that lost the answer has it in another process.
func TestRefreshIsSavedWhenTheStoreAnswersAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, store, b := hangingCluster(t, 2)
		a := nodes[0]
		defer a.op.Close()
		held := b.request("GET", "/", fetchHeaders...)
		a.op.SetFaults(clienttest.TokenAnswerSlow)
		store.hangs(true)
		var fresh string
		var wg sync.WaitGroup
		wg.Go(func() { fresh = access(b.lost(held)) })
		time.Sleep(storeTimeout + 4*storeGlance)
		store.hangs(false)
		a.op.SetFaults()
		wg.Wait()
		if got := access(b.at(nodes[1]).fetch("/")); got != fresh || got == "none" || refreshes(a) != 1 {
			t.Errorf("token %q, want %q, after %d refreshes", got, fresh, refreshes(a))
		}
	})
}

// A process whose Store has stumbled, or stumbles still, waits for the one that refreshes, and
// takes what came of it.
func TestRefreshWaitsForAnotherWhileTheStoreStumbles(t *testing.T) {
	for name, still := range map[string]bool{"it is back": false, "it hangs for a moment": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes, store, b := hangingCluster(t, 2)
				a, other := nodes[0], nodes[1]
				defer a.op.Close()
				a.op.SetFaults(clienttest.TokenSlow)
				var first, second string
				var wg sync.WaitGroup
				held := &browser{other, copyOf(b.jar)}
				wg.Go(func() { first = access(b.fetch("/")) })
				synctest.Wait()
				store.broken(down)
				if _, err := other.m.shared.load(t.Context(), "x"); err == nil {
					t.Error("the store works")
				}
				store.broken(nil)
				store.hangs(still)
				wg.Go(func() { second = access(held.fetch("/")) })
				time.Sleep(storeGlance / 2)
				store.hangs(false)
				time.Sleep(storeTimeout)
				a.op.SetFaults()
				wg.Wait()
				if first != second || first == "none" || refreshes(a) != 1 {
					t.Errorf("tokens %q and %q, %d refreshes", first, second, refreshes(a))
				}
				other.wantUser(b.at(other), "alice")
			})
		})
	}
}

// A Store with the sessions that begins to hang while the provider is asked delays the request,
// and what came of it is saved with the next one that finds it again.
func TestStoredRefreshWhileStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, store, b := hangingCluster(t, 2, inStore)
		a := nodes[0]
		defer a.op.Close()
		a.op.SetFaults(clienttest.TokenAnswerSlow)
		var fresh string
		var wg sync.WaitGroup
		wg.Go(func() { fresh = access(b.fetch("/")) })
		synctest.Wait()
		store.hangs(true)
		a.op.SetFaults()
		start := time.Now()
		wg.Wait()
		if d := time.Since(start); d > mergeLockPatience+storeTimeout+6*storeGlance {
			t.Errorf("the request takes %v", d)
		}
		if fresh == "none" {
			t.Fatalf("no token; log: %s", a.logs)
		}
		wantUnavailable(t, b)
		store.hangs(false)
		time.Sleep(storePause)
		a.wantUser(b, "alice")
		if got := access(b.at(nodes[1]).fetch("/")); got != fresh || refreshes(a) != 1 {
			t.Errorf("the other process has %q, want %q, after %d refreshes", got, fresh, refreshes(a))
		}
	})
}

// Who waits in vain for a lock that somebody has knows that the Store answers.
func TestBusyLockCostsNoPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLockingStore()
		a := cluster(t, 1, store)[0]
		defer a.op.Close()
		_, unlock, err := store.Lock(t.Context(), "lock.x")
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		ctx := a.m.shared.hurried(t.Context())
		if _, _, err := a.m.shared.lock(ctx, 2*storeGlance, "x"); !errors.Is(err, errLockBusy) {
			t.Errorf("the lock that somebody has: %v", err)
		}
		if patienceOf(ctx).lost {
			t.Error("it counts as a Store that hangs")
		}
	})
}

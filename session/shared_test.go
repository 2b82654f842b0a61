package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// One round trip for a request with a session, and none for any other.
func TestOneRoundTrip(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		store := newLockingStore()
		a := cluster(t, 1, store, mode)[0]
		b := a.browser()
		b.fetch("/")
		b.mustSignIn("alice")
		if n := store.asked(); n != 0 {
			t.Errorf("%d questions before there was a session", n)
		}
		a.wantUser(b, "alice")
		if n := store.asked(); n != 1 {
			t.Errorf("%d questions for one request: %q", n, store.loads)
		}
		mux, before := a.handler, store.asked()
		a.handler = a.m.Load(mux)
		if _, got, _ := b.state(); got["signed_in"] != true || store.asked() != before+1 {
			t.Errorf("%d questions for a route of ours with Load around it: %v", store.asked()-before, got)
		}
		a.handler = mux
		a.expireToken()
		a.wantUser(b, "alice")
		inStore := ticketOf(t, b).inStore()
		for _, keys := range store.loads {
			if record := strings.Contains(strings.Join(keys, " "), kindRecord); record != inStore {
				t.Errorf("asked for the session: %t", record)
			}
		}
	})
}

func TestWithoutStoreNothingIsAsked(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	a.wantUser(b, "alice")
	if a.m.shared != nil {
		t.Error("something is shared")
	}
}

// Neither keys nor values have anything in the clear.
func TestStoreSeesHashesAndCiphertext(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		store := newLockingStore()
		a := cluster(t, 1, store, mode)[0]
		b, other := a.browser(), a.browser()
		b.mustSignIn("alice")
		other.mustSignIn("alice")
		rec, _ := a.m.cookies.readSession(b.request("GET", "/"))
		canaries := canariesOf(a, b.jar, other.jar)
		a.open = func(_ *http.Request, s *Session) { s.Set("name", []byte("canary-of-the-app")) }
		a.expireToken()
		a.wantUser(b, "alice")
		b.post("/auth/logout")
		if err := a.m.RevokeUser(t.Context(), a.op.Issuer(), "alice"); err != nil {
			t.Fatal(err)
		}
		a.wantUser(other, "nobody: revoked")
		canaries = append(append(canaries, canariesOf(a, b.jar, other.jar)...),
			canary{"the ID", string(rec.id[:])}, canary{"the user", "alice"}, canary{"a value", "canary-of-the-app"}, canary{"the issuer", a.op.Issuer()})
		if rec.inStore() {
			canaries = append(canaries, canary{"the key", string(rec.key[:])})
		}
		key := regexp.MustCompile(`^(ended|revoked|session|refresh)\.[A-Za-z0-9_-]{43}$`)
		kinds := map[string]bool{}
		for name, value := range store.values {
			if !key.MatchString(name) || len(name) > 64 {
				t.Errorf("the key %q", name)
			}
			kind, _, _ := strings.Cut(name, ".")
			kinds[kind] = true
			wantNone(t, "the store", name+string(value.data), canaries)
		}
		if len(kinds) < 3 {
			t.Errorf("only %v in the store", kinds)
		}
	})
}

func TestTwoAppsInOneStore(t *testing.T) {
	one, two := &shared{app: "one"}, &shared{app: "two"}
	if one.key(kindEnded, "x") == two.key(kindEnded, "x") || one.key(kindEnded, "x") == one.key(kindRevoked, "x") {
		t.Error("one key for two things")
	}
}

// What one process ends is over in all of them, whatever comes later.
func TestEndsInAllProcesses(t *testing.T) {
	ends := map[string]func(a *app, b *browser){
		ReasonSignedOut: func(_ *app, b *browser) { b.post("/auth/logout") },
		ReasonRevoked: func(a *app, _ *browser) {
			if err := a.m.RevokeUser(context.Background(), a.op.Issuer(), "alice"); err != nil {
				a.t.Error(err)
			}
		},
		ReasonReplaced: func(_ *app, b *browser) {
			b.wantRedirect(b.get(b.callbackOf(b.get("/auth/login").Header.Get("Location"), "bob"), fromProvider...), "/")
		},
	}
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		for reason, end := range ends {
			t.Run(reason, func(t *testing.T) {
				nodes := cluster(t, 3, newLockingStore(), mode)
				b := nodes[0].browser()
				b.mustSignIn("alice")
				old := b.request("GET", "/", fetchHeaders...)
				nodes[1].wantUser(b.at(nodes[1]), "alice")
				end(nodes[0], b)
				b.get("/auth/logout")
				nodes[0].op.Advance(2 * time.Second)
				fresh := nodes[2].browser()
				fresh.mustSignIn("alice") // does not undo it
				for _, node := range nodes {
					if got := problemReason(t, node.browser().lost(old.Clone(t.Context()))); got != reason {
						t.Errorf("reason %q", got)
					}
					node.wantUser(fresh.at(node), "alice")
				}
			})
		}
	})
}

// A session that ended at a process whose clock is ahead is over at once, everywhere.
func TestEndsWhateverTheClock(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		var cfg appConfig
		a := cluster(t, 1, newLockingStore(), mode, func(c *appConfig) { cfg = *c })[0]
		b := a.browser()
		b.mustSignIn("alice")
		old := b.request("GET", "/", fetchHeaders...)
		cfg.session.Now = func() time.Time { return a.op.Now().Add(2 * time.Minute) }
		ahead := a.sibling(cfg)
		b.at(ahead).post("/auth/logout")
		if got := a.browser().lost(old); got.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%d: still signed in where the clock is behind", got.StatusCode)
		} else if reason := problemReason(t, got); reason != ReasonSignedOut {
			t.Errorf("reason %q", reason)
		}
	})
}

// The tombstone is there, and the record is not.
func TestSignOutInTheStore(t *testing.T) {
	store := newLockingStore()
	a := cluster(t, 1, store, inStore)[0]
	b := a.browser()
	b.mustSignIn("alice")
	rec, _ := a.m.cookies.readSession(b.request("GET", "/"))
	if _, ok := store.get(a.m.recordName(rec.id)); !ok {
		t.Fatal("no record of the session")
	}
	resp := b.post("/auth/logout")
	if _, ok := store.get(a.m.recordName(rec.id)); ok {
		t.Error("the record is left")
	}
	if _, ok := store.get(a.m.endedName(rec.id)); !ok {
		t.Error("no tombstone")
	}
	if location := resp.Header.Get("Location"); !strings.Contains(location, "id_token_hint=") {
		t.Errorf("the provider is not told who: %q", location)
	}
	if a.op.Count("revocation") == 0 {
		t.Error("the tokens were not revoked")
	}
	if strings.Contains(a.logs.String(), "this process only") {
		t.Error("the log says that it failed")
	}
}

// A Store with no room for a tombstone still deletes: who signs out is out everywhere.
func TestSignOutWhileTheStoreIsFull(t *testing.T) {
	store := &MemoryStore{MaxBytes: 16 << 10}
	nodes := cluster(t, 2, store, inStore)
	a := nodes[0]
	store.Now = a.op.Now
	b := a.browser()
	b.mustSignIn("alice")
	old := b.request("GET", "/", fetchHeaders...)
	room, later := make([]byte, 1), a.op.Now().Add(DefaultLifetime)
	for i := 0; store.Save(t.Context(), fmt.Sprint("other.", i), room, later) == nil; i++ {
	}
	b.post("/auth/logout")
	if got := problemReason(t, nodes[1].browser().lost(old)); got != ReasonSignedOut {
		t.Errorf("reason %q", got)
	}
	if text := a.logs.String(); strings.Contains(text, "this process only") {
		t.Errorf("the log says that it failed: %s", text)
	}
}

// Somebody else signs in over a session, and a request with that is answered in another process
// while it ends there: the answer does not delete the cookie of the new session.
func TestReplacedSessionTakesNoCookieAlong(t *testing.T) {
	store := newLockingStore()
	nodes := cluster(t, 2, store, inStore)
	a, other := nodes[0], nodes[1]
	other.handler = other.m.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusOK) }))
	b := a.browser()
	b.mustSignIn("mallory")
	replaced, old := ticketOf(t, b), b.request("GET", "/")
	var during *http.Response
	store.between = func(key string) {
		if key == a.m.endedName(replaced.id) {
			during = b.at(other).lost(old)
		}
	}
	arrives := b.get(b.callbackOf(b.get("/auth/login").Header.Get("Location"), "alice"), fromProvider...)
	b.wantRedirect(arrives, "/")
	b.take(during)
	a.wantUser(b, "alice")
	if _, ok := store.get(a.m.recordName(replaced.id)); ok {
		t.Error("the record is left")
	}
}

// While the Store is down, what is known stands for five minutes.
func TestStoreDown(t *testing.T) {
	tests := []struct {
		after time.Duration
		up    bool
	}{
		{4*time.Minute + 59*time.Second, true},
		{5 * time.Minute, false},
		{5*time.Minute + time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.after.String(), func(t *testing.T) {
			store := newLockingStore()
			nodes := cluster(t, 2, store, func(cfg *appConfig) { cfg.op.AccessTokenTTL = time.Hour })
			a := nodes[0]
			b, revoked := a.browser(), a.browser()
			b.mustSignIn("alice")
			revoked.mustSignIn("bob")
			if err := nodes[1].m.RevokeUser(t.Context(), a.op.Issuer(), "bob"); err != nil {
				t.Fatal(err)
			}
			held := revoked.request("GET", "/", fetchHeaders...)
			a.wantUser(revoked, "nobody: revoked")
			a.wantUser(b, "alice")
			store.broken(down)
			a.op.Advance(tt.after)
			if got := problemReason(t, revoked.lost(held)); got != ReasonRevoked {
				t.Errorf("a known revocation does not stand: %q", got)
			}
			if tt.up {
				a.wantUser(b, "alice")
				return
			}
			wantUnavailable(t, b)
			a.mux.Handle("/open", a.m.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, "reason: "+From(r.Context()).Reason())
			})))
			resp := b.fetch("/open")
			if got := body(resp); got != "reason: "+ReasonStoreDown || len(resp.Cookies()) > 0 {
				t.Errorf("under Load: %q, cookies %v", got, setCookies(resp))
			}
			if text := body(b.get("/auth/logout")); !strings.Contains(text, "Do you want to sign out?") {
				t.Errorf("signed out, says the page: %s", text)
			}
			if got := a.browser().user(); got != "nobody: "+ReasonNoSession {
				t.Errorf("an anonymous request: %q", got)
			}
			a.browser().mustSignIn("carol")
			store.broken(nil)
			a.op.Advance(storePause)
			a.wantUser(b, "alice")
		})
	}
}

// wantUnavailable: scripts and people are told to come back, and no cookie is touched.
func wantUnavailable(t *testing.T, b *browser) {
	t.Helper()
	for _, headers := range [][]string{nil, fetchHeaders} {
		resp := b.get("/", headers...)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || len(resp.Cookies()) > 0 {
			t.Errorf("%d, Retry-After %q, cookies %v", resp.StatusCode, resp.Header.Get("Retry-After"), setCookies(resp))
		}
		if text := body(resp); !strings.Contains(text, ReasonStoreDown) {
			t.Errorf("it does not say why: %s", text)
		}
	}
}

// A process that begins while the Store is down knows nothing; and nobody but the Store
// has what is in it.
func TestStoreDownAtOnce(t *testing.T) {
	store := newLockingStore()
	nodes := cluster(t, 2, store)
	b := nodes[0].browser()
	b.mustSignIn("alice")
	nodes[0].wantUser(b, "alice")
	store.broken(down)
	nodes[0].wantUser(b, "alice")
	wantUnavailable(t, b.at(nodes[1]))

	store = newLockingStore()
	a := cluster(t, 1, store, inStore)[0]
	b = a.browser()
	b.mustSignIn("alice")
	a.wantUser(b, "alice")
	store.broken(down)
	wantUnavailable(t, b)
	store.broken(nil)
	a.op.Advance(storePause)
	a.wantUser(b, "alice")
}

// aliceAndBob are two who are signed in for an hour, one of whom the Store was asked about.
func aliceAndBob(t *testing.T) (a *app, store *lockingStore, alice, bob *browser) {
	t.Helper()
	store = newLockingStore()
	a = cluster(t, 1, store, func(cfg *appConfig) { cfg.op.AccessTokenTTL = time.Hour })[0]
	alice, bob = a.browser(), a.browser()
	alice.mustSignIn("alice")
	bob.mustSignIn("bob")
	a.wantUser(alice, "alice")
	return a, store, alice, bob
}

// A part of the Store can be gone, such as a node of a cluster: whose revocations nobody has
// seen for five minutes is not let in because others' can be had.
func TestStoreDownForSome(t *testing.T) {
	a, store, b, other := aliceAndBob(t)
	gone := a.m.endedName(ticketOf(t, b).id)
	store.broken(func(_, key string) error {
		if key == gone {
			return errTestStore
		}
		return nil
	})
	for range 5 {
		a.wantUser(b, "alice")
		a.op.Advance(time.Minute)
		a.wantUser(other, "bob")
	}
	wantUnavailable(t, b)
	a.wantUser(other, "bob")
	a.op.Advance(storePause)
	wantUnavailable(t, b)
	store.broken(nil)
	a.op.Advance(storePause)
	a.wantUser(b, "alice")
	store.broken(down)
	a.wantUser(b, "alice") // five minutes from now on
}

// A Store that takes what it is given, and tells nobody what it has, is down.
func TestStoreThatOnlyTakes(t *testing.T) {
	a, store, b, other := aliceAndBob(t)
	store.broken(func(operation, _ string) error {
		if operation == "load" {
			return errTestStore
		}
		return nil
	})
	for range 5 {
		a.op.Advance(time.Minute)
		if err := a.m.shared.save(t.Context(), "x", []byte("y"), a.op.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	wantUnavailable(t, b)
	wantUnavailable(t, other)
}

// A Store that is full still tells who is signed in.
func TestStoreThatTakesNothing(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		store := newLockingStore()
		a := cluster(t, 1, store, mode)[0]
		b := a.browser()
		b.mustSignIn("alice")
		store.broken(func(operation, _ string) error {
			if operation == "save" {
				return errTestStore
			}
			return nil
		})
		if err := a.m.RevokeUser(t.Context(), a.op.Issuer(), "bob"); !errors.Is(err, errTestStore) {
			t.Errorf("it is not full: %v", err)
		}
		a.wantUser(b, "alice")
		if n := store.asked(); n != 2 {
			t.Errorf("%d questions", n)
		}
	})
}

// A sign-in whose session cannot be saved is none.
func TestStoreDownAtSignIn(t *testing.T) {
	store := newLockingStore()
	a := cluster(t, 1, store, inStore)[0]
	b := a.browser()
	callback := b.callbackOf(b.begin("/"), "alice")
	store.broken(down)
	resp := b.get(callback, fromProvider...)
	a.wantPage(resp, http.StatusServiceUnavailable, ReasonStoreDown)
	if b.cookie("") != "" {
		t.Error("a session cookie")
	}
}

// A Store that says nothing takes the tombstone all the same: who signs out is out everywhere.
func TestSignOutWhileTheStoreOnlyTakes(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		store := newLockingStore()
		nodes := cluster(t, 2, store, mode)
		a := nodes[0]
		b := a.browser()
		b.mustSignIn("alice")
		old := b.request("GET", "/", fetchHeaders...)
		store.broken(func(operation, _ string) error {
			if operation == "load" {
				return errTestStore
			}
			return nil
		})
		b.post("/auth/logout")
		store.broken(nil)
		if got := problemReason(t, nodes[1].browser().lost(old)); got != ReasonSignedOut {
			t.Errorf("reason %q", got)
		}
		if text := a.logs.String(); strings.Contains(text, "this process only") {
			t.Errorf("the log says that it failed: %s", text)
		}
	})
}

// A Store that hangs takes nothing of the time in which the tokens are revoked.
func TestSignOutRevokesWhileTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLockingStore()
		a := cluster(t, 1, store, inStore)[0]
		defer a.op.Close()
		b := a.browser()
		b.mustSignIn("alice")
		b.wantRedirect(b.get(b.callbackOf(b.get("/auth/login").Header.Get("Location"), "alice"), fromProvider...), "/")
		hangs := false
		store.broken(func(_, key string) error {
			if hangs {
				time.Sleep(storeTimeout)
				return errTestStore
			}
			hangs = strings.HasPrefix(key, kindRecord+".") // once the session is read
			return nil
		})
		start := time.Now()
		b.post("/auth/logout")
		if d := time.Since(start); d <= logoutTimeout || a.op.Count("revocation") == 0 {
			t.Errorf("after %v %d revocations; log: %s", d, a.op.Count("revocation"), a.logs)
		}
	})
}

// Signing out works while the Store is down, as far as this process goes.
func TestSignOutWhileStoreDown(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		store := newLockingStore()
		a := cluster(t, 1, store, mode)[0]
		b := a.browser()
		b.mustSignIn("alice")
		a.wantUser(b, "alice")
		old := b.request("GET", "/", fetchHeaders...)
		store.broken(down)
		if resp := b.post("/auth/logout"); resp.StatusCode != http.StatusSeeOther || b.cookie("") != "" {
			t.Errorf("%d, cookie %q", resp.StatusCode, b.cookie(""))
		}
		if !strings.Contains(a.logs.String(), "ended in this process only") {
			t.Error("the log does not say it")
		}
		store.broken(nil)
		a.op.Advance(storePause)
		if got := problemReason(t, b.lost(old)); got != ReasonSignedOut {
			t.Errorf("reason %q", got)
		}
		store.broken(down)
		if err := a.m.RevokeUser(t.Context(), a.op.Issuer(), "alice"); !errors.Is(err, errTestStore) {
			t.Errorf("RevokeUser: %v", err)
		}
	})
}

// A Store that does not answer delays one request, and not all.
func TestHangingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLockingStore()
		a := cluster(t, 1, store, func(cfg *appConfig) { cfg.op.AccessTokenTTL = time.Hour })[0]
		defer a.op.Close()
		b := a.browser()
		b.mustSignIn("alice")
		a.wantUser(b, "alice")
		store.hang = true
		took := func() time.Duration {
			start := time.Now()
			a.wantUser(b, "alice")
			return time.Since(start)
		}
		if d := took(); d != storeTimeout {
			t.Errorf("the first request takes %v", d)
		}
		for range 5 {
			if d := took(); d != 0 {
				t.Errorf("in the pause: %v", d)
			}
		}
		time.Sleep(storePause)
		// Of those who come after it, one finds out.
		var mu sync.Mutex
		var waited int
		var wg sync.WaitGroup
		for range 10 {
			r := b.request("GET", "/", fetchHeaders...)
			wg.Go(func() {
				start := time.Now()
				b.lost(r)
				mu.Lock()
				defer mu.Unlock()
				if time.Since(start) > 0 {
					waited++
				}
			})
		}
		wg.Wait()
		if waited != 1 {
			t.Errorf("%d requests waited", waited)
		}
		store.hang = false
		time.Sleep(storePause)
		if d := took(); d != 0 {
			t.Errorf("when it is back: %v", d)
		}
		for _, line := range []string{"the store fails", "the store answers again"} {
			if n := strings.Count(a.logs.String(), line); n != 1 {
				t.Errorf("%q %d times in the log", line, n)
			}
		}
	})
}

// Who hangs up is judged all the same: the handler may do something before it looks.
func TestHangingUpHidesNoRevocation(t *testing.T) {
	nodes := cluster(t, 2, newLockingStore())
	a := nodes[0]
	b := a.browser()
	b.mustSignIn("alice")
	a.wantUser(b, "alice")
	if err := nodes[1].m.RevokeUser(t.Context(), a.op.Issuer(), "alice"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a.open = func(*http.Request, *Session) { t.Error("the handler runs") }
	if got := problemReason(t, b.lost(b.request("GET", "/", fetchHeaders...).WithContext(ctx))); got != ReasonRevoked {
		t.Errorf("reason %q", got)
	}
}

func TestStorePanics(t *testing.T) {
	store := newLockingStore()
	a := cluster(t, 1, store)[0]
	b := a.browser()
	b.mustSignIn("alice")
	store.broken(func(string, string) error { panic("boom") })
	wantUnavailable(t, b)
	store.broken(nil)
	a.op.Advance(storePause)
	a.wantUser(b, "alice")
}

// A hook that panics while somebody finds out whether the Store is back does not leave it
// unasked for ever.
func TestObservePanicsAtTheStore(t *testing.T) {
	store := newLockingStore()
	a := cluster(t, 1, store)[0]
	b := a.browser()
	b.mustSignIn("alice")
	store.broken(func(string, string) error { return errTestStore })
	wantUnavailable(t, b)
	store.broken(nil)
	observe := a.m.shared.observe
	a.m.shared.observe = func(context.Context, string) (context.Context, func(error)) { panic("boom") }
	a.op.Advance(storePause)
	func() {
		defer func() { _ = recover() }()
		a.m.shared.ask(t.Context(), "x")
	}()
	a.m.shared.observe = observe
	a.op.Advance(storePause)
	a.wantUser(b, "alice")
}

// What stands in the Store and is not ours never helps anybody in.
func TestGarbageInTheStore(t *testing.T) {
	garbage := [][]byte{{}, {0}, {1}, {2, 0, 1}, {1, 99, 1}, []byte("\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff"), []byte("hello"), {1, 0, 1, 1, 1, 1}}
	for i, value := range garbage {
		store := newLockingStore()
		a := cluster(t, 1, store)[0]
		b := a.browser()
		b.mustSignIn("alice")
		rec, _ := a.m.cookies.readSession(b.request("GET", "/"))
		later := a.op.Now().Add(time.Hour)
		store.put(a.m.revokedName(rec.identity.revocationKeys()[0]), value, later)
		wantUnavailable(t, b)
		// It can be revoked all the same, and then the user can sign in again.
		if err := a.m.RevokeUser(t.Context(), a.op.Issuer(), "alice"); err != nil {
			t.Fatal(err)
		}
		a.op.Advance(time.Second)
		again := a.browser()
		again.mustSignIn("alice")
		a.wantUser(again, "alice")
		fresh := a.sibling(appConfig{callback: appCallback, session: Config{Secrets: []string{testSecret(1)}, Store: store, Logger: a.m.cfg.Logger}})
		fresh.wantUser(b.at(fresh), "nobody: revoked")

		rec, _ = a.m.cookies.readSession(again.request("GET", "/"))
		store.put(a.m.endedName(rec.id), value, later)
		if got := again.user(); got != "nobody: signed-out" {
			t.Errorf("garbage %d as a tombstone: %q", i, got)
		}
	}
}

// Two processes that add something at once both find it in the end.
func TestMerge(t *testing.T) {
	at := func(seconds int) time.Time { return testTime.Add(time.Duration(seconds) * time.Second) }
	key := revokedUser("https://op.example.com", "alice")
	for name, locked := range map[string]bool{"with a lock": true, "one after the other": false} {
		t.Run(name, func(t *testing.T) {
			store := newLockingStore()
			nodes := cluster(t, 2, store)
			var wg sync.WaitGroup
			for i := range 20 {
				add := func() {
					v := revocation{issued: at(i), received: at(100 - i), created: at(50 + i%7)}
					if err := nodes[i%2].m.revoke(t.Context(), v, key); err != nil {
						t.Error(err)
					}
				}
				if locked {
					wg.Go(add)
				} else {
					add()
				}
			}
			wg.Wait()
			data, _ := store.get(nodes[0].m.revokedName(key))
			got, ok := revocationOf(data)
			if want := (revocation{at(19), at(100), at(56)}); !ok || !got.covers(want) || !want.covers(got) {
				t.Errorf("got %v, want %v", got, want)
			}
			expires := store.values[nodes[0].m.revokedName(key)].expires
			if least := nodes[0].op.Now().Add(DefaultLifetime); expires.Before(least) {
				t.Errorf("it is kept until %v", expires)
			}
		})
	}
}

// Without a lock, who is written over writes again, and says so when it is in vain.
func TestMergeIsVerified(t *testing.T) {
	key := revokedUser("https://op.example.com", "alice")
	other := revocation{created: testTime}
	for name, times := range map[string]int{"once": 1, "always": 100} {
		t.Run(name, func(t *testing.T) {
			store := &mapStore{}
			a := cluster(t, 1, store)[0]
			mine := revocation{issued: testTime, received: testTime}
			failing := times
			store.broken(func(operation, name string) error {
				if _, there := store.get(name); operation == "load" && there && failing > 0 { // after our save
					failing--
					store.put(name, other.binary(), a.op.Now().Add(time.Hour))
				}
				return nil
			})
			err := a.m.revoke(t.Context(), mine, key)
			if times > 1 {
				if !errors.Is(err, errContested) {
					t.Errorf("in vain: %v", err)
				}
				return
			}
			data, _ := store.get(a.m.revokedName(key))
			if got, _ := revocationOf(data); err != nil || !got.covers(mine) || !got.covers(other) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestRevocationBinary(t *testing.T) {
	v := revocation{issued: testTime, received: testTime.Add(2 * time.Second), created: testTime.Add(time.Second)}
	data := v.binary()
	got, ok := revocationOf(data)
	if !ok || !got.covers(v) || got.created.After(v.created) || got.received.After(v.received) {
		t.Errorf("%v, %t", got, ok)
	}
	for _, bad := range [][]byte{nil, data[:len(data)-1], append(data[:len(data):len(data)], 0), append([]byte{2}, data[1:]...)} {
		if _, ok := revocationOf(bad); ok {
			t.Errorf("%x is taken", bad)
		}
	}
	none := revocation{}.binary()
	if got, ok := revocationOf(none); !ok || !revocation(revocation{}.stored()).covers(got) {
		t.Errorf("none: %v, %t", got, ok)
	}
	for _, less := range []revocation{{received: v.received, created: v.created}, {issued: v.issued, received: v.received}, {issued: v.issued, created: v.created}} {
		if less.covers(v) {
			t.Errorf("%v covers %v", less, v)
		}
	}
}

func TestEndingBinary(t *testing.T) {
	for _, reason := range endingReasons {
		e := ending{reason, testTime}
		if got := endingOfBytes(e.binary()); got.reason != reason || !got.at.Equal(testTime) {
			t.Errorf("%v", got)
		}
	}
	data := ending{ReasonReplaced, testTime}.binary()
	for _, bad := range [][]byte{nil, data[:1], data[:len(data)-1], append(data[:len(data):len(data)], 0), append([]byte{2}, data[1:]...)} {
		if got := endingOfBytes(bad); got.reason != ReasonSignedOut || !got.at.IsZero() {
			t.Errorf("%x: %v", bad, got)
		}
	}
}

func TestLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		locker := &mapLocker{}
		s := &shared{locker: locker}
		held, unlock, err := s.lock(t.Context(), time.Second, "x")
		if err != nil || held.Err() != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if other, none, err := s.lock(t.Context(), time.Second, "x"); err != errLockBusy || time.Since(start) != time.Second || other.Err() != nil {
			t.Errorf("while somebody has it: %v after %v", err, time.Since(start))
		} else {
			none()
		}
		time.Sleep(time.Minute) // patience is for waiting only
		if held.Err() != nil {
			t.Error("the lock was lost")
		}
		unlock()
		if held.Err() == nil {
			t.Error("the lock is held after unlock")
		}
		locker.err = errTestStore
		if _, _, err := s.lock(t.Context(), time.Second, "x"); err != errTestStore {
			t.Errorf("while it is down: %v", err)
		}
		s.locker = panicLocker{}
		if _, unlock, err := s.lock(t.Context(), time.Second, "x"); err == nil {
			t.Error("after a panic: no error")
		} else {
			unlock()
		}
		s.locker = leavingPanics{locker}
		locker.err = nil
		if held, unlock, err := s.lock(t.Context(), time.Second, "y"); err != nil {
			t.Error(err)
		} else if unlock(); held.Err() == nil {
			t.Error("a panic of unlock: the lock is held")
		}
		slow := lateLocker{make(chan struct{})}
		s.locker = slow
		if _, _, err := s.lock(t.Context(), time.Second, "x"); err != errLockBusy {
			t.Errorf("too late: %v", err)
		}
		<-slow.released
	})
}

type panicLocker struct{}

func (panicLocker) Lock(context.Context, string) (context.Context, func(), error) { panic("boom") }

// leavingPanics gives the lock back, and then panics.
type leavingPanics struct{ Locker }

func (l leavingPanics) Lock(ctx context.Context, key string) (context.Context, func(), error) {
	held, unlock, err := l.Locker.Lock(ctx, key)
	return held, func() { unlock(); panic("boom") }, err
}

// A lateLocker gives the lock when nobody waits for it any more.
type lateLocker struct{ released chan struct{} }

func (l lateLocker) Lock(ctx context.Context, _ string) (context.Context, func(), error) {
	time.Sleep(2 * time.Second)
	return ctx, func() { close(l.released) }, nil
}

func TestLockerWithoutStore(t *testing.T) {
	_, err := New(testClient(t, appCallback), Config{Locker: &mapLocker{}})
	if err == nil || !strings.Contains(err.Error(), "a Locker without a Store") {
		t.Errorf("%v", err)
	}
}

// Two endings of one session are one in the Store, and nobody ends nobody.
func TestEndingsMergeInTheStore(t *testing.T) {
	store := newLockingStore()
	nodes := cluster(t, 2, store)
	now := nodes[0].op.Now().Truncate(time.Millisecond)
	p := presence{id: sessionID{1}, ends: now.Add(time.Hour)}
	for i, step := range []struct {
		reason string
		after  time.Duration
		want   ending
	}{
		{ReasonReplaced, time.Minute, ending{ReasonReplaced, now.Add(time.Minute)}},
		{ReasonReplaced, 0, ending{ReasonReplaced, time.UnixMilli(0)}}, // at once, by every clock
		{ReasonSignedOut, 0, ending{ReasonSignedOut, time.UnixMilli(0)}},
		{ReasonReplaced, time.Hour, ending{ReasonSignedOut, time.UnixMilli(0)}},
	} {
		node := nodes[i%2]
		node.m.end(p, step.reason, now.Add(step.after))
		data, _ := store.get(node.m.endedName(p.id))
		if got := endingOfBytes(data); got.reason != step.want.reason || !got.at.Equal(step.want.at) {
			t.Errorf("step %d: got %v, want %v", i, got, step.want)
		}
	}
	n, remembered := len(store.values), len(nodes[0].m.ended.entries)
	nodes[0].m.end(presence{}, ReasonSignedOut, now)
	if len(store.values) != n || len(nodes[0].m.ended.entries) != remembered {
		t.Error("the end of nobody is in the store, or remembered")
	}
	if logs := nodes[0].logs.String(); strings.Contains(logs, "this process only") {
		t.Errorf("the log says that it failed: %s", logs)
	}
}

// Of an ending in the Store a process learns by asking; of nobody it does not ask, and what
// comes with an error is no answer.
func TestLearnEnding(t *testing.T) {
	store := newCountingStore()
	a := newApp(t, func(cfg *appConfig) { cfg.session.Store, cfg.session.Secrets = store, []string{testSecret(1)} })
	store.now = a.op.Now
	until := a.op.Now().Add(time.Hour)
	p := presence{id: sessionID{1}, ends: until}
	signedOut := ending{ReasonSignedOut, time.UnixMilli(0)}
	store.all.put(keyOf(a.m.endedName(p.id)), signedOut.binary(), a.op.Now(), until)
	store.all.put(keyOf(a.m.endedName(sessionID{})), signedOut.binary(), a.op.Now(), until)

	if a.m.learnEnding(t.Context(), presence{}) || store.loads.Load() != 0 {
		t.Errorf("nobody has ended, or the store was asked (%d times)", store.loads.Load())
	}
	store.down.Store(true)
	if a.m.learnEnding(t.Context(), p) || !a.m.ended.empty() {
		t.Error("learned from what came with an error")
	}
	a.op.Advance(storePause)
	store.down.Store(false)
	if !a.m.learnEnding(t.Context(), p) {
		t.Error("not learned")
	}
	if e, ok := a.m.ended.get(endedKey(p.id), a.op.Now()); !ok || e.reason != ReasonSignedOut {
		t.Errorf("remembered: %v, %v", e, ok)
	}
}

// A session whose provider names no session of its own is not hit by what is about those.
func TestRevokedWithoutSID(t *testing.T) {
	a := newApp(t)
	rec := &record{identity: identity{issuer: "https://op.example.com", subject: "alice"}}
	if err := a.m.revoke(t.Context(), revocation{created: a.op.Now()}, revokedSession(rec.identity.issuer, "")); err != nil {
		t.Fatal(err)
	}
	if a.m.isRevoked(rec, a.op.Now()) {
		t.Error("it is revoked")
	}
	rec.identity.sid = "x"
	if err := a.m.revoke(t.Context(), revocation{created: a.op.Now()}, revokedSession(rec.identity.issuer, "x")); err != nil || !a.m.isRevoked(rec, a.op.Now()) {
		t.Errorf("it is not revoked: %v", err)
	}
	for _, who := range [][2]string{{"", "alice"}, {"https://op.example.com", ""}} {
		if err := a.m.RevokeUser(t.Context(), who[0], who[1]); err == nil || !strings.Contains(err.Error(), "are required") {
			t.Errorf("RevokeUser of %q: %v", who, err)
		}
	}
}

// The app is told of sessions that are over, and not of what is none or not known.
func TestTellOver(t *testing.T) {
	var told []Event
	a := newApp(t, func(cfg *appConfig) {
		cfg.session.OnEvent = func(_ context.Context, e Event) { told = append(told, e) }
	})
	rec := testRecord()
	rec.identity.subject = "alice"
	a.m.tellOver(t.Context(), nil, ReasonUndecryptable)
	a.m.tellOver(t.Context(), &record{}, ReasonUndecryptable)
	a.m.tellOver(t.Context(), rec, ReasonStoreDown)
	if len(told) != 0 {
		t.Errorf("told %v", told)
	}
	a.m.tellOver(t.Context(), rec, ReasonIdle)
	a.m.tellOver(t.Context(), rec, ReasonIdle)
	if len(told) != 1 || told[0].Type != EventExpired || told[0].Reason != ReasonIdle || told[0].Subject != "alice" {
		t.Errorf("told %v", told)
	}
}

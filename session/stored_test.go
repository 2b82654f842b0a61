package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

// ticketOf is what a browser's cookie has.
func ticketOf(t testing.TB, b *browser) *record {
	t.Helper()
	rec, err := b.m.cookies.readSession(b.request("GET", "/"))
	if err != nil || rec == nil {
		t.Fatalf("no session: %v", err)
	}
	return rec
}

// setting makes the page set a value of its query, and say what it sees.
func (a *app) setting() {
	a.open = func(r *http.Request, s *Session) {
		for name, values := range r.URL.Query() {
			if err := s.Set(name, []byte(values[0])); err != nil {
				a.t.Error(err)
			}
		}
	}
}

func valueOf(t testing.TB, b *browser, name string) string {
	t.Helper()
	rec := ticketOf(t, b)
	if err := b.m.recall(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	return string(rec.values[name])
}

func TestSessionsInStore(t *testing.T) {
	nodes := cluster(t, 2, newLockingStore(), inStore)
	a := nodes[0]
	b := a.browser()
	b.mustSignIn("alice")
	ticket := ticketOf(t, b)
	if ticket.tokens != nil || !ticket.inStore() || len(b.cookie("")) > 700 {
		t.Errorf("the cookie has tokens, or %d bytes", len(b.cookie("")))
	}
	for _, node := range nodes {
		node.setting()
	}
	at := b.at(nodes[1])
	if resp := at.fetch("/?cart=full"); len(resp.Cookies()) > 0 {
		t.Errorf("cookies %v, though the cookie is as good as before", setCookies(resp))
	}
	if got := valueOf(t, b, "cart"); got != "full" {
		t.Errorf("the other process sees %q", got)
	}
	a.wantUser(b, "alice")
	if strings.Contains(a.logs.String(), "without a lock") {
		t.Error("the log says that there was no lock")
	}
	nodes[0].m.cfg.Store.(*lockingStore).err = errTestStore
	b.fetch("/?cart=empty")
	if got := valueOf(t, b, "cart"); got != "empty" || !strings.Contains(a.logs.String(), "changed without a lock") {
		t.Errorf("while the Locker is down: %q", got)
	}
}

// Who comes with a session and signs in gets another one, with another key.
func TestSignInAdoptsNothing(t *testing.T) {
	a := cluster(t, 1, newLockingStore(), inStore)[0]
	b := a.browser()
	b.mustSignIn("mallory")
	planted := ticketOf(t, b)
	b.wantRedirect(b.get(b.callbackOf(b.get("/auth/login").Header.Get("Location"), "alice"), fromProvider...), "/")
	got := ticketOf(t, b)
	if got.id == planted.id || got.key == planted.key {
		t.Error("the session is the one that was there before")
	}
	if err := a.m.recall(t.Context(), planted); !errors.Is(err, errRecordGone) {
		t.Errorf("the one before: %v", err)
	}
}

// A handler is at work while its session ends in another process, and then saves.
func TestTombstoneWinsOverSave(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		store := newLockingStore()
		nodes := cluster(t, 2, store, mode)
		b := nodes[0].browser()
		b.mustSignIn("alice")
		nodes[0].open = func(_ *http.Request, s *Session) {
			if err := s.Set("late", []byte("yes")); err != nil {
				t.Error(err)
			}
			(&browser{nodes[1], copyOf(b.jar)}).post("/auth/logout")
		}
		rec := ticketOf(t, b)
		old := b.request("GET", "/", fetchHeaders...)
		resp := b.fetch("/")
		if len(resp.Cookies()) > 0 {
			t.Errorf("cookies %v of a session that has ended", setCookies(resp))
		}
		if _, ok := store.get(nodes[0].m.recordName(rec.id)); ok {
			t.Error("the session came back into the store")
		}
		nodes[0].open = nil
		for _, node := range nodes {
			if got := problemReason(t, (&browser{node, b.jar}).lost(old.Clone(t.Context()))); got != ReasonSignedOut {
				t.Errorf("reason %q", got)
			}
		}
	})
}

func copyOf(jar *strictJar) *strictJar {
	jar.mu.Lock()
	defer jar.mu.Unlock()
	return &strictJar{now: jar.now, cookies: append([]*jarCookie(nil), jar.cookies...), stored: jar.stored}
}

// The tombstone comes between the look at it and the save: the record is there again, and
// nobody gets in by it.
func TestTombstoneWinsOverRacingSave(t *testing.T) {
	store := newLockingStore()
	nodes := cluster(t, 2, store, inStore)
	a := nodes[0]
	b := a.browser()
	b.mustSignIn("alice")
	rec := ticketOf(t, b)
	old := b.request("GET", "/", fetchHeaders...)
	a.setting()
	store.between = func(key string) {
		if key == a.m.recordName(rec.id) {
			store.between = nil
			nodes[1].m.end(presenceOf(rec), ReasonSignedOut, a.op.Now())
		}
	}
	b.fetch("/?x=y")
	if _, ok := store.get(a.m.recordName(rec.id)); !ok {
		t.Fatal("the save did not race")
	}
	for _, node := range nodes {
		if got := problemReason(t, (&browser{node, b.jar}).lost(old.Clone(t.Context()))); got != ReasonSignedOut {
			t.Errorf("reason %q", got)
		}
	}
}

// Two processes set two names at the same time, and both stay.
func TestTwoNamesAtOnce(t *testing.T) {
	nodes := cluster(t, 2, newLockingStore(), inStore)
	b := nodes[0].browser()
	b.mustSignIn("alice")
	nodes[0].setting()
	nodes[1].setting()
	var wg sync.WaitGroup
	for i := range 20 {
		node := nodes[i%2]
		r := b.request("GET", fmt.Sprintf("/?n%d=v%d", i, i), fetchHeaders...)
		wg.Go(func() { (&browser{node, b.jar}).lost(r) })
	}
	wg.Wait()
	for i := range 20 {
		if got := valueOf(t, b, fmt.Sprintf("n%d", i)); got != fmt.Sprintf("v%d", i) {
			t.Errorf("value %d is %q", i, got)
		}
	}
}

// Requests of one process take turns also where there is no Locker, and the Store is slow.
func TestTurnsWithoutLocker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &mapStore{}
		a := cluster(t, 1, store, inStore)[0]
		defer a.op.Close()
		b := a.browser()
		b.mustSignIn("alice")
		a.setting()
		var delay atomic.Int64
		store.between = func(string) { time.Sleep(time.Duration(delay.Add(10)) * time.Millisecond) }
		var wg sync.WaitGroup
		for _, query := range []string{"/?one=1", "/?two=2"} {
			r := b.request("GET", query, fetchHeaders...)
			wg.Go(func() { b.lost(r) })
		}
		key, issued := revokedUser("https://op.example.com", "bob"), a.op.Now()
		for i := range 2 {
			v := revocation{issued: issued.Add(time.Duration(i) * time.Second), received: issued.Add(time.Duration(-i) * time.Second)}
			wg.Go(func() {
				if err := a.m.revoke(t.Context(), v, key); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if one, two := valueOf(t, b, "one"), valueOf(t, b, "two"); one != "1" || two != "2" {
			t.Errorf("the values are %q and %q", one, two)
		}
		data, _ := store.get(a.m.revokedName(key))
		if v, ok := revocationOf(data); !ok || !v.covers(revocation{issued: issued.Add(time.Second), received: issued}.stored()) {
			t.Errorf("a revocation is lost: %v", v)
		}
	})
}

// Nobody writes out of turn because a browser, or the caller of RevokeUser, has hung up.
func TestHangingUpKeepsTheTurn(t *testing.T) {
	a := cluster(t, 1, newLockingStore(), inStore)[0]
	b := a.browser()
	b.mustSignIn("alice")
	a.setting()
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	b.lost(b.request("GET", "/?n=v", fetchHeaders...).WithContext(ctx))
	if got := valueOf(t, b, "n"); got != "v" {
		t.Errorf("the value is %q", got)
	}
	if err := a.m.RevokeUser(ctx, a.op.Issuer(), "alice"); err != nil {
		t.Error(err)
	}
	if text := a.logs.String(); strings.Contains(text, "without a lock") {
		t.Errorf("log %s", text)
	}
}

// A user of Keycloak with many roles: 12 KB of tokens.
func TestLargeSession(t *testing.T) {
	roles := make([]string, 120)
	for i := range roles {
		roles[i] = fmt.Sprintf("realm-management/role-with-a-long-name-%03d", i)
	}
	user := clienttest.User{Subject: "alice", Claims: map[string]any{"resource_access": roles, "groups": roles}}
	a := cluster(t, 1, newLockingStore(), inStore, func(cfg *appConfig) { cfg.op.Users = []clienttest.User{user} })[0]
	b := a.browser()
	b.mustSignIn("alice")
	a.expireToken()
	a.wantUser(b, "alice")
	rec := ticketOf(t, b)
	if err := a.m.recall(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if n := len(rec.tokens.IDToken.Raw()) + len(rec.tokens.AccessToken); n < 12<<10 {
		t.Fatalf("the tokens have %d bytes", n)
	}
	// Up to a bound, which is said.
	a.open = func(_ *http.Request, s *Session) {
		err := s.Set("photo", bytes.Repeat([]byte("x"), maxStored-20_000))
		var tooLarge *TooLargeError
		if err != nil {
			t.Errorf("within the bound: %v", err)
		}
		err = s.Set("photo", bytes.Repeat([]byte("x"), maxStored))
		if !errors.As(err, &tooLarge) || !tooLarge.InStore || tooLarge.Limit != maxStored || tooLarge.Size <= maxStored || tooLarge.Parts[0].Name != `value "photo"` {
			t.Errorf("beyond the bound: %v", err)
		} else if text := err.Error(); !strings.Contains(text, "the session in the store would take") || strings.Contains(fmt.Sprint(tooLarge.Parts), attemptPart) {
			t.Errorf("beyond the bound: %v, parts %v", err, tooLarge.Parts)
		}
		s.Set("photo", nil)
	}
	a.wantUser(b, "alice")
}

// A sign-in with more than the Store takes is refused.
func TestTooLargeSignIn(t *testing.T) {
	a := cluster(t, 1, newLockingStore(), inStore)[0]
	rec := testRecord()
	rec.key, rec.values = recordKey{1}, map[string][]byte{"x": make([]byte, maxStored)}
	if e := keepError(a.m.keep(t.Context(), rec)); e.Reason != ReasonTooLarge || e.Status != http.StatusInternalServerError {
		t.Errorf("%v", e)
	}
	if err := a.m.keep(t.Context(), testRecord()); err != nil {
		t.Errorf("one in a cookie: %v", err)
	}
}

// A site that turns to the Store signs nobody out, and may turn back.
func TestMovingToTheStore(t *testing.T) {
	store := newLockingStore()
	var cfg appConfig
	before := cluster(t, 1, store, func(c *appConfig) {}, func(c *appConfig) { c.op.AccessTokenTTL = 20 * time.Minute; cfg = *c })[0]
	cfg.session.Store, cfg.session.SessionsInStore = store, true
	now, also := before.sibling(cfg), before.sibling(cfg)
	b := before.browser()
	b.mustSignIn("alice")
	held := copyOf(b.jar)
	old := &browser{also, held}
	now.wantUser(b.at(now), "alice")
	if ticketOf(t, b).inStore() {
		t.Error("the session moved without a need")
	}
	now.setting()
	also.setting()
	now.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private")
		now.mux.ServeHTTP(w, r)
	})
	if resp := b.at(now).fetch("/?cart=full"); resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("with a cookie, Cache-Control is %q", resp.Header.Get("Cache-Control"))
	}
	moved := ticketOf(t, b)
	if !moved.inStore() || moved.tokens != nil || valueOf(t, b.at(also), "cart") != "full" {
		t.Errorf("the session did not move: %q", valueOf(t, b.at(also), "cart"))
	}
	// An answer was lost, and the old cookie comes: it has the values of today, and the ticket.
	old.fetch("/?hat=on")
	if got := ticketOf(t, old); got.key != moved.key || valueOf(t, b.at(now), "hat") != "on" || valueOf(t, b.at(now), "cart") != "full" {
		t.Error("the old cookie made another session")
	}
	// Back to cookies: those that have begun in the Store go on there.
	cfg.session.SessionsInStore = false
	back := before.sibling(cfg)
	back.wantUser(b.at(back), "alice")
	cfg.session.Store = nil
	alone := before.sibling(cfg)
	alone.wantUser(&browser{alone, copyOf(b.jar)}, "nobody: "+ReasonUndecryptable)
	also.open, now.open = nil, nil
	b.at(now).post("/auth/logout")
	also.wantUser(old, "nobody: "+ReasonSignedOut)
}

// A refresh moves it too, and so does a look at one that has moved.
func TestRefreshMovesToTheStore(t *testing.T) {
	store := newLockingStore()
	var cfg appConfig
	before := cluster(t, 1, store, func(c *appConfig) { cfg = *c })[0]
	cfg.session.Store, cfg.session.SessionsInStore = store, true
	now := before.sibling(cfg)
	b := before.browser()
	b.mustSignIn("alice")
	held := copyOf(b.jar)
	before.expireToken()
	now.wantUser(b.at(now), "alice")
	if !ticketOf(t, b).inStore() || refreshes(before) != 1 {
		t.Errorf("not moved, or %d refreshes", refreshes(before))
	}
	also := &browser{before.sibling(cfg), held}
	also.wantUser(also, "alice")
	if !ticketOf(t, also).inStore() || refreshes(before) != 1 {
		t.Errorf("not moved, or %d refreshes", refreshes(before))
	}
}

// The Store has lost it, or has somebody else's, or nothing that opens.
func TestRecordDamaged(t *testing.T) {
	store := newLockingStore()
	a := cluster(t, 1, store, inStore)[0]
	mallory := a.browser()
	mallory.mustSignIn("mallory")
	theirs, _ := store.get(a.m.recordName(ticketOf(t, mallory).id))
	tests := map[string]struct {
		change func(value []byte) []byte
		want   string
	}{
		"as it was":         {func(v []byte) []byte { return v }, "alice"},
		"lost":              {nil, "nobody: " + ReasonExpired},
		"another session's": {func([]byte) []byte { return theirs }, "nobody: " + ReasonUndecryptable},
		"a bit":             {func(v []byte) []byte { v[len(v)/2] ^= 1; return v }, "nobody: " + ReasonUndecryptable},
		"another version":   {func(v []byte) []byte { v[0]++; return v }, "nobody: " + ReasonUndecryptable},
		"cut":               {func(v []byte) []byte { return v[:len(v)-1] }, "nobody: " + ReasonUndecryptable},
		"empty":             {func([]byte) []byte { return nil }, "nobody: " + ReasonUndecryptable},
		"sealed, no record": {nil, "nobody: " + ReasonUndecryptable},
		"text":              {func([]byte) []byte { return []byte("hello") }, "nobody: " + ReasonUndecryptable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := a.browser()
			b.mustSignIn("alice")
			key := a.m.recordName(ticketOf(t, b).id)
			value, _ := store.get(key)
			switch {
			case name == "sealed, no record":
				sealed, err := ticketOf(t, b).key.sealFor(key, []byte("hello"))
				if err != nil {
					t.Fatal(err)
				}
				store.put(key, sealed, a.op.Now().Add(time.Hour))
			case tt.change == nil:
				store.drop(key)
			default:
				store.put(key, tt.change(bytes.Clone(value)), a.op.Now().Add(time.Hour))
			}
			a.wantUser(b, tt.want)
			if tt.want != "alice" {
				a.wantRedirectToProvider(b)
			}
		})
	}
}

// What is sealed for one place and one key opens in no other.
func TestSealedForOnePlace(t *testing.T) {
	key := recordKey{1}
	sealed, err := key.sealFor("session.one", []byte("canary"))
	if err != nil || bytes.Contains(sealed, []byte("canary")) {
		t.Fatalf("%q, %v", sealed, err)
	}
	if plain, err := key.openFrom("session.one", sealed); err != nil || string(plain) != "canary" {
		t.Fatalf("%q, %v", plain, err)
	}
	if _, err := key.openFrom("session.two", sealed); !errors.Is(err, errUndecryptable) {
		t.Errorf("in another place: %v", err)
	}
	if _, err := (recordKey{2}).openFrom("session.one", sealed); !errors.Is(err, errUndecryptable) {
		t.Errorf("with another key: %v", err)
	}
}

func TestTicketRoundTrip(t *testing.T) {
	want := testRecord()
	want.key, want.identity.issuer, want.identity.subject = recordKey{9}, "https://op.example.com", "canary-sub"
	data, err := want.appendCookie(nil)
	if err != nil || bytes.Contains(data, []byte("canary-access")) {
		t.Fatalf("%q, %v", data, err)
	}
	var got carried
	if err := got.unmarshal(data); err != nil {
		t.Fatal(err)
	}
	if got.id != want.id || got.key != want.key || !got.created.Equal(want.created) || !got.expires.Equal(want.expires) ||
		got.provider != want.provider || !got.identity.issued.Equal(want.identity.issued) ||
		got.identity.user() != want.identity.user() || got.identity.sid != want.identity.sid || got.tokens != nil {
		t.Errorf("got %+v", got.identity)
	}
	for n := range data {
		if err := new(carried).unmarshal(data[:n]); !errors.Is(err, errUndecryptable) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	if err := new(carried).unmarshal(append(data, 0)); !errors.Is(err, errUndecryptable) {
		t.Errorf("with a byte more: %v", err)
	}
	want.key = recordKey{}
	whole, err := want.appendCookie(nil)
	if err != nil || whole[0] != recordVersion || new(carried).unmarshal(whole) != nil {
		t.Errorf("without a key: %v", err)
	}
	copy(data[1+len(want.id):], make([]byte, len(recordKey{})))
	if err := new(carried).unmarshal(data); !errors.Is(err, errUndecryptable) {
		t.Errorf("a ticket without a key: %v", err)
	}
	for _, change := range []func(*record){
		func(r *record) { r.created = time.Time{} }, func(r *record) { r.expires = time.Time{} }, func(r *record) { r.identity.issued = time.Time{} },
	} {
		bad := testRecord()
		bad.key = recordKey{9}
		change(bad)
		if _, err := bad.appendCookie(nil); err == nil {
			t.Error("a time that cannot be stored")
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d", "%s"} {
		if text := fmt.Sprintf(verb, recordKey{9, 9}); text != redacted {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

// A change that cannot be saved is in the log.
func TestSetWhileStoreDown(t *testing.T) {
	store := newLockingStore()
	a := cluster(t, 1, store, inStore)[0]
	b := a.browser()
	b.mustSignIn("alice")
	a.open = func(_ *http.Request, s *Session) {
		if err := s.Set("x", []byte("y")); err != nil {
			t.Error(err)
		}
		store.broken(down)
	}
	b.fetch("/")
	if !strings.Contains(a.logs.String(), "session: not saved") || !a.logs.has(ReasonStoreDown) {
		t.Error("not in the log")
	}
	a.open = nil
	store.broken(nil)
	a.op.Advance(storePause)
	a.wantUser(b, "alice")
	if got := valueOf(t, b, "x"); got != "" {
		t.Errorf("saved is %q", got)
	}
}

// The Store gives back what it had before. That the session goes on cannot be helped: the
// cookie is the same. But this process knows which tokens are used up.
func TestStoreRollsBack(t *testing.T) {
	store := newLockingStore()
	a := cluster(t, 1, store, inStore)[0]
	b := a.browser()
	b.mustSignIn("alice")
	key := a.m.recordName(ticketOf(t, b).id)
	old, _ := store.get(key)
	a.expireToken()
	fresh := access(b.fetch("/"))
	store.put(key, old, a.op.Now().Add(time.Hour))
	if got := access(b.fetch("/")); got != fresh {
		t.Error("an old token")
	}
	now, _ := store.get(key)
	a.expireToken()
	if got := access(b.fetch("/")); got == "none" || got == fresh {
		t.Errorf("the used-up refresh token was used again, after %d bytes: %q", len(now), got)
	}
}

// A change of a session that is about to end, or is gone, is not saved.
func TestNothingComesBack(t *testing.T) {
	for name, end := range map[string]func(a *app, store *lockingStore, rec *record){
		"replaced": func(a *app, _ *lockingStore, rec *record) {
			a.m.end(presenceOf(rec), ReasonReplaced, a.op.Now().Add(time.Minute))
		},
		"gone": func(a *app, store *lockingStore, rec *record) { store.drop(a.m.recordName(rec.id)) },
	} {
		store := newLockingStore()
		nodes := cluster(t, 2, store, inStore)
		b := nodes[0].browser()
		b.mustSignIn("alice")
		rec := ticketOf(t, b)
		key := nodes[0].m.recordName(rec.id)
		before, _ := store.get(key)
		nodes[0].open = func(_ *http.Request, s *Session) {
			s.Set("x", []byte("y"))
			end(nodes[1], store, rec)
		}
		b.fetch("/")
		if after, there := store.get(key); there != (name == "replaced") || there && !bytes.Equal(before, after) {
			t.Errorf("%s: the session is there %t, and was written", name, there)
		}
		if !nodes[0].logs.has(ReasonExpired) {
			t.Errorf("%s: not in the log", name)
		}
	}
}

package session

import (
	"strings"
	"testing"
	"time"
)

// While the Store is down, nobody can say whether a session is good: neither a page for
// everybody nor a frame takes that for an end of it.
func TestStoreDownIsNoEnd(t *testing.T) {
	begin := func(t *testing.T) (*watched, *lockingStore) {
		store := newLockingStore()
		a := cluster(t, 1, store, func(cfg *appConfig) { cfg.op.AccessTokenTTL = time.Hour })[0]
		w := &watched{a.browser(), a.op.NewBrowser()}
		w.signInAtBoth("alice")
		w.wantUser(w.browser, "alice")
		return w, store
	}
	t.Run("silently", func(t *testing.T) {
		w, store := begin(t)
		w.silently()
		before := allCookies(w.browser)
		store.broken(down)
		w.op.Advance(storeTrust)
		if resp := w.get("/public"); body(resp) != "hello " || len(resp.Cookies()) > 0 {
			t.Errorf("%d to %s, cookies %v", resp.StatusCode, resp.Header.Get("Location"), setCookies(resp))
		}
		store.broken(nil)
		w.op.Advance(storePause)
		if text := body(w.get("/public")); text != "hello alice" || allCookies(w.browser) != before {
			t.Errorf("when it is back: %q", text)
		}
	})
	t.Run("frame", func(t *testing.T) {
		w, store := begin(t)
		resp := w.get(w.data()["recheck"], inFrame...)
		store.broken(down)
		w.op.Advance(storeTrust)
		back, err := w.atProvider.SignIn(resp.Header.Get("Location"), "")
		if err != nil {
			t.Fatal(err)
		}
		if text := body(w.get(back.RequestURI(), "Sec-Fetch-Dest", "iframe")); !strings.Contains(text, `data-result="unknown"`) {
			t.Errorf("%s; log: %s", text, w.logs)
		}
		store.broken(nil)
		w.op.Advance(storePause)
		w.wantUser(w.browser, "alice")
	})
}

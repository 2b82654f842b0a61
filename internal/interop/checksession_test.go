package interop

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
)

// A watched app is at https://rp.test, and its page /watched has the check-session frame.
// Somebody of their own is signed in there by Keycloak, in a tab.
type watched struct {
	*app
	k    *keycloakServer
	user string
	tab  *tab
}

// startWatched signs in; frame, if not empty, is instead of Keycloak's check_session_iframe.
func startWatched(t *testing.T, open func(*testing.T) *tab, frame string, configure func(*session.Config)) *watched {
	t.Helper()
	k := startKeycloak(t)
	w := &watched{app: listenSecurely(t), k: k, user: k.user(t)}
	w.reg = k.site(t, w.url, nil)
	w.rp = k.client(t, w.reg, nil)
	if frame != "" {
		document, err := w.rp.Metadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		changed := *document
		changed.CheckSessionIframe = frame
		w.rp = k.client(t, w.reg, func(cfg *client.Config) { cfg.Metadata = &changed })
	}
	w.startSessions(t, w.rp, configure)
	w.mux.Handle("/cart", w.auth.Require(http.HandlerFunc(serveCart)))
	w.page("/watched", `<p id="told"></p><script>
new BroadcastChannel('interop').onmessage = e => { told.textContent += e.data };
</script><iframe src="/auth/check-session" hidden></iframe>`)
	w.tab = open(t)
	w.tab.open(w.url + "/cart?add=tea")
	k.signIn(w.tab, w.user, w.url)
	w.tab.awaitText("#cart", "tea")
	return w
}

func asItComes(*session.Config) {}

// serveCart is a page with something of the app's own in the session.
func serveCart(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	if tea := r.URL.Query().Get("add"); tea != "" {
		if err := s.Set("cart", []byte(tea)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	cart, _ := s.Get("cart")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><p id=cart>%s</p><p id=ends>%d</p>", cart, s.Expires().Unix())
}

// theFrame is the check-session page in /watched; the variables of its script are its own.
const theFrame = "document.querySelector('iframe').contentWindow"

// watch opens the page, and waits until Keycloak's frame has said something.
func (w *watched) watch(first string) {
	w.tab.t.Helper()
	w.tab.open(w.url + "/watched")
	w.tab.listen()
	if got := w.tab.ask(); got != first {
		w.tab.t.Fatalf("the provider's frame says %q, want %q", got, first)
	}
}

// listen keeps what the provider's frame says from now on, and has the script ask when the
// test does, and not every five seconds.
func (b *tab) listen() {
	b.t.Helper()
	b.await(theFrame + ".document.readyState === 'complete' && " + theFrame + ".timer && !" + theFrame + ".heard")
	b.do(chromedp.Evaluate[chromedp.Void](`void (w => {
	w.heard = [];
	w.addEventListener('message', e => { if (e.source === w.op.contentWindow) w.heard.push(e.data) });
	clearInterval(w.timer);
})(` + theFrame + `)`))
}

// ask is what the script does every five seconds; it gives the answer.
func (b *tab) ask() string {
	b.t.Helper()
	n := eval[int](b, theFrame+".heard.length")
	b.do(chromedp.Evaluate[chromedp.Void]("void " + theFrame + ".ask()"))
	b.await(fmt.Sprintf("%s.heard.length > %d", theFrame, n))
	return eval[string](b, theFrame+".heard.at(-1)")
}

// signOutAt signs out at Keycloak, by its own page, in a tab beside this one.
func (k *keycloakServer) signOutAt(b *tab) {
	b.t.Helper()
	b.open(k.endpoint(b.t, "end_session_endpoint"))
	b.arrive(k.Issuer, "#kc-logout")
	b.click("#kc-logout")
}

// signInElsewhere signs somebody in at Keycloak by another app, in a tab beside this one.
func (k *keycloakServer) signInElsewhere(b *tab, user string) {
	b.t.Helper()
	site := startFramedSite(b.t)
	rp := k.client(b.t, k.register(b.t, site.URL+"/callback", nil), nil)
	b.open(authorize(b.t, rp, nil).URL())
	k.signIn(b, user, site.URL)
}

// wantSession: nothing has happened to the session.
func (w *watched) wantSession(ends string) {
	w.tab.t.Helper()
	if told := w.tab.read("#told"); told != "" {
		w.tab.t.Errorf("the page is told %q", told)
	}
	w.tab.open(w.url + "/cart")
	if w.tab.url() != w.url+"/cart" || w.tab.read("#cart") != "tea" || w.tab.read("#ends") != ends {
		w.tab.t.Errorf("the session is not what it was, at %s, until %s:\n%s", w.tab.url(), ends, w.tab.text())
	}
}

// wantNone: the session is over, and its page knows.
func (w *watched) wantNone() {
	w.tab.t.Helper()
	w.tab.awaitText("#told", "signed-out")
	for _, c := range w.tab.cookies("rp.test") {
		w.tab.t.Errorf("cookie %s is left", c.Name)
	}
	if got := eval[int](w.tab, "fetch('/cart').then(r => r.status)"); got != http.StatusUnauthorized {
		w.tab.t.Errorf("a script gets %d, want 401", got)
	}
}

// Somebody signs out at Keycloak, and the app's page finds out by itself.
func TestCheckSessionSignedOut(t *testing.T) {
	w := startWatched(t, newPermissiveTab, "", asItComes)
	w.tab.open(w.url + "/watched")
	w.tab.await(theFrame + ".armed") // it has said "unchanged"
	w.k.signOutAt(w.tab.another())
	w.wantNone() // within five seconds
	if n := w.visits.to("/auth/check-session?recheck"); n != 1 {
		t.Errorf("Keycloak was asked %d times, want once", n)
	}
}

// Something changes at Keycloak, and the user is still the same: the session goes on, as it is,
// with the new session there. With another user, below, it is over.
func TestCheckSessionChanged(t *testing.T) {
	for name, configure := range map[string]func(*session.Config){
		"Lax":    asItComes,
		"Strict": func(cfg *session.Config) { cfg.SameSite = http.SameSiteStrictMode },
		"answers by form_post": func(cfg *session.Config) {
			cfg.Authorize = func(*http.Request) (*client.AuthorizeOptions, error) { return formPost, nil }
		},
	} {
		t.Run(name, func(t *testing.T) { checkSessionChanged(t, configure) })
	}
}

func checkSessionChanged(t *testing.T, configure func(*session.Config)) {
	w := startWatched(t, newPermissiveTab, "", configure)
	ends := w.tab.read("#ends")
	w.watch("unchanged")
	before := eval[string](w.tab, theFrame+".d.message")
	elsewhere := w.tab.another()
	w.k.signOutAt(elsewhere)
	w.k.signInElsewhere(elsewhere, w.user)
	w.tab.do(chromedp.Evaluate[chromedp.Void]("void " + theFrame + ".ask()"))
	w.tab.listen() // on the page that comes in its place
	if got := w.tab.ask(); got != "unchanged" {
		t.Errorf("afterwards Keycloak's frame says %q", got)
	}
	if eval[string](w.tab, theFrame+".d.message") == before {
		t.Error("the page watches the session of before")
	}
	if n := w.visits.to("/auth/check-session?recheck"); n != 1 {
		t.Errorf("Keycloak was asked %d times, want once", n)
	}
	w.wantSession(ends)
}

func TestCheckSessionOtherUser(t *testing.T) {
	w := startWatched(t, newPermissiveTab, "", asItComes)
	w.watch("unchanged")
	elsewhere := w.tab.another()
	w.k.signOutAt(elsewhere)
	w.k.signInElsewhere(elsewhere, "alice")
	w.tab.do(chromedp.Evaluate[chromedp.Void]("void " + theFrame + ".ask()"))
	w.wantNone()
}

// Keycloak's frame says "error" when it is asked again before its first answer, and so does
// this one: a slow answer is waited for.
func TestCheckSessionSlowFrame(t *testing.T) {
	site := startFramedSite(t)
	w := startWatched(t, newTab, site.URL+"/slow", asItComes)
	w.tab.open(w.url + "/watched")
	w.tab.listen()
	w.tab.ask()
	w.tab.do(chromedp.Evaluate[chromedp.Void]("void (" + theFrame + ".ask(), " + theFrame + ".ask())"))
	w.tab.await("!" + theFrame + ".waits")
	if got := eval[[]string](w.tab, theFrame+".heard"); slices.Contains(got, "error") || !eval[bool](w.tab, theFrame+".armed") {
		t.Errorf("the frame has said %q", got)
	}
}

// The browser keeps Keycloak's cookies from its frame, which says so: nobody can tell who is
// there, so nobody is asked, and nobody is signed out.
func TestCheckSessionBlocked(t *testing.T) {
	w := startWatched(t, newTab, "", asItComes)
	ends := w.tab.read("#ends")
	w.watch("error")
	signIns := w.k.happened(t, w.reg.ID, "LOGIN")
	for range 3 {
		w.tab.ask()
	}
	w.k.signOutAt(w.tab.another())
	w.tab.ask()
	if checks, asked := w.visits.to("/auth/check-session"), w.visits.to("/auth/callback"); checks != 1 || asked != 1 {
		t.Errorf("the page was loaded %d times, want once; Keycloak answered %d times, want once, at the sign-in", checks, asked)
	}
	if n := w.k.happened(t, w.reg.ID, "LOGIN") - signIns + w.k.happened(t, w.reg.ID, "LOGIN_ERROR"); n != 0 {
		t.Errorf("Keycloak was asked %d times", n)
	}
	w.wantSession(ends)
}

// Frames of other providers say "changed" where they cannot see their cookies, and here all the
// time. The provider, which is at another origin than its frame, is asked once for that, and no
// page goes around in circles.
func TestCheckSessionAlwaysChanged(t *testing.T) {
	for name, c := range map[string]struct {
		open  func(*testing.T) *tab
		loads int    // of the check-session page, without the asking
		query string // of the last one
	}{
		"the provider knows the user": {newPermissiveTab, 2, "?again=1"},
		"the provider sees no cookie": {newTab, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			site := startFramedSite(t)
			w := startWatched(t, c.open, site.URL+"/changed", asItComes)
			ends := w.tab.read("#ends")
			w.tab.open(w.url + "/watched")
			eventually(t, "asked once, and answered", func() (bool, error) {
				return w.visits.to("/auth/callback") == 2 && w.visits.to("/auth/check-session")-1 == c.loads, nil
			})
			w.tab.await(theFrame + ".location.search === '" + c.query + "'")
			w.tab.listen()
			w.tab.await(theFrame + ".heard.length > 10")
			if asked, loads := w.visits.to("/auth/check-session?recheck"), w.visits.to("/auth/check-session")-1; asked != 1 || loads != c.loads {
				t.Errorf("the provider was asked %d times, want once; the page was loaded %d times, want %d", asked, loads, c.loads)
			}
			w.wantSession(ends)
		})
	}
}

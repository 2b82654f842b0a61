package interop

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/postern-go/postern/session"
	"github.com/postern-go/postern/session/redisstore"
)

// A framing provider ends a session in a browser, and shows its clients in frames then.
type framing struct {
	*provider
	// elsewhere gives an app its addresses, on another site than the provider's.
	elsewhere func(t *testing.T) *app
	register  func(t *testing.T, a *app, frame string) registration
	user      func(t *testing.T) string
	signIn    func(b *tab, user, site string)
	// signOut begins at the form of an app, and ends when the provider lets the browser go.
	signOut func(b *tab)
}

// framings are those that have front-channel logout, Hydra and Keycloak.
func framings(t *testing.T) map[string]*framing {
	t.Helper()
	h, k := startHydra(t), startKeycloak(t)
	return map[string]*framing{
		"Hydra": {
			provider:  h.provider,
			elsewhere: listenSecurely,
			register: func(t *testing.T, a *app, frame string) registration {
				return h.register(t, a.url+"/auth/callback", metadata{
					"frontchannel_logout_uri": frame, "frontchannel_logout_session_required": true,
					"post_logout_redirect_uris": []string{a.url + "/auth/logout"},
				})
			},
			user:   func(t *testing.T) string { return strings.NewReplacer("/", ".", " ", "_").Replace(t.Name()) },
			signIn: func(b *tab, user, site string) { b.login(h.provider, user, site) },
			signOut: func(b *tab) {
				b.arrive(h.address()+"/interaction/logout", "#ok")
				b.do(chromedp.Click(chromedp.CSS("#ok")))
			},
		},
		"Keycloak": {
			provider: k.provider,
			// Its policy for frames names hosts without a scheme. Chromium does not take that,
			// on a page over http, for https at the same port.
			elsewhere: listen,
			register: func(t *testing.T, a *app, frame string) registration {
				return k.site(t, a.url, map[string]string{"frontchannel.logout.url": frame, "frontchannel.logout.session.required": "true"})
			},
			user:    k.user,
			signIn:  k.signIn,
			signOut: func(*tab) {},
		},
	}
}

// A framed app is one that its provider shows in a frame when somebody signs out at another.
// Both are clients of one provider, and one person is signed in at both, in one browser.
type framed struct {
	*app         // which is framed
	other   *app // from which the person leaves
	b       *tab
	op      *framing
	user    string
	session identity
}

// startFramed signs in at both apps; listen gives them their addresses.
func startFramed(t *testing.T, p *framing, b *tab, listen func(*testing.T) *app, configure func(*session.Config)) *framed {
	t.Helper()
	f := &framed{app: listen(t), other: listen(t), b: b, op: p, user: p.user(t)}
	f.start(t, p.provider, p.register(t, f.app, f.url+"/auth/frontchannel-logout"), configure)
	f.mux.Handle("/identity", f.auth.Require(http.HandlerFunc(serveIdentity)))
	f.page("/page", `<p id="page">here</p>`)
	f.other.start(t, p.provider, p.register(t, f.other, f.other.url+"/nothing"), func(cfg *session.Config) {
		cfg.Name = "interop-other"
		cfg.PostLogoutRedirectURL = f.other.url + "/auth/logout"
	})
	f.other.page("/leave", `<form method="post" action="/auth/logout"><button id="leave">Sign out</button></form>`)
	b.open(f.url + "/who")
	p.signIn(b, f.user, f.url)
	b.arrive(f.url+"/who", "#who")
	f.session = eval[identity](b, "fetch('/identity').then(r => r.json())")
	b.open(f.other.url + "/who")
	f.arriveOrConsent()
	return f
}

// arriveOrConsent is on the way to the second app: Hydra asks for each of them.
func (f *framed) arriveOrConsent() {
	f.b.t.Helper()
	f.b.await("document.querySelector('#who, input[name=prompt][value=consent]') != null")
	if eval[bool](f.b, "document.querySelector('#who') == null") {
		f.b.do(chromedp.Click(chromedp.CSS("#ok")))
	}
	f.b.arrive(f.other.url+"/who", "#who")
}

// leave signs out of the other app, and with it of the provider.
func (f *framed) leave() {
	f.b.t.Helper()
	nextSecond(f.b.t)
	f.b.open(f.other.url + "/leave")
	f.b.do(chromedp.Click(chromedp.CSS("#leave")))
	f.op.signOut(f.b)
	f.b.arrive(f.other.url+"/auth/logout?state=", "body")
	if n := f.visits.to("/auth/frontchannel-logout"); n != 1 {
		f.b.t.Errorf("framed %d times, want once", n)
	}
	f.b.open(f.url + "/page")
}

// wantLogged: the log has a line with this reason.
func (f *framed) wantLogged(reason string) {
	f.b.t.Helper()
	if !strings.Contains(f.log.String(), "reason="+reason+" ") {
		f.b.t.Errorf("the log does not say %s", reason)
	}
}

// status is what a script of the app gets.
func (f *framed) status() int {
	f.b.t.Helper()
	return eval[int](f.b, "fetch('/who').then(r => r.status)")
}

// eachFraming runs a test with each provider in Chromium, with third-party cookies and without.
func eachFraming(t *testing.T, test func(*testing.T, *framing, *tab)) {
	for name, p := range framings(t) {
		t.Run(name, func(t *testing.T) {
			t.Run("cookies blocked", func(t *testing.T) { test(t, p, newTab(t)) })
			t.Run("cookies allowed", func(t *testing.T) { test(t, p, newPermissiveTab(t)) })
		})
	}
}

// The app is on another site than its provider. Its cookie is Lax, which no
// browser sends into a frame there, and so the session stays.
func TestFrontChannelOfAnotherSite(t *testing.T) {
	eachFraming(t, func(t *testing.T, p *framing, b *tab) {
		f := startFramed(t, p, b, p.elsewhere, nil)
		f.leave()
		f.wantLogged(session.ReasonNoCookie)
		if got := f.status(); got != http.StatusOK {
			t.Errorf("a script gets %d: the session has ended", got)
		}
	})
}

// With FrontChannelWithoutCookie it ends all the same, by the sid; one in another browser,
// which has another sid, does not.
func TestFrontChannelWithoutCookie(t *testing.T) {
	r := startRedis(t)
	for name, p := range framings(t) {
		t.Run(name, func(t *testing.T) {
			b, another := newTab(t), newTab(t)
			f := startFramed(t, p, b, p.elsewhere, func(cfg *session.Config) {
				cfg.Store = &redisstore.Store{Client: r.client(t), Prefix: t.Name()}
				cfg.FrontChannelWithoutCookie = true
			})
			another.open(f.url + "/who")
			p.signIn(another, f.user, f.url)
			another.arrive(f.url+"/who", "#who")

			f.leave()
			f.wantLogged(session.ReasonNoCookie)
			if got := f.status(); got != http.StatusUnauthorized {
				t.Errorf("a script gets %d, want 401: the session goes on", got)
			}
			if got := eval[int](another, "fetch('/who').then(r => r.status)"); got != http.StatusOK {
				t.Errorf("in another browser a script gets %d, want 200", got)
			}
			b.open(f.url + "/who")
			p.signIn(b, f.user, f.url)
			b.arrive(f.url+"/who", "#who") // signed in again, which the logout does not undo
		})
	}
}

// The app is at localhost, as its provider is, at another port: one site, so the cookie comes
// along, and the frame deletes it.
func TestFrontChannelOfTheSameSite(t *testing.T) {
	sameSite := func(t *testing.T) *app {
		a := listen(t)
		a.url = strings.Replace(a.url, "127.0.0.1", "localhost", 1)
		return a
	}
	eachFraming(t, func(t *testing.T, p *framing, b *tab) {
		f := startFramed(t, p, b, sameSite, nil)
		f.leave()
		f.wantLogged(session.ReasonRevoked)
		for _, c := range b.cookies("localhost") {
			if strings.HasPrefix(c.Name, "interop") {
				t.Errorf("cookie %s is left", c.Name)
			}
		}
		if got := f.status(); got != http.StatusUnauthorized {
			t.Errorf("a script gets %d, want 401", got)
		}
	})
}

package interop

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/postern-go/postern/session"
)

// Two apps at https://rp.test are for one provider, which tells both by the back channel.
type neighbours struct{ here, there *app }

// startNeighbours opens both. The first comes back from the provider to its logout route,
// and goes on to /goodbye, or to a page of the second.
func startNeighbours(t *testing.T, p *provider, register func(*app) registration) *neighbours {
	t.Helper()
	n := &neighbours{listenSecurely(t), listenSecurely(t)}
	n.there.start(t, p, register(n.there), func(cfg *session.Config) { cfg.Name = "interop-there" })
	n.here.start(t, p, register(n.here), func(cfg *session.Config) {
		cfg.Name = "interop-here"
		cfg.PostLogoutRedirectURL = n.here.url + "/auth/logout"
		cfg.LogoutReturns = []string{"/goodbye", n.there.url + "/goodbye"}
	})
	const leave = `<form method="post" action="/auth/logout"><input name="return_to"><button id="leave">Sign out</button></form>`
	n.here.page("/leave", leave)
	n.here.page("/goodbye", `<p id="bye">here</p>`)
	n.there.page("/goodbye", `<p id="bye">there</p>`)
	return n
}

// leave signs out of the first app, and wants to go on to an address.
func (n *neighbours) leave(b *tab, returnTo string) {
	b.t.Helper()
	b.open(n.here.url + "/leave")
	b.do(chromedp.SetValue(chromedp.CSS("input"), returnTo), chromedp.Click(chromedp.CSS("#leave")))
}

// wantGone: the tab is at an address, none of the cookies of the first app is left, and the
// provider told the second before it let the browser go.
func (n *neighbours) wantGone(b *tab, address string) {
	b.t.Helper()
	b.arrive(address, "#bye")
	if b.url() != address {
		b.t.Errorf("came to %s, want %s", b.url(), address)
	}
	if told := n.there.visits.to(backChannelPath); told != 1 {
		b.t.Errorf("the other app was told %d times, want once", told)
	}
	if came := n.here.visits.to("/auth/logout?state="); came != 1 {
		b.t.Errorf("the state came back %d times, want once", came)
	}
	for _, c := range b.cookies("rp.test") {
		if strings.Contains(c.Name, "-here") {
			b.t.Errorf("cookie %s is left", c.Name)
		}
	}
	for name, a := range map[string]*app{"here": n.here, "there": n.there} {
		b.open(a.url + "/goodbye")
		if got := eval[int](b, "fetch('/who').then(r => r.status)"); got != http.StatusUnauthorized {
			b.t.Errorf("%s: a script gets %d, want 401", name, got)
		}
	}
}

// A user with two apps signs out of one: of the provider with it, and by the provider of the
// other, while the browser is still at the end_session endpoint.
func TestSignOutInChromium(t *testing.T) {
	p := startSecureProvider(t)
	n := startNeighbours(t, p, func(a *app) registration {
		return p.register(t, a.url+"/auth/callback", metadata{
			"backchannel_logout_uri": a.loopback + backChannelPath, "backchannel_logout_session_required": true,
			"post_logout_redirect_uris": []string{a.url + "/auth/logout"},
		})
	})
	b := newTab(t)
	b.open(n.here.url + "/who")
	b.login(p, "alice", n.here.url)
	b.awaitText("#who", "alice")
	b.open(n.there.url + "/who")
	b.arrive(origin(t, p.Issuer)+"/interaction/", "input[name=prompt][value=consent]")
	b.do(chromedp.Click(chromedp.CSS("#ok")))
	b.arrive(n.there.url+"/who", "#who")

	nextSecond(t)
	n.leave(b, "/goodbye")
	b.arrive(origin(t, p.Issuer)+"/session/end", "#ok")
	b.do(chromedp.Click(chromedp.CSS("#ok")))
	n.wantGone(b, n.here.url+"/goodbye")
	b.open(n.here.url + "/who")
	b.arrive(origin(t, p.Issuer)+"/interaction/", "input[name=password]")
}

// Keycloak asks nobody whether they are sure, where an ID token says who is meant.
func TestKeycloakSignOutInChromium(t *testing.T) {
	k := startKeycloak(t)
	n := startNeighbours(t, k.provider, func(a *app) registration {
		return k.site(t, a.url, map[string]string{
			"backchannel.logout.url": a.loopback + backChannelPath, "backchannel.logout.session.required": "true",
		})
	})
	user := k.user(t)
	b := newTab(t)
	b.open(n.here.url + "/who")
	k.signIn(b, user, n.here.url)
	b.open(n.there.url + "/who")
	b.arrive(n.there.url+"/who", "#who")

	nextSecond(t)
	n.leave(b, n.there.url+"/goodbye")
	n.wantGone(b, n.there.url+"/goodbye")
	if left := k.sessions(t, user); left != 0 {
		t.Errorf("%d sessions are left at Keycloak", left)
	}
	b.open(n.here.url + "/who")
	b.arrive(k.Issuer, "#password")
}

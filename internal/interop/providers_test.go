package interop

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
)

// startWithTwo runs an app at https://rp.test where people sign in at oidc-provider or at
// Keycloak.
func startWithTwo(t *testing.T, p *provider, k *keycloakServer) *app {
	t.Helper()
	a := listenSecurely(t)
	atOP := p.client(t, p.register(t, a.url+"/auth/callback/op", nil), func(cfg *client.Config) { cfg.HTTPClient = p.http })
	atKeycloak := k.client(t, k.site(t, a.url, nil), nil)
	a.startSessions(t, nil, func(cfg *session.Config) {
		cfg.Providers = []session.Provider{{Name: "op", Label: "Partners", Client: atOP}, {Name: "keycloak", Label: "Staff", Client: atKeycloak}}
	})
	a.mux.Handle("/provider", a.auth.Require(http.HandlerFunc(serveProvider)))
	a.mux.Handle("/staff", a.auth.Guard(session.FromProvider("keycloak"))(http.HandlerFunc(serveProvider)))
	return a
}

func serveProvider(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write([]byte("<!doctype html><p id=provider>" + s.Provider() + "</p><p id=issuer>" + html.EscapeString(s.Issuer()) + "</p><p id=who>" + html.EscapeString(s.Subject()) + "</p>"))
}

// choose follows a link of the page on which people choose.
func (b *tab) choose(label string) {
	b.t.Helper()
	b.await("location.pathname === '/auth/login' && document.readyState === 'complete'")
	b.do(chromedp.Evaluate[chromedp.Void]("void setTimeout(() => [...document.links].find(a => a.textContent === '" + label + "').click())"))
}

func (b *tab) wantProvider(name, issuer string) {
	b.t.Helper()
	b.awaitText("#provider", name)
	if got := b.read("#issuer"); got != issuer {
		b.t.Errorf("the session is with %s, want %s", got, issuer)
	}
}

// One app, two providers: people choose, and the session stays where it was made.
func TestTwoProvidersInChromium(t *testing.T) {
	p, k := startSecureProvider(t), startKeycloak(t)
	a, user := startWithTwo(t, p, k), k.user(t)
	staff, partner := newTab(t), newTab(t)

	staff.open(a.url + "/provider" + deepLink)
	partner.open(a.url + "/provider" + deepLink)
	staff.choose("Staff")
	partner.choose("Partners")
	k.signIn(staff, user, a.url)
	partner.login(p, "alice", a.url)
	staff.wantProvider("keycloak", k.Issuer)
	partner.wantProvider("op", p.Issuer)
	for _, b := range []*tab{staff, partner} {
		if got := b.url(); got != a.url+"/provider"+deepLink {
			t.Errorf("came back to %s", got)
		}
	}

	// Who has a session is not asked to choose again.
	for b, c := range map[*tab][2]string{staff: {"keycloak", k.Issuer}, partner: {"op", p.Issuer}} {
		b.open(a.url + "/auth/login?return_to=/provider")
		b.wantProvider(c[0], c[1])
		b.reload()
		b.wantProvider(c[0], c[1])
	}

	// A page for the staff sends others there, and the new session is in the old one's place.
	staff.open(a.url + "/staff")
	staff.wantProvider("keycloak", k.Issuer)
	partner.open(a.url + "/staff" + deepLink)
	k.signIn(partner, user, a.url)
	partner.wantProvider("keycloak", k.Issuer)
	if got := partner.url(); got != a.url+"/staff"+deepLink {
		t.Errorf("came back to %s", got)
	}
	partner.open(a.url + "/provider")
	partner.wantProvider("keycloak", k.Issuer)
}

// Both at once in one browser: the tab that is first makes the session, and the other tab,
// which began without one, replaces it.
func TestTwoProvidersInTwoTabs(t *testing.T) {
	p, k := startSecureProvider(t), startKeycloak(t)
	a := startWithTwo(t, p, k)
	one := newTab(t)
	two := one.another()
	one.open(a.url + "/provider?tab=1")
	two.open(a.url + "/provider?tab=2")
	one.choose("Partners")
	two.choose("Staff")
	one.fillIn(p, "alice")
	k.signIn(two, k.user(t), a.url)
	two.wantProvider("keycloak", k.Issuer)
	one.submit(p, a.url)
	one.wantProvider("op", p.Issuer)
	two.reload()
	two.wantProvider("op", p.Issuer)
	if one.url() != a.url+"/provider?tab=1" || two.url() != a.url+"/provider?tab=2" {
		t.Errorf("came back to %s and %s", one.url(), two.url())
	}
}

// Somebody with two accounts changes to the other one.
func TestSwitchAccountInChromium(t *testing.T) {
	p := startSecureProvider(t)
	a := startSecureApp(t, p, nil, nil)
	b := newTab(t)
	b.open(a.url + "/who")
	b.login(p, "alice", a.url)
	b.awaitText("#who", "alice")
	b.open(a.url + "/auth/switch?return_to=" + url.QueryEscape("/who"+deepLink))
	b.arrive(origin(t, p.Issuer)+"/interaction/", "input[name=prompt][value=select_account]")
	other := b.another()
	other.open(a.url + "/who") // until then it is alice's
	other.awaitText("#who", "alice")
	b.login(p, "bob", a.url)
	b.awaitText("#who", "bob")
	if got := b.url(); got != a.url+"/who"+deepLink {
		t.Errorf("came back to %s", got)
	}
	other.reload()
	other.awaitText("#who", "bob")
}

// The provider's site has a page of apps: a link, and a form, which are for somebody (OpenID
// Connect Core 4).
func TestThirdPartyInitiatedLogin(t *testing.T) {
	p := startSecureProvider(t)
	a := startSecureApp(t, p, nil, nil)
	a.mux.Handle("/auth/initiate", a.auth.InitiateLoginHandler())
	initiate := func(iss, target string) url.Values {
		return url.Values{"iss": {iss}, "login_hint": {"alice"}, "target_link_uri": {target}}
	}
	target := a.url + "/who" + deepLink
	pages := http.NewServeMux()
	pages.HandleFunc("/apps", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		text := "<!doctype html>"
		for id, query := range map[string]url.Values{
			"link": initiate(p.Issuer, target), "elsewhere": initiate(p.Issuer, "https://evil.test/"), "stranger": initiate("https://evil.test", target),
		} {
			text += `<a id="` + id + `" href="` + html.EscapeString(a.url+"/auth/initiate?"+query.Encode()) + `">` + id + `</a> `
		}
		text += `<form method="post" action="` + a.url + `/auth/initiate"><button id="post">post</button>`
		for name, values := range initiate(p.Issuer, target) {
			text += `<input type="hidden" name="` + name + `" value="` + html.EscapeString(values[0]) + `">`
		}
		w.Write([]byte(text + "</form>"))
	})
	srv := httptest.NewTLSServer(pages)
	t.Cleanup(srv.Close)
	apps := strings.Replace(srv.URL, "127.0.0.1", "op.test", 1) + "/apps"

	for _, way := range []string{"#link", "#post"} {
		b := newTab(t)
		b.open(apps)
		b.click(way)
		b.arrive(origin(t, p.Issuer)+"/interaction/", "input[name=password]")
		if got := eval[string](b, "document.querySelector('input[name=login]').value"); got != "alice" {
			t.Errorf("%s: the provider is given the hint %q", way, got)
		}
		b.login(p, "alice", a.url)
		b.arrive(target, "#who")
		if b.url() != target || b.read("#who") != "alice" {
			t.Errorf("%s: ended at %s:\n%s", way, b.url(), b.text())
		}
		for id, status := range map[string]int64{"#elsewhere": http.StatusBadRequest, "#stranger": http.StatusBadRequest} {
			b.open(apps)
			if got := b.click(id).Status; got != status || !strings.Contains(b.text(), session.ReasonInitiationInvalid) {
				t.Errorf("%s: %d:\n%s", id, got, b.text())
			}
		}
		b.open(a.url + "/who")
		b.awaitText("#who", "alice")
	}
}

package interop

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
)

// manyCookies has an app set every kind of cookie there is: alice has a session in two
// chunks, if it is large, and a query with post a sign-in that is answered by a form.
func manyCookies(cfg *session.Config, sameSite http.SameSite, large bool) {
	cfg.SameSite, cfg.CookieBudget = sameSite, 14_000
	cfg.Authorize = func(r *http.Request) (*client.AuthorizeOptions, error) {
		if r.URL.Query().Has("post") {
			return formPost, nil
		}
		return nil, nil
	}
	cfg.OnLogin = func(_ context.Context, s *session.Session) error {
		if !large || s.Subject() != "alice" {
			return nil
		}
		random := make([]byte, 4_000)
		rand.Read(random)
		return s.Set("large", random)
	}
}

// names are those of all cookies of the profile at the app, without what is random in them.
func (b *tab) names(a *app) []string {
	b.t.Helper()
	host := "127.0.0.1"
	if strings.HasPrefix(a.url, "https:") {
		host = "rp.test"
	}
	var all []string
	for _, c := range b.cookies(host) {
		name := c.Name
		for _, kind := range []string{"-login-", "-post-"} {
			if before, _, ok := strings.Cut(name, kind); ok {
				name = before + kind
			}
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// After signing out none of our cookies are left in Chromium, whatever there was.
func TestNoCookieIsLeftInChromium(t *testing.T) {
	secure := startSecureProvider(t)
	for _, scheme := range []string{"https", "http"} {
		for name, sameSite := range map[string]http.SameSite{"Lax": http.SameSiteLaxMode, "Strict": http.SameSiteStrictMode} {
			for _, large := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s large=%t", scheme, name, large), func(t *testing.T) {
					p, start := op, startApp
					if scheme == "https" {
						p, start = secure, startSecureApp
					}
					noCookieIsLeft(t, p, start, func(cfg *session.Config) { manyCookies(cfg, sameSite, large) }, large)
				})
			}
		}
	}
}

type starter = func(*testing.T, *provider, metadata, func(*session.Config)) *app

func noCookieIsLeft(t *testing.T, p *provider, start starter, configure func(*session.Config), large bool) {
	var later atomic.Int64
	a := start(t, p, nil, func(cfg *session.Config) {
		configure(cfg)
		cfg.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	a.mux.Handle("/public", a.auth.Silently(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<!doctype html><p id=public>public</p>"))
	})))
	b := newTab(t)
	b.open(a.url + "/public")
	b.arrive(a.url+"/public", "#public")
	if n := p.asks(t, func() { b.open(a.url + "/who" + deepLink); b.login(p, "alice", a.url) }); n != 1 {
		t.Errorf("%d authorization requests for one sign-in", n)
	}
	b.arrive(a.url+"/who", "#who") // with Strict, by the page that says "Signed in"
	if got := b.url(); got != a.url+"/who"+deepLink {
		t.Errorf("came back to %s", got)
	}
	later.Store(int64(session.DefaultIdle / 5))
	b.reload()
	b.awaitText("#who", "alice")
	for _, query := range []string{"", "?post=1"} {
		attempt := b.another()
		attempt.open(a.url + "/auth/switch" + query)
		attempt.arrive(origin(t, p.Issuer)+"/interaction/", "input[name=password]")
	}

	prefix := "interop"
	if strings.HasPrefix(a.url, "https:") {
		prefix = "__Host-interop"
	}
	want := []string{prefix, prefix + "-login-", prefix + "-post-", prefix + "-seen", prefix + "-silent"}
	if large {
		want = slices.Insert(want, 5, prefix+".1")
	}
	if got := b.names(a); !slices.Equal(got, want) {
		t.Fatalf("before, there is %q, want %q", got, want)
	}
	b.open(a.url + "/auth/logout")
	b.do(chromedp.Click(chromedp.CSS("button")))
	b.arrive(origin(t, p.Issuer), "#ok") // the provider asks, and we have not
	if got := b.names(a); len(got) > 0 {
		t.Errorf("after signing out there is %q", got)
	}
	if got := b.open(a.url + "/auth/logout"); got.Status != http.StatusOK || eval[bool](b, "document.querySelector('form') != null") {
		t.Errorf("signing out once more is offered: %d\n%s", got.Status, b.text())
	}
}

// Where the browser brings no session along with the answer, the large one of the user before
// leaves no chunk behind.
func TestUserSwitchLeavesNoChunk(t *testing.T) {
	p := startSecureProvider(t)
	for name, c := range map[string]struct {
		sameSite network.CookieSameSite
		mode     http.SameSite
		query    string
	}{
		"Strict":    {network.CookieSameSiteStrict, http.SameSiteStrictMode, ""},
		"form_post": {network.CookieSameSiteLax, http.SameSiteLaxMode, "&post=1"},
	} {
		t.Run(name, func(t *testing.T) {
			a := startSecureApp(t, p, nil, func(cfg *session.Config) { manyCookies(cfg, c.mode, true) })
			b := newTab(t)
			b.open(a.url + "/who")
			b.login(p, "alice", a.url)
			b.awaitText("#who", "alice")
			if got := b.names(a); !slices.Equal(got, []string{"__Host-interop", "__Host-interop.1"}) {
				t.Fatalf("before, there is %q", got)
			}
			b.open(a.url + "/auth/switch?return_to=/who" + c.query)
			b.login(p, "bob", a.url)
			b.awaitText("#who", "bob")
			if got := b.names(a); !slices.Equal(got, []string{"__Host-interop"}) {
				t.Errorf("after bob there is %q", got)
			}
			for _, cookie := range b.cookies("rp.test") {
				if cookie.SameSite != c.sameSite {
					t.Errorf("cookie %s: SameSite %q", cookie.Name, cookie.SameSite)
				}
			}
		})
	}
}

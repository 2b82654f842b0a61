package interop

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// stepTimeout bounds one step in the browser; on an idle machine a step takes
// some milliseconds.
const stepTimeout = 45 * time.Second

// A tab is one tab of Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// newTab opens a tab in a fresh profile: no cookies, nothing remembered. Two of them are
// two people, or one with two machines.
func newTab(t *testing.T) *tab {
	t.Helper()
	return openTab(t, chromium.start(t), chromedp.WithNewBrowserContext())
}

// newPermissiveTab is newTab in a browser that lets a frame have the cookies of its site.
func newPermissiveTab(t *testing.T) *tab {
	t.Helper()
	return openTab(t, permissive.start(t), chromedp.WithNewBrowserContext())
}

// another opens a tab beside this one, in the same profile.
func (b *tab) another() *tab {
	b.t.Helper()
	return openTab(b.t, b.ctx)
}

func openTab(t *testing.T, parent context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(parent, options...)
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &tab{t: t, ctx: ctx}
}

// do runs steps that do not leave the page.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v, on %s:\n%s", err, b.url(), b.text())
	}
}

// load runs steps that load another page, and gives the last answer on the way there.
func (b *tab) load(steps ...chromedp.Action[chromedp.Void]) *network.Response {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	resp, err := chromedp.RunResponse(ctx, steps...)
	if err != nil {
		b.t.Fatalf("%v, on %s:\n%s", err, b.url(), b.text())
	}
	return resp
}

// open types an address.
func (b *tab) open(address string) *network.Response {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	resp, err := chromedp.Run(ctx, chromedp.NavigateResponse(address))
	if err != nil {
		b.t.Fatalf("open %s: %v", address, err)
	}
	return resp
}

func (b *tab) reload() *network.Response {
	b.t.Helper()
	return b.load(chromedp.Evaluate[chromedp.Void]("location.reload()"))
}

// click loads another page by a click.
func (b *tab) click(selector string) *network.Response {
	b.t.Helper()
	return b.load(chromedp.Click(chromedp.CSS(selector)))
}

// eval evaluates JavaScript in the page, and waits if it is a promise.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return got
}

// url is where the tab is; empty when it cannot say.
func (b *tab) url() string {
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	location, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href"))
	if err != nil {
		return ""
	}
	return location
}

// text is what the page says, for the message of a failed test.
func (b *tab) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.title + '\\n' + document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return text
}

// arrive waits until the tab is on a page that begins with prefix and shows selector.
func (b *tab) arrive(prefix, selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	script := fmt.Sprintf("location.href.startsWith(%q) && document.readyState == 'complete' && document.querySelector(%q) != null", prefix, selector)
	for {
		// An error is a page that is just being left.
		if there, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script)); err == nil && there {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			b.t.Fatalf("never came to %s with %s, but to %s:\n%s", prefix, selector, b.url(), b.text())
		}
	}
}

// read gives the text of an element.
func (b *tab) read(selector string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("document.querySelector(%q)?.textContent ?? 'no '+%q", selector, selector))
}

// cookies are all cookies of the profile for a host.
func (b *tab) cookies(host string) []*network.Cookie {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	id := chromedp.FromContext(b.ctx).BrowserContextID
	got, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: id})
	if err != nil {
		b.t.Fatal(err)
	}
	var mine []*network.Cookie
	for _, c := range got.Cookies {
		if strings.TrimPrefix(c.Domain, ".") == host {
			mine = append(mine, c)
		}
	}
	return mine
}

// forgetSession takes the cookies of all apps at rp.test away, as time does.
func forgetSession(b *tab) {
	b.t.Helper()
	for _, c := range b.cookies("rp.test") {
		ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
		_, err := chromedp.Call(ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: c.Name, Domain: c.Domain, Path: c.Path})
		cancel()
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// login passes the sign-in and consent pages of op, which must be what the tab shows
// or is about to show; it ends on a page of the relying party at origin.
func (b *tab) login(p *provider, user, origin string) {
	b.t.Helper()
	b.fillIn(p, user)
	b.submit(p, origin)
}

// fillIn types a name and a password into the provider's page, and does not send it.
func (b *tab) fillIn(p *provider, user string) {
	b.t.Helper()
	b.arrive(origin(b.t, p.Issuer)+"/interaction/", "input[name=password]")
	b.do(
		chromedp.SetValue(chromedp.CSS("input[name=login]"), user),
		chromedp.SetValue(chromedp.CSS("input[name=password]"), "pw"),
	)
}

// finish sends the provider's page in a window that closes by itself at the end.
func (b *tab) finish(p *provider) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS("#ok")))
	b.arrive(origin(b.t, p.Issuer)+"/interaction/", "input[name=prompt][value=consent]")
	b.do(chromedp.Click(chromedp.CSS("#ok")))
}

// submit sends the provider's page, consents if asked, and arrives at site.
func (b *tab) submit(p *provider, site string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS("#ok")))
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	script := fmt.Sprintf("document.readyState != 'complete' ? '' : location.href.startsWith(%q) ? 'site' : document.querySelector('input[name=prompt][value=consent]') ? 'consent' : ''", site)
	for {
		where, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
		switch {
		case err == nil && where == "site":
			return
		case err == nil && where == "consent":
			b.load(chromedp.Click(chromedp.CSS("#ok")))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			b.t.Fatalf("never came back to %s, but to %s:\n%s", site, b.url(), b.text())
		}
	}
}

// origin cuts the path off a URL.
func origin(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Scheme + "://" + u.Host
}

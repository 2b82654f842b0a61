package interop

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestSinglePageApp is examples/spa on its own provider and API, used by somebody who writes a
// note, and signs in once more to delete it. The page sees no token, and keeps nothing.
func TestSinglePageApp(t *testing.T) {
	site, err := startExample(t, "spa", "ADDR=127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := newTab(t)
	b.open(site)
	b.await("!document.getElementById('anonymous').hidden")
	b.click("#sign-in")
	b.click("button[name=subject][value=alice]")
	b.arrive(site, "#name")
	b.awaitText("#name", "Alice Ashby")
	b.wantNothingForScripts()

	b.do(chromedp.SendKeys(chromedp.CSS("input[name=text]"), "buy <milk>"), chromedp.Click(chromedp.CSS("#add button")))
	b.awaitText("#notes li", "buy <milk>")
	b.do(chromedp.Click(chromedp.CSS("#clear")))
	b.await("!document.getElementById('step-up').hidden")
	if got := b.read("#notes"); got != "buy <milk>" {
		t.Errorf("a weak sign-in was enough: %q is left", got)
	}
	b.click("#step-up-link")
	if strings.HasPrefix(b.url(), "http://localhost:") {
		b.click("button[name=subject][value=alice]")
	}
	b.arrive(site, "#name")
	b.awaitText("#notes li", "buy <milk>")
	b.do(chromedp.Click(chromedp.CSS("#clear")))
	b.await("document.querySelectorAll('#notes li').length === 0")
	b.wantNothingForScripts()

	b.click("#sign-out button")
	b.arrive(site, "body")
	if got := b.text(); !strings.Contains(got, "You are signed out.") {
		t.Errorf("after signing out:\n%s", got)
	}
	wantNoCookies(t, b)
	b.open(site)
	b.await("!document.getElementById('anonymous').hidden && document.getElementById('member').hidden")
}

// wantNothingForScripts looks wherever a script could keep or find what is secret.
func (b *tab) wantNothingForScripts() {
	b.t.Helper()
	kept := eval[[]string](b, "[document.cookie, ...Object.entries(localStorage).flat(), ...Object.entries(sessionStorage).flat()]")
	if !slices.Equal(kept, []string{""}) {
		b.t.Errorf("scripts have %q", kept)
	}
	if page := eval[string](b, "document.documentElement.outerHTML"); strings.Contains(page, "eyJ") {
		b.t.Errorf("a token is in the page:\n%s", page)
	}
}

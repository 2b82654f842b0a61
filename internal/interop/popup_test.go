package interop

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// A page with something to lose has people sign in in a window of its own, and is told by
// the channel of the app; then the window closes. A provider whose pages want their window for
// themselves cuts the two apart, and nothing is lost by it.
func TestPopupInChromium(t *testing.T) {
	for name, env := range map[string][]string{
		"plain":                      nil,
		"Cross-Origin-Opener-Policy": {"OP_COOP=1"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startSecureProvider(t, env...)
			a := startSecureApp(t, p, nil, nil)
			a.page("/shop", `<button id="open">Sign in</button><textarea id="cart"></textarea><p id="shown"></p>
<script>
document.getElementById('open').onclick = () => open('/auth/popup', '', 'popup,width=500,height=700');
new BroadcastChannel('interop').onmessage = async e => {
	if (e.data !== 'signed-in') return;
	const who = new DOMParser().parseFromString(await (await fetch('/who')).text(), 'text/html');
	shown.textContent = who.querySelector('#who').textContent;
};
</script>`)
			b := newTab(t)
			b.open(a.url + "/shop")
			b.do(chromedp.SetValue(chromedp.CSS("#cart"), "tea"))
			if got := eval[int](b, "fetch('/who').then(r => r.status)"); got != 401 {
				t.Fatalf("before: %d", got)
			}

			window := b.popup("#open")
			window.fillIn(p, "alice")
			if cut := eval[bool](window, "window.opener === null"); cut != (env != nil) {
				t.Errorf("the provider's page is cut off from ours: %v", cut)
			}
			window.finish(p)
			window.awaitClosed()
			b.awaitText("#shown", "alice")
			if got := eval[string](b, "document.getElementById('cart').value"); got != "tea" {
				t.Errorf("the page has lost what it had: %q", got)
			}
			for _, c := range b.cookies("rp.test") {
				if strings.Contains(c.Name, "-login-") {
					t.Errorf("cookie %s outlives the sign-in", c.Name)
				}
			}
		})
	}
}

// What goes wrong is said in the window, which stays.
func TestPopupRefusedInChromium(t *testing.T) {
	p := startSecureProvider(t)
	a := startSecureApp(t, p, nil, nil)
	a.page("/shop", `<button id="open" onclick="open('/auth/popup', '', 'popup')">Sign in</button><p id="told"></p>
<script>new BroadcastChannel('interop').onmessage = e => { told.textContent = e.data }</script>`)
	b := newTab(t)
	b.open(a.url + "/shop")
	window := b.popup("#open")
	window.arrive(origin(t, p.Issuer)+"/interaction/", "#abort")
	window.click("#abort")
	window.arrive(a.url+"/auth/callback", "h1")
	if got := b.read("#told"); got != "" {
		t.Errorf("the page is told %q", got)
	}
	window.open(a.url + "/auth/popup") // once more, in the same window
	window.fillIn(p, "alice")
	window.finish(p)
	b.awaitText("#told", "signed-in")
}

package interop

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
)

// A fragment stays in the browser: the page at the callback sends it on, under its own
// policy, with the Lax cookie of the attempt.
func TestFragmentInChromium(t *testing.T) {
	for _, mode := range []string{"fragment", "fragment.jwt"} {
		t.Run(mode, func(t *testing.T) {
			a := startApp(t, op, nil, func(cfg *session.Config) {
				cfg.Authorize = func(*http.Request) (*client.AuthorizeOptions, error) {
					return &client.AuthorizeOptions{ResponseMode: mode}, nil
				}
			})
			b := newTab(t)
			requests := chromedp.Events(b.ctx, network.RequestWillBeSent)
			b.open(a.url + "/who?way=" + mode)
			b.arrive(origin(t, op.Issuer)+"/interaction/", "input[name=password]")
			for _, c := range b.cookies("127.0.0.1") {
				if c.SameSite != network.CookieSameSiteLax || !c.HTTPOnly {
					t.Errorf("attempt cookie %s: SameSite %q, HttpOnly %v", c.Name, c.SameSite, c.HTTPOnly)
				}
			}
			b.login(op, "alice", a.url)
			b.arrive(a.url+"/who", "#who")
			if got := b.read("#who"); got != "alice" || b.url() != a.url+"/who?way="+mode {
				t.Errorf("%q at %s", got, b.url())
			}
			var methods []string
			for e, err := range requests {
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(e.Request.URL, a.url+"/auth/callback") {
					methods = append(methods, e.Request.Method)
				}
				if len(methods) == 2 {
					break
				}
			}
			if methods[0] != http.MethodGet || methods[1] != http.MethodPost {
				t.Errorf("the callback came by %q, want the page and then the form", methods)
			}
		})
	}
}

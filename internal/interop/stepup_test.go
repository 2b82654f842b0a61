package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/postern-go/postern/session"
)

// asks is what a step of a browser cost the provider: authorization requests.
func (p *provider) asks(t *testing.T, step func()) int {
	t.Helper()
	before := p.requests(t, "/auth")
	step()
	return p.requests(t, "/auth") - before
}

// guard puts a page behind rules: it says who is there, how they signed in, and which
// address was asked for.
func (a *app) guard(path string, rules ...session.Rule) {
	a.mux.Handle(path, a.auth.Guard(rules...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := session.From(r.Context()).IDToken()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><p id=who>%s</p><p id=acr>%s</p><p id=asked>", id.Subject, id.ACR)
		io.WriteString(w, strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(r.RequestURI))
	})))
}

const deepLink = "?next=https%3A%2F%2Fexample.com%2F%3Fa%3Db%26c&x=%2Fa&y=1+2&z=//c&empty=&bare&%61=3;4"

// Who lacks what a page takes goes to the provider once more, and comes back to the same
// address, byte for byte.
func TestStepUpInChromium(t *testing.T) {
	p := startSecureProvider(t)
	a := startSecureApp(t, p, nil, nil)
	a.guard("/vault", session.HasACR("urn:op:2fa"))
	a.guard("/settings", session.AuthenticatedWithin(10*time.Minute))
	b := newTab(t)
	b.open(a.url + "/who")
	b.login(p, "alice", a.url)
	b.awaitText("#who", "alice")

	b.open(a.url + "/vault" + deepLink)
	b.arrive(origin(t, p.Issuer)+"/interaction/", "input[name=password]")
	if got := b.read("#acr"); got != "urn:op:2fa" {
		t.Errorf("the provider is asked for %q", got)
	}
	b.login(p, "alice", a.url)
	b.arrive(a.url+"/vault", "#asked")
	if b.url() != a.url+"/vault"+deepLink || b.read("#asked") != "/vault"+deepLink || b.read("#acr") != "urn:op:2fa" {
		t.Errorf("came back to %s:\n%s", b.url(), b.text())
	}

	if n := p.asks(t, func() { b.open(a.url + "/settings"); b.awaitText("#who", "alice") }); n > 1 {
		t.Errorf("%d detours of somebody who has just authenticated", n)
	}
	p.control(t, "age-sessions", map[string]any{"sub": "alice", "seconds": 3600})
	forgetSession(b)
	b.open(a.url + "/who") // signed in without a question, by an authentication of long ago
	b.awaitText("#who", "alice")
	b.open(a.url + "/settings" + deepLink)
	b.login(p, "alice", a.url)
	b.arrive(a.url+"/settings", "#asked")
	if b.url() != a.url+"/settings"+deepLink || b.read("#asked") != "/settings"+deepLink {
		t.Errorf("came back to %s:\n%s", b.url(), b.text())
	}
	if n := p.asks(t, func() { b.reload(); b.awaitText("#who", "alice") }); n != 0 {
		t.Errorf("%d detours at a reload", n)
	}
}

// A provider that does not do as it is asked is asked once: then the answer is a 403, and the
// session is what it was.
func TestStepUpInVainInChromium(t *testing.T) {
	p := startSecureProvider(t)
	a := startSecureApp(t, p, metadata{"x_ignores_acr": true, "x_ignores_max_age": true, "require_auth_time": true}, nil)
	a.guard("/vault", session.HasACR("urn:op:2fa"))
	a.guard("/settings", session.AuthenticatedWithin(10*time.Minute))
	b := newTab(t)
	b.open(a.url + "/who")
	b.login(p, "carol", a.url)
	b.awaitText("#who", "carol")
	p.control(t, "age-sessions", map[string]any{"sub": "carol", "seconds": 3600})
	forgetSession(b)
	b.open(a.url + "/who")
	b.awaitText("#who", "carol")

	for path, reason := range map[string]string{"/vault": session.ReasonACR, "/settings": session.ReasonMaxAge} {
		var status int64
		n := p.asks(t, func() { status = b.open(a.url + path + deepLink).Status })
		if n != 1 || status != http.StatusForbidden || !strings.Contains(b.text(), reason) {
			t.Errorf("%s: %d after %d authorization requests, want 403 after one:\n%s", path, status, n, b.text())
		}
		if eval[bool](b, "document.querySelector('a, form') != null") {
			t.Errorf("%s: invites to try again:\n%s", path, b.text())
		}
		n = p.asks(t, func() { status = b.open(a.url + "/who").Status })
		if n != 0 || status != http.StatusOK || b.read("#who") != "carol" {
			t.Errorf("%s: the session afterwards: %d, %d requests:\n%s", path, status, n, b.text())
		}
	}
}

// A script is told where its page can go to, and the page comes back to where it says.
func TestStepUpOfAScriptInChromium(t *testing.T) {
	p := startSecureProvider(t)
	a := startSecureApp(t, p, nil, nil)
	a.guard("/vault", session.HasACR("urn:op:2fa"))
	b := newTab(t)
	b.open(a.url + "/who?tab=1")
	b.login(p, "alice", a.url)
	b.awaitText("#who", "alice")
	var problem struct {
		Status int
		Login  string
		Reason string
	}
	n := p.asks(t, func() {
		text := eval[string](b, "fetch('/vault').then(r => r.text())")
		if err := json.Unmarshal([]byte(text), &problem); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	})
	if n != 0 || problem.Status != http.StatusUnauthorized || problem.Reason != session.ReasonACR || problem.Login == "" {
		t.Fatalf("%d authorization requests, %+v", n, problem)
	}
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("void setTimeout(() => { location.href = %q + '&return_to=' + encodeURIComponent('/who?tab=1') })", problem.Login)))
	b.login(p, "alice", a.url)
	b.arrive(a.url+"/who?tab=1", "#who")
	if n := p.asks(t, func() {
		if got := eval[int](b, "fetch('/vault').then(r => r.status)"); got != http.StatusOK {
			t.Errorf("afterwards: %d", got)
		}
	}); n != 0 {
		t.Errorf("%d authorization requests of a script", n)
	}
}

package clienttest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postern-go/postern/client/clienttest"
)

// TestSessionState follows the state of a browser from sign-in to sign-out.
func TestSessionState(t *testing.T) {
	f := newFlow(t, fast())
	b := f.op.NewBrowser()
	first := f.id + " " + f.visit(b, "alice").Get("session_state")
	second := f.id + " " + f.visit(b, "").Get("session_state")
	if first == second || !strings.Contains(first, ".") {
		t.Errorf("the states are %q and %q", first, second)
	}
	expect := func(when, origin, message, want string) {
		t.Helper()
		if got := b.CheckSession(origin, message); got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	expect("signed in", appOrigin, first, "unchanged")
	expect("with another salt", appOrigin, second, "unchanged")
	expect("another site", "https://evil.example", first, "changed")
	expect("another client", appOrigin, "x"+first, "changed")
	expect("no state", appOrigin, f.id, "error")
	expect("no salt", appOrigin, f.id+" abc", "error")
	expect("no client", appOrigin, strings.TrimPrefix(first, f.id), "error")
	f.visit(b, "alice", "prompt", "login")
	expect("signed in again", appOrigin, first, "unchanged")
	f.visit(b, "bob", "prompt", "select_account")
	expect("another account", appOrigin, first, "changed")
	third := f.id + " " + f.visit(b, "").Get("session_state")
	expect("of that account", appOrigin, third, "unchanged")
	f.op.EndSessions("bob")
	expect("signed out", appOrigin, third, "changed")
}

// TestSessionStateOrigins: the origin is what a browser says of a page at the redirect URL.
func TestSessionStateOrigins(t *testing.T) {
	for redirect, origin := range map[string]string{
		"https://APP.example.com:443/cb": "https://app.example.com",
		"http://localhost:8080/cb":       "http://localhost:8080",
		"http://localhost:80/cb":         "http://localhost",
		"com.example.app:/cb":            "",
		"com.example.app://host/cb":      "",
	} {
		f := newFlow(t, &clienttest.Options{Clients: []clienttest.Client{{ID: "web", Secret: "s", RedirectURLs: []string{redirect}}}})
		b := f.op.NewBrowser()
		state := f.visit(b, "alice", "redirect_uri", redirect).Get("session_state")
		if origin == "" && state != "" {
			t.Errorf("%s has the state %q", redirect, state)
		}
		if got := b.CheckSession(origin, "web "+state); origin != "" && got != "unchanged" {
			t.Errorf("%s: %s", redirect, got)
		}
	}
}

// TestCheckSessionPage: any site may frame it, and it has its cookie.
func TestCheckSessionPage(t *testing.T) {
	for _, listen := range []bool{false, true} {
		f := newFlow(t, fast())
		transport := f.http.Transport
		if listen {
			f = listening(t)
			transport = http.DefaultTransport
		}
		b := newBrowser(f, transport)
		_, page := b.open(f.authorizationURL())
		response, _ := b.submit(page, "subject", "alice")
		cookies := response.Cookies()
		if len(cookies) != 2 || !cookies[0].HttpOnly || cookies[1].HttpOnly {
			t.Fatalf("the cookies are %v", cookies)
		}
		for _, cookie := range cookies {
			if cookie.Secure == listen || (cookie.SameSite == http.SameSiteNoneMode) == listen {
				t.Errorf("the cookie is %v", cookie)
			}
		}
		response, page = b.open(f.endpoint("check_session_iframe"))
		if !strings.Contains(page, `"`+cookies[1].Name+`" + "="`) || len(response.Cookies()) != 0 {
			t.Errorf("the page reads another cookie, or sets one: %v", response.Cookies())
		}
		policy := response.Header.Get("Content-Security-Policy")
		if response.StatusCode != 200 || strings.Contains(policy, "frame-ancestors") || response.Header.Get("X-Frame-Options") != "" {
			t.Errorf("got %s, the policy is %s", response.Status, policy)
		}
		f.op.EndSessions("alice")
		response, _ = b.open(f.endpoint("check_session_iframe"))
		if gone := response.Cookies(); len(gone) != 2 || gone[1].Name != cookies[1].Name || gone[1].MaxAge >= 0 {
			t.Errorf("after the session the cookies are %v", gone)
		}
	}
}

func sessionStateFaults() map[clienttest.Fault]check {
	state := func(f *flow) (*clienttest.Browser, string) {
		b := f.op.NewBrowser()
		return b, f.visit(b, "alice").Get("session_state")
	}
	return map[clienttest.Fault]check{
		clienttest.WrongSessionState: func(t *testing.T, f *flow) {
			if b, state := state(f); b.CheckSession(appOrigin, f.id+" "+state) != "changed" {
				t.Errorf("the state is %q", state)
			}
		},
		clienttest.MissingSessionState: func(t *testing.T, f *flow) {
			if _, state := state(f); state != "" || f.metadata()["check_session_iframe"] == nil {
				t.Errorf("the state is %q", state)
			}
		},
		clienttest.NoCheckSession: func(t *testing.T, f *flow) {
			if _, state := state(f); state != "" || f.metadata()["check_session_iframe"] != nil {
				t.Errorf("the state is %q", state)
			}
			response := f.get(f.op.Issuer() + "/check-session")
			if text := body(t, response); response.StatusCode != 404 {
				t.Errorf("the page answers %s %s", response.Status, text)
			}
		},
	}
}

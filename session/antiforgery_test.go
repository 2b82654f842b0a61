package session

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

var withHeader = []string{"X-Csrf", "1"}

// call is what a script of the app's own page sends.
func (b *browser) call(method, target string, headers ...string) *http.Response {
	b.t.Helper()
	all := append(append(append([]string{}, fetchHeaders...), withHeader...), headers...)
	return b.send(b.request(method, target, all...))
}

// One table for who may call what a cookie signs people in to.
func TestProtect(t *testing.T) {
	const other = "https://evil.example"
	tests := map[string]struct {
		headers []string // over those of a script of ours
		want    string   // a reason; empty: it passes
	}{
		"script of ours":                     {nil, ""},
		"without Sec-Fetch-Site":             {[]string{"Sec-Fetch-Site", ""}, ""},
		"old browser, own origin":            {[]string{"Sec-Fetch-Site", "", "Origin", appURL}, ""},
		"program with the user's cookie":     {[]string{"Sec-Fetch-Site", "", "Sec-Fetch-Mode", "", "Sec-Fetch-Dest", ""}, ""},
		"without the header":                 {[]string{"X-Csrf", ""}, ReasonHeaderMissing},
		"another value":                      {[]string{"X-Csrf", "0"}, ReasonHeaderMissing},
		"a list":                             {[]string{"X-Csrf", "1, 1"}, ReasonHeaderMissing},
		"another name":                       {[]string{"X-Csrf", "", "X_csrf", "1"}, ReasonHeaderMissing},
		"form of ours":                       {[]string{"X-Csrf", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Origin", appURL}, ReasonHeaderMissing},
		"typed address":                      {[]string{"X-Csrf", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none"}, ReasonHeaderMissing},
		"another site":                       {[]string{"Sec-Fetch-Site", "cross-site", "Origin", other}, ReasonCrossOrigin},
		"another site, GET without Origin":   {[]string{"Sec-Fetch-Site", "cross-site"}, ReasonCrossOrigin},
		"another host of this site":          {[]string{"Sec-Fetch-Site", "same-site", "Origin", "https://shop.example.com"}, ReasonCrossOrigin},
		"script tag on another site":         {[]string{"X-Csrf", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, ReasonCrossOrigin},
		"link on another site":               {[]string{"X-Csrf", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, ReasonCrossOrigin},
		"old browser, another site":          {[]string{"Sec-Fetch-Site", "", "Origin", other}, ReasonCrossOrigin},
		"old browser, another port":          {[]string{"Sec-Fetch-Site", "", "Origin", appURL + ":8443"}, ReasonCrossOrigin},
		"old browser, a file":                {[]string{"Sec-Fetch-Site", "", "Origin", "null"}, ReasonCrossOrigin},
		"old browser, script tag, no header": {[]string{"Sec-Fetch-Site", "", "X-Csrf", ""}, ReasonHeaderMissing},
	}
	a := newApp(t)
	a.mux.Handle("/api/", a.m.Protect(a.m.Require(http.HandlerFunc(a.page))))
	b := a.browser()
	b.mustSignIn("alice")
	for name, tt := range tests {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
			resp := b.call(method, "/api/x", tt.headers...)
			if resp.Header.Get("Access-Control-Allow-Origin") != "" || resp.Header.Get("Access-Control-Allow-Headers") != "" {
				t.Errorf("%s %s: CORS headers %v", method, name, resp.Header)
			}
			if tt.want == "" {
				if resp.StatusCode != http.StatusOK {
					t.Errorf("%s %s: %d; %s", method, name, resp.StatusCode, a.logs)
				}
				continue
			}
			if text := body(resp); resp.StatusCode != http.StatusForbidden || !strings.Contains(text, tt.want) || strings.Contains(text, "alice") {
				t.Errorf("%s %s: %d, %s, want 403 with %s", method, name, resp.StatusCode, text, tt.want)
			}
			if resp.Header.Get("Cache-Control") != "no-store" || resp.Header["Set-Cookie"] != nil {
				t.Errorf("%s %s: header %v", method, name, resp.Header)
			}
		}
	}
}

// What a browser asks before a script of another origin may send the header.
func TestPreflight(t *testing.T) {
	a := newApp(t)
	a.mux.Handle("/api/", a.m.Protect(a.m.Require(http.HandlerFunc(a.page))))
	b := a.browser()
	b.mustSignIn("alice")
	resp := b.get("/api/x", append(fetchHeaders, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example",
		"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "x-csrf")...)
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("%d", resp.StatusCode)
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: %s", name, resp.Header.Get(name))
		}
	}
}

// Two lines are no "1": a proxy in front may have added one.
func TestProtectTwoHeaders(t *testing.T) {
	a := newApp(t)
	a.mux.Handle("/api/", a.m.Protect(http.HandlerFunc(a.page)))
	b := a.browser()
	r := b.request("GET", "/api/x", append(fetchHeaders, withHeader...)...)
	r.Header.Add("X-Csrf", "1")
	if resp := b.send(r); resp.StatusCode != http.StatusForbidden || problemReason(t, resp) != ReasonHeaderMissing {
		t.Errorf("%d", resp.StatusCode)
	}
}

// The log names the header as its documentation does, or as the app has written it.
func TestProtectNamesTheHeader(t *testing.T) {
	for given, want := range map[string]string{"": "X-CSRF", "x-mine": "x-mine"} {
		a := newApp(t, func(cfg *appConfig) { cfg.session.AntiForgeryHeader = given })
		a.mux.Handle("/api/", a.m.Protect(http.HandlerFunc(a.page)))
		a.browser().get("/api/x", fetchHeaders...)
		if !strings.Contains(a.logs.String(), "the header "+want+": 1 is missing") {
			t.Errorf("the log: %s", a.logs)
		}
	}
}

func TestProtectOwnHeader(t *testing.T) {
	a := newApp(t, func(cfg *appConfig) { cfg.session.AntiForgeryHeader = "x-mine" })
	a.mux.Handle("/api/", a.m.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "passed") })))
	b := a.browser()
	if resp := b.get("/api/x", append(fetchHeaders, "X-Mine", "1")...); body(resp) != "passed" {
		t.Errorf("%d", resp.StatusCode)
	}
	if resp := b.call("GET", "/api/x"); problemReason(t, resp) != ReasonHeaderMissing {
		t.Errorf("the default header: %d", resp.StatusCode)
	}
}

func TestAntiForgeryHeaderNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"X-CSRF": true, "x-app-1": true, "X-Requested-With": true,
		"Accept": false, "Content-Type": false, "X-": false, "X": false, "X-a b": false, "X_CSRF": false, "X-a:": false, "X-\r\nY": false,
		"X-Forwarded-For": false, "X-HTTP-Method-Override": false, "X-Real-IP": false,
	} {
		err := checkAntiForgeryHeader(name)
		if (err == nil) != ok || err != nil && !strings.HasPrefix(err.Error(), "AntiForgeryHeader: ") {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := (Config{AntiForgeryHeader: name, Prefix: "/auth"}).withDefaults(nil); (err == nil) != ok {
			t.Errorf("%q in Config: %v", name, err)
		}
	}
}

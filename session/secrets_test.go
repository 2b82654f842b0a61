package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/postern-go/postern/client/clienttest"
)

// A canary is a secret and what it is.
type canary struct{ name, value string }

// canariesOf collects every secret that has come by: of the provider's record, of
// all cookies, and of what is configured.
func canariesOf(a *app, jars ...*strictJar) []canary {
	all := []canary{{"cookie secret", testSecret(1)}}
	for _, r := range a.op.Requests() {
		for name, values := range r.Form {
			for _, v := range values {
				switch name {
				case "code", "code_verifier", "refresh_token", "state", "nonce", "token", "id_token_hint", "client_secret":
					all = append(all, canary{name, v})
				}
			}
		}
		if basic, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Basic "); ok {
			all = append(all, canary{"client secret", basic})
		}
	}
	for _, jar := range jars {
		for _, c := range jar.cookies {
			all = append(all, canary{c.name, c.value})
		}
	}
	return all
}

func wantNone(t *testing.T, where, text string, canaries []canary) {
	t.Helper()
	for _, c := range canaries {
		if len(c.value) >= 8 && strings.Contains(text, c.value) {
			t.Errorf("%s has the %s", where, c.name)
		}
	}
}

// V-42: the whole road, with whatever goes wrong on it, and a log at its most
// talkative.
func TestV42NoSecretsAnywhere(t *testing.T) {
	var failures []error
	var (
		mu   sync.Mutex
		told []any // of events and operations, some of them by refreshes in the background
	)
	tell := func(what ...any) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, what...)
	}
	a := newApp(t, func(cfg *appConfig) {
		cfg.session.OnEvent = func(_ context.Context, e Event) { tell(e, e.Err) }
		cfg.session.Observe = func(ctx context.Context, operation string) (context.Context, func(error)) {
			return ctx, func(err error) { tell(operation, err) }
		}
		cfg.session.PostLogoutRedirectURL = appURL + "/"
		cfg.session.OnError = func(w http.ResponseWriter, _ *http.Request, e *Error) {
			failures = append(failures, e)
			w.WriteHeader(e.Status)
		}
	})
	var out bytes.Buffer
	var secrets []canary
	show := func(v any) {
		text, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(&out, "%v %+v %#v %s %d %x %s\n", v, v, v, v, v, v, text)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("", "v", v, "in", struct{ V any }{v})
		slog.New(slog.NewTextHandler(&out, nil)).Info("", "v", v)
	}
	a.open = func(r *http.Request, s *Session) {
		token, err := s.Token(r.Context())
		if err == nil {
			secrets = append(secrets, canary{"access token", token.AccessToken}, canary{"ID token", s.IDToken().Raw()})
		}
		if err := s.Set("x", []byte("value of the app")); err != nil {
			t.Error(err)
		}
		for _, v := range []any{s, *s.presented, s.IDToken(), s.TokenSource(), s.HTTPClient().Transport, a.m} {
			show(v)
		}
	}
	b := a.browser()
	jars := []*strictJar{b.jar}
	for _, fault := range clienttest.Faults() {
		if strings.HasSuffix(string(fault), "-slow") {
			continue
		}
		c := a.browser()
		jars = append(jars, c.jar)
		a.op.SetFaults(fault)
		resp := c.get("/page")
		if location := resp.Header.Get("Location"); location != "" {
			if callback, err := a.op.SignIn(location, "alice"); err == nil {
				c.get(callback.RequestURI(), fromProvider...)
				c.get(callback.RequestURI(), fromProvider...)
			}
		}
		a.op.SetFaults()
		c.get("/")
		a.op.SetFaults(fault)
		a.expireToken()
		c.get("/")
		secrets = append(secrets, canariesOf(a, jars...)...) // what is in the jar now
		c.post("/auth/logout")
	}
	a.op.SetFaults()
	b.mustSignIn("alice")
	secrets = append(secrets, canariesOf(a, jars...)...)
	broken := b.request("GET", "/")
	broken.Header.Set("Cookie", "__Host-postern="+b.cookie("")[:200])
	b.lost(broken)
	secrets = append(secrets, canary{"part of a cookie", b.cookie("")[20:60]})

	if len(failures) < 40 || len(secrets) < 500 || len(a.logs.String()) < 10_000 {
		t.Fatalf("too little happened: %d failures, %d secrets, %d bytes of log", len(failures), len(secrets), len(a.logs.String()))
	}
	wantNone(t, "the log", a.logs.String(), secrets)
	mu.Lock()
	defer mu.Unlock()
	if len(told) < 400 {
		t.Fatalf("%d things told of events and operations", len(told))
	}
	for _, one := range told {
		fmt.Fprintf(&out, "%+v\n", one)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("", "v", one)
	}
	for _, err := range failures {
		for e := err; e != nil; e = errors.Unwrap(e) {
			show(e)
		}
	}
	wantNone(t, "what was printed", out.String(), secrets)
}

func TestConfigRedacts(t *testing.T) {
	cfg := Config{Secrets: []string{testSecret(7)}}
	var out bytes.Buffer
	text, err := json.Marshal(struct{ C Config }{cfg})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "%v %+v %#v %s %d %x %s", cfg, &cfg, cfg, cfg, cfg, cfg, text)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("", "v", cfg, "in", struct{ C Config }{cfg})
	wantNone(t, "what was printed", out.String(), []canary{{"secret", testSecret(7)}, {"secret in hex", fmt.Sprintf("%x", testSecret(7))}})
}

// The code is in the address of the callback, and in nothing that goes on from there.
func TestV43CodeStaysHere(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	callback := b.callbackOf(b.begin("/"), "alice")
	code := parseURL(t, callback).Query().Get("code")
	resp := b.get(callback, fromProvider...)
	dump := fmt.Sprint(resp.Header) + body(resp)
	if strings.Contains(dump, url.QueryEscape(code)) || resp.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%s", dump)
	}
	// No route gives out tokens.
	for _, path := range []string{"/auth/login", "/auth/callback", "/auth/logout"} {
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, b.request("GET", path))
		if text := w.Body.String() + fmt.Sprint(w.Header()["Location"]); strings.Contains(text, "eyJ") {
			t.Errorf("%s: %s", path, text)
		}
	}
}

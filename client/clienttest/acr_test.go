package clienttest_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

// TestStepUp goes from a user's own acr to a stronger one in one browser: the sid stays.
func TestStepUp(t *testing.T) {
	f := newFlow(t, &clienttest.Options{Algorithm: "ES256", ACRValues: []string{"basic", "strong"}, Users: []clienttest.User{
		{Subject: "alice", Claims: map[string]any{"acr": "basic", "amr": []string{"sms"}}},
	}})
	b := f.op.NewBrowser()
	claims := func(q url.Values) map[string]any {
		t.Helper()
		_, claims := parts(t, f.exchange(q.Get("code")).IDToken)
		return claims
	}
	before := claims(f.visit(b, "alice"))
	if before["acr"] != "basic" || fmt.Sprint(before["amr"]) != "[sms]" {
		t.Fatalf("the claims are %v", before)
	}
	f.op.Advance(time.Minute)
	strong := []string{"acr_values", "strong"}
	if q := f.visit(b, "", append(strong, "prompt", "none")...); q.Get("error") != "login_required" {
		t.Errorf("silently: %q", q)
	}
	if q := f.visit(b, "", strong...); q.Get("error") != "access_denied" {
		t.Errorf("the user refuses: %q", q)
	}
	after := claims(f.visit(b, "alice", strong...))
	if after["acr"] != "strong" || fmt.Sprint(after["amr"]) != "[pwd otp mfa]" || after["sid"] != before["sid"] ||
		until(f, after, "auth_time") < -time.Second {
		t.Errorf("the claims are %v", after)
	}
	if again := claims(f.visit(b, "", append(strong, "prompt", "none")...)); again["acr"] != "strong" {
		t.Errorf("silently afterwards: %v", again)
	}
	if m := f.metadata(); fmt.Sprint(m["acr_values_supported"]) != "[basic strong]" {
		t.Errorf("the metadata has %v", m["acr_values_supported"])
	}
}

// TestACRValues asks for what there is, and for what there is not.
func TestACRValues(t *testing.T) {
	for name, c := range map[string]struct {
		set  []string
		acr  any
		code string
	}{
		"the second of two":    {[]string{"acr_values", "gold strong"}, "strong", ""},
		"not there":            {[]string{"acr_values", "gold"}, "1", ""},
		"by claims":            {[]string{"claims", `{"id_token":{"acr":{"values":["strong"]}}}`}, "strong", ""},
		"by a claim":           {[]string{"claims", `{"id_token":{"acr":{"essential":true,"value":"strong"}}}`}, "strong", ""},
		"claims not there":     {[]string{"claims", `{"id_token":{"acr":{"value":"gold"}}}`}, "1", ""},
		"other claims":         {[]string{"claims", `{"id_token":{"acr":null,"email":null},"userinfo":{}}`}, "1", ""},
		"essential, not there": {[]string{"claims", `{"id_token":{"acr":{"essential":true,"value":"gold"}}}`}, nil, "unmet_authentication_requirements"},
		"no claims":            {[]string{"claims", `[]`}, nil, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlow(t, &clienttest.Options{Algorithm: "ES256", ACRValues: []string{"1", "strong"}})
			q := f.signIn(c.set...)
			if q.Get("error") != c.code {
				t.Fatalf("got %q", q)
			}
			if c.code != "" {
				return
			}
			if _, claims := parts(t, f.exchange(q.Get("code")).IDToken); claims["acr"] != c.acr {
				t.Errorf("acr is %v", claims["acr"])
			}
		})
	}
}

// TestSwitchAccount: the page is shown to who is signed in, and who chooses themselves has
// not signed in again.
func TestSwitchAccount(t *testing.T) {
	f := newFlow(t, fast())
	b := newBrowser(f, f.http.Transport)
	claims := func(set ...string) map[string]any {
		t.Helper()
		response, page := b.open(f.authorizationURL(set[1:]...))
		if callback(response) == nil {
			response, _ = b.submit(page, "subject", set[0])
		}
		_, claims := parts(t, f.exchange(callback(response).Get("code")).IDToken)
		return claims
	}
	first := claims("alice")
	f.op.Advance(time.Minute)
	if _, page := b.open(f.authorizationURL("prompt", "select_account")); !strings.Contains(page, "<h1>Choose an account</h1>") {
		t.Error("there is no choice")
	}
	same := claims("alice", "prompt", "select_account")
	if same["sid"] != first["sid"] || same["auth_time"] != first["auth_time"] {
		t.Errorf("chosen again: %v, before: %v", same, first)
	}
	if old := claims("alice", "prompt", "select_account", "max_age", "30"); old["auth_time"] == first["auth_time"] {
		t.Errorf("chosen again, and too old: %v", old)
	}
	if other := claims("bob", "prompt", "select_account"); other["sub"] != "bob" || other["sid"] == first["sid"] {
		t.Errorf("switched: %v", other)
	}
	if silent := claims("", "prompt", "none"); silent["sub"] != "bob" {
		t.Errorf("after the switch: %v", silent)
	}
	if _, page := b.open(f.authorizationURL("prompt", "login")); !strings.Contains(page, "<h1>Sign in again</h1>") {
		t.Error("prompt=login does not ask")
	}
}

// TestHint: an answer is of the user whose ID token the request had, or an error.
func TestHint(t *testing.T) {
	f := newFlow(t, fast())
	b, _, tokens := f.in("alice")
	hint := []string{"id_token_hint", tokens.IDToken}
	if q := f.visit(b, "", append(hint, "prompt", "none")...); q.Get("code") == "" {
		t.Errorf("the same user: %q", q)
	}
	bob, _, _ := f.in("bob")
	if q := f.visit(bob, "", append(hint, "prompt", "none")...); q.Get("error") != "login_required" {
		t.Errorf("another user: %q", q)
	}
	if q := f.visit(bob, "bob", append(hint, "prompt", "login")...); q.Get("error") != "login_required" || q.Has("code") {
		t.Errorf("another user signs in: %q", q)
	}
	if q := f.visit(bob, "alice", append(hint, "prompt", "login")...); q.Get("code") == "" {
		t.Errorf("the user signs in: %q", q)
	}
	if q := f.visit(b, "", "id_token_hint", "forged"); q.Get("error") != "invalid_request" || !strings.Contains(q.Get("error_description"), "not issued here") {
		t.Errorf("forged: %q", q)
	}
}

func stepUpFaults() map[clienttest.Fault]check {
	ignores := func(ok func(f *flow, claims map[string]any) bool, set ...string) check {
		return func(t *testing.T, f *flow) {
			b, _, _ := f.in("alice")
			f.op.Advance(time.Hour)
			q := f.visit(b, "", set...) // asked, the user would refuse
			if q.Get("code") == "" {
				t.Fatalf("got %q", q)
			}
			if _, claims := parts(t, f.exchange(q.Get("code")).IDToken); !ok(f, claims) {
				t.Errorf("the claims are %v", claims)
			}
		}
	}
	old := func(f *flow, claims map[string]any) bool { return until(f, claims, "auth_time") < -59*time.Minute }
	return map[clienttest.Fault]check{
		clienttest.ACRIgnored: func(t *testing.T, f *flow) {
			usual := func(_ *flow, claims map[string]any) bool { return claims["acr"] == "1" }
			ignores(usual, "acr_values", "2")(t, f)
			ignores(usual, "claims", `{"id_token":{"acr":{"essential":true,"value":"2"}}}`)(t, f)
		},
		clienttest.MaxAgeIgnored: func(t *testing.T, f *flow) {
			ignores(old, "max_age", "0")(t, f)
			ignores(old, "prompt", "login")(t, f)
		},
	}
}

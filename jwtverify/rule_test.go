package jwtverify_test

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

func TestHasScope(t *testing.T) {
	for _, tc := range []struct {
		scope []string // of the token
		rule  jwtverify.Rule
		want  string // reason; empty: let in
	}{
		{[]string{"read", "write"}, jwtverify.HasScope("write"), ""},
		{[]string{"read", "write"}, jwtverify.HasScope("write", "read"), ""},
		{[]string{"read"}, jwtverify.HasScope("read", "admin"), `lacks the scope "admin"`},
		{[]string{"Read"}, jwtverify.HasScope("read", "admin"), `lacks the scope "read"`},
		{[]string{"read admin"}, jwtverify.HasScope("read", "admin"), `lacks the scope "read"`},
		{[]string{"reader", "rea"}, jwtverify.HasScope("read", "admin"), `lacks the scope "read"`},
		{nil, jwtverify.HasScope("read", "admin"), `lacks the scope "read"`},
	} {
		a := newAPI(t, &jwtverify.Bearer{Tokens: verdict{token: &jwtverify.AccessToken{Scope: tc.scope}}})
		resp := a.send(a.Guard(tc.rule), get("Bearer good"))
		if tc.want == "" {
			if a.token == nil {
				t.Errorf("%q: %v", tc.scope, a.refused)
			}
			continue
		}
		a.wantRefused(resp, 403, "insufficient_scope", tc.want, `Bearer scope="read admin", error="insufficient_scope", error_description="the access token lacks a scope"`)
	}
}

// TestStepUp: RFC 9470 3; what a token does not say counts against it.
func TestStepUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const level, recent = "a different authentication level is required", "more recent authentication is required"
		ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
		both := []jwtverify.Rule{jwtverify.AuthenticatedWithin(5 * time.Minute), jwtverify.HasACR("mfa", "phr")}
		for _, tc := range []struct {
			name  string
			token jwtverify.AccessToken
			rules []jwtverify.Rule
			text  string // empty: let in
			asks  string
		}{
			{"the acr", jwtverify.AccessToken{ACR: "phr"}, both[1:], "", ""},
			{"another acr", jwtverify.AccessToken{ACR: "pwd"}, both[1:], level, `acr_values="mfa phr"`},
			{"both in one", jwtverify.AccessToken{ACR: "mfa phr"}, both[1:], level, `acr_values="mfa phr"`},
			{"no acr", jwtverify.AccessToken{}, both[1:], level, `acr_values="mfa phr"`},
			{"just now", jwtverify.AccessToken{AuthTime: ago(0)}, both[:1], "", ""},
			{"by a clock ahead", jwtverify.AccessToken{AuthTime: ago(-time.Minute)}, both[:1], "", ""},
			{"in time", jwtverify.AccessToken{AuthTime: ago(6 * time.Minute)}, both[:1], "", ""},
			{"too long ago", jwtverify.AccessToken{AuthTime: ago(6*time.Minute + 1)}, both[:1], recent, `max_age="300"`},
			{"to come", jwtverify.AccessToken{AuthTime: ago(-time.Minute - 1)}, both[:1], recent, `max_age="300"`},
			{"no auth_time", jwtverify.AccessToken{}, both[:1], recent, `max_age="300"`},
			{"at once", jwtverify.AccessToken{AuthTime: ago(time.Hour)}, []jwtverify.Rule{jwtverify.AuthenticatedWithin(0)}, recent, `max_age="0"`},
			{"parts of a second", jwtverify.AccessToken{AuthTime: ago(time.Hour)}, []jwtverify.Rule{jwtverify.AuthenticatedWithin(1999 * time.Millisecond)}, recent, `max_age="1"`},
			{"whenever", jwtverify.AccessToken{AuthTime: ago(time.Hour)}, []jwtverify.Rule{jwtverify.AuthenticatedWithin(math.MaxInt64)}, "", ""},
			{"both", jwtverify.AccessToken{ACR: "mfa", AuthTime: ago(0)}, both, "", ""},
			{"neither", jwtverify.AccessToken{}, both, "a different authentication level and more recent authentication are required", `acr_values="mfa phr", max_age="300"`},
			{"the acr alone", jwtverify.AccessToken{ACR: "mfa"}, both, recent, `max_age="300"`},
			{"two lists", jwtverify.AccessToken{ACR: "mfa"}, []jwtverify.Rule{jwtverify.HasACR("a"), jwtverify.HasACR("b")}, level, `acr_values="a"`},
		} {
			a := newAPI(t, &jwtverify.Bearer{Tokens: verdict{token: &tc.token}})
			resp := a.send(a.Guard(tc.rules...), get("Bearer good"))
			if tc.text != "" {
				a.wantRefused(resp, 401, "insufficient_user_authentication", tc.text,
					`Bearer error="insufficient_user_authentication", error_description="`+tc.text+`", `+tc.asks)
			} else if a.token == nil {
				t.Errorf("%s: %v", tc.name, a.refused)
			}
		}
	})
}

func TestHasClaim(t *testing.T) {
	const payload = `{"role":"admin","roles":["user","admin"],"realm_access":{"roles":["admin"],"n":1},
		"https://app.example.com/roles":["admin"],"mixed":["admin",1],"number":1,"yes":true,"none":null,"list":"user admin"}`
	for _, tc := range []struct {
		path  []string
		value string
		in    bool
	}{
		{[]string{"role"}, "admin", true},
		{[]string{"roles"}, "admin", true},
		{[]string{"realm_access", "roles"}, "admin", true},
		{[]string{"https://app.example.com/roles"}, "admin", true},
		{[]string{"role"}, "Admin", false},
		{[]string{"Role"}, "admin", false},
		{[]string{"roles"}, "adm", false},
		{[]string{"list"}, "admin", false},
		{[]string{"mixed"}, "admin", false},
		{[]string{"number"}, "1", false},
		{[]string{"yes"}, "true", false},
		{[]string{"none"}, "null", false},
		{[]string{"absent"}, "admin", false},
		{[]string{"realm_access"}, "admin", false},
		{[]string{"realm_access.roles"}, "admin", false},
		{[]string{"realm_access", "roles", "admin"}, "admin", false},
		{[]string{"role", "admin"}, "admin", false},
	} {
		a := newAPI(t, &jwtverify.Bearer{Tokens: verdict{token: jwtverify.WithPayload(*aliceToken, payload)}})
		resp := a.send(a.Guard(jwtverify.HasClaim(tc.path, tc.value)), get("Bearer good"))
		if !tc.in {
			a.wantRefused(resp, 403, "", `claim "`+strings.Join(tc.path, " ")+`" has none of ["`+tc.value+`"]`)
		} else if a.token == nil {
			t.Errorf("%q: %v", tc.path, a.refused)
		}
	}
}

// TestOwnRules: a rule of the app is a 403 without a challenge, whose text stays in the
// log, and one of ours that it asks is what that is.
func TestOwnRules(t *testing.T) {
	mine := errors.New("tenant \"x\" is not on the list")
	deleteTakesMFA := func(r *http.Request, token *jwtverify.AccessToken) error {
		if r.Method != http.MethodDelete {
			return nil
		}
		return jwtverify.HasACR("mfa")(r, token)
	}
	a := newAPI(t, &jwtverify.Bearer{})
	refuse := func(*http.Request, *jwtverify.AccessToken) error { return mine }
	a.wantRefused(a.send(a.Guard(refuse), get("Bearer good")), 403, "", mine.Error())
	if !errors.Is(a.refused, mine) {
		t.Errorf("%v does not wrap the rule's error", a.refused)
	}
	a.wantAlice(a.send(a.Guard(deleteTakesMFA), get("Bearer good")))
	r := get("Bearer good")
	r.Method = http.MethodDelete
	a.wantRefused(a.send(a.Guard(deleteTakesMFA), r), 401, "insufficient_user_authentication", "level",
		`Bearer error="insufficient_user_authentication", error_description="a different authentication level is required", acr_values="mfa"`)
	// Step-up would not help where another rule refuses for good, before or behind it.
	for _, rules := range [][]jwtverify.Rule{{jwtverify.HasACR("mfa"), refuse}, {refuse, jwtverify.HasACR("mfa")}} {
		a.wantRefused(a.send(a.Guard(rules...), get("Bearer good")), 403, "", mine.Error())
	}
	a.wantRefused(a.send(a.Guard(jwtverify.HasACR("mfa"), jwtverify.HasScope("admin")), get("Bearer good")), 403, "insufficient_scope", "admin",
		`Bearer scope="admin", error="insufficient_scope", error_description="the access token lacks a scope"`)
}

// TestRulesThatNobodyMeans are met by nobody.
func TestRulesThatNobodyMeans(t *testing.T) {
	for want, rule := range map[string]jwtverify.Rule{
		"no scope is demanded":           jwtverify.HasScope(),
		`"a b" is not one scope`:         jwtverify.HasScope("a b"),
		"no acr is demanded":             jwtverify.HasACR(),
		`"a\\b" is not one scope`:        jwtverify.HasScope(`a\b`),
		`"" is not one acr`:              jwtverify.HasACR(""),
		`"a\"" is not one acr`:           jwtverify.HasACR("mfa", `a"`),
		"AuthenticatedWithin: less than": jwtverify.AuthenticatedWithin(-1),
		"HasClaim: no path or no value":  jwtverify.HasClaim(nil, "admin"),
	} {
		a := newAPI(t, &jwtverify.Bearer{})
		a.wantRefused(a.send(a.Guard(rule), get("Bearer good")), 500, "", want)
	}
	a := newAPI(t, &jwtverify.Bearer{Tokens: verdict{token: jwtverify.WithPayload(*aliceToken, `{"role":""}`)}})
	a.wantRefused(a.send(a.Guard(jwtverify.HasClaim([]string{"role"}, "")), get("Bearer good")), 500, "", "no path or no value")
	a.wantRefused(a.send(a.Guard(jwtverify.HasACR("ä")), get("Bearer good")), 500, "", "is not one acr")
}

// TestRulesKeepTheirDemands: a list that changes later changes no rule.
func TestRulesKeepTheirDemands(t *testing.T) {
	scope, acr, path := []string{"admin"}, []string{"mfa"}, []string{"role"}
	a := newAPI(t, &jwtverify.Bearer{Tokens: verdict{token: jwtverify.WithPayload(jwtverify.AccessToken{Scope: []string{"x"}, ACR: "x"}, `{"x":"admin"}`)}})
	guards := []func(http.Handler) http.Handler{a.Require(scope...), a.Guard(jwtverify.HasACR(acr...)), a.Guard(jwtverify.HasClaim(path, "admin"))}
	scope[0], acr[0], path[0] = "x", "x", "x"
	for i, guard := range guards {
		if a.send(guard, get("Bearer good")); a.refused == nil {
			t.Errorf("guard %d lets in what it was changed to", i)
		}
	}
}

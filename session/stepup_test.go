package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/jwtverify"
)

// guarded adds a page behind rules, "/guarded".
func (a *app) guarded(rules ...Rule) {
	a.mux.Handle("/guarded", a.m.Guard(rules...)(http.HandlerFunc(a.page)))
}

// authRequest is the authorization request that a redirect goes to.
func authRequest(t testing.TB, resp *http.Response) url.Values {
	t.Helper()
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d, want a redirect to the provider", resp.StatusCode)
	}
	return parseURL(t, resp.Header.Get("Location")).Query()
}

// signInAgain follows a redirect to the provider and gives the answer to the callback.
func (b *browser) signInAgain(resp *http.Response, user string) *http.Response {
	b.t.Helper()
	authRequest(b.t, resp)
	return b.get(b.callbackOf(resp.Header.Get("Location"), user), fromProvider...)
}

// What is lacking is asked of the provider, and the same page is come back to.
func TestStepUp(t *testing.T) {
	tests := map[string]struct {
		rule   Rule
		age    time.Duration // how long ago the first sign-in was
		reason string
		ask    url.Values
	}{
		"acr":   {HasACR("gold", "silver"), 0, ReasonACR, url.Values{"acr_values": {"gold silver"}, "scope": {"openid offline_access"}}},
		"fresh": {AuthenticatedWithin(5 * time.Minute), 7 * time.Minute, ReasonMaxAge, url.Values{"max_age": {"300"}}},
		"now":   {AuthenticatedWithin(0), 2 * time.Minute, ReasonMaxAge, url.Values{"max_age": {"0"}}},
		"scope": {HasScope("orders:read"), 0, ReasonRule, url.Values{"scope": {"openid offline_access orders:read"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, func(c *appConfig) { c.client.Scopes = []string{"offline_access"} })
			a.guarded(tt.rule)
			b := a.browser()
			b.mustSignIn("alice")
			a.op.Advance(tt.age)

			problem := b.fetch("/guarded")
			if problem.StatusCode != http.StatusUnauthorized {
				t.Fatalf("a script: %d", problem.StatusCode)
			}
			var told struct{ Reason, Login string }
			if err := json.NewDecoder(problem.Body).Decode(&told); err != nil || told.Reason != tt.reason {
				t.Errorf("%+v, %v", told, err)
			}
			for _, begin := range []string{"/guarded?x=%41", told.Login + "&return_to=" + url.QueryEscape("/guarded?x=%41")} {
				resp := b.get(begin)
				asked := authRequest(t, resp)
				for parameter, want := range tt.ask {
					if got := asked[parameter]; !slices.Equal(got, want) {
						t.Errorf("%s: %s %q, want %q", begin, parameter, got, want)
					}
				}
				a.op.Advance(2 * time.Second) // the second sign-in is another one
				a.wantRedirect(b.signInAgain(resp, "alice"), "/guarded?x=%41")
				if resp := b.get("/guarded?x=%41"); resp.StatusCode != http.StatusOK || !strings.Contains(body(resp), "/guarded?x=%41") {
					t.Errorf("after it: %d", resp.StatusCode)
				}
				if begin == "/guarded?x=%41" { // once more, by the address a script was given
					b = a.browser()
					b.mustSignIn("alice")
				}
			}
		})
	}
}

// A provider that does not do what it was asked for is not asked again and again: 403, and
// who was signed in still is.
func TestStepUpInVain(t *testing.T) {
	tests := map[string]struct {
		rule   Rule
		fault  clienttest.Fault
		reason string
	}{
		"acr is ignored":       {HasACR("gold"), clienttest.WrongACR, ReasonACR},
		"acr is left out":      {HasACR("gold"), clienttest.MissingACR, ReasonACR},
		"max_age is ignored":   {AuthenticatedWithin(time.Minute), clienttest.OldAuthTime, ReasonMaxAge},
		"auth_time is missing": {AuthenticatedWithin(time.Minute), clienttest.MissingAuthTime, ReasonMaxAge},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			a.guarded(tt.rule)
			b := a.browser()
			b.mustSignIn("alice")
			a.op.Advance(4 * time.Minute)
			resp := b.get("/guarded")
			a.op.SetFaults(tt.fault)
			text := a.wantPage(b.signInAgain(resp, "alice"), http.StatusForbidden, tt.reason)
			if strings.Contains(text, "href") {
				t.Error("the page offers to start again, which would be in vain")
			}
			a.wantUser(b, "alice")
		})
	}
}

// Where the ID token cannot show it, the session remembers what its sign-in was for.
func TestStepUpIsTriedOnce(t *testing.T) {
	for name, rule := range map[string]Rule{
		"amr":       HasAMR("hwk"),
		"the app's": func(*http.Request, *Session) error { return &Demand{Scopes: []string{"never"}} },
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			a.guarded(rule)
			b := a.browser()
			b.mustSignIn("alice")
			a.wantRedirect(b.signInAgain(b.get("/guarded"), "alice"), "/guarded")
			resp := b.get("/guarded")
			if resp.StatusCode != http.StatusForbidden {
				t.Fatalf("%d, want 403 after one try", resp.StatusCode)
			}
			if resp := b.fetch("/guarded"); resp.StatusCode != http.StatusForbidden {
				t.Errorf("a script: %d", resp.StatusCode)
			}
			a.op.Advance(2 * stepUpPause)
			again := b.get("/guarded")
			if name == "amr" { // it is asked for by time: later it is worth another try
				authRequest(t, again)
			} else if again.StatusCode != http.StatusForbidden {
				t.Errorf("later: %d", again.StatusCode)
			}
		})
	}
}

func TestRulesThatPass(t *testing.T) {
	a := newApp(t, func(c *appConfig) {
		c.op.Users = []clienttest.User{{Subject: "alice", Claims: map[string]any{
			"groups": []string{"staff", "admin"}, "plan": "gold", "realm_access": map[string]any{"roles": []string{"owner"}},
		}}}
		c.client.Scopes = []string{"profile"}
	})
	a.guarded(HasAMR("pwd"), HasScope("openid", "profile"), HasClaim([]string{"groups"}, "nobody", "admin"),
		HasClaim([]string{"plan"}, "gold"), HasClaim([]string{"realm_access", "roles"}, "owner"), AuthenticatedWithin(time.Minute))
	b := a.browser()
	b.mustSignIn("alice")
	if resp := b.get("/guarded"); resp.StatusCode != http.StatusOK {
		t.Errorf("%d: %s", resp.StatusCode, a.logs)
	}
}

func TestRulesThatRefuse(t *testing.T) {
	other := errors.New("not on Sundays")
	tests := map[string]struct {
		rule   Rule
		status int
		reason string
	}{
		"another group":        {HasClaim([]string{"groups"}, "admin"), http.StatusForbidden, ReasonRule},
		"a part of a group":    {HasClaim([]string{"groups"}, "sta"), http.StatusForbidden, ReasonRule},
		"no such claim":        {HasClaim([]string{"roles"}, "staff"), http.StatusForbidden, ReasonRule},
		"a number":             {HasClaim([]string{"level"}, "1"), http.StatusForbidden, ReasonRule},
		"an error of an app":   {func(*http.Request, *Session) error { return other }, http.StatusForbidden, ReasonRule},
		"an Error that is nil": {refusing((*Error)(nil)), http.StatusForbidden, ReasonRule},
		"an empty Error":       {refusing(&Error{}), http.StatusForbidden, ReasonRule},
		"an Error that is OK":  {refusing(&Error{Status: http.StatusOK, Reason: ReasonRule, Err: other}), http.StatusForbidden, ReasonRule},
		"an Error":             {refusing(&Error{Status: http.StatusNotFound, Reason: ReasonRule, Err: other}), http.StatusNotFound, ReasonRule},
		"no path":              {HasClaim(nil, "x"), http.StatusInternalServerError, ReasonInternal},
		"no value":             {HasClaim([]string{"groups"}), http.StatusInternalServerError, ReasonInternal},
		"an empty value":       {HasClaim([]string{"groups"}, ""), http.StatusInternalServerError, ReasonInternal},
		"no acr":               {HasACR(), http.StatusInternalServerError, ReasonInternal},
		"acr with a slash":     {HasACR(`a\b`), http.StatusInternalServerError, ReasonInternal},
		"two acr in one":       {HasACR("a b"), http.StatusInternalServerError, ReasonInternal},
		"no amr":               {HasAMR(), http.StatusInternalServerError, ReasonInternal},
		"an empty scope":       {HasScope(""), http.StatusInternalServerError, ReasonInternal},
		"a negative age":       {AuthenticatedWithin(-1), http.StatusInternalServerError, ReasonInternal},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, func(c *appConfig) {
				c.op.Users = []clienttest.User{{Subject: "alice", Claims: map[string]any{"groups": []string{"staff"}, "level": 1}}}
			})
			a.guarded(tt.rule)
			b := a.browser()
			b.mustSignIn("alice")
			a.wantPage(b.get("/guarded"), tt.status, tt.reason)
		})
	}
}

// Claims of the userinfo endpoint fill up what the ID token lacks, and no more.
func TestUserInfoClaims(t *testing.T) {
	a := newApp(t, func(c *appConfig) {
		c.session.Claims = []string{"groups"}
		c.session.UserInfoClaims = []string{"groups", "sub", "iss", "missing", "plan"}
		c.op.Users = []clienttest.User{{Subject: "alice", Claims: map[string]any{"groups": []string{"staff"}, "email": "a@example.com", "plan": "gold"}}}
	})
	b := a.browser()
	b.mustSignIn("alice")
	var claims map[string]any
	var groups []string
	a.open = func(_ *http.Request, s *Session) {
		if kept := string(s.presented.userInfo); kept != `{"plan":"gold"}` {
			t.Errorf("kept is %s", kept)
		}
		s.presented.userInfo = []byte(`{"sub":"mallory","iss":"https://evil.example","team":["blue"]}`)
		if team, _ := s.Texts("team"); !slices.Equal(team, []string{"blue"}) {
			t.Errorf("team %q", team)
		}
		if err := s.Claims(&claims); err != nil {
			t.Error(err)
		}
		groups, _ = s.Texts("groups")
		if _, ok := s.Claim("missing"); ok {
			t.Error("a claim that nobody has")
		}
		if _, ok := s.Claim(); ok {
			t.Error("a claim without a name")
		}
	}
	a.wantUser(b, "alice")
	if claims["team"] == nil || claims["sub"] != "alice" || claims["iss"] != a.op.Issuer() || !slices.Equal(groups, []string{"staff"}) {
		t.Errorf("%v, groups %q", claims, groups)
	}
	if s := From(t.Context()); s.Claims(&claims) != ErrSignIn {
		t.Error("claims of nobody")
	}
}

// The address of a step-up is ours, and for some minutes.
func TestStepUpAddress(t *testing.T) {
	a := newApp(t)
	d := &Demand{ACR: []string{"gold"}}
	address, err := a.m.stepUpAddress(d)
	if err != nil {
		t.Fatal(err)
	}
	sealed := parseURL(t, address).Query().Get(stepUpField)
	if got, err := a.m.readStepUp(sealed); err != nil || got.key() != d.key() {
		t.Fatalf("%v, %v", got, err)
	}
	// It is good for who is not signed in, too.
	if asked := authRequest(t, a.browser().get(address)); asked.Get("acr_values") != "gold" || asked.Get("scope") != "openid profile email offline_access" {
		t.Errorf("asked for %v", asked)
	}
	foreign, err := newApp(t, func(c *appConfig) { c.session.Secrets = []string{testSecret(2)} }).m.stepUpAddress(d)
	if err != nil {
		t.Fatal(err)
	}
	login, err := a.m.cookies.sealer.seal(purposeLogin, stepUpField, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"empty": "", "changed": sealed[:len(sealed)-5] + "AAAAA", "of another app": parseURL(t, foreign).Query().Get(stepUpField),
		"of another purpose": login,
	} {
		if _, err := a.m.readStepUp(value); !errors.Is(err, errStepUp) {
			t.Errorf("%s: %v", name, err)
		}
		resp := a.browser().get("/auth/login?" + stepUpField + "=" + url.QueryEscape(value))
		a.wantPage(resp, http.StatusBadRequest, ReasonStepUpInvalid)
	}
	a.op.Advance(stepUpLifetime)
	if _, err := a.m.readStepUp(sealed); !errors.Is(err, errStepUp) {
		t.Errorf("too old: %v", err)
	}
}

// Nothing of a request's own query gets to the provider beside a sealed demand.
func TestStepUpByHandler(t *testing.T) {
	a := newApp(t)
	a.mux.Handle("/pay", a.m.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.m.StepUp(w, r, &Demand{ACR: []string{"gold"}, Reason: ReasonACR})
	})))
	b := a.browser()
	if asked := authRequest(t, b.get("/pay?acr_values=evil")); asked.Has("acr_values") {
		t.Errorf("nobody is signed in, and %v is asked for", asked)
	}
	b.mustSignIn("alice")
	if asked := authRequest(t, b.get("/pay?acr_values=evil")); asked.Get("acr_values") != "gold" {
		t.Errorf("asked for %v", asked)
	}
}

// followStepUps loads a page with one sign-in at the provider behind it, until the answer is
// not a redirect, and counts the sign-ins.
func (b *browser) followStepUps(atProvider *clienttest.Browser, page string) (resp *http.Response, signIns int) {
	b.t.Helper()
	for resp = b.get(page); resp.StatusCode == http.StatusSeeOther; resp = b.get(page) {
		if signIns++; signIns > 20 {
			b.t.Fatalf("%s goes round in circles", page)
		}
		back, err := atProvider.SignIn(resp.Header.Get("Location"), "alice")
		if err != nil {
			b.t.Fatal(err)
		}
		b.wantRedirect(b.get(back.RequestURI(), fromProvider...), page)
		b.op.Advance(time.Second)
	}
	return resp, signIns
}

// refusing is a rule of an app with one error for everybody.
func refusing(err error) Rule { return func(*http.Request, *Session) error { return err } }

// joined is a rule of an app that asks several, and tells all they say.
func joined(rules ...Rule) Rule {
	return func(r *http.Request, s *Session) error {
		var all []error
		for _, rule := range rules {
			all = append(all, rule(r, s))
		}
		return errors.Join(all...)
	}
}

// What one rule had the user sign in for is not lost to the next, and rules that cannot hold
// together end in a refusal.
func TestStepUpsDoNotGoInCircles(t *testing.T) {
	tests := map[string]struct {
		rules   []Rule
		status  int
		signIns int
	}{
		"two scopes":           {[]Rule{HasScope("orders:read"), HasScope("files:read")}, http.StatusOK, 1},
		"acr and scope":        {[]Rule{HasACR("gold"), HasScope("orders:read")}, http.StatusOK, 1},
		"scope and acr":        {[]Rule{HasScope("orders:read"), HasACR("gold")}, http.StatusOK, 1},
		"scope, acr and fresh": {[]Rule{HasScope("orders:read"), HasACR("gold"), AuthenticatedWithin(time.Minute)}, http.StatusOK, 1},
		"acr of both lists":    {[]Rule{HasACR("silver", "gold"), HasACR("gold", "blue")}, http.StatusOK, 1},
		"two acr at once":      {[]Rule{HasACR("gold"), HasACR("silver")}, http.StatusForbidden, maxStepUps},
		"what cannot be had":   {[]Rule{HasACR("gold"), HasClaim([]string{"groups"}, "admin")}, http.StatusForbidden, 0},
		"no error of ours":     {[]Rule{func(*http.Request, *Session) error { return (*Demand)(nil) }}, http.StatusForbidden, 0},
		"nil in a wrapping":    {[]Rule{refusing(fmt.Errorf("%w", (*Demand)(nil)))}, http.StatusForbidden, 0},
		"nil before a demand":  {[]Rule{refusing(errors.Join((*Demand)(nil), &Demand{ACR: []string{"gold"}}))}, http.StatusForbidden, 0},
		"joined demands":       {[]Rule{joined(HasACR("gold"), HasScope("orders:read"))}, http.StatusOK, 2},
		"joined with a no":     {[]Rule{joined(HasACR("gold"), HasClaim([]string{"groups"}, "admin"))}, http.StatusForbidden, 1},
		"a no joined with it":  {[]Rule{joined(HasClaim([]string{"groups"}, "admin"), HasACR("gold"))}, http.StatusForbidden, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, func(c *appConfig) { c.client.Scopes = []string{"offline_access"} })
			a.guarded(tt.rules...)
			b := a.browser()
			b.mustSignIn("alice")
			resp, signIns := b.followStepUps(a.op.NewBrowser(), "/guarded")
			if resp.StatusCode != tt.status || signIns != tt.signIns {
				t.Errorf("%d after %d sign-ins, want %d after %d", resp.StatusCode, signIns, tt.status, tt.signIns)
			}
			if signIns == maxStepUps { // the next one may be tried after a while
				a.op.Advance(stepUpPause)
				authRequest(t, b.get("/guarded"))
			}
		})
	}
}

// What several rules demand is asked of one sign-in, where one can meet it.
func TestDemandsTogether(t *testing.T) {
	hour, minute := time.Hour, time.Minute
	tests := map[string]struct{ first, second, want Demand }{
		"the shorter age":     {Demand{MaxAge: &hour}, Demand{MaxAge: &minute}, Demand{MaxAge: &minute}},
		"the age of before":   {Demand{MaxAge: &minute}, Demand{MaxAge: &hour}, Demand{MaxAge: &minute}},
		"the only age":        {Demand{ACR: []string{"gold"}}, Demand{MaxAge: &hour}, Demand{ACR: []string{"gold"}, MaxAge: &hour}},
		"the only acr":        {Demand{MaxAge: &hour}, Demand{ACR: []string{"gold"}}, Demand{ACR: []string{"gold"}, MaxAge: &hour}},
		"the acr of before":   {Demand{ACR: []string{"gold"}}, Demand{Scopes: []string{"a"}}, Demand{ACR: []string{"gold"}, Scopes: []string{"a"}}},
		"the best of both":    {Demand{ACR: []string{"c", "a", "b"}}, Demand{ACR: []string{"b", "c"}}, Demand{ACR: []string{"c", "b"}}},
		"no acr of both":      {Demand{ACR: []string{"a"}, Reason: ReasonACR}, Demand{ACR: []string{"b"}, Scopes: []string{"c"}}, Demand{ACR: []string{"a"}, Reason: ReasonACR}},
		"all scopes, once":    {Demand{Scopes: []string{"a", "b"}}, Demand{Scopes: []string{"b", "c"}}, Demand{Scopes: []string{"a", "b", "c"}}},
		"one provider only":   {Demand{Provider: "blue"}, Demand{Provider: "red", ACR: []string{"a"}}, Demand{Provider: "blue"}},
		"the reason of first": {Demand{MaxAge: &hour, Reason: ReasonMaxAge}, Demand{Scopes: []string{"a"}, Reason: ReasonACR}, Demand{MaxAge: &hour, Scopes: []string{"a"}, Reason: ReasonMaxAge}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			first, second := tt.first.Error(), tt.second.Error()
			if got := tt.first.and(&tt.second); got.key() != tt.want.key() {
				t.Errorf("got %v, want %v", got, &tt.want)
			}
			if tt.first.Error() != first || tt.second.Error() != second {
				t.Errorf("the demands are %v and %v now", &tt.first, &tt.second)
			}
		})
	}
}

// A refreshed ID token need not have an acr: then it is asked for once more, by a session
// that came of a sign-in for it.
func TestStepUpAfterARefreshWithoutACR(t *testing.T) {
	a := newApp(t, func(c *appConfig) { c.client.Scopes = []string{"offline_access"} })
	a.guarded(HasACR("gold"))
	b := a.browser()
	b.mustSignIn("alice")
	a.wantRedirect(b.signInAgain(b.get("/guarded"), "alice"), "/guarded")
	if resp := b.get("/guarded"); resp.StatusCode != http.StatusOK {
		t.Fatalf("after the step-up: %d", resp.StatusCode)
	}
	a.expireToken()
	a.op.SetFaults(clienttest.MissingACR)
	resp := b.get("/guarded")
	a.op.SetFaults()
	if asked := authRequest(t, resp); asked.Get("acr_values") != "gold" {
		t.Errorf("asked for %v", asked)
	}
}

func TestDemandSaysWhatIsLacking(t *testing.T) {
	hour := time.Hour
	for want, d := range map[string]*Demand{
		`session: wanted: signed in within 1h0m0s`:                                            {MaxAge: &hour},
		`session: wanted: acr of "gold silver"`:                                               {ACR: []string{"gold", "silver"}},
		`session: wanted: scope "a b"`:                                                        {Scopes: []string{"a", "b"}},
		`session: wanted: provider "blue"`:                                                    {Provider: "blue"},
		`session: wanted: signed in within 1h0m0s, acr of "gold", scope "a", provider "blue"`: {MaxAge: &hour, ACR: []string{"gold"}, Scopes: []string{"a"}, Provider: "blue"},
	} {
		if got := d.Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Step-ups in a row are counted, as long as each comes soon after the one before.
func TestTriedInCounts(t *testing.T) {
	a := newApp(t)
	now, d := a.op.Now(), &Demand{ACR: []string{"gold"}}
	for name, tt := range map[string]struct {
		tried byte
		ago   time.Duration
		want  byte
	}{
		"the first": {0, time.Second, 1}, "the third": {2, time.Second, 3}, "just in time": {2, stepUpPause - 1, 3},
		"after a while": {2, stepUpPause, 1}, "no more than that": {200, time.Second, maxStepUps + 1},
	} {
		rec := &record{created: now.Add(-tt.ago)}
		rec.tried[stepUpCount] = tt.tried
		got := d.triedIn(&Session{m: a.m, presented: rec}, now)
		want := d.key()
		want[stepUpCount] = tt.want
		if got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// What is asked for is what the app, or the client, asks for, and what the session has: each
// scope once, and none that no request can have.
func TestAskScopes(t *testing.T) {
	a := newApp(t)
	p := a.m.provider("")
	rec := &record{provider: p.name}
	s := &Session{m: a.m, presented: rec, provider: p, grant: grant{tokens: &client.Tokens{Scope: []string{"email", `a"b`, "openid"}}}}
	held := s.scopesAt(p)
	if want := []string{"email", "openid"}; !slices.Equal(held, want) {
		t.Errorf("held %q, want %q", held, want)
	}
	for name, tt := range map[string]struct{ own, want []string }{
		"of the client": {nil, []string{"openid", "profile", "email", "orders"}},
		"of the app":    {[]string{"openid", "phone"}, []string{"openid", "phone", "email", "orders"}},
	} {
		own := slices.Clone(tt.own)
		opts := &client.AuthorizeOptions{Scopes: own}
		askScopes(opts, []string{"openid", "profile"}, append(held, "orders", "email"))
		if !slices.Equal(opts.Scopes, tt.want) || !slices.Equal(own, tt.own) {
			t.Errorf("%s: %q, want %q; its own are %q now", name, opts.Scopes, tt.want, own)
		}
	}
}

// A demand takes nothing back of what the app asks of every sign-in.
func TestStepUpIsNoWeakerThanTheApp(t *testing.T) {
	a := newApp(t, func(c *appConfig) {
		c.session.Authorize = func(*http.Request) (*client.AuthorizeOptions, error) {
			within := 5 * time.Minute
			return &client.AuthorizeOptions{MaxAge: &within, ACRValues: []string{"silver"}}, nil
		}
	})
	a.guarded(AuthenticatedWithin(time.Hour))
	a.mux.Handle("/acr", a.m.Guard(HasACR("gold"))(http.HandlerFunc(a.page)))
	a.mux.Handle("/scope", a.m.Guard(HasScope("orders:read"))(http.HandlerFunc(a.page)))
	b := a.browser()
	b.mustSignIn("alice")
	for page, acr := range map[string]string{"/acr": "gold", "/scope": "silver"} {
		if asked := authRequest(t, b.get(page)); asked.Get("max_age") != "300" || asked.Get("acr_values") != acr {
			t.Errorf("%s: max_age %s, acr_values %s", page, asked.Get("max_age"), asked.Get("acr_values"))
		}
	}
	a.op.Advance(30 * time.Minute)
	b.get("/")
	a.op.Advance(40 * time.Minute)
	if asked := authRequest(t, b.get("/guarded")); asked.Get("max_age") != "300" {
		t.Errorf("max_age %s", asked.Get("max_age"))
	}
}

// A demand that cannot be asked for is a mistake, and not one that asks for less.
func TestStepUpForNonsense(t *testing.T) {
	past, part := -time.Second, 1500*time.Millisecond
	for name, d := range map[string]*Demand{
		"a negative age":      {MaxAge: &past},
		"parts of a second":   {MaxAge: &part},
		"two acr in one":      {ACR: []string{"gold silver"}},
		"an empty scope":      {Scopes: []string{""}},
		"an unknown provider": {Provider: "green"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			a.guarded(func(*http.Request, *Session) error { return d })
			b := a.browser()
			b.mustSignIn("alice")
			for _, resp := range []*http.Response{b.get("/guarded"), b.fetch("/guarded")} {
				a.wantPage(resp, http.StatusInternalServerError, ReasonInternal)
			}
		})
	}
}

// A rule may be asked by hand about anybody, and about an ID token of tomorrow.
func TestRulesByHand(t *testing.T) {
	a := newApp(t)
	if err := HasScope("openid")(nil, From(t.Context())); !errors.Is(err, ErrSignIn) {
		t.Errorf("nobody: %v", err)
	}
	signedInAt := func(at time.Time) *Session {
		tokens := &client.Tokens{IDToken: &jwtverify.IDToken{AuthTime: at}}
		return &Session{m: a.m, presented: &record{tokens: tokens}, grant: grant{tokens: tokens}}
	}
	for seconds, good := range map[int]bool{0: true, 60: true, 61: false, -359: true, -361: false} {
		err := AuthenticatedWithin(5*time.Minute)(nil, signedInAt(a.op.Now().Add(time.Duration(seconds)*time.Second)))
		var d *Demand
		if good != (err == nil) || !good && !errors.As(err, &d) {
			t.Errorf("%d s from now: %v", seconds, err)
		}
	}
	if err := AuthenticatedWithin(math.MaxInt64)(nil, signedInAt(a.op.Now())); err != nil {
		t.Errorf("whenever: %v", err)
	}
}

// What is sealed under our key for a step-up was written by us, or by a later version of us.
func TestDamagedStepUp(t *testing.T) {
	a := newApp(t)
	until := appendTime(nil, a.m.cfg.Now().Add(time.Minute))
	whole := (&Demand{ACR: []string{"gold"}}).append(until)
	for name, plain := range map[string][]byte{
		"whole": whole, "cut": whole[:len(whole)-1], "longer": append(slices.Clone(whole), 0), "no demand": until,
	} {
		sealed, err := a.m.cookies.sealer.seal(purposeStepUp, stepUpField, plain)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.m.readStepUp(sealed); (err == nil) != (name == "whole") || err != nil && !errors.Is(err, errStepUp) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

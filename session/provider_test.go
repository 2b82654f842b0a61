package session

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// newTwo is an app with two providers, "red" and "blue", each with a callback of its own.
// The first is the op of the app.
func newTwo(t testing.TB, change ...func(*Config)) (a *app, red, blue *clienttest.Provider) {
	t.Helper()
	red = clienttest.New(&clienttest.Options{Algorithm: "ES256", Issuer: "https://red.example"})
	blue = clienttest.New(&clienttest.Options{Algorithm: "ES256", Issuer: "https://blue.example"})
	t.Cleanup(func() { red.Close(); blue.Close() })
	logs := &logBuffer{}
	cfg := Config{Secrets: []string{testSecret(1)}, Logger: logs.logger(), Providers: []Provider{
		{Name: "red", Label: "Red <b>", Client: clientOf(t, red, appURL+"/auth/red/callback")},
		{Name: "blue", Client: clientOf(t, blue, appURL+"/auth/blue/callback")},
	}}
	for _, c := range change {
		c(&cfg)
	}
	m, err := New(nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	a = &app{t: t, op: red, m: m, mux: http.NewServeMux(), logs: logs, base: parseURL(t, appURL+"/")}
	a.handler = a.mux
	m.Routes(a.mux)
	a.mux.Handle("/", m.Require(http.HandlerFunc(a.page)))
	return a, red, blue
}

func clientOf(t testing.TB, op *clienttest.Provider, redirect string) *client.Client {
	t.Helper()
	rp, err := client.New(op.Config(redirect))
	if err != nil {
		t.Fatal(err)
	}
	return rp
}

// signInAt signs in at one provider, by its own login route.
func (b *browser) signInAt(op *clienttest.Provider, name, user string) *http.Response {
	b.t.Helper()
	resp := b.get("/auth/login/" + name + "?return_to=/from/" + name)
	location := resp.Header.Get("Location")
	if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(location, op.Issuer()+"/") {
		b.t.Fatalf("%s: %d to %q", name, resp.StatusCode, location)
	}
	callback, err := op.SignIn(location, user)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.get(callback.RequestURI(), fromProvider...)
}

func TestChooser(t *testing.T) {
	a, red, blue := newTwo(t)
	b := a.browser()
	a.wantRedirect(b.get("/deep?x=%41"), "/auth/login?return_to=%2Fdeep%3Fx%3D%2541")
	text := body(b.get("/auth/login?return_to=%2Fdeep%3Fx%3D%2541"))
	for _, want := range []string{`href="/auth/login/red?return_to=%2Fdeep%3Fx%3D%2541"`, `href="/auth/login/blue?`, "Red &lt;b&gt;", ">blue<"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %s: %s", want, text)
		}
	}
	if resp := b.get("/auth/login?return_to=//evil.example"); strings.Contains(body(resp), "evil") {
		t.Error("the page leads to another site")
	}
	if resp := b.get("/auth/login/green"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a provider that is not there: %d", resp.StatusCode)
	}
	a.wantRedirect(b.signInAt(blue, "blue", "alice"), "/from/blue")
	a.open = func(_ *http.Request, s *Session) {
		if s.Provider() != "blue" || s.Issuer() != blue.Issuer() {
			t.Errorf("signed in with %q, %q", s.Provider(), s.Issuer())
		}
	}
	a.wantUser(b, "alice")
	a.open = nil
	a.wantRedirect(b.signInAt(red, "red", "bob"), "/from/red") // another account takes its place
	a.wantUser(b, "bob")
}

// An answer of one provider is never taken for that of another (RFC 9700 4.4).
func TestProvidersAreNotMixedUp(t *testing.T) {
	a, red, blue := newTwo(t)
	b := a.browser()
	begin := func(name string) string { return b.get("/auth/login/" + name).Header.Get("Location") }
	atRed := begin("red")
	answer, err := blue.SignIn(begin("blue"), "mallory")
	if err != nil {
		t.Fatal(err)
	}
	tokens := red.Count("token")
	swapped := answer.Query()
	swapped.Set("state", parseURL(t, atRed).Query().Get("state"))
	for _, path := range []string{"/auth/red/callback", "/auth/blue/callback"} {
		resp := b.get(path+"?"+swapped.Encode(), fromProvider...)
		a.wantPage(resp, http.StatusBadRequest, ReasonCallbackRejected)
		atRed = begin("red")
		swapped.Set("state", parseURL(t, atRed).Query().Get("state"))
	}
	if red.Count("token") != tokens {
		t.Error("a code of blue went to red")
	}
	a.wantUser(b, "nobody: "+ReasonNoSession)
}

// A provider that sends the browser on to another one, with the state and the challenge of a
// sign-in of its own, does not get the code that the other gives: the answer is not at its
// redirect URL (RFC 9700 4.4.2.2). That is all that shows it where neither has an iss.
func TestMixUpByTheRedirectURL(t *testing.T) {
	a, honest, evil := newTwo(t)
	honest.SetFaults(clienttest.NoIssParameter)
	evil.SetFaults(clienttest.NoIssParameter)
	b := a.browser()
	atEvil := parseURL(t, b.get("/auth/login/blue").Header.Get("Location")).Query()
	atHonest := parseURL(t, b.get("/auth/login/red").Header.Get("Location"))
	forged := atHonest.Query()
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		forged.Set(name, atEvil.Get(name))
	}
	atHonest.RawQuery = forged.Encode()
	answer, err := honest.SignIn(atHonest.String(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if answer.Path != "/auth/red/callback" || answer.Query().Get("state") != atEvil.Get("state") || answer.Query().Has("iss") {
		t.Fatalf("the honest provider answers at %s", answer)
	}
	resp := b.get(answer.RequestURI(), fromProvider...)
	if got := evil.Count("token"); got != 0 {
		t.Fatal("the code of one provider went to the other")
	}
	text := a.wantPage(resp, http.StatusBadRequest, ReasonCallbackRejected)
	if !strings.Contains(a.logs.String(), "redirect URL of another provider") || strings.Contains(text, "code") {
		t.Errorf("%s", a.logs)
	}
	a.wantRedirect(b.signInAt(evil, "blue", "alice"), "/from/blue") // at its own, it is taken
}

// A session is its provider's: not of another with the same name, nor of one that is gone.
func TestSessionStaysWithItsProvider(t *testing.T) {
	a, red, blue := newTwo(t)
	b := a.browser()
	a.wantRedirect(b.signInAt(blue, "blue", "alice"), "/from/blue")
	blueClient, redClient := a.m.provider("blue").rp, a.m.provider("red").rp
	for name, list := range map[string][]Provider{
		"renamed": {{Name: "azure", Client: blueClient}, {Name: "red", Client: redClient}},
		"swapped": {{Name: "blue", Client: redClient}, {Name: "red", Client: blueClient}},
		"removed": {{Name: "red", Client: redClient}},
	} {
		m, err := New(nil, Config{Secrets: []string{testSecret(1)}, Logger: a.logs.logger(), Providers: list})
		if err != nil {
			t.Fatal(err)
		}
		b2 := &browser{&app{t: t, op: red, m: m, handler: m.Require(http.HandlerFunc(a.page)), logs: a.logs, base: a.base}, b.jar}
		if got := b2.user(); got != "nobody: "+ReasonOtherIssuer {
			t.Errorf("%s: %s", name, got)
		}
		b2.handler = m.LoginHandler() // for whom it is no dead end
		if resp := b2.get("/auth/login"); resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: the login route says %d", name, resp.StatusCode)
		}
	}
	a.wantUser(b, "alice")
}

func TestFromProvider(t *testing.T) {
	a, red, blue := newTwo(t)
	a.guarded(FromProvider("blue"))
	b := a.browser()
	a.wantRedirect(b.signInAt(red, "red", "alice"), "/from/red")
	var told struct{ Login, Detail string }
	if err := json.NewDecoder(b.fetch("/guarded").Body).Decode(&told); err != nil || !strings.HasPrefix(told.Detail, "Sign in again") {
		t.Fatalf("%+v, %v", told, err)
	}
	for _, begin := range []string{"/guarded", told.Login} {
		if location := b.get(begin).Header.Get("Location"); !strings.HasPrefix(location, blue.Issuer()+"/") {
			t.Errorf("%s leads to %s", begin, location)
		}
	}
	location := b.get("/guarded").Header.Get("Location")
	callback, err := blue.SignIn(location, "bob")
	if err != nil {
		t.Fatal(err)
	}
	a.wantRedirect(b.get(callback.RequestURI(), fromProvider...), "/guarded")
	if resp := b.get("/guarded"); resp.StatusCode != http.StatusOK {
		t.Errorf("%d: %s", resp.StatusCode, a.logs)
	}
}

// What a session was granted at one provider is not asked for at another.
func TestScopesStayWithTheirProvider(t *testing.T) {
	a, red, _ := newTwo(t)
	a.guarded(FromProvider("blue"))
	a.mux.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		a.m.Login(w, r, &LoginOptions{Provider: "red", Authorize: &client.AuthorizeOptions{Scopes: []string{"openid", "orders:read"}}})
	})
	a.mux.Handle("/fresh", a.m.Guard(HasACR("gold"))(http.HandlerFunc(a.page)))
	b := a.browser()
	callback, err := red.SignIn(b.get("/orders").Header.Get("Location"), "alice")
	if err != nil {
		t.Fatal(err)
	}
	a.wantRedirect(b.get(callback.RequestURI(), fromProvider...), "/orders")
	if scope := authRequest(t, b.get("/fresh")).Get("scope"); !strings.Contains(scope, "orders:read") {
		t.Errorf("red is asked for %q", scope)
	}
	if scope := authRequest(t, b.get("/guarded")).Get("scope"); strings.Contains(scope, "orders:read") {
		t.Errorf("blue is asked for %q", scope)
	}
}

// Rules behind one that demands another provider are about who signs in there: they refuse
// nobody for what the user of this one lacks.
func TestRulesAfterFromProvider(t *testing.T) {
	a, red, blue := newTwo(t)
	blue.SetUser(clienttest.User{Subject: "carol", Claims: map[string]any{"groups": []string{"admin"}}})
	a.guarded(HasScope("openid"), FromProvider("blue"), HasClaim([]string{"groups"}, "admin"))
	for user, want := range map[string]int{"carol": http.StatusOK, "bob": http.StatusForbidden} {
		b := a.browser()
		a.wantRedirect(b.signInAt(red, "red", "alice"), "/from/red")
		location := b.get("/guarded").Header.Get("Location")
		if !strings.HasPrefix(location, blue.Issuer()+"/") {
			t.Fatalf("a user of red is sent to %q; log: %s", location, a.logs)
		}
		callback, err := blue.SignIn(location, user)
		if err != nil {
			t.Fatal(err)
		}
		a.wantRedirect(b.get(callback.RequestURI(), fromProvider...), "/guarded")
		if resp := b.get("/guarded"); resp.StatusCode != want {
			t.Errorf("%s of blue: %d, want %d", user, resp.StatusCode, want)
		}
	}
}

func TestChooseProvider(t *testing.T) {
	a, _, blue := newTwo(t, func(c *Config) {
		c.ChooseProvider = func(r *http.Request) string {
			name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
			return strings.TrimPrefix(name, "auth") // none for our own routes
		}
	})
	b := a.browser()
	if location := b.get("/blue/page").Header.Get("Location"); !strings.HasPrefix(location, blue.Issuer()+"/") {
		t.Errorf("sent to %q", location)
	}
	a.wantPage(b.get("/green/page"), http.StatusInternalServerError, ReasonInternal)
	if resp := b.get("/auth/login"); resp.StatusCode != http.StatusOK {
		t.Errorf("no choice: %d", resp.StatusCode)
	}
	b.signInAt(blue, "blue", "alice")
	for _, target := range []string{"/auth/login", "/auth/switch"} { // it does not say, so the session does
		if location := b.get(target).Header.Get("Location"); !strings.HasPrefix(location, blue.Issuer()+"/") {
			t.Errorf("%s of a user of blue: sent to %q", target, location)
		}
	}
}

func TestSwitchAccount(t *testing.T) {
	a, _, blue := newTwo(t, func(c *Config) {
		c.ChooseProvider = func(*http.Request) string { return "red" } // for who is not signed in
	})
	b := a.browser()
	a.wantRedirect(b.signInAt(blue, "blue", "alice"), "/from/blue")
	resp := b.get("/auth/switch?return_to=/x&prompt=none&provider=red")
	asked := authRequest(t, resp)
	if asked.Get("prompt") != "select_account" || !strings.HasPrefix(resp.Header.Get("Location"), blue.Issuer()+"/") {
		t.Errorf("%s", resp.Header.Get("Location"))
	}
	a.wantUser(b, "alice")
	a.wantPage(b.get("/auth/switch", "Sec-Fetch-Dest", "iframe"), http.StatusForbidden, ReasonNotNavigation)
}

func TestInitiateLogin(t *testing.T) {
	a, _, blue := newTwo(t)
	a.mux.Handle("/initiate", a.m.InitiateLoginHandler())
	b := a.browser()
	query := url.Values{"iss": {blue.Issuer()}, "login_hint": {"alice"}, "target_link_uri": {appURL + "/deep?x=%41"}, "scope": {"evil"}, "acr_values": {"evil"}}
	for _, method := range []string{"GET", "POST"} {
		r := b.request("GET", "/initiate?"+query.Encode(), fromProvider...)
		if method == "POST" {
			r = b.request("POST", "/initiate", append(fromProvider, "Content-Type", "application/x-www-form-urlencoded")...)
			r.Body = bodyOf(query.Encode())
		}
		resp := b.send(r)
		asked := authRequest(t, resp)
		if asked.Get("login_hint") != "alice" || asked.Get("scope") == "evil" || asked.Has("acr_values") || !strings.HasPrefix(resp.Header.Get("Location"), blue.Issuer()+"/") {
			t.Errorf("%s: %s", method, resp.Header.Get("Location"))
		}
		callback, err := blue.SignIn(resp.Header.Get("Location"), "alice")
		if err != nil {
			t.Fatal(err)
		}
		a.wantRedirect(b.get(callback.RequestURI(), fromProvider...), "/deep?x=%41")
	}
	for name, change := range map[string]func(url.Values){
		"another issuer":   func(v url.Values) { v.Set("iss", "https://evil.example") },
		"no issuer":        func(v url.Values) { v.Del("iss") },
		"the issuer twice": func(v url.Values) { v["iss"] = append(v["iss"], v.Get("iss")) },
		"another site":     func(v url.Values) { v.Set("target_link_uri", "https://evil.example/") },
		"another port":     func(v url.Values) { v.Set("target_link_uri", appURL+":8443/") },
		"a relative one":   func(v url.Values) { v.Set("target_link_uri", "//evil.example/") },
		"a script":         func(v url.Values) { v.Set("target_link_uri", "javascript:alert(1)") },
	} {
		t.Run(name, func(t *testing.T) {
			bad := url.Values{"iss": {blue.Issuer()}}
			change(bad)
			a.wantPage(b.get("/initiate?"+bad.Encode(), fromProvider...), http.StatusBadRequest, ReasonInitiationInvalid)
		})
	}
	a.wantPage(b.get("/initiate?"+query.Encode(), "Sec-Fetch-Dest", "iframe"), http.StatusForbidden, ReasonNotNavigation)
	a.wantUser(b, "alice")
}

// Whatever stands behind our own origin in target_link_uri, the user stays here.
func TestV15InitiateLoginGoesNowhereElse(t *testing.T) {
	a := newApp(t)
	a.mux.Handle("/initiate", a.m.InitiateLoginHandler())
	for _, hostile := range literals(t, "openredirect.txt", 500) {
		for _, target := range []string{appURL + hostile, hostile, appURL + "/" + hostile} {
			b := a.browser()
			resp := b.get("/initiate?"+url.Values{"iss": {a.op.Issuer()}, "target_link_uri": {target}}.Encode(), fromProvider...)
			if resp.StatusCode == http.StatusBadRequest {
				continue
			}
			state := authRequest(t, resp).Get("state")
			attempt, err := a.m.cookies.readAttempt(b.request("GET", "/"), state)
			if err != nil || attempt == nil {
				t.Fatalf("%q: no attempt: %v", target, err)
			}
			if _, ok := localAddress(attempt.returnTo); !ok {
				t.Errorf("%q: comes back to %q", target, attempt.returnTo)
			}
			staysHere(t, attempt.returnTo)
		}
	}
}

// A list of one is a list: nobody has to choose.
func TestOneProviderOfAList(t *testing.T) {
	a, red, _ := newTwo(t, func(c *Config) { c.Providers = c.Providers[:1] })
	b := a.browser()
	a.wantRedirect(b.signIn("/", "alice"), "/")
	a.open = func(_ *http.Request, s *Session) {
		if s.Provider() != "red" || s.Issuer() != red.Issuer() {
			t.Errorf("signed in with %q, %q", s.Provider(), s.Issuer())
		}
	}
	a.wantUser(b, "alice")
}

func TestProvidersRefused(t *testing.T) {
	op := clienttest.New(nil)
	defer op.Close()
	here, elsewhere := clientOf(t, op, appURL+"/cb"), clientOf(t, op, "https://other.example/cb")
	for want, list := range map[string][]Provider{
		"is there twice":          {{Name: "a", Client: here}, {Name: "a", Client: here}},
		"no Client":               {{Name: "a"}},
		"the name has 0 bytes":    {{Client: here}},
		"is not a letter":         {{Name: "../x", Client: here}},
		"is not at the origin of": {{Name: "a", Client: here}, {Name: "b", Client: elsewhere}},
		"and is another one":      {{Name: "a", Client: here}, {Name: "b", Client: clientOf(t, op, appURL+"/cb?p=b")}},
		"no client":               {},
		"at most 100":             make([]Provider, 101),
	} {
		if _, err := New(nil, Config{Providers: list}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := New(here, Config{Providers: []Provider{{Name: "a", Client: here}}}); err == nil || !strings.Contains(err.Error(), "beside it") {
		t.Errorf("a client and a list: %v", err)
	}
}

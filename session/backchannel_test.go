package session

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/jwtverify"
)

const backChannelPath = "/auth/backchannel-logout"

// notice makes the request by which a provider tells of a logout.
func notice(path, body string) *http.Request {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func logoutForm(token string) string { return url.Values{"logout_token": {token}}.Encode() }

func answerOf(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// tell posts a logout token.
func (a *app) tell(token string) *http.Response {
	return answerOf(a.handler, notice(backChannelPath, logoutForm(token)))
}

func (a *app) wantDone(resp *http.Response) {
	a.t.Helper()
	if text := body(resp); resp.StatusCode != http.StatusOK || text != "" {
		a.t.Fatalf("%d %s instead of 200 and nothing; log: %s", resp.StatusCode, text, a.logs)
	}
	if h := resp.Header; h.Get("Cache-Control") != "no-store" || len(h["Set-Cookie"]) != 0 || h.Get("Vary") != "" {
		a.t.Errorf("header %v", h)
	}
}

// wantRefused checks the form of Back-Channel Logout 2.8, and why in the log.
func (a *app) wantRefused(resp *http.Response, status int, reason, why string) {
	a.t.Helper()
	var answer map[string]string
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		a.t.Fatalf("%d without JSON: %v", resp.StatusCode, err)
	}
	h := resp.Header
	if resp.StatusCode != status || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" || len(h["Set-Cookie"]) != 0 {
		a.t.Errorf("%d with %v", resp.StatusCode, h)
	}
	code := "invalid_request"
	if reason == ReasonUnavailable || reason == ReasonStoreDown {
		code = "temporarily_unavailable"
	}
	if len(answer) != 2 || answer["error"] != code || answer["error_description"] == "" || strings.Contains(answer["error_description"], a.op.Issuer()) {
		a.t.Errorf("the answer says %q", answer)
	}
	if last := a.logs.lastRefusal(); last.Reason != reason || !strings.Contains(last.Error, why) {
		a.t.Errorf("the log says %q: %s; want %q: %s", last.Reason, last.Error, reason, why)
	}
}

type refusal struct{ Msg, Reason, Error string }

func (l *logBuffer) lastRefusal() (last refusal) {
	for line := range strings.Lines(l.String()) {
		var entry refusal
		if json.Unmarshal([]byte(line), &entry) == nil && strings.Contains(entry.Msg, "back-channel logout refused") {
			last = entry
		}
	}
	return last
}

// record is the session in the cookies of a browser.
func (b *browser) record() *record {
	b.t.Helper()
	rec, err := b.m.cookies.readSession(b.request("GET", "/"))
	if err != nil || rec == nil {
		b.t.Fatalf("no session in the cookies: %v", err)
	}
	return rec
}

func (b *browser) sid() string { return b.record().identity.sid }

// later lets time pass: iat has whole seconds.
func (a *app) later() { a.op.Advance(2 * time.Second) }

// Each differs by one thing from the token that ends the session in the end.
func TestV36LogoutTokens(t *testing.T) {
	type claims = map[string]any
	event := "http://schemas.openid.net/event/backchannel-logout"
	for name, tt := range map[string]struct {
		claims claims
		fault  clienttest.Fault
		why    string
	}{
		"issuer":           {claims{"iss": "https://evil.example"}, "", "iss"},
		"audience":         {claims{"aud": "other"}, "", "aud"},
		"nonce":            {claims{"nonce": "n"}, "", "nonce"},
		"no events":        {claims{"events": nil}, "", "events"},
		"another event":    {claims{"events": claims{event + "2": claims{}}}, "", "events"},
		"event no object":  {claims{"events": claims{event: true}}, "", "events"},
		"events no object": {claims{"events": event}, "", "events"},
		"nobody":           {claims{"sub": nil}, "", "sid"},
		"no jti":           {claims{"jti": nil}, "", "jti"},
		"no iat":           {claims{"iat": nil}, "", "iat"},
		"no exp":           {claims{"exp": nil}, "", "exp"},
		"an hour old":      {claims{"iat": time.Now().Add(-time.Hour).Unix()}, "", "five minutes"},
		"expired":          {claims{"exp": time.Now().Add(-2 * time.Minute).Unix()}, "", "exp"},
		"no signature":     {nil, clienttest.LogoutTokenAlgNone, "not signed"},
		"another key":      {nil, clienttest.LogoutTokenWrongKey, "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.mustSignIn("alice")
			a.later()
			all := claims{"sub": "alice"}
			for claim, value := range tt.claims {
				all[claim] = value
			}
			if tt.fault != "" {
				a.op.SetFaults(tt.fault)
			}
			a.wantRefused(a.tell(a.op.LogoutToken(all)), http.StatusBadRequest, ReasonLogoutToken, tt.why)
			a.wantUser(b, "alice")
			a.op.SetFaults()
			a.wantDone(a.tell(a.op.LogoutToken(claims{"sub": "alice"})))
			a.wantUser(b, "nobody: "+ReasonRevoked)
		})
	}
}

func TestV36OtherTokensAsLogoutTokens(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	a.later()
	tokens := b.record().tokens
	for name, token := range map[string]string{
		"ID token": tokens.IDToken.Raw(), "access token": tokens.AccessToken, "refresh token": tokens.RefreshToken,
		"access token with the claims": a.op.AccessToken(map[string]any{"sub": "alice", "aud": a.rp.ClientID(),
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}),
		"nothing": "", "dots": strings.Repeat(".", 20_000), "long": strings.Repeat("a", 17<<10),
	} {
		t.Run(name, func(t *testing.T) {
			a.wantRefused(a.tell(token), http.StatusBadRequest, ReasonLogoutToken, "")
		})
	}
	a.wantUser(b, "alice")
}

func TestBackChannelTakesOneForm(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	a.later()
	token := a.op.LogoutToken(map[string]any{"sub": "alice"})
	good := logoutForm(token)
	with := func(r *http.Request, kind string) *http.Request {
		r.Header.Set("Content-Type", kind)
		return r
	}
	for name, tt := range map[string]struct {
		request *http.Request
		why     string
	}{
		"JSON":                    {with(notice(backChannelPath, `{"logout_token":"`+token+`"}`), "application/json"), "not a form"},
		"no type":                 {with(notice(backChannelPath, good), ""), "not a form"},
		"multipart":               {with(notice(backChannelPath, good), "multipart/form-data; boundary=x"), "not a form"},
		"in the query":            {notice(backChannelPath+"?"+good, ""), "not there once"},
		"in the query too":        {notice(backChannelPath+"?"+good, good), "not there once"},
		"twice":                   {notice(backChannelPath, good+"&"+good), "not there once"},
		"missing":                 {notice(backChannelPath, "token="+token), "not there once"},
		"nothing":                 {notice(backChannelPath, ""), "not there once"},
		"bad escape":              {notice(backChannelPath, good+"&x=%zz"), "unreadable"},
		"a megabyte":              {notice(backChannelPath, good+"&x="+strings.Repeat("x", 1<<20)), "too large"},
		"the token at its bounds": {notice(backChannelPath, "x="+strings.Repeat("x", maxLogoutBody)+"&"+good), "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			a.wantRefused(answerOf(a.handler, tt.request), http.StatusBadRequest, ReasonLogoutInvalid, tt.why)
		})
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
		r := notice(backChannelPath+"?"+good, good)
		r.Method = method
		resp := answerOf(a.m.BackChannelLogoutHandler(), r)
		if resp.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %v", method, resp.Header)
		}
		a.wantRefused(resp, http.StatusMethodNotAllowed, ReasonMethod, "")
	}
	r := notice(backChannelPath, good)
	r.Body = nil
	a.wantRefused(answerOf(a.m.BackChannelLogoutHandler(), r), http.StatusBadRequest, ReasonLogoutInvalid, "no body")
	a.wantUser(b, "alice")
	// What extensions add does no harm (Back-Channel Logout 2.5), and neither does a charset.
	a.wantDone(answerOf(a.handler, with(notice(backChannelPath+"?tenant=x", good+"&more=x"), "Application/X-WWW-Form-Urlencoded; charset=utf-8")))
	a.wantUser(b, "nobody: "+ReasonRevoked)
}

// Two browsers of one user, with nothing but cookies.
func TestBackChannelLogoutOfASubject(t *testing.T) {
	a := newApp(t)
	one, two, bob := a.browser(), a.browser(), a.browser()
	one.mustSignIn("alice")
	two.mustSignIn("alice")
	bob.mustSignIn("bob")
	old := allCookies(one)
	a.later()
	a.wantDone(a.tell(a.op.LogoutToken(map[string]any{"sub": "alice"})))
	a.wantUser(one, "nobody: "+ReasonRevoked)
	a.wantUser(two, "nobody: "+ReasonRevoked)
	a.wantUser(bob, "bob")

	a.later()
	one.begin("/") // a page load takes the cookie away
	if one.cookie("") != "" {
		t.Error("the cookie of a revoked session is left")
	}
	one.mustSignIn("alice")
	a.wantUser(one, "alice")
	a.wantUser(two, "nobody: "+ReasonRevoked)
	replayed := one.request("GET", "/", fetchHeaders...)
	replayed.Header.Set("Cookie", old)
	if resp := one.lost(replayed); problemReason(t, resp) != ReasonRevoked {
		t.Errorf("an older cookie after a new sign-in: %d", resp.StatusCode)
	}
}

func TestBackChannelLogoutOfASession(t *testing.T) {
	for name, subject := range map[string]any{"sid": nil, "sid and sub": "alice"} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			one, two := a.browser(), a.browser()
			one.mustSignIn("alice")
			two.mustSignIn("alice")
			a.later()
			a.wantDone(a.tell(a.op.LogoutToken(map[string]any{"sub": subject, "sid": one.sid()})))
			a.wantUser(one, "nobody: "+ReasonRevoked)
			a.wantUser(two, "alice")
			a.wantDone(a.tell(a.op.LogoutToken(map[string]any{"sub": subject, "sid": "unknown"})))
			a.wantUser(two, "alice")
		})
	}
}

// A sid is reused by a later sign-in of the same browser at the provider.
func TestBackChannelLogoutIsByTime(t *testing.T) {
	a := newApp(t)
	b, at := a.browser(), a.op.NewBrowser()
	signIn := func() {
		t.Helper()
		callback, err := at.SignIn(b.begin("/auth/login"), "alice")
		if err != nil {
			t.Fatal(err)
		}
		a.wantRedirect(b.get(callback.RequestURI(), fromProvider...), "/")
	}
	signIn()
	sid := b.sid()
	a.later()
	before := a.op.LogoutToken(map[string]any{"sid": sid})
	a.later()
	signIn()
	if b.sid() != sid {
		t.Fatal("the provider gave another sid")
	}
	a.wantDone(a.tell(before))
	a.wantUser(b, "alice")
	a.later()
	a.wantDone(a.tell(a.op.LogoutToken(map[string]any{"sid": sid})))
	a.wantUser(b, "nobody: "+ReasonRevoked)
}

// Whoever signs in in the second of a logout token is told so, and not sent to the provider
// again and again, until the second is over.
func TestSignInOfTheSameSecond(t *testing.T) {
	start := time.Now() // stands still, or the second might end in the middle of the test
	a := newApp(t, func(cfg *appConfig) { cfg.op.Now = func() time.Time { return start } })
	b := a.browser()
	a.wantDone(a.tell(a.op.LogoutToken(map[string]any{"sub": "alice"})))
	resp := b.signIn("/page?x=1", "alice")
	if text := body(resp); resp.StatusCode != http.StatusForbidden || !strings.Contains(text, ReasonRevoked) || !strings.Contains(text, "/auth/login?return_to=") {
		t.Errorf("%d:\n%s", resp.StatusCode, text)
	}
	if b.cookie("") != "" {
		t.Error("there is a session")
	}
	if n := strings.Count(a.logs.String(), "session: signed in"); n != 0 {
		t.Errorf("the log says %d times that somebody has signed in", n)
	}
	a.op.Advance(time.Second)
	b.mustSignIn("alice")
	a.wantUser(b, "alice")
}

func TestV36Replay(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	a.later()
	token := a.op.LogoutToken(map[string]any{"sub": "alice"})
	// What verifies and does no work is not used up by that.
	if _, err := a.rp.VerifyLogout(t.Context(), token, &spentTokens{m: a.m}); err != nil {
		t.Fatal(err)
	}
	a.wantDone(a.tell(token))
	a.wantRefused(a.tell(token), http.StatusBadRequest, ReasonLogoutToken, "jti")
	a.later()
	b.begin("/")
	b.mustSignIn("alice")
	a.wantRefused(a.tell(token), http.StatusBadRequest, ReasonLogoutToken, "jti")
	a.wantUser(b, "alice")
	// In another process nobody remembers it, and it does no harm there.
	a.m.logouts = newMemory[struct{}](maxLogouts)
	a.wantDone(a.tell(token))
	a.wantUser(b, "alice")
}

func TestBackChannelWithoutKeys(t *testing.T) {
	a := newApp(t)
	a.op.SetFaults(clienttest.JWKS500)
	token := a.op.LogoutToken(map[string]any{"sub": "alice"})
	a.wantRefused(a.tell(token), http.StatusBadRequest, ReasonUnavailable, "")
	a.op.SetFaults()
	a.op.Advance(time.Minute)
	a.wantDone(a.tell(token))
}

// A countingStore is a Store in memory that counts, and fails when told to.
type countingStore struct {
	loads, saves atomic.Int32
	down         atomic.Bool
	all          *memory[[]byte]
	now          func() time.Time
}

func newCountingStore() *countingStore {
	return &countingStore{all: newMemory[[]byte](1000), now: time.Now}
}

func (s *countingStore) err() error {
	if s.down.Load() {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (s *countingStore) Load(_ context.Context, keys ...string) (map[string][]byte, error) {
	s.loads.Add(1)
	found := map[string][]byte{}
	for _, key := range keys {
		if value, ok := s.all.get(keyOf(key), s.now()); ok {
			found[key] = value
		}
	}
	return found, s.err()
}

func (s *countingStore) Save(_ context.Context, key string, value []byte, expires time.Time) error {
	s.saves.Add(1)
	if s.err() == nil {
		s.all.put(keyOf(key), slices.Clone(value), s.now(), expires)
	}
	return s.err()
}

func (s *countingStore) Delete(_ context.Context, key string) error {
	if s.err() == nil {
		s.all.forget(keyOf(key))
	}
	return s.err()
}

// A flood of tokens that anybody can make.
func TestV37BogusTokens(t *testing.T) {
	store := newCountingStore()
	a := newApp(t, func(cfg *appConfig) {
		cfg.session.Store = store
		cfg.session.Logger = slog.New(slog.DiscardHandler)
	})
	_, rest, _ := strings.Cut(a.op.LogoutToken(map[string]any{"sub": "alice"}), ".")
	for i := range 10_000 {
		header := fmt.Sprintf(`{"alg":"ES256","typ":"logout+jwt","kid":%q}`, rand.Text())
		token := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + rest
		if resp := a.tell(token); resp.StatusCode != http.StatusBadRequest {
			t.Fatalf("token %d: %d", i, resp.StatusCode)
		}
	}
	// The first look, and one more for the kids that were not there.
	if n := a.op.Count("jwks"); n > 2 {
		t.Errorf("%d requests for keys", n)
	}
	if n := store.saves.Load(); n != 0 || !a.m.revoked.empty() || !a.m.logouts.empty() {
		t.Errorf("%d entries saved", n)
	}
}

// The provider sends its token while the browser is at its end_session endpoint, or even
// while the app has not answered the sign-out yet.
func TestBackChannelLogoutDuringSignOut(t *testing.T) {
	var a *app
	during := 0
	var events []Event
	a = newApp(t, func(cfg *appConfig) {
		cfg.op.Clients = []clienttest.Client{{ID: "web", Secret: "a secret", BackChannelLogoutURI: appURL + backChannelPath}}
		cfg.session.PostLogoutRedirectURL = appURL + "/auth/logout"
		cfg.session.OnEvent = func(_ context.Context, e Event) {
			events = append(events, e)
			if e.Type == EventLogout {
				during = a.tell(a.op.LogoutToken(map[string]any{"sub": "alice"})).StatusCode
			}
		}
	})
	a.op.SetApplication(appURL, a.handler)
	b, at := a.browser(), a.op.NewBrowser()
	callback, err := at.SignIn(b.begin("/"), "alice")
	if err != nil {
		t.Fatal(err)
	}
	b.get(callback.RequestURI(), fromProvider...)
	a.later()
	out, err := at.SignOut(b.post("/auth/logout").Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if notices := a.op.Notices(); during != http.StatusOK || len(notices) != 1 || notices[0].Status != http.StatusOK {
		t.Errorf("in the midst of it %d, and then %+v; log %s", during, notices, a.logs)
	}
	a.wantOurPage(b.get(out.Return.RequestURI(), fromProvider...))
	if names := b.jar.names(); len(names) != 0 {
		t.Errorf("cookies left: %q", names)
	}
	last := events[len(events)-1]
	if last.Type != EventRevoked || last.Reason != ReasonRevoked || last.Issuer != a.op.Issuer() || last.Subject != "alice" {
		t.Errorf("event %+v", last)
	}
}

func TestBackChannelIsObserved(t *testing.T) {
	var seen []string
	a := newApp(t, func(cfg *appConfig) {
		cfg.session.Observe = func(ctx context.Context, operation string) (context.Context, func(error)) {
			return ctx, func(err error) { seen = append(seen, fmt.Sprint(operation, " ", err != nil)) }
		}
	})
	a.tell(a.op.LogoutToken(nil))
	a.tell("bogus")
	a.browser().post("/auth/logout")
	if want := []string{"backchannel-logout false", "backchannel-logout true", "logout false"}; !slices.Equal(seen, want) {
		t.Errorf("got %q", seen)
	}
}

// A house has two providers, of which only their issuers decide who ends a session.
type house struct {
	ops  map[string]*clienttest.Provider
	logs *logBuffer
	m    *Manager
	mux  *http.ServeMux
}

func newHouse(t *testing.T) *house {
	h := &house{ops: map[string]*clienttest.Provider{}, logs: &logBuffer{}, mux: http.NewServeMux()}
	cfg := Config{Secrets: []string{testSecret(1)}, Logger: slog.New(slog.NewJSONHandler(h.logs, nil))}
	for _, name := range []string{"red", "blue"} {
		op := clienttest.New(&clienttest.Options{Algorithm: "ES256", Issuer: "https://" + name + ".example.net"})
		t.Cleanup(func() { op.Close() })
		rp, err := client.New(op.Config(appURL + "/" + name))
		if err != nil {
			t.Fatal(err)
		}
		h.ops[name] = op
		cfg.Providers = append(cfg.Providers, Provider{Name: name, Client: rp})
	}
	m, err := New(nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.m = m
	m.Routes(h.mux)
	return h
}

// over says whether a session of a provider is.
func (h *house) over(name string) bool {
	op := h.ops[name]
	rec := &record{created: op.Now().Add(-time.Minute), identity: identity{issuer: op.Issuer(), subject: "alice", sid: "s", issued: op.Now().Add(-time.Minute)}}
	return h.m.isRevoked(rec, op.Now())
}

func TestBackChannelOfSeveralProviders(t *testing.T) {
	for name, tt := range map[string]struct {
		path   string
		from   string
		claims map[string]any
		ends   string
		why    string
	}{
		"red":                       {backChannelPath, "red", nil, "red", ""},
		"blue":                      {backChannelPath, "blue", nil, "blue", ""},
		"blue, by name":             {backChannelPath + "/blue", "blue", nil, "blue", ""},
		"blue to the route of red":  {backChannelPath + "/red", "blue", nil, "", "kid"},
		"blue in the name of red":   {backChannelPath, "blue", map[string]any{"iss": "red"}, "", "kid"},
		"a stranger":                {backChannelPath, "blue", map[string]any{"iss": "https://evil.example"}, "", "of no provider"},
		"another client":            {backChannelPath, "blue", map[string]any{"aud": "other"}, "", "of no provider"},
		"another client among them": {backChannelPath, "blue", map[string]any{"aud": []string{"other", "and-me"}}, "", "of no provider"},
		"no issuer":                 {backChannelPath, "blue", map[string]any{"iss": nil}, "", "who it is from"},
		"a name nobody has":         {backChannelPath + "/green", "blue", nil, "", "no provider of the name"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			claims := map[string]any{"sub": "alice", "sid": "s"}
			for claim, value := range tt.claims {
				claims[claim] = value
			}
			if claims["iss"] == "red" {
				claims["iss"] = h.ops["red"].Issuer()
			}
			op := h.ops[tt.from]
			resp := answerOf(h.mux, notice(tt.path, logoutForm(op.LogoutToken(claims))))
			for name := range h.ops {
				if h.over(name) != (name == tt.ends) {
					t.Errorf("over at %s: %t", name, h.over(name))
				}
			}
			if tt.ends != "" {
				if resp.StatusCode != http.StatusOK {
					t.Errorf("%d: %s", resp.StatusCode, h.logs)
				}
				return
			}
			if last := h.logs.lastRefusal(); resp.StatusCode != http.StatusBadRequest || last.Reason != ReasonLogoutToken || !strings.Contains(last.Error, tt.why) {
				t.Errorf("%d, %q: %s; want %s", resp.StatusCode, last.Reason, last.Error, tt.why)
			}
			if fetched := op.Count("discovery") + op.Count("jwks"); tt.why == "of no provider" && fetched != 0 {
				t.Errorf("%d requests for a token of nobody", fetched)
			}
		})
	}
}

func TestClaimed(t *testing.T) {
	token := func(payload string) string {
		return "a." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c"
	}
	for _, payload := range []string{`{"iss":"i","aud":"x"}`, `{"aud":["x"],"iss":"i"}`} {
		if issuer, audience, err := claimed(token(payload)); err != nil || issuer != "i" || !slices.Equal(audience, []string{"x"}) {
			t.Errorf("%s: %q %q %v", payload, issuer, audience, err)
		}
	}
	for raw, why := range map[string]string{
		"":                            "no signed token",
		"a.b":                         "no signed token",
		token(`{"iss":"i"}`) + ".d.e": "no signed token",
		token(`{"iss":"i","x":"` + strings.Repeat("x", maxLogoutToken) + `"}`): "no signed token",
		"a.!.c":                        "unreadable",
		token(`{}`):                    "who it is from",
		token(`[]`):                    "who it is from",
		token(`{"iss":1}`):             "who it is from",
		token(`{"iss":"i","Iss":"j"}`): "who it is from",
		token(`{"iss":"i","iss":"j"}`): "who it is from",
		token(`{"iss":"i","AUD":"x"}`): "who it is from",
		token(`{"iss":"i","aud":"x"`):  "who it is from",
	} {
		if _, audience, err := claimed(raw); err == nil || !strings.Contains(err.Error(), why) || audience != nil {
			t.Errorf("%.60q: %v, want %q", raw, err, why)
		}
	}
}

// Never 200 without a token that verifies by itself.
func FuzzBackChannelBody(f *testing.F) {
	a := newApp(f, func(cfg *appConfig) { cfg.session.Logger = slog.New(slog.DiscardHandler) })
	good := logoutForm(a.op.LogoutToken(map[string]any{"sub": "alice"}))
	const form = "application/x-www-form-urlencoded"
	f.Add(good, form, "")
	f.Add(good, form+"; charset=utf-8", "x=1")
	f.Add(good+"&"+good, form, "")
	f.Add(good, "application/json", "")
	f.Add("", form, good)
	f.Add("logout_token=&"+good, form, "")
	f.Add(strings.Replace(good, "_", "%5f", 1), form, "")
	f.Fuzz(func(t *testing.T, text, kind, query string) {
		a.m.logouts = newMemory[struct{}](maxLogouts)
		r := notice(backChannelPath, text)
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", kind)
		resp := answerOf(a.m.BackChannelLogoutHandler(), r)
		if resp.StatusCode == http.StatusBadRequest {
			return
		}
		values, err := url.ParseQuery(text)
		if resp.StatusCode != http.StatusOK || err != nil || len(values["logout_token"]) != 1 {
			t.Fatalf("%d for %q", resp.StatusCode, text)
		}
		if _, err := a.rp.VerifyLogout(t.Context(), values.Get("logout_token"), new(jwtverify.ReplayCache)); err != nil {
			t.Fatalf("200 for a token that does not verify: %v", err)
		}
	})
}

func TestBackChannelWhileTheStoreIsDown(t *testing.T) {
	store := newCountingStore()
	a := newApp(t, func(cfg *appConfig) { cfg.session.Store = store })
	store.now = a.op.Now
	token := a.op.LogoutToken(map[string]any{"sub": "alice"})
	store.down.Store(true)
	a.wantRefused(a.tell(token), http.StatusBadRequest, ReasonStoreDown, "")
	store.down.Store(false)
	a.wantDone(a.tell(token)) // what has failed may come again
	a.wantRefused(a.tell(token), http.StatusBadRequest, ReasonLogoutToken, "jti")
}

package clienttest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/jwtverify"
)

const appOrigin = "https://app.example.com"

// An inbox is the back channel of an application.
type inbox struct {
	mu     sync.Mutex
	tokens []string
	busy   func() // runs while the provider waits for the answer
}

func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if r.Method != "POST" || r.Host != "app.example.com" || r.TLS == nil || r.RequestURI != "/back" || r.URL.Host != "" {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	if in.busy != nil {
		in.busy()
	}
	in.tokens = append(in.tokens, r.PostFormValue("logout_token"))
	w.Write([]byte("ok"))
}

// told is a flow whose client is told of every sign-out.
func told(t *testing.T, change func(*clienttest.Client)) (*flow, *inbox) {
	t.Helper()
	c := clienttest.Client{ID: "web", Secret: longSecret, BackChannelLogoutURI: appOrigin + "/back"}
	if change != nil {
		change(&c)
	}
	f := newFlow(t, &clienttest.Options{Algorithm: "ES256", Clients: []clienttest.Client{c}})
	in := &inbox{}
	f.op.SetApplication(appOrigin, in)
	return f, in
}

// checker is the verifier of an API or an application, on the provider's clock.
func (f *flow) checker(algorithms ...string) *jwtverify.Verifier {
	return &jwtverify.Verifier{
		Issuer: f.op.Issuer(), Audience: f.id, Now: f.op.Now, Algorithms: algorithms,
		Keys: &jwtverify.RemoteKeys{URL: f.op.Issuer() + "/jwks", HTTPClient: f.http},
	}
}

func (f *flow) logoutToken(raw string) (*jwtverify.LogoutToken, error) {
	return f.checker("ES256").LogoutToken(context.Background(), raw, &jwtverify.ReplayCache{Now: f.op.Now})
}

// in signs a user in, in a browser of their own, and gives their sid.
func (f *flow) in(subject string) (*clienttest.Browser, string, answer) {
	f.t.Helper()
	b := f.op.NewBrowser()
	got := f.exchange(f.visit(b, subject).Get("code"))
	_, claims := parts(f.t, got.IDToken)
	sid, _ := claims["sid"].(string)
	return b, sid, got
}

// visit is the callback of a request in a browser.
func (f *flow) visit(b *clienttest.Browser, subject string, set ...string) url.Values {
	f.t.Helper()
	at, err := b.SignIn(f.authorizationURL(set...), subject)
	if err != nil {
		f.t.Fatal(err)
	}
	return at.Query()
}

// TestEndSession ends one of two sessions of a user: a logout token says so, and the other
// goes on.
func TestEndSession(t *testing.T) {
	f, in := told(t, nil)
	one, sid, tokens := f.in("alice")
	two, _, _ := f.in("alice")
	notices := f.op.EndSession(sid)
	want := clienttest.Notice{ClientID: "web", URI: appOrigin + "/back", Status: 200}
	if len(notices) != 1 || notices[0] != want || !slices.Equal(f.op.Notices(), notices) {
		t.Fatalf("the notices are %v", notices)
	}
	header, _ := parts(t, in.tokens[0])
	if header["typ"] != "logout+jwt" {
		t.Errorf("the header is %v", header)
	}
	token, err := f.logoutToken(in.tokens[0])
	if err != nil {
		t.Fatal(err)
	}
	if token.Subject != "alice" || token.SessionID != sid || token.Expiry.Sub(token.IssuedAt).Minutes() != 2 {
		t.Errorf("got %+v", token)
	}
	if q := f.visit(one, "", "prompt", "none"); q.Get("error") != "login_required" {
		t.Errorf("the session goes on: %q", q)
	}
	if q := f.visit(two, "", "prompt", "none"); q.Get("code") == "" {
		t.Errorf("the other session is over: %q", q)
	}
	if !f.alive(tokens.AccessToken) {
		t.Error("the tokens went with the session")
	}
	if again := f.op.EndSession(sid); len(again) != 0 {
		t.Errorf("a session that is over: %v", again)
	}
}

// TestEndSessions ends all sessions of a user, and nobody else's.
func TestEndSessions(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*clienttest.Client)
		tokens int
		sid    bool
	}{
		"by sub":           {nil, 1, false},
		"session required": {func(c *clienttest.Client) { c.BackChannelLogoutSessionRequired = true }, 2, true},
		"nothing asked":    {func(c *clienttest.Client) { c.BackChannelLogoutURI = "" }, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			f, in := told(t, c.change)
			f.in("alice")
			f.in("alice")
			other, _, _ := f.in("bob")
			if notices := f.op.EndSessions("alice"); len(notices) != c.tokens || len(in.tokens) != c.tokens {
				t.Fatalf("%d notices, %d tokens", len(notices), len(in.tokens))
			}
			for _, raw := range in.tokens {
				if token, err := f.logoutToken(raw); err != nil || token.Subject != "alice" || token.SessionID != "" != c.sid {
					t.Errorf("got %+v, %v", token, err)
				}
			}
			if q := f.visit(other, "", "prompt", "none"); q.Get("code") == "" {
				t.Errorf("bob is signed out: %q", q)
			}
		})
	}
}

// TestEndSessionTellsThoseWhoKnow: of two clients, the one that the session was used for.
func TestEndSessionTellsThoseWhoKnow(t *testing.T) {
	f := newFlow(t, &clienttest.Options{Algorithm: "ES256", Clients: []clienttest.Client{
		{ID: "web", Secret: "s", BackChannelLogoutURI: appOrigin + "/back"},
		{ID: "shop", Secret: "s", BackChannelLogoutURI: appOrigin + "/back", RedirectURLs: []string{redirectURL}},
	}})
	in := &inbox{}
	f.op.SetApplication(appOrigin, in)
	b, sid, _ := f.in("alice")
	_, other, _ := f.in("alice")
	if q := f.visit(b, "", "client_id", "shop", "prompt", "none"); q.Get("code") == "" {
		t.Fatalf("no single sign-on: %q", q)
	}
	var ids []string
	for _, notice := range append(f.op.EndSession(sid), f.op.EndSession(other)...) {
		ids = append(ids, notice.ClientID)
	}
	if !slices.Equal(ids, []string{"web", "shop", "web"}) {
		t.Errorf("told were %v", ids)
	}
}

// TestLogoutTellsBeforeItAnswers: the application hears of a sign-out while the browser waits
// at the end_session endpoint.
func TestLogoutTellsBeforeItAnswers(t *testing.T) {
	f, in := told(t, nil)
	b, idToken := signedIn(f)
	status := -1
	in.busy = func() {
		seen := f.op.Requests()
		status = seen[len(seen)-1].Status
	}
	response, _ := b.open(logoutURL(f, "id_token_hint", idToken, "post_logout_redirect_uri", signedOutURL))
	if len(in.tokens) != 1 || status != 0 || response.Header.Get("Location") != signedOutURL {
		t.Errorf("%d tokens; the status was %d; %s", len(in.tokens), status, response.Status)
	}
}

// TestNoticeOverASocket reaches applications that are elsewhere, or are not there.
func TestNoticeOverASocket(t *testing.T) {
	app := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusSeeOther))
	f, _ := told(t, func(c *clienttest.Client) { c.BackChannelLogoutURI = app.URL + "/back" })
	_, sid, _ := f.in("alice")
	if notices := f.op.EndSession(sid); len(notices) != 1 || notices[0].Status != 303 || notices[0].Err != nil {
		t.Errorf("the notices are %v", notices)
	}
	app.Close()
	_, sid, _ = f.in("alice")
	if notices := f.op.EndSession(sid); len(notices) != 1 || notices[0].Status != 0 || notices[0].Err == nil {
		t.Errorf("with nobody there the notices are %v", notices)
	}
	if got := panics(func() { f.op.SetApplication(appOrigin+"/", nil) }); !strings.Contains(got, "is no origin") {
		t.Errorf("an address as the origin: %q", got)
	}
}

// TestEndSessionOfARegistration: a client that registers itself says how it is told.
func TestEndSessionOfARegistration(t *testing.T) {
	f := newFlow(t, fast())
	in := &inbox{}
	f.op.SetApplication(appOrigin, in)
	reg, err := client.Register(t.Context(), f.op.Issuer(), client.RegistrationRequest{
		Metadata: client.ClientMetadata{
			RedirectURIs:                      []string{redirectURL},
			BackchannelLogoutURI:              appOrigin + "/back",
			BackchannelLogoutSessionRequired:  true,
			FrontchannelLogoutURI:             frontURL,
			FrontchannelLogoutSessionRequired: true,
		},
		HTTPClient: f.http,
		Now:        f.op.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	b := f.op.NewBrowser()
	if q := f.visit(b, "alice", "client_id", reg.ClientID); q.Get("code") == "" {
		t.Fatalf("got %q", q)
	}
	out, err := b.SignOut(logoutURL(f))
	if err != nil || len(out.Frames) != 1 || !strings.Contains(out.Frames[0], "&sid=") || len(in.tokens) != 1 {
		t.Errorf("got %+v, %v and %d tokens", out, err, len(in.tokens))
	}
}

func TestLogoutToken(t *testing.T) {
	f := newFlow(t, fast())
	for name, c := range map[string]struct {
		claims map[string]any
		why    string
	}{
		"as it should be": {nil, ""},
		"with a sid":      {map[string]any{"sub": nil, "sid": "a session"}, ""},
		"of nobody":       {map[string]any{"sub": nil}, "sid is missing, and sub too"},
		"with a nonce":    {map[string]any{"nonce": "n"}, "nonce is that of an ID token"},
		"without events":  {map[string]any{"events": nil}, "events is missing"},
		"of others":       {map[string]any{"aud": "other"}, "aud does not name this audience"},
		"of before":       {map[string]any{"iat": f.op.Now().Unix() - 1000}, "iat is more than five minutes ago"},
	} {
		t.Run(name, func(t *testing.T) {
			token, err := f.logoutToken(f.op.LogoutToken(c.claims))
			if c.why == "" && (err != nil || token.Issuer != f.op.Issuer() || token.ID == "") {
				t.Errorf("got %+v, %v", token, err)
			}
			if c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("by the secret", func(t *testing.T) {
		f := newFlow(t, registeredFor(func(c *clienttest.Client) { c.IDTokenSignedResponseAlg = "HS256" }))
		if raw := f.op.LogoutToken(nil); !macBy(raw, f.secret) {
			t.Errorf("the token is not authenticated with the client's secret")
		}
	})
	t.Run("encrypted", func(t *testing.T) {
		f := newFlow(t, registeredFor(func(c *clienttest.Client) { c.IDTokenEncryptionKey = curveKey().Public() }))
		_, plain, err := opened(f.op.LogoutToken(nil), curveKey())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.logoutToken(plain); err != nil {
			t.Error(err)
		}
	})
}

// logoutTokenFaults are checked on tokens that are sent, in memory.
func logoutTokenFaults() map[clienttest.Fault]check {
	sent := func(ok func(f *flow, tokens []string) bool) check {
		return func(t *testing.T, _ *flow) {
			f, in := told(t, nil)
			f.op.SetFaults(faultOf(t))
			_, sid, _ := f.in("alice")
			f.op.EndSession(sid)
			if !ok(f, in.tokens) {
				t.Errorf("the tokens are %q", in.tokens)
			}
		}
	}
	refused := func(why string) check {
		return sent(func(f *flow, tokens []string) bool {
			if len(tokens) != 1 {
				return false
			}
			_, err := f.logoutToken(tokens[0])
			return errors.Is(err, jwtverify.ErrInvalid) && strings.Contains(err.Error(), why)
		})
	}
	return map[clienttest.Fault]check{
		clienttest.LogoutTokenAlgNone:  refused("not signed"),
		clienttest.LogoutTokenWrongKey: refused("signature does not verify"),
		clienttest.LogoutTokenPlainType: sent(func(f *flow, tokens []string) bool {
			header, _ := parts(f.t, tokens[0])
			_, err := f.logoutToken(tokens[0])
			return header["typ"] == "JWT" && err == nil
		}),
		clienttest.LogoutTokenTwice: sent(func(_ *flow, tokens []string) bool {
			return len(tokens) == 2 && tokens[0] == tokens[1]
		}),
		clienttest.NoBackChannelLogout: func(t *testing.T, f *flow) {
			if m := f.metadata(); m["backchannel_logout_supported"] != nil || m["backchannel_logout_session_supported"] != nil {
				t.Errorf("the metadata promises it")
			}
			sent(func(_ *flow, tokens []string) bool { return len(tokens) == 0 })(t, f)
		},
	}
}

// faultOf is the fault that a subtest of TestFaults is named after.
func faultOf(t *testing.T) clienttest.Fault {
	_, name, _ := strings.Cut(t.Name(), "/")
	return clienttest.Fault(name)
}

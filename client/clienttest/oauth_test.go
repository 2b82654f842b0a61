package clienttest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-go/postern/client/clienttest"
)

func likeGitHub() *clienttest.Options {
	return &clienttest.Options{OAuthOnly: true, Clients: []clienttest.Client{{ID: "app", Secret: "a secret"}}}
}

func (f *flow) oauthURL(set ...string) string {
	q := url.Values{"client_id": {f.id}, "redirect_uri": {redirectURL}, "scope": {"read:user user:email"}, "state": {f.state}}
	for i := 0; i < len(set); i += 2 {
		q.Set(set[i], set[i+1])
	}
	return f.op.Issuer() + "/login/oauth/authorize?" + q.Encode()
}

// oauthCode signs alice in.
func (f *flow) oauthCode(set ...string) string {
	f.t.Helper()
	at, err := f.op.SignIn(f.oauthURL(set...), "alice")
	if err != nil {
		f.t.Fatal(err)
	}
	if q := at.Query(); q.Get("state") != f.state || q.Has("iss") || q.Has("session_state") {
		f.t.Errorf("the callback is %q", q)
	}
	return at.Query().Get("code")
}

// oauthToken trades a code, with parameters changed, and gives the answer as text.
func (f *flow) oauthToken(code, accept string, set ...string) string {
	f.t.Helper()
	form := url.Values{"client_id": {f.id}, "client_secret": {f.secret}, "code": {code}, "redirect_uri": {redirectURL}}
	for i := 0; i < len(set); i += 2 {
		form.Set(set[i], set[i+1])
	}
	r, err := http.NewRequest("POST", f.op.Issuer()+"/login/oauth/access_token", strings.NewReader(form.Encode()))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", accept)
	response, err := f.http.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	if kind := response.Header.Get("Content-Type"); response.StatusCode != 200 || strings.Contains(kind, "json") != strings.Contains(accept, "json") {
		f.t.Errorf("got %s, %s", response.Status, kind)
	}
	return body(f.t, response)
}

// api asks for something with an access token.
func (f *flow) api(path, authorization string) (int, string) {
	f.t.Helper()
	r, err := http.NewRequest("GET", f.op.Issuer()+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization)
	response, err := f.http.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	return response.StatusCode, body(f.t, response)
}

func TestOAuthOnly(t *testing.T) {
	f := newFlow(t, likeGitHub())
	form, err := url.ParseQuery(f.oauthToken(f.oauthCode(), "*/*"))
	if err != nil {
		t.Fatal(err)
	}
	if form.Get("token_type") != "bearer" || form.Get("scope") != "read:user,user:email" || len(form) != 3 {
		t.Errorf("the answer has %q", form)
	}
	var tokens map[string]any
	if err := json.Unmarshal([]byte(f.oauthToken(f.oauthCode(), "application/json")), &tokens); err != nil {
		t.Fatal(err)
	}
	if len(tokens) != 3 || tokens["token_type"] != "bearer" {
		t.Errorf("the answer has %v", tokens)
	}
	var first, second struct {
		ID    int64
		Login string
		Email *string
	}
	for authorization, user := range map[string]any{"Bearer " + form.Get("access_token"): &first, "token " + tokens["access_token"].(string): &second} {
		if status, text := f.api("/user", authorization); status != 200 || json.Unmarshal([]byte(text), user) != nil {
			t.Errorf("got %d %s", status, text)
		}
	}
	if first != second || first.ID == 0 || first.Login != "alice" || first.Email != nil {
		t.Errorf("the user is %+v, then %+v", first, second)
	}
	status, text := f.api("/user/emails", "Bearer "+form.Get("access_token"))
	if status != 200 || !strings.HasSuffix(text, `{"email":"alice@example.com","primary":true,"verified":true,"visibility":"private"}]`) || f.op.Count("emails") != 1 {
		t.Errorf("got %d %s", status, text)
	}
	if status, text := f.api("/user", "Bearer guessed"); status != 401 || text != `{"message":"Bad credentials"}` {
		t.Errorf("a guessed token: %d %s", status, text)
	}
	narrow, _ := url.ParseQuery(f.oauthToken(f.oauthCode("scope", "read:user,repo"), ""))
	if status, _ := f.api("/user/emails", "Bearer "+narrow.Get("access_token")); status != 404 {
		t.Errorf("without the scope: %d", status)
	}
	if status, _ := f.api("/.well-known/openid-configuration", ""); status != 404 {
		t.Errorf("discovery answers %d", status)
	}
}

// TestOAuthUserID: a number that is given, or one that is always the same.
func TestOAuthUserID(t *testing.T) {
	opts := likeGitHub()
	opts.Users = []clienttest.User{{Subject: "alice", Claims: map[string]any{"id": 583231}}}
	f := newFlow(t, opts)
	form, _ := url.ParseQuery(f.oauthToken(f.oauthCode(), ""))
	if _, text := f.api("/user", "Bearer "+form.Get("access_token")); !strings.Contains(text, `"id":583231`) {
		t.Errorf("got %s", text)
	}
}

// TestOAuthRefuses changes one thing of a good request at a time. Every error has status 200.
func TestOAuthRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		set  []string
		code string
	}{
		"another secret":       {[]string{"client_secret", "wrong"}, "incorrect_client_credentials"},
		"another client":       {[]string{"client_id", "other"}, "incorrect_client_credentials"},
		"another code":         {[]string{"code", "guessed"}, "bad_verification_code"},
		"another redirect URL": {[]string{"redirect_uri", redirectURL + "/"}, "redirect_uri_mismatch"},
		"another grant":        {[]string{"grant_type", "refresh_token"}, "unsupported_grant_type"},
		"no verifier":          {nil, "bad_verification_code"},
		"another verifier":     {[]string{"code_verifier", strings.Repeat("a", 43)}, "bad_verification_code"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlow(t, likeGitHub())
			challenge := []string{"code_challenge", f.verifier.Challenge(), "code_challenge_method", "S256"}
			good := []string{"code_verifier", string(f.verifier)}
			if c.code == "bad_verification_code" && name != "another code" {
				good = nil
			}
			form, _ := url.ParseQuery(f.oauthToken(f.oauthCode(challenge...), "", append(good, c.set...)...))
			if form.Get("error") != c.code || form.Has("access_token") {
				t.Errorf("got %q", form)
			}
			form, _ = url.ParseQuery(f.oauthToken(f.oauthCode(challenge...), "", "code_verifier", string(f.verifier)))
			if !form.Has("access_token") {
				t.Errorf("as it should be: %q", form)
			}
		})
	}
	f := newFlow(t, likeGitHub())
	for why, set := range map[string][]string{
		"S256":       {"code_challenge", "x", "code_challenge_method", "plain"},
		"came twice": nil,
	} {
		address := f.oauthURL(set...)
		if set == nil {
			address += "&state=other"
		}
		at, err := f.op.SignIn(address, "alice")
		if err != nil || at.Query().Get("error") != "invalid_request" || !strings.Contains(at.Query().Get("error_description"), why) {
			t.Errorf("%s: got %v, %v", why, at, err)
		}
	}
}

// TestOAuthInABrowser signs in by hand, then silently; the faults are there too.
func TestOAuthInABrowser(t *testing.T) {
	f := newFlow(t, likeGitHub())
	b := newBrowser(f, f.http.Transport)
	_, page := b.open(f.oauthURL("login", "bob"))
	if !strings.Contains(page, `class="user hinted" name="subject" value="bob"`) {
		t.Error("bob is not preselected")
	}
	response, _ := b.submit(page, "subject", "bob")
	if q := callback(response); q.Get("code") == "" || q.Get("state") != f.state {
		t.Errorf("got %s %q", response.Status, q)
	}
	response, _ = b.open(f.oauthURL())
	code := callback(response).Get("code")
	if code == "" {
		t.Errorf("not signed in: %s", response.Status)
	}
	f.op.SetFaults(clienttest.NoAccessToken, clienttest.UserInfoMissingSub)
	if text := f.oauthToken(code, ""); strings.Contains(text, "access_token") {
		t.Errorf("got %s", text)
	}
	f.op.SetFaults(clienttest.UserInfo500)
	if status, _ := f.api("/user", "Bearer x"); status != 500 {
		t.Errorf("got %d", status)
	}
}

func TestOAuthConfig(t *testing.T) {
	cfg := clienttest.New(&clienttest.Options{OAuthOnly: true}).Config(redirectURL)
	if cfg.Auth == nil || strings.Join(cfg.Scopes, " ") != "read:user user:email" || cfg.ClientSecret == "" {
		t.Errorf("got %v %q", cfg.Auth, cfg.Scopes)
	}
}

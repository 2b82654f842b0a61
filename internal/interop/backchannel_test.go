package interop

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// ended is what op says when it has ended sessions: whom it told, and how they took it.
type ended struct {
	Sent []struct {
		Client string
		Status int
	}
}

// endUser ends all sessions that a user has at op, and sends tokens with sub alone.
func (p *provider) endUser(t *testing.T, sub string) (got ended) {
	t.Helper()
	if err := p.call("end-user", map[string]string{"sub": sub}, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// endSession ends the session that a client of op knows as sid, and sends tokens with
// sid alone.
func (p *provider) endSession(t *testing.T, sid string) (got ended) {
	t.Helper()
	if err := p.call("end-session", map[string]string{"sid": sid}, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// issueLogoutToken has op make a logout token and send it to nobody; sub or sid may be empty.
func (p *provider) issueLogoutToken(t *testing.T, reg registration, sub, sid string) string {
	t.Helper()
	var got struct{ Token string }
	if err := p.call("logout-token", map[string]string{"client": reg.ID, "sub": sub, "sid": sid}, &got); err != nil {
		t.Fatal(err)
	}
	return got.Token
}

// Signing out at the provider in a browser tells everybody who wants to know.
func TestBackChannelAtSignOut(t *testing.T) {
	for name, wantsSession := range map[string]bool{"with the session": true, "with the user alone": false} {
		t.Run(name, func(t *testing.T) {
			mail := startMailbox(t)
			reg := op.register(t, callbackURL, metadata{
				"backchannel_logout_uri": mail.url, "backchannel_logout_session_required": wantsSession,
				"post_logout_redirect_uris": []string{goodbyeURL},
			})
			rp := op.client(t, reg, nil)
			person := newPerson(t, "http://127.0.0.1:9/")
			tokens, _ := person.signIn(rp, "alice", nil)
			sid := tokens.IDToken.SessionID
			if wantsSession != (sid != "") {
				t.Errorf("the ID token has the sid %q", sid)
			}
			address, err := rp.LogoutURL(t.Context(), client.LogoutOptions{IDToken: tokens.IDToken, PostLogoutRedirectURL: goodbyeURL, State: "s"})
			if err != nil {
				t.Fatal(err)
			}
			if got := person.open(address).submit("logout", "yes").url.String(); got != goodbyeURL+"?state=s" {
				t.Errorf("came back to %s", got)
			}
			op.wantLogoutToken(t, reg, mail.next(t), "alice", sid)
			mail.wantEmpty(t)
		})
	}
}

// One user, two browsers: an administrator ends one session, then all of them.
func TestSessionsEndFromOutside(t *testing.T) {
	mail := startMailbox(t)
	reg := op.register(t, callbackURL, metadata{"backchannel_logout_uri": mail.url, "backchannel_logout_session_required": true})
	rp := op.client(t, reg, nil)
	const user = "two-browsers"
	one, two := newPerson(t, callbackURL), newPerson(t, callbackURL)
	first, _ := one.signIn(rp, user, nil)
	second, _ := two.signIn(rp, user, nil)
	if first.IDToken.SessionID == "" || first.IDToken.SessionID == second.IDToken.SessionID {
		t.Fatal("the two browsers do not have a sid each")
	}

	if got := op.endSession(t, first.IDToken.SessionID); len(got.Sent) != 1 || got.Sent[0].Status != http.StatusOK {
		t.Errorf("%+v", got)
	}
	op.wantLogoutToken(t, reg, mail.next(t), "", first.IDToken.SessionID)
	if _, asked := one.signIn(rp, user, nil); asked != 1 {
		t.Error("the session that was ended goes on")
	}
	if _, asked := two.signIn(rp, user, nil); asked != 0 {
		t.Error("the other session ended too")
	}

	op.endUser(t, user)
	op.wantLogoutToken(t, reg, mail.next(t), user, "")
	mail.wantEmpty(t)
	for _, p := range []*person{one, two} {
		if _, asked := p.signIn(rp, user, nil); asked != 1 {
			t.Error("a session of the user goes on")
		}
	}

	made := op.issueLogoutToken(t, reg, user, "some-session")
	op.wantLogoutToken(t, reg, made, user, "some-session")
	mail.wantEmpty(t)
}

// What a test of the whole session can count: used refresh tokens that came again, with
// access tokens that live for seconds.
func TestReuseIsCounted(t *testing.T) {
	reg := op.register(t, callbackURL, metadata{"x_access_token_ttl": 5})
	rp := op.client(t, reg, nil)
	first, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
	second := refresh(t, rp, first)
	if left := second.Expiry.Sub(second.IDToken.IssuedAt).Seconds(); left > 7 {
		t.Errorf("the access token lives for %v s, want 5", left)
	}
	if n := op.reuses(t, reg.ID); n != 0 {
		t.Errorf("%d reuses before there was one", n)
	}
	if _, err := rp.Refresh(t.Context(), first); err == nil {
		t.Error("a used refresh token is good")
	}
	if n := op.reuses(t, reg.ID); n != 1 {
		t.Errorf("%d reuses, want 1", n)
	}
}

// For some clients this provider ignores acr_values, as many do.
func TestProviderIgnoresACR(t *testing.T) {
	for name, opts := range map[string]*client.AuthorizeOptions{
		"acr_values":      {ACRValues: []string{"urn:op:2fa"}},
		"essential claim": {Claims: []byte(`{"id_token":{"acr":{"essential":true,"value":"urn:op:2fa"}}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			reg := op.register(t, callbackURL, metadata{"x_ignores_acr": true})
			rp := op.client(t, reg, nil)
			person := newPerson(t, callbackURL)
			person.signIn(rp, "alice", nil)
			login := authorize(t, rp, opts)
			end, asked := person.open(login.URL()).signIn("alice")
			if asked != 0 {
				t.Errorf("asked %d times, want the session as it is", asked)
			}
			tokens, err := rp.Exchange(t.Context(), login, end.callback())
			if name == "acr_values" {
				wantRefused(t, err, "acr")
				return
			}
			if err != nil || tokens.IDToken.ACR != "urn:op:1fa" {
				t.Errorf("%v", err)
			}
		})
	}
}

// One grant for two APIs: each token is for one of them, whichever a refresh asks for.
func TestRefreshForEachResource(t *testing.T) {
	const reports, billing = "https://reports.example.test", "https://billing.example.test"
	for _, uri := range []string{reports, billing} {
		op.control(t, "resource", api{URI: uri})
	}
	reg := op.register(t, callbackURL, nil)
	rp := op.client(t, reg, func(cfg *client.Config) { cfg.Scopes = []string{"api:read"} })
	tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", &client.AuthorizeOptions{Resource: []string{reports, billing}})
	audience := func(raw string) []string {
		t.Helper()
		v := jwtverify.Verifier{Issuer: op.Issuer, Audience: reports, Keys: op.keys(t)}
		if token, err := v.AccessToken(t.Context(), raw); err == nil {
			return token.Audience
		}
		v.Audience = billing
		token, err := v.AccessToken(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		return token.Audience
	}
	if got := audience(tokens.AccessToken); !slices.Equal(got, []string{reports}) {
		t.Errorf("the first token is for %q", got)
	}
	refreshToken := tokens.RefreshToken
	for _, resource := range []string{billing, reports, billing} {
		resp, err := op.http.PostForm(op.endpoint(t, "token_endpoint"), url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}, "resource": {resource},
			"client_id": {reg.ID}, "client_secret": {reg.Secret},
		})
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			AccessToken  string `json:"access_token"`
			RefreshToken string `json:"refresh_token"`
		}
		err = json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		if err != nil || answer.RefreshToken == refreshToken {
			t.Fatalf("refresh for %s: %s, %v", resource, resp.Status, err)
		}
		if got := audience(answer.AccessToken); !slices.Equal(got, []string{resource}) {
			t.Errorf("a token for %q, want %s", got, resource)
		}
		refreshToken = answer.RefreshToken
	}
	if n := op.reuses(t, reg.ID); n != 0 {
		t.Errorf("%d reuses", n)
	}
}

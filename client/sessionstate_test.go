package client

import (
	"context"
	"strings"
	"testing"
)

// Session Management 2: what is not as it must be is ignored, as any parameter that this
// package does not know.
func TestSessionState(t *testing.T) {
	longest := strings.Repeat("x", maxSessionState)
	for value, want := range map[string]string{
		"":                      "",
		"HASH_-~=.SALT":         "HASH_-~=.SALT",
		longest:                 longest,
		longest + "x":           "",
		"two words":             "",
		"tab\tor\nline":         "",
		"not ASCII \u00e4":      "",
		"\u00e4":                "",
		"\x7f":                  "",
		"<script>\"'&</script>": "<script>\"'&</script>",
	} {
		p := newOP(t)
		c := p.client(nil)
		login := p.authorize(c, nil)
		callback := callbackOf(login)
		callback.Set("session_state", value)
		tokens, err := c.Exchange(context.Background(), login, callback)
		if err != nil || tokens.SessionState != want {
			t.Fatalf("%.20q: got %.20q, %v", value, tokens.SessionState, err)
		}
		delete(p.claims, "nonce")
		next, err := c.Refresh(context.Background(), tokens)
		if err != nil || next.SessionState != want {
			t.Errorf("refreshed: got %.20q, %v", next.SessionState, err)
		}
	}
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, nil)
	callback := callbackOf(login)
	callback["session_state"] = []string{"a", "a"}
	_, err := c.Exchange(context.Background(), login, callback)
	p.wantRejected(err, "session_state is there more than once")
}

// Nor is it lost where there is no code.
func TestSessionStateWithoutCode(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, &AuthorizeOptions{ResponseType: "id_token"})
	callback := callbackOf(login)
	callback.Del("code")
	callback.Set("id_token", p.idToken())
	callback.Set("session_state", "h.s")
	tokens, err := c.Exchange(context.Background(), login, callback)
	if err != nil || tokens.SessionState != "h.s" {
		t.Errorf("got %v, %v", tokens, err)
	}
}

// It is of OpenID Connect, and no session_state of a provider without is kept.
func TestSessionStateOfOAuth(t *testing.T) {
	p := newGitHub(t)
	c := p.oauth(nil)
	login, err := c.Authorize(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	callback := callbackOf(login)
	callback.Set("session_state", "h.s")
	if tokens, err := c.Exchange(context.Background(), login, callback); err != nil || tokens.SessionState != "" {
		t.Errorf("got %v", err)
	}
}

func TestMetadataOfLogout(t *testing.T) {
	p := newOP(t)
	for _, name := range []string{"backchannel_logout_supported", "backchannel_logout_session_supported", "frontchannel_logout_supported", "frontchannel_logout_session_supported"} {
		p.metadata[name] = true
	}
	p.metadata["check_session_iframe"] = testIssuer + "/check"
	m, err := p.client(nil).Metadata(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !m.BackchannelLogoutSupported || !m.BackchannelLogoutSessionSupported || !m.FrontchannelLogoutSupported || !m.FrontchannelLogoutSessionSupported || m.CheckSessionIframe != testIssuer+"/check" {
		t.Errorf("got %+v", m)
	}
}

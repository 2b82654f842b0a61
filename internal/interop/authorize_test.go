package interop

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// Somebody with a session at the provider passes without a word, unless the
// relying party asks for more.
func TestAskedAgain(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	person := newPerson(t, callbackURL)
	first, _ := person.signIn(rp, "alice", nil)

	now, hour := time.Duration(0), time.Hour
	for _, c := range []struct {
		name  string
		opts  *client.AuthorizeOptions
		asked int
	}{
		{"nothing special", nil, 0},
		{"prompt=none", &client.AuthorizeOptions{Prompt: []string{"none"}}, 0},
		{"max_age of an hour", &client.AuthorizeOptions{MaxAge: &hour}, 0},
		{"max_age=0", &client.AuthorizeOptions{MaxAge: &now}, 1},
		{"prompt=login", &client.AuthorizeOptions{Prompt: []string{"login"}}, 1},
		{"prompt=login and max_age=0", &client.AuthorizeOptions{Prompt: []string{"login"}, MaxAge: &now}, 1},
		{"prompt=select_account", &client.AuthorizeOptions{Prompt: []string{"select_account"}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			tokens, asked := person.signIn(rp, "alice", c.opts)
			if asked != c.asked {
				t.Errorf("asked %d times, want %d", asked, c.asked)
			}
			if c.opts != nil && c.opts.MaxAge != nil && tokens.IDToken.AuthTime.IsZero() {
				t.Error("max_age without auth_time went through")
			}
			if tokens.IDToken.Subject != first.IDToken.Subject {
				t.Errorf("signed in as %q", tokens.IDToken.Subject)
			}
		})
	}
}

func TestStepUp(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	person := newPerson(t, callbackURL)
	tokens, _ := person.signIn(rp, "alice", nil)
	if got := tokens.IDToken.ACR; got != "urn:op:1fa" {
		t.Fatalf("acr %q, want urn:op:1fa", got)
	}
	tokens, asked := person.signIn(rp, "alice", &client.AuthorizeOptions{ACRValues: []string{"urn:op:2fa"}})
	if tokens.IDToken.ACR != "urn:op:2fa" || asked != 1 || !strings.Contains(strings.Join(tokens.IDToken.AMR, " "), "mfa") {
		t.Errorf("acr %q, amr %q, asked %d times", tokens.IDToken.ACR, tokens.IDToken.AMR, asked)
	}
	// A level that the provider has never heard of is a wish to it; to us it is a condition.
	login := authorize(t, rp, &client.AuthorizeOptions{ACRValues: []string{"urn:nobody:9fa"}})
	end, _ := person.open(login.URL()).signIn("alice")
	_, err := rp.Exchange(t.Context(), login, end.callback())
	var claim *jwtverify.ClaimError
	if !errors.As(err, &claim) || claim.Claim != "acr" {
		t.Errorf("got %v, want a ClaimError about acr", err)
	}
}

func TestClaimsParameter(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", &client.AuthorizeOptions{
		Claims: json.RawMessage(`{"id_token":{"nickname":null,"auth_time":{"essential":true}},"userinfo":{"phone_number":null}}`),
	})
	var claims struct {
		Nickname string `json:"nickname"`
	}
	if err := tokens.IDToken.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if claims.Nickname != "al" || tokens.IDToken.AuthTime.IsZero() {
		t.Errorf("ID token: nickname %q, auth_time %v", claims.Nickname, tokens.IDToken.AuthTime)
	}
	info, err := rp.UserInfo(t.Context(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	var more struct {
		Phone string `json:"phone_number"`
	}
	if err := info.Claims(&more); err != nil || more.Phone != "+15550001" {
		t.Errorf("userinfo: phone_number %q, %v", more.Phone, err)
	}
}

func TestWhatThePageShows(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	login := authorize(t, rp, &client.AuthorizeOptions{LoginHint: `bob "the builder" & co`, UILocales: []string{"fr", "en"}})
	_, _, values := newPerson(t, callbackURL).open(login.URL()).form()
	if got := values.Get("login"); got != `bob "the builder" & co` {
		t.Errorf("the page suggests %q", got)
	}
}

// An ordinary scope goes through Extra or Scopes; the library's own parameters do not.
func TestScopesOfOneSignIn(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", &client.AuthorizeOptions{Scopes: []string{"email"}})
	if got := strings.Join(tokens.Scope, " "); got != "openid email" {
		t.Errorf("scope %q, want openid email", got)
	}
}

func TestFormPost(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	login := authorize(t, rp, formPost)
	end, _ := newPerson(t, callbackURL).open(login.URL()).signIn("alice")
	if end.post == nil {
		t.Fatalf("the provider did not post, but sent the person to %s", end.url)
	}
	if got := exchange(t, rp, login, end.callback()).IDToken.Subject; got != "alice" {
		t.Errorf("signed in as %q", got)
	}
}

var formPost = &client.AuthorizeOptions{ResponseMode: "form_post"}

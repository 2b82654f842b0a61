package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"
)

func TestAuthorizationDetails(t *testing.T) {
	const asked = `[{"type":"payment","amount":"10"}, {"type":"account"}]`
	const granted = `[{"type":"payment","amount":"5"}]`
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, &AuthorizeOptions{AuthorizationDetails: json.RawMessage(asked)})
	if got := parseQuery(t, login.URL()).Get("authorization_details"); got != asked {
		t.Errorf("sent %s", got)
	}
	p.answer["authorization_details"] = json.RawMessage(granted)
	tokens, err := c.Exchange(context.Background(), login, callbackOf(login))
	if err != nil {
		t.Fatal(err)
	}
	if string(tokens.AuthorizationDetails) != granted {
		t.Errorf("got %s", tokens.AuthorizationDetails)
	}
	if parseQuery(t, "https://x/?"+p.seen("/token")[0].Body).Has("authorization_details") {
		t.Error("they were sent with the code")
	}

	data, err := tokens.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var restored Tokens
	if err := restored.UnmarshalBinary(data); err != nil || string(restored.AuthorizationDetails) != granted || restored.AccessToken != tokens.AccessToken {
		t.Fatalf("restored %s, %v", restored.AuthorizationDetails, err)
	}

	delete(p.answer, "authorization_details")
	next, err := c.Refresh(context.Background(), &restored)
	if err != nil || string(next.AuthorizationDetails) != granted {
		t.Errorf("kept %s, %v", next.AuthorizationDetails, err)
	}
	p.answer["authorization_details"] = []any{}
	next, err = c.Refresh(context.Background(), next)
	if err != nil || string(next.AuthorizationDetails) != "[]" {
		t.Errorf("taken away: got %s, %v", next.AuthorizationDetails, err)
	}
}

// What one holder of tokens does to them, no other sees.
func TestTokensShareNothing(t *testing.T) {
	spoil := func(t *Tokens) { t.Scope[0], t.AuthorizationDetails[0] = "admin", 'x' }
	held := func() *Tokens {
		return &Tokens{AccessToken: "a", RefreshToken: "r", Scope: []string{"openid"}, AuthorizationDetails: json.RawMessage(`[]`), Expiry: testStart}
	}
	p := newOP(t)
	delete(p.answer, "scope")
	c := p.client(nil)
	before := held()
	next, err := c.Refresh(context.Background(), before)
	if err != nil {
		t.Fatal(err)
	}
	spoil(before)
	if next.Scope[0] != "openid" || string(next.AuthorizationDetails) != "[]" {
		t.Errorf("refreshed tokens are now of %q %s", next.Scope, next.AuthorizationDetails)
	}
	given, saved := held(), (*Tokens)(nil)
	source := c.TokenSource(given, func(_ context.Context, t *Tokens) error { saved = t; return nil })
	spoil(given)
	for range 2 {
		p.advance(time.Hour)
		if _, err := source.Token(); err != nil {
			t.Fatal(err)
		}
		if saved.Scope[0] != "openid" || string(saved.AuthorizationDetails) != "[]" {
			t.Errorf("the source has tokens of %q %s", saved.Scope, saved.AuthorizationDetails)
		}
		spoil(saved)
	}
}

func TestAuthorizationDetailsRejects(t *testing.T) {
	const element = "an element is not an object with a type"
	for _, test := range []struct{ name, details, want string }{
		{"no JSON", "", "not valid JSON"},
		{"object", `{"type":"a"}`, "not a JSON array"},
		{"empty", "[]", "is an empty array: nil asks for nothing"},
		{"text", `["a"]`, element},
		{"no type", `[{"type":"a"},{"amount":1}]`, element},
		{"empty type", `[{"type":""}]`, element},
		{"type a number", `[{"type":1}]`, element},
		{"duplicate", `[{"type":"a","type":"b"}]`, `duplicate member "type"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := newOP(t).client(nil).Authorize(context.Background(), &AuthorizeOptions{AuthorizationDetails: json.RawMessage(test.details)})
			if err == nil || err.Error() != "client: AuthorizeOptions.AuthorizationDetails: "+test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if test.name == "empty" || test.name == "no JSON" {
				return
			}
			p := newOP(t)
			c := p.client(nil)
			login := p.authorize(c, nil)
			want := "authorization_details has the wrong type"
			if test.name == "duplicate" {
				want = errMembers.Error()
			}
			p.handle("/token", func(*http.Request) (*http.Response, error) {
				return textResponse(200, "application/json", `{"access_token":"a","token_type":"Bearer","authorization_details":`+test.details+`}`), nil
			})
			_, err = c.Exchange(context.Background(), login, callbackOf(login))
			if !errors.Is(err, ErrRejected) || err.Error() != "client: token endpoint: rejected: status 200: "+want {
				t.Errorf("in an answer: got %v, want %s", err, want)
			}
		})
	}
}

// RFC 8707: at both endpoints.
func TestResource(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	resources := []string{"https://api.example.com/a?x=y", "urn:example:b"}
	login := p.authorize(c, &AuthorizeOptions{Resource: resources})
	data, err := login.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var restored Login
	if err := restored.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exchange(context.Background(), &restored, callbackOf(login)); err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(p.seen("/token")[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := form["resource"]; !slices.Equal(got, resources) || !slices.Equal(parseQuery(t, login.URL())["resource"], resources) {
		t.Errorf("sent %q with the code", got)
	}
	if p.signIn(c); parseQuery(t, "https://x/?"+p.seen("/token")[1].Body).Has("resource") {
		t.Error("a resource that nobody asked for")
	}
	for _, bad := range []string{"", "/api", "https://a#b", "https://a#", "https://a b", "api.example.com", "https://ä"} {
		_, err := c.Authorize(context.Background(), &AuthorizeOptions{Resource: []string{"https://ok", bad}})
		want := `client: AuthorizeOptions.Resource: "` + bad + `" is not an absolute URI without a fragment`
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

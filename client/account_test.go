package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postern-go/postern/internal/jwtpack"
	"github.com/postern-go/postern/jwtverify"
)

func TestAccountSubject(t *testing.T) {
	long := strings.Repeat("x", maxSubject)
	for _, test := range []struct {
		name, body string
		path       []string
		want       string
	}{
		{"number", `{"id":583231}`, nil, "583231"},
		{"more digits than a float has", `{"id":12345678901234567890123}`, nil, "12345678901234567890123"},
		{"string", `{"id":"80351110224678912"}`, nil, "80351110224678912"},
		{"string of words", `{"id":"a b/ä€"}`, nil, "a b/ä€"},
		{"escaped", `{"id":"\u0061"}`, nil, "a"},
		{"string of a zero", `{"id":"0"}`, nil, "0"},
		{"longest", `{"id":"` + long + `"}`, nil, long},
		{"nested", `{"id":1,"data":{"ID":3,"id":"2"}}`, []string{"data", "id"}, "2"},
		{"another name", `{"id":1,"sub":"s"}`, []string{"sub"}, "s"},
		{"a name with a dot", `{"a.b":"s","a":{"b":"t"}}`, []string{"a.b"}, "s"},
	} {
		p := newGitHub(t)
		p.reply("/user", 200, "application/json", test.body)
		tokens := p.signInOAuth(p.oauth(func(cfg *OAuthConfig) { cfg.SubjectPath = test.path }))
		if tokens.Account.Subject != test.want {
			t.Errorf("%s: got %q, want %q", test.name, tokens.Account.Subject, test.want)
		}
	}
}

func TestAccountRejects(t *testing.T) {
	const json = "application/json"
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		want                    error
		text                    string
	}{
		{"no id", json, `{"login":"octocat"}`, 200, ErrRejected, "rejected: status 200: id is missing"},
		{"null", json, `{"id":null}`, 200, ErrRejected, "rejected: status 200: id is missing"},
		{"empty", json, `{"id":""}`, 200, ErrRejected, "rejected: status 200: id is empty"},
		{"float", json, `{"id":583231.0}`, 200, ErrRejected, "rejected: status 200: id is a number, but not one of digits alone"},
		{"exponent", json, `{"id":1e3}`, 200, ErrRejected, "rejected: status 200: id is a number, but not one of digits alone"},
		{"negative", json, `{"id":-1}`, 200, ErrRejected, "rejected: status 200: id is a number, but not one of digits alone"},
		{"zero", json, `{"id":0}`, 200, ErrRejected, "rejected: status 200: id is 0, which is nobody's"},
		{"leading zero", json, `{"id":01}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"boolean", json, `{"id":true}`, 200, ErrRejected, "rejected: status 200: id is neither a string nor a number"},
		{"object", json, `{"id":{"id":1}}`, 200, ErrRejected, "rejected: status 200: id is neither a string nor a number"},
		{"list", json, `{"id":["583231"]}`, 200, ErrRejected, "rejected: status 200: id is neither a string nor a number"},
		{"nested", json, `{"data":{"id":1}}`, 200, ErrRejected, "rejected: status 200: id is missing"},
		{"300 bytes", json, `{"id":"` + strings.Repeat("x", 300) + `"}`, 200, ErrRejected, "rejected: status 200: id is longer than 255 bytes"},
		{"256 bytes", json, `{"id":"` + strings.Repeat("x", 256) + `"}`, 200, ErrRejected, "rejected: status 200: id is longer than 255 bytes"},
		{"300 digits", json, `{"id":` + strings.Repeat("1", 300) + `}`, 200, ErrRejected, "rejected: status 200: id is longer than 255 bytes"},
		{"line break", json, `{"id":"a\nb"}`, 200, ErrRejected, "rejected: status 200: id has control characters"},
		{"NUL", json, `{"id":"a\u0000"}`, 200, ErrRejected, "rejected: status 200: id has control characters"},
		{"half a character", json, `{"id":"\ud800"}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"not UTF-8", json, "{\"id\":\"\xff\"}", 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"twice", json, `{"id":1,"id":2}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"twice, by case", json, `{"id":1,"ID":2}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"in another case", json, `{"Id":1}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"another twice", json, `{"id":1,"plan":{"a":1,"a":2}}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"array", json, `[{"id":1}]`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"text behind it", json, `{"id":1}{"id":2}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"nothing", json, ``, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"HTML", "text/html", octocat, 200, ErrRejected, `rejected: status 200: the content type is "text/html", not application/json`},
		{"JWT", "application/jwt", octocat, 200, ErrRejected, `rejected: status 200: the content type is not application/json`},
		{"no content type", "", octocat, 200, ErrRejected, `rejected: status 200: the content type is "", not application/json`},
		{"10 MB", json, `{"id":1,"x":"` + strings.Repeat("x", 10<<20) + `"}`, 200, ErrRejected, "rejected: status 200: the answer has more than 1048576 bytes"},
		{"201", json, octocat, 201, ErrRejected, "rejected: status 201: no error code"},
		{"401", json, `{"message":"Bad credentials","id":1}`, 401, ErrRejected, "rejected: status 401: no error code"},
		{"403", json, `{"message":"API rate limit exceeded"}`, 403, ErrRejected, "rejected: status 403: no error code"},
		{"429", json, octocat, 429, ErrUnavailable, "provider unavailable: status 429: no error code"},
		{"503", "text/html", `<html>`, 503, ErrUnavailable, "provider unavailable: status 503: no error code"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newGitHub(t)
			c := p.oauth(nil)
			login, err := c.Authorize(context.Background(), nil)
			if err != nil {
				t.Fatal(err)
			}
			p.reply("/user", test.status, test.contentType, test.body)
			tokens, err := c.Exchange(context.Background(), login, callbackOf(login))
			var e *ResponseError
			if tokens != nil || !errors.Is(err, test.want) || !errors.As(err, &e) || e.Endpoint != "user" || err.Error() != "client: user endpoint: "+test.text {
				t.Errorf("got %v, want %s", err, test.text)
			}
		})
	}
}

// The path decides alone: what is at another is nobody.
func TestAccountNestedRejects(t *testing.T) {
	for body, want := range map[string]string{
		`{"id":1}`:                          "data.id is missing",
		`{"data":null,"id":1}`:              "data.id is missing",
		`{"data":[{"id":1}]}`:               "data.id is missing",
		`{"data":"x"}`:                      "data.id is missing",
		`{"data":{"ID":1}}`:                 "data.id is missing",
		`{"data":{"id":1.5}}`:               "data.id is a number, but not one of digits alone",
		`{"DATA":{"id":1}}`:                 notMembers,
		`{"data":{"id":1},"Data":{"id":2}}`: notMembers,
	} {
		p := newGitHub(t)
		c := p.oauth(func(cfg *OAuthConfig) { cfg.SubjectPath = []string{"data", "id"} })
		login, err := c.Authorize(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		p.reply("/user", 200, "application/json", body)
		_, err = c.Exchange(context.Background(), login, callbackOf(login))
		if !errors.Is(err, ErrRejected) || err.Error() != "client: user endpoint: rejected: status 200: "+want {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
}

// The token goes to the endpoint that is configured, and nowhere that this one says.
func TestAccountRedirect(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, place := range []string{"https://evil.example/user", testIssuer + "/elsewhere"} {
			p := newGitHub(t)
			c := p.oauth(nil)
			login, err := c.Authorize(context.Background(), nil)
			if err != nil {
				t.Fatal(err)
			}
			p.handle("/user", redirectTo(status, place))
			_, err = c.Exchange(context.Background(), login, callbackOf(login))
			if want := fmt.Sprintf("client: user endpoint: rejected: status %d: no error code", status); !errors.Is(err, ErrRejected) || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			if len(p.requests) != 2 {
				t.Errorf("%d requests", len(p.requests))
			}
		}
	}
}

func TestAccountUnreachable(t *testing.T) {
	p := newGitHub(t)
	c := p.oauth(nil)
	login, err := c.Authorize(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p.handle("/user", func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") })
	if _, err := c.Exchange(context.Background(), login, callbackOf(login)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestAccountClaims(t *testing.T) {
	p := newGitHub(t)
	tokens := p.signInOAuth(p.oauth(nil))
	a := tokens.Account
	type profile struct{ Login, Name string }
	got, err := jwtverify.Decode[profile](a)
	if err != nil || got != (profile{"octocat", "The Octocat"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := a.Claims(&struct{ Login int }{}); err == nil || !strings.HasPrefix(err.Error(), "client: account: ") {
		t.Errorf("a wrong type: %v", err)
	}
	if plan, ok := a.Claim("plan", "name"); !ok || string(plan) != `"pro"` {
		t.Errorf("got %s", plan)
	}
	if plan, ok := a.Claim("plan", "none"); ok || plan != nil {
		t.Errorf("got %s", plan)
	}
	if orgs, ok := a.Texts("orgs"); !ok || !slices.Equal(orgs, []string{"github"}) {
		t.Errorf("got %q", orgs)
	}
	bare := a.WithoutClaims()
	if _, ok := bare.Claim("login"); ok || bare.Subject != a.Subject || bare.Issuer != a.Issuer || bare.Claims(&got) != nil {
		t.Error("the claims are still there, or more is gone")
	}
	for _, v := range []any{a, *a, bare} {
		if text := renderings(t, v); strings.Contains(text, "octocat") || strings.Contains(text, "583231") || strings.Contains(text, fmt.Sprintf("%x", "octocat")) {
			t.Errorf("%T shows %s", v, text)
		}
	}
}

func TestAccountStorage(t *testing.T) {
	p := newGitHub(t)
	a := p.signInOAuth(p.oauth(nil)).Account
	data, err := a.AppendBinary([]byte("x"))
	if err != nil || data[0] != 'x' {
		t.Fatal(err)
	}
	data = data[1:]
	var got Account
	if err := got.UnmarshalBinary(data); err != nil || got != *a {
		t.Errorf("got %+v, %v", got.claims, err)
	}
	for i := range data {
		if err := new(Account).UnmarshalBinary(data[:i]); !errors.Is(err, errAccountData) {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
	}
	stored := func(version byte, texts ...string) []byte {
		b := []byte{version}
		for _, text := range texts {
			b = jwtpack.Append(b, text)
		}
		return b
	}
	if err := new(Account).UnmarshalBinary(stored(1, "https://a.example", "s", "{}")); err != nil {
		t.Error(err)
	}
	for name, data := range map[string][]byte{
		"more behind it": append(slices.Clone(data), 0),
		"other version":  stored(2, "https://a.example", "s", "{}"),
		"no issuer":      stored(1, "", "s", "{}"),
		"no subject":     stored(1, "https://a.example", "", "{}"),
		"no claims":      stored(1, "https://a.example", "s", ""),
	} {
		kept := *a
		if err := kept.UnmarshalBinary(data); !errors.Is(err, errAccountData) || kept != *a {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, a := range []Account{{Subject: "s", claims: "{}"}, {Issuer: "i", claims: "{}"}, {Issuer: "i", Subject: "s"}} {
		if _, err := a.MarshalBinary(); err == nil || err.Error() != "client: an Account that nobody signed in with cannot be stored" {
			t.Errorf("got %v", err)
		}
		if _, err := (&Tokens{Account: &a}).MarshalBinary(); err == nil {
			t.Error("tokens with such an account were stored")
		}
	}
}

// Tokens that have more than the first versions say so, and others are written as ever.
func TestTokensVersions(t *testing.T) {
	account := &Account{Issuer: "https://a.example", Subject: "s", claims: octocat}
	p := newOP(t)
	id := p.signIn(p.client(nil)).IDToken
	for _, test := range []struct {
		name    string
		tokens  Tokens
		version byte
	}{
		{"plain", Tokens{AccessToken: "a!"}, tokensPlain},
		{"details", Tokens{AuthorizationDetails: []byte(`[]`)}, tokensDetails},
		{"account", Tokens{Account: account}, tokensAny},
		{"session_state", Tokens{SessionState: "h.s", IDToken: id}, tokensAny},
		{"all", Tokens{Account: account, SessionState: "h.s", AuthorizationDetails: []byte(`[{"type":"a"}]`), AccessToken: "a!", RefreshToken: "r"}, tokensAny},
	} {
		data, err := test.tokens.MarshalBinary()
		if err != nil || data[0] != test.version {
			t.Fatalf("%s: version %d, %v", test.name, data[0], err)
		}
		var got Tokens
		if err := got.UnmarshalBinary(data); err != nil {
			t.Fatal(err)
		}
		if got.SessionState != test.tokens.SessionState || string(got.AuthorizationDetails) != string(test.tokens.AuthorizationDetails) ||
			got.AccessToken != test.tokens.AccessToken || got.RefreshToken != test.tokens.RefreshToken ||
			(got.AuthorizationDetails == nil) != (test.tokens.AuthorizationDetails == nil) {
			t.Errorf("%s: something is not the same", test.name)
		}
		if (got.Account == nil) != (test.tokens.Account == nil) || got.Account != nil && *got.Account != *account {
			t.Errorf("%s: the account is not the same", test.name)
		}
		if (got.IDToken == nil) != (test.tokens.IDToken == nil) || got.IDToken != nil && got.IDToken.Raw() != id.Raw() {
			t.Errorf("%s: the ID token is not the same", test.name)
		}
		if test.tokens.IDToken != nil {
			continue // what is cut behind the last text is the ID token, whole
		}
		for i := range data {
			if err := new(Tokens).UnmarshalBinary(data[:i]); !errors.Is(err, errTokensData) {
				t.Errorf("%s, cut to %d bytes: %v", test.name, i, err)
			}
		}
	}
	damaged := jwtpack.Append(jwtpack.Append(jwtpack.Append([]byte{tokensAny}, ""), ""), "not an account")
	good, err := (&Tokens{AccessToken: "a!"}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if err := new(Tokens).UnmarshalBinary(append(damaged, good[1:]...)); !errors.Is(err, errTokensData) {
		t.Errorf("a damaged account: %v", err)
	}
}

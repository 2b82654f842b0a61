package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/internal/jwtpack"
)

func parseQuery(t *testing.T, raw string) url.Values {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// The three random parameters are replaced, so that the rest is compared byte for byte.
func TestAuthorizeURL(t *testing.T) {
	zero, hour := time.Duration(0), time.Hour
	const base = testIssuer + "/authorize?response_type=code&code_challenge_method=S256&client_id=web" +
		"&redirect_uri=https%3A%2F%2Fapp.example.com%2Fauth%2Fcallback&state=S&nonce=N&code_challenge=C"
	for _, test := range []struct {
		name   string
		config func(*Config)
		opts   *AuthorizeOptions
		want   string
	}{
		{"plain", nil, nil, base + "&scope=openid"},
		{"zero options", nil, &AuthorizeOptions{}, base + "&scope=openid"},
		{"configured scopes", func(c *Config) { c.Scopes = []string{"email", "profile"} }, nil, base + "&scope=openid+email+profile"},
		{"openid once and first", func(c *Config) { c.Scopes = []string{"email", "openid", "email"} }, nil, base + "&scope=openid+email"},
		{"scopes of one login", func(c *Config) { c.Scopes = []string{"email"} }, &AuthorizeOptions{Scopes: []string{"offline_access"}}, base + "&scope=openid+offline_access"},
		{"no scopes for one login", func(c *Config) { c.Scopes = []string{"email"} }, &AuthorizeOptions{Scopes: []string{}}, base + "&scope=openid"},
		{"prompt", nil, &AuthorizeOptions{Prompt: []string{"login", "consent"}}, base + "&scope=openid&prompt=login+consent"},
		{"prompt none with max_age", nil, &AuthorizeOptions{Prompt: []string{"none"}, MaxAge: &hour}, base + "&scope=openid&prompt=none&max_age=3600"},
		{"max_age 0", nil, &AuthorizeOptions{MaxAge: &zero}, base + "&scope=openid&max_age=0"},
		{"hint, acr, locales", nil, &AuthorizeOptions{LoginHint: "a&b=c@example.com", ACRValues: []string{"gold", "urn:x"}, UILocales: []string{"de-CH", "de"}},
			base + "&scope=openid&login_hint=a%26b%3Dc%40example.com&acr_values=gold+urn%3Ax&ui_locales=de-CH+de"},
		{"claims", nil, &AuthorizeOptions{Claims: json.RawMessage(`{"userinfo":{"email":null}}`)},
			base + "&scope=openid&claims=%7B%22userinfo%22%3A%7B%22email%22%3Anull%7D%7D"},
		{"response mode", nil, &AuthorizeOptions{ResponseMode: "form_post"}, base + "&scope=openid&response_mode=form_post"},
		{"response mode query", nil, &AuthorizeOptions{ResponseMode: "query"}, base + "&scope=openid&response_mode=query"},
		{"extra, sorted", nil, &AuthorizeOptions{Extra: url.Values{"connection": {"google"}, "audience": {"https://api.example.com/&x=y"}}},
			base + "&scope=openid&audience=https%3A%2F%2Fapi.example.com%2F%26x%3Dy&connection=google"},
		{"resource twice", nil, &AuthorizeOptions{Resource: []string{"https://a", "https://b"}},
			base + "&scope=openid&resource=https%3A%2F%2Fa&resource=https%3A%2F%2Fb"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			login, err := p.client(test.config).Authorize(context.Background(), test.opts)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.NewReplacer(login.state, "S", login.nonce, "N", login.verifier.Challenge(), "C").Replace(login.URL())
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if len(p.requests) != 1 {
				t.Errorf("%d requests, want only discovery", len(p.requests))
			}
		})
	}
}

func TestAuthorizeKeepsTheEndpointsQuery(t *testing.T) {
	p := newOP(t)
	p.metadata["authorization_endpoint"] = testIssuer + "/authorize?p=B2C_1_signin"
	c := p.client(nil)
	login := p.authorize(c, nil)
	if want := testIssuer + "/authorize?p=B2C_1_signin&response_type=code&"; !strings.HasPrefix(login.URL(), want) {
		t.Errorf("got %s, want it to begin with %s", login.URL(), want)
	}
	_, err := c.Authorize(context.Background(), &AuthorizeOptions{Extra: url.Values{"p": {"B2C_1_other"}}})
	if want := `client: AuthorizeOptions.Extra: the parameter "p" is not free to be set`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAuthorizeRejects(t *testing.T) {
	zero, negative, fraction := time.Duration(0), -time.Second, 1500*time.Millisecond
	for _, test := range []struct {
		name string
		opts AuthorizeOptions
		want string
	}{
		{"scope with a space", AuthorizeOptions{Scopes: []string{"a b"}}, `AuthorizeOptions.Scopes: "a b" is not a scope`},
		{"empty scope", AuthorizeOptions{Scopes: []string{""}}, `AuthorizeOptions.Scopes: "" is not a scope`},
		{"prompt with a space", AuthorizeOptions{Prompt: []string{"login consent"}}, `AuthorizeOptions.Prompt: "login consent" is empty or has spaces in it`},
		{"prompt none with another", AuthorizeOptions{Prompt: []string{"none", "login"}}, `AuthorizeOptions.Prompt: none stands alone`},
		{"prompt none with max_age 0", AuthorizeOptions{Prompt: []string{"none"}, MaxAge: &zero}, `AuthorizeOptions: a MaxAge of 0 asks the user, and a Prompt of none forbids it`},
		{"negative max_age", AuthorizeOptions{MaxAge: &negative}, `AuthorizeOptions.MaxAge must be whole seconds, and not less than 0`},
		{"max_age of a fraction", AuthorizeOptions{MaxAge: &fraction}, `AuthorizeOptions.MaxAge must be whole seconds, and not less than 0`},
		{"empty acr", AuthorizeOptions{ACRValues: []string{"gold", ""}}, `AuthorizeOptions.ACRValues: "" is empty or has spaces in it`},
		{"locale with a line break", AuthorizeOptions{UILocales: []string{"de\n"}}, `AuthorizeOptions.UILocales: "de\n" is empty or has spaces in it`},
		{"claims not an object", AuthorizeOptions{Claims: json.RawMessage(`[]`)}, `AuthorizeOptions.Claims: not a JSON object`},
		{"claims empty", AuthorizeOptions{Claims: json.RawMessage{}}, `AuthorizeOptions.Claims: not a JSON object`},
		{"response mode of another kind", AuthorizeOptions{ResponseMode: "web_message"}, `AuthorizeOptions.ResponseMode: "web_message" is none of query, fragment, form_post, jwt, query.jwt, fragment.jwt, form_post.jwt`},
		{"response mode in capitals", AuthorizeOptions{ResponseMode: "Query"}, `AuthorizeOptions.ResponseMode: "Query" is none of query, fragment, form_post, jwt, query.jwt, fragment.jwt, form_post.jwt`},
		{"extra without a name", AuthorizeOptions{Extra: url.Values{"": {"x"}}}, `AuthorizeOptions.Extra: the parameter "" is not free to be set`},
		{"extra twice", AuthorizeOptions{Extra: url.Values{"audience": {"a", "b"}}}, `AuthorizeOptions.Extra: the parameter "audience" has 2 values`},
	} {
		t.Run(test.name, func(t *testing.T) {
			login, err := newOP(t).client(nil).Authorize(context.Background(), &test.opts)
			if login != nil || err == nil || err.Error() != "client: "+test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestAuthorizeExtraCannotOverride(t *testing.T) {
	c := newOP(t).client(nil)
	for _, name := range reserved {
		_, err := c.Authorize(context.Background(), &AuthorizeOptions{Extra: url.Values{name: {"x"}}})
		want := `client: AuthorizeOptions.Extra: the parameter "` + name + `" is not free to be set`
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

func TestAuthorizeNeedsARedirectURL(t *testing.T) {
	c := newOP(t).client(func(cfg *Config) { cfg.RedirectURL = "" })
	if _, err := c.Authorize(context.Background(), nil); !errors.Is(err, errNoRedirectURL) {
		t.Errorf("got %v, want %v", err, errNoRedirectURL)
	}
}

func TestAuthorizeOptionsAreCopied(t *testing.T) {
	p := newOP(t)
	maxAge := time.Hour
	opts := &AuthorizeOptions{MaxAge: &maxAge, ACRValues: []string{"gold"}}
	login := p.authorize(p.client(nil), opts)
	maxAge, opts.ACRValues[0] = 0, "lead"
	if *login.maxAge != time.Hour || login.acr[0] != "gold" {
		t.Error("the login changed with the options")
	}
}

func TestLoginAccessors(t *testing.T) {
	p := newOP(t)
	p.advance(1500 * time.Millisecond)
	login := p.authorize(p.client(nil), nil)
	if q := parseQuery(t, login.URL()); login.State() != q.Get("state") {
		t.Error("State is not the parameter")
	}
	if want := testStart.Add(time.Second); !login.Created().Equal(want) {
		t.Errorf("created %v, want %v", login.Created(), want)
	}
}

func TestLoginStorage(t *testing.T) {
	p := newOP(t)
	maxAge := 90 * time.Second
	for name, opts := range map[string]*AuthorizeOptions{
		"plain":    nil,
		"full":     {MaxAge: &maxAge, ACRValues: []string{"gold", "silver"}, Scopes: []string{"email"}},
		"zero":     {MaxAge: new(time.Duration)},
		"fragment": {ResponseMode: "fragment"},
		"signed":   {ResponseMode: "jwt", Resource: []string{"https://a", "https://b"}},
		"implicit": {ResponseType: "id_token"},
	} {
		t.Run(name, func(t *testing.T) {
			login := p.authorize(p.client(nil), opts)
			data, err := login.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			var got Login
			if err := got.UnmarshalBinary(data); err != nil {
				t.Fatal(err)
			}
			want := *login
			want.url, want.modeSent = "", ""
			if !got.created.Equal(want.created) {
				t.Errorf("created %v, want %v", got.created, want.created)
			}
			got.created, want.created = time.Time{}, time.Time{}
			if !reflect.DeepEqual(got, want) {
				t.Error("the restored login is not the same")
			}
			if len(data) > 220 {
				t.Errorf("%d bytes: too many for five of them in cookies", len(data))
			}
			for i := range data {
				if err := new(Login).UnmarshalBinary(data[:i]); !errors.Is(err, errLoginData) {
					t.Errorf("cut to %d bytes: got %v", i, err)
				}
			}
			if err := new(Login).UnmarshalBinary(append(data, 0)); !errors.Is(err, errLoginData) {
				t.Errorf("one byte more: got %v", err)
			}
			data[0] = 9
			if err := new(Login).UnmarshalBinary(data); !errors.Is(err, errLoginData) {
				t.Errorf("other version: got %v", err)
			}
		})
	}
}

// A plain login is stored as ever; what is new has a version of its own, in which nothing
// stands that Authorize would not make.
func TestLoginStorageVersions(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	plain, err := p.authorize(c, nil).MarshalBinary()
	if err != nil || plain[0] != 1 {
		t.Fatalf("version %d, %v", plain[0], err)
	}
	data, err := p.authorize(c, &AuthorizeOptions{ResponseType: "id_token"}).MarshalBinary()
	if err != nil || data[0] != 2 {
		t.Fatalf("version %d, %v", data[0], err)
	}
	at := bytes.LastIndex(data, []byte{byte(asksIDToken), 0, byte(len("form_post"))})
	for _, kind := range []byte{0, byte(asksToken), 8, 255} {
		changed := bytes.Clone(data)
		changed[at] = kind
		if err := new(Login).UnmarshalBinary(changed); !errors.Is(err, errLoginData) {
			t.Errorf("type %d: got %v", kind, err)
		}
	}
	for _, mode := range []string{"query", "form_posd", "jwt", ""} {
		changed := jwtpack.Append(bytes.Clone(data[:at+1]), mode)
		if err := new(Login).UnmarshalBinary(jwtpack.Append(changed, "")); !errors.Is(err, errLoginData) {
			t.Errorf("mode %q: got %v", mode, err)
		}
	}
	if err := new(Login).UnmarshalBinary(jwtpack.Append(jwtpack.Append(bytes.Clone(data[:at+1]), "form_post"), "")); err != nil {
		t.Errorf("put together again: %v", err)
	}
}

func TestLoginStorageHostile(t *testing.T) {
	for _, data := range []string{
		"", "\x01", "\x01\x00", "\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x00", // a number without end
		"\x01\x00\x00\x00\xff\xff\xff\xff\x7f", // a length beyond the data
	} {
		if err := new(Login).UnmarshalBinary([]byte(data)); !errors.Is(err, errLoginData) {
			t.Errorf("%x: got %v", data, err)
		}
		if err := new(Tokens).UnmarshalBinary([]byte(data)); !errors.Is(err, errTokensData) {
			t.Errorf("%x: got %v", data, err)
		}
	}
}

func FuzzLoginUnmarshal(f *testing.F) {
	login, err := NewLogin(goodSecrets())
	if err != nil {
		f.Fatal(err)
	}
	data, _ := login.MarshalBinary()
	f.Add(data)
	f.Add([]byte{1, 0, 1})
	for _, opts := range []AuthorizeOptions{{ResponseType: "id_token"}, {ResponseMode: "jwt", Resource: []string{"https://a"}}} {
		c, err := New(handConfig())
		if err != nil {
			f.Fatal(err)
		}
		login, err := c.Authorize(context.Background(), &opts)
		if err != nil {
			f.Fatal(err)
		}
		data, _ := login.MarshalBinary()
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var l Login
		err := l.UnmarshalBinary(data)
		if err == nil && !l.consistent() {
			t.Errorf("restored the type %d and the mode %q", l.want, l.mode)
		}
		if err != nil {
			if !reflect.DeepEqual(l, Login{}) {
				t.Error("a failure left something behind")
			}
			return
		}
		again, err := l.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var m Login
		if err := m.UnmarshalBinary(again); err != nil || !reflect.DeepEqual(l, m) {
			t.Errorf("a second round gives another login (%v)", err)
		}
	})
}

func goodSecrets() LoginSecrets {
	return LoginSecrets{
		Issuer: testIssuer, ClientID: testClientID, RedirectURL: "com.example.app:/callback",
		State: strings.Repeat("s", 22), Nonce: strings.Repeat("n", 22),
		Verifier: "dmVyaWZpZXIgb2YgdGhlIGNhbGxiYWNrIHZlY3RvcnM", Created: testStart,
	}
}

func TestNewLogin(t *testing.T) {
	hour := time.Hour
	s := goodSecrets()
	s.MaxAge, s.ACR, s.Scopes = &hour, []string{"gold"}, []string{"openid", "email"}
	login, err := NewLogin(s)
	if err != nil {
		t.Fatal(err)
	}
	hour, s.ACR[0], s.Scopes[0] = 0, "x", "x"
	if *login.maxAge != time.Hour || login.acr[0] != "gold" || login.scope != "openid email" || login.URL() != "" || login.State() != s.State {
		t.Error("the login is not what was handed over")
	}
}

func TestNewLoginRejects(t *testing.T) {
	negative := -time.Second
	for _, test := range []struct {
		name   string
		change func(*LoginSecrets)
		want   string
	}{
		{"no issuer", func(s *LoginSecrets) { s.Issuer = "" }, "Issuer is empty"},
		{"issuer over http", func(s *LoginSecrets) { s.Issuer = "http://op.example.com" }, "Issuer must be https (http on a loopback host only)"},
		{"no client", func(s *LoginSecrets) { s.ClientID = "" }, "ClientID is empty"},
		{"no redirect URL", func(s *LoginSecrets) { s.RedirectURL = "" }, "RedirectURL is empty"},
		{"short state", func(s *LoginSecrets) { s.State = s.State[1:] }, "State must have 22 to 512 visible ASCII characters"},
		{"long state", func(s *LoginSecrets) { s.State = strings.Repeat("s", 513) }, "State must have 22 to 512 visible ASCII characters"},
		{"short nonce", func(s *LoginSecrets) { s.Nonce = s.Nonce[1:] }, "Nonce must have 22 to 512 visible ASCII characters"},
		{"nonce with a line break", func(s *LoginSecrets) { s.Nonce += "\n" }, "Nonce must have 22 to 512 visible ASCII characters"},
		{"short verifier", func(s *LoginSecrets) { s.Verifier = s.Verifier[1:] }, "Verifier: pkce: a code verifier has 43 to 128 characters, not 42"},
		{"no time", func(s *LoginSecrets) { s.Created = time.Time{} }, "Created is zero"},
		{"negative max_age", func(s *LoginSecrets) { s.MaxAge = &negative }, "MaxAge must be whole seconds, and not less than 0"},
		{"empty acr", func(s *LoginSecrets) { s.ACR = []string{""} }, `ACR: "" is empty or has spaces in it`},
		{"empty scope", func(s *LoginSecrets) { s.Scopes = []string{""} }, `Scopes: "" is not a scope`},
		{"relative resource", func(s *LoginSecrets) { s.Resource = []string{"/a"} }, `Resource: "/a" is not an absolute URI without a fragment`},
		{"unknown type", func(s *LoginSecrets) { s.ResponseType = "none" }, `ResponseType: "none" is none of those of OpenID Connect`},
		{"tokens in a query", func(s *LoginSecrets) { s.ResponseType, s.ResponseMode = "code id_token", "query" },
			"ResponseMode: query does not go with the response type code id_token, whose tokens must not be in a query"},
		{"verifier without a code", func(s *LoginSecrets) { s.ResponseType = "id_token" }, "Verifier is set, and id_token brings no code"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := goodSecrets()
			if _, err := NewLogin(s); err != nil {
				t.Fatal(err)
			}
			test.change(&s)
			if _, err := NewLogin(s); err == nil || err.Error() != "client: LoginSecrets."+test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func BenchmarkAuthorize(b *testing.B) {
	c, err := New(handConfig())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Authorize(context.Background(), nil); err != nil {
			b.Fatal(err)
		}
	}
}

func handConfig() Config {
	return Config{
		Issuer: testIssuer, ClientID: testClientID, ClientSecret: testSecret, RedirectURL: testRedirect,
		Scopes: []string{"email", "profile"},
		Metadata: &Metadata{
			Issuer:                testIssuer,
			AuthorizationEndpoint: testIssuer + "/authorize",
			TokenEndpoint:         testIssuer + "/token",
			JWKSURI:               testIssuer + "/jwks",
		},
	}
}

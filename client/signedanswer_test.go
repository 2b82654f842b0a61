package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-go/postern/internal/jwtcrypt"
	"github.com/postern-go/postern/jwtverify"
)

// A signedEndpoint is one that answers registered clients with JWTs.
type signedEndpoint struct {
	path, mediaType, field string
	header                 map[string]any
	register               func(*Config, string) // for an algorithm
	encrypt                func(*Config, ...jwtverify.DecryptionKey)
	claims                 func(*op) map[string]any
	ask                    func(*Client, *Tokens) (claims func(any) error, err error)
}

var signedEndpoints = map[string]signedEndpoint{
	"userinfo": {
		path: "/userinfo", mediaType: "application/jwt", field: "UserInfoSignedResponseAlg",
		header:   map[string]any{"alg": "ES256", "kid": "k1"},
		register: func(cfg *Config, alg string) { cfg.UserInfoSignedResponseAlg = alg },
		encrypt:  func(cfg *Config, keys ...jwtverify.DecryptionKey) { cfg.UserInfoDecrypt = keys },
		claims: func(*op) map[string]any {
			return map[string]any{"iss": testIssuer, "aud": testClientID, "sub": "alice", "name": "Alice"}
		},
		ask: func(c *Client, t *Tokens) (func(any) error, error) {
			u, err := c.UserInfo(context.Background(), t)
			if u == nil {
				return nil, err
			}
			return u.Claims, err
		},
	},
	"introspection": {
		path: "/introspect", mediaType: "application/token-introspection+jwt", field: "IntrospectionSignedResponseAlg",
		header:   map[string]any{"alg": "ES256", "kid": "k1", "typ": "token-introspection+jwt"},
		register: func(cfg *Config, alg string) { cfg.IntrospectionSignedResponseAlg = alg },
		encrypt:  func(cfg *Config, keys ...jwtverify.DecryptionKey) { cfg.IntrospectionDecrypt = keys },
		claims: func(p *op) map[string]any {
			return map[string]any{"iss": testIssuer, "aud": testClientID, "iat": p.clock().Unix(),
				"token_introspection": map[string]any{"active": true, "sub": "alice", "name": "Alice"}}
		},
		ask: func(c *Client, t *Tokens) (func(any) error, error) {
			i, err := c.Introspect(context.Background(), t.AccessToken)
			if i == nil {
				return nil, err
			}
			return i.Claims, err
		},
	},
}

func TestSignedAnswers(t *testing.T) {
	for name, e := range signedEndpoints {
		t.Run(name, func(t *testing.T) {
			p := newOP(t)
			c := p.client(func(cfg *Config) { e.register(cfg, "ES256") })
			tokens := p.signIn(c)
			p.reply(e.path, 200, e.mediaType, sign(p.key, e.header, e.claims(p)))
			claims, err := e.ask(c, tokens)
			if err != nil {
				t.Fatal(err)
			}
			var got struct{ Sub, Name string }
			if err := claims(&got); err != nil || got.Sub != "alice" || got.Name != "Alice" {
				t.Errorf("got %+v, %v", got, err)
			}
			if sent := p.seen(e.path); len(sent) != 1 || sent[0].Header.Get("Accept") != e.mediaType {
				t.Errorf("got %v", sent)
			}
		})
	}
}

// An answer comes in the one way that the client is registered for.
func TestSignedAnswersReject(t *testing.T) {
	es256 := func(e signedEndpoint, cfg *Config) { e.register(cfg, "ES256") }
	another, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(e signedEndpoint, p *op) string { return sign(p.key, e.header, e.claims(p)) }
	changed := func(name string, value any) func(signedEndpoint, *op) string {
		return func(e signedEndpoint, p *op) string {
			claims := e.claims(p)
			claims[name] = value
			return sign(p.key, e.header, claims)
		}
	}
	const jwt = "jwt" // stands for the media type of the endpoint
	for _, test := range []struct {
		name      string
		configure func(signedEndpoint, *Config)
		mediaType string
		body      func(signedEndpoint, *op) string
		want      error
		text      string
	}{
		{"JSON", es256, "application/json", func(signedEndpoint, *op) string { return `{"sub":"alice","active":true}` }, ErrRejected,
			"the answer is not signed, and Config.FIELD says that it is"},
		{"JSON that says it is a JWT", es256, jwt, func(signedEndpoint, *op) string { return `{"sub":"alice","active":true}` }, ErrRejected, "not a JWT in compact form"},
		{"a JWT that says it is JSON", es256, "application/json", signed, ErrRejected, "the answer is not signed, and Config.FIELD says that it is"},
		{"HTML", es256, "text/html", func(signedEndpoint, *op) string { return `<html>` }, ErrRejected, "the answer is not signed, and Config.FIELD says that it is"},
		{"not registered", func(signedEndpoint, *Config) {}, jwt, signed, ErrUnsupported, "the answer is a JWT ("},
		{"none", es256, jwt, func(e signedEndpoint, p *op) string {
			header := maps.Clone(e.header)
			header["alg"] = "none"
			token := sign(p.key, header, e.claims(p))
			return token[:strings.LastIndex(token, ".")+1]
		}, ErrRejected, "not signed"},
		{"another algorithm", func(e signedEndpoint, cfg *Config) { e.register(cfg, "PS256") }, jwt, signed, ErrRejected, "alg is not an algorithm that may sign"},
		{"another key", es256, jwt, func(e signedEndpoint, p *op) string { return sign(another, e.header, e.claims(p)) }, ErrRejected, "signature does not verify"},
		{"iss", es256, jwt, changed("iss", "https://evil.example"), ErrRejected, "iss is another issuer"},
		{"aud", es256, jwt, changed("aud", "other"), ErrRejected, "aud does not name this audience"},
		{"over", es256, jwt, changed("exp", testStart.Unix()-61), ErrRejected, "exp is over"},
		{"an ID token", es256, jwt, func(_ signedEndpoint, p *op) string { return p.idToken() }, ErrRejected, "is that of a"},
		{"not encrypted", func(e signedEndpoint, cfg *Config) {
			e.register(cfg, "ES256")
			e.encrypt(cfg, jwtverify.DecryptionKey{Private: testKey()})
		}, jwt, signed, ErrRejected, "not encrypted"},
		{"large", es256, jwt, func(signedEndpoint, *op) string { return strings.Repeat("a", maxToken+1) }, ErrRejected, "larger than 16384 bytes"},
		{"401", es256, "application/json", func(signedEndpoint, *op) string { return `{"error":"invalid_token"}` }, ErrRejected, `status 401: "invalid_token"`},
	} {
		for name, e := range signedEndpoints {
			t.Run(name+": "+test.name, func(t *testing.T) {
				p := newOP(t)
				c := p.client(func(cfg *Config) { test.configure(e, cfg) })
				tokens := p.signIn(c)
				mediaType, status := test.mediaType, 200
				if mediaType == jwt {
					mediaType = e.mediaType
				}
				if test.name == "401" {
					status = 401
				}
				p.reply(e.path, status, mediaType, test.body(e, p))
				claims, err := e.ask(c, tokens)
				var response *ResponseError
				if claims != nil || !errors.Is(err, test.want) || !errors.As(err, &response) || response.Endpoint != name ||
					!strings.Contains(err.Error(), strings.Replace(test.text, "FIELD", e.field, 1)) {
					t.Errorf("got %v, want %s", err, test.text)
				}
			})
		}
	}
}

// A userinfo answer of another user, and one that says nothing of who it is about.
func TestSignedUserInfoOfAnother(t *testing.T) {
	e := signedEndpoints["userinfo"]
	for sub, want := range map[any]string{"mallory": "sub is not that of the ID token", "Alice": "sub is not that of the ID token", nil: "sub is not a string", "": "sub is empty"} {
		p := newOP(t)
		c := p.client(func(cfg *Config) { e.register(cfg, "ES256") })
		tokens := p.signIn(c)
		claims := e.claims(p)
		claims["sub"] = sub
		p.reply(e.path, 200, e.mediaType, sign(p.key, e.header, claims))
		if _, err := c.UserInfo(context.Background(), tokens); !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %s", sub, err, want)
		}
	}
}

// What the JWT says of the token is judged like a plain answer.
func TestSignedIntrospectionReject(t *testing.T) {
	e := signedEndpoints["introspection"]
	for _, test := range []struct {
		answer any
		want   string
	}{
		{nil, "token_introspection is not an object"},
		{`{"active":true}`, "token_introspection is not an object"},
		{map[string]any{"sub": "alice"}, "active is not a boolean"},
		{map[string]any{"active": "true"}, "active is not a boolean"},
		{map[string]any{"Active": true}, notMembers},
	} {
		p := newOP(t)
		c := p.client(func(cfg *Config) { e.register(cfg, "ES256") })
		claims := e.claims(p)
		claims["token_introspection"] = test.answer
		p.reply(e.path, 200, e.mediaType, sign(p.key, e.header, claims))
		if i, err := c.Introspect(context.Background(), "access-token-CANARY"); i != nil || !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %v, want %s", test.answer, err, test.want)
		}
	}
}

// An Introspector believes a signed answer that is about a token for it, and no other.
func TestIntrospectorSigned(t *testing.T) {
	const api = "https://api.example.com"
	e := signedEndpoints["introspection"]
	p := newOP(t)
	i := &Introspector{Client: p.client(func(cfg *Config) { e.register(cfg, "ES256") }), Audience: api}
	claims := e.claims(p)
	for aud, want := range map[string]string{api: "", testClientID: "aud does not name this audience"} {
		claims["token_introspection"] = map[string]any{"active": true, "sub": "alice", "aud": aud, "token_type": "Bearer"}
		p.reply(e.path, 200, e.mediaType, sign(p.key, e.header, claims))
		token, err := i.AccessToken(context.Background(), "token")
		if want == "" && (err != nil || token.Subject != "alice") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v", aud, err)
		}
	}
	p.reply(e.path, 200, "application/json", `{"active":true,"sub":"alice","aud":"`+api+`"}`)
	if _, err := i.AccessToken(context.Background(), "token"); !errors.Is(err, jwtverify.ErrKeys) {
		t.Errorf("got %v, want ErrKeys: nothing is known of the token", err)
	}
}

func TestSignedAnswersWithTheSecret(t *testing.T) {
	p := newOP(t)
	c := p.client(func(cfg *Config) { cfg.UserInfoSignedResponseAlg, cfg.ClientSecret = "HS256", secretOf(32) })
	tokens := p.signIn(c)
	p.claims = signedEndpoints["userinfo"].claims(p)
	before := len(p.seen("/jwks"))
	p.reply("/userinfo", 200, "application/jwt", p.mac("HS256", secretOf(32)))
	if _, err := c.UserInfo(context.Background(), tokens); err != nil {
		t.Error(err)
	}
	p.reply("/userinfo", 200, "application/jwt", p.mac("HS256", secretOf(31)+"x"))
	if _, err := c.UserInfo(context.Background(), tokens); err == nil || !strings.Contains(err.Error(), "signature does not verify") {
		t.Errorf("got %v", err)
	}
	p.reply("/userinfo", 200, "application/jwt", sign(p.key, map[string]any{"alg": "ES256", "kid": "k1"}, p.claims))
	if _, err := c.UserInfo(context.Background(), tokens); err == nil || !strings.Contains(err.Error(), "alg is not an algorithm that may sign") {
		t.Errorf("got %v", err)
	}
	byKey := p.client(func(cfg *Config) { cfg.UserInfoSignedResponseAlg, cfg.ClientSecret = "ES256", secretOf(32) })
	p.reply("/userinfo", 200, "application/jwt", p.mac("HS256", secretOf(32)))
	if _, err := byKey.UserInfo(context.Background(), tokens); err == nil || !strings.Contains(err.Error(), "alg is not an algorithm that may sign") {
		t.Errorf("got %v", err)
	}
	if n := len(p.seen("/jwks")) - before; n != 0 {
		t.Errorf("the public keys were fetched %d times", n)
	}
}

func TestEncryptedAnswers(t *testing.T) {
	for name, e := range signedEndpoints {
		t.Run(name, func(t *testing.T) {
			p := newOP(t)
			c := p.client(func(cfg *Config) {
				e.register(cfg, "ES256")
				e.encrypt(cfg, jwtverify.DecryptionKey{Private: testKey()})
			})
			tokens := p.signIn(c)
			key := p.jwks()["keys"].([]any)[0].(map[string]any)
			key["use"], key["alg"] = "enc", "ECDH-ES"
			keys, err := jwtcrypt.ParseKeys(jsonText(t, map[string]any{"keys": []any{key}}))
			if err != nil {
				t.Fatal(err)
			}
			seal := func(text string) {
				sealed, err := jwtcrypt.Encrypt(keys, "ECDH-ES", "A128GCM", text)
				if err != nil {
					t.Fatal(err)
				}
				p.reply(e.path, 200, e.mediaType, sealed)
			}
			seal(sign(p.key, e.header, e.claims(p)))
			if _, err := e.ask(c, tokens); err != nil {
				t.Error(err)
			}
			seal(jsonText(t, e.claims(p))) // anybody could have done this
			if claims, err := e.ask(c, tokens); claims != nil || !errors.Is(err, ErrRejected) {
				t.Errorf("encrypted and not signed: got %v", err)
			}
		})
	}
}

// Where the keys cannot be had nothing is known, and later may help.
func TestSignedAnswersWithoutKeys(t *testing.T) {
	for name, e := range signedEndpoints {
		p := newOP(t)
		c := p.client(func(cfg *Config) {
			e.register(cfg, "ES256")
			cfg.IDTokenSignedResponseAlg, cfg.ClientSecret = "HS256", secretOf(32) // so that no keys are there yet
		})
		tokens, err := p.exchange(c, func() string { return p.mac("HS256", secretOf(32)) })
		if err != nil {
			t.Fatal(err)
		}
		p.reply("/jwks", 500, "", "")
		p.reply(e.path, 200, e.mediaType, sign(p.key, e.header, e.claims(p)))
		if _, err := e.ask(c, tokens); !errors.Is(err, ErrUnavailable) || !errors.Is(err, jwtverify.ErrKeys) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
	}
}

func TestSignedAnswersConfig(t *testing.T) {
	key := jwtverify.DecryptionKey{Private: testKey()}
	for want, change := range map[string]func(*Config){
		"Config.UserInfoByForm and Config.DPoP are both set: a token that is bound to a key goes in the header": func(c *Config) { c.UserInfoByForm, c.DPoP = true, GenerateDPoPKey() },
		`Config.UserInfoSignedResponseAlg: "none" is no signature algorithm`:                                    func(c *Config) { c.UserInfoSignedResponseAlg = "none" },
		`Config.IntrospectionSignedResponseAlg: "es256" is no signature algorithm`:                              func(c *Config) { c.IntrospectionSignedResponseAlg = "es256" },
		"Config.UserInfoSignedResponseAlg is HS512, and Config.ClientSecret has fewer than 64 bytes":            func(c *Config) { c.UserInfoSignedResponseAlg = "HS512" },
		"Config.IntrospectionSignedResponseAlg is HS384, and Config.ClientSecret has fewer than 48 bytes":       func(c *Config) { c.IntrospectionSignedResponseAlg = "HS384" },
		"Config.UserInfoDecrypt is set, and UserInfoSignedResponseAlg is empty: anybody can encrypt":            func(c *Config) { c.UserInfoDecrypt = []jwtverify.DecryptionKey{key} },
		"Config.IntrospectionDecrypt is set, and IntrospectionSignedResponseAlg is empty: anybody can encrypt": func(c *Config) {
			c.IntrospectionDecrypt = []jwtverify.DecryptionKey{key}
		},
		"Config.UserInfoDecrypt has no keys: leave it nil if answers are not encrypted": func(c *Config) {
			c.UserInfoSignedResponseAlg, c.UserInfoDecrypt = "RS256", []jwtverify.DecryptionKey{}
		},
		"Config.IntrospectionDecrypt[1]: jwtverify: <nil> is no private key of a supported type": func(c *Config) {
			c.IntrospectionSignedResponseAlg, c.IntrospectionDecrypt = "RS256", []jwtverify.DecryptionKey{key, {}}
		},
	} {
		if _, err := New(changed(change)); err == nil || err.Error() != "client: "+want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestUserInfoByForm(t *testing.T) {
	p := newOP(t)
	c := p.client(func(cfg *Config) { cfg.UserInfoByForm = true })
	tokens := p.signIn(c)
	tokens.AccessToken = "a+b/c=CANARY"
	if _, err := c.UserInfo(context.Background(), tokens); err != nil {
		t.Fatal(err)
	}
	p.wantRequests("/userinfo", sentRequest{"POST", testIssuer + "/userinfo", http.Header{
		"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {userAgent},
	}, "access_token=a%2Bb%2Fc%3DCANARY"})
	p.reply("/userinfo", 400, "application/json", `{"error":"x","error_description":"bad a%2Bb%2Fc%3DCANARY"}`)
	if _, err := c.UserInfo(context.Background(), tokens); err == nil || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("got %v", err)
	}
}

func TestUserInfoClaims(t *testing.T) {
	p := newOP(t)
	p.userinfo = map[string]any{
		"sub": "alice", "groups": "one", "realm_access": map[string]any{"roles": []string{"a", "b"}}, "n": 1,
		"_claim_names": map[string]string{"credit": "src"}, "_claim_sources": map[string]any{"src": map[string]string{"JWT": "CANARY.e30.e30"}},
	}
	c := p.client(nil)
	u, err := c.UserInfo(context.Background(), p.signIn(c))
	if err != nil {
		t.Fatal(err)
	}
	if roles, ok := u.Texts("realm_access", "roles"); !ok || len(roles) != 2 || roles[1] != "b" {
		t.Errorf("got %q", roles)
	}
	if groups, ok := u.Texts("groups"); !ok || len(groups) != 1 {
		t.Errorf("got %q", groups)
	}
	if _, ok := u.Texts("n"); ok {
		t.Error("a number is no text")
	}
	if n, ok := u.Claim("n"); !ok || string(n) != "1" {
		t.Errorf("got %s", n)
	}
	if v, ok := u.Claim("realm_access", "none"); ok || v != nil {
		t.Errorf("got %s", v)
	}
	if sources := u.Sources(); len(sources) != 1 || sources[0].JWT != "CANARY.e30.e30" || sources[0].Names[0] != "credit" {
		t.Error("the source is not there")
	}
	if text := renderings(t, u) + renderings(t, *u); strings.Contains(text, "CANARY") || strings.Contains(text, "alice") {
		t.Errorf("it shows: %s", text)
	}
	if sources := (&UserInfo{claims: `{"_claim_names":1}`}).Sources(); sources != nil {
		t.Errorf("got %v", sources)
	}
}

// A provider that puts what it was sent into a JWT: what package jwtverify quotes of it, and
// where it cuts that, tells nobody the secret.
func TestNoSecretOfARefusedJWTInErrors(t *testing.T) {
	long := "access " + strings.Repeat("t0ken-", 30) + `"CANARY"`
	for _, token := range []string{"short-access-token-t0ken", long} {
		for name, e := range signedEndpoints {
			for where, spoil := range map[string]func(header, claims map[string]any){
				"alg":             func(header, _ map[string]any) { header["alg"] = token },
				"alg, further on": func(header, _ map[string]any) { header["alg"] = "you sent " + token },
				"typ":             func(header, _ map[string]any) { header["typ"] = token },
				"aud":             func(_, claims map[string]any) { claims["aud"] = []string{"you sent", token} },
				"a name":          func(_, claims map[string]any) { claims[token], claims[strings.ToUpper(token)] = 1, 2 },
			} {
				p := newOP(t)
				c := p.client(func(cfg *Config) { e.register(cfg, "ES256") })
				tokens := p.signIn(c)
				tokens.AccessToken = token
				header, claims := maps.Clone(e.header), e.claims(p)
				spoil(header, claims)
				p.reply(e.path, 200, e.mediaType, sign(p.key, header, claims))
				_, err := e.ask(c, tokens)
				if !errors.Is(err, ErrRejected) || !errors.Is(err, jwtverify.ErrInvalid) || !strings.Contains(err.Error(), redacted) {
					t.Fatalf("%s, %s: got %v", name, where, err)
				}
				if strings.Contains(err.Error(), "t0ken") {
					t.Errorf("%s, %s: shown: %v", name, where, err)
				}
			}
		}
	}
}

func TestNoSecretOfARefusedIDTokenInErrors(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, nil)
	for name, secret := range map[string]string{
		"verifier": string(login.verifier), "code": "the-code-that-was-sent-to-the-token-endpoint", "access token": "access-token-CANARY-1",
	} {
		p.answer["id_token"] = sign(p.key, map[string]any{"alg": "you sent " + secret}, map[string]any{})
		again := *login
		again.sent = new(flag)
		_, err := c.Exchange(context.Background(), &again, url.Values{"state": {login.state}, "code": {"the-code-that-was-sent-to-the-token-endpoint"}})
		if !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), `"you sent `+redacted) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// signing is a client that signs its requests.
func (p *op) signing(o RequestObject, change func(*Config)) *Client {
	p.metadata["request_object_signing_alg_values_supported"] = []string{"RS256", "ES256"}
	o.Key = p.key
	return p.client(func(cfg *Config) {
		cfg.RequestObject = &o
		if change != nil {
			change(cfg)
		}
	})
}

// openObject checks the signature of a request object and returns what it says.
func openObject(t *testing.T, raw string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 64 {
		t.Fatalf("signature of %d bytes, %v", len(signature), err)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(&testKey().PublicKey, sum[:], r, s) {
		t.Fatal("the signature is wrong")
	}
	for i, to := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, to); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func TestRequestObjectByValue(t *testing.T) {
	p := newOP(t)
	c := p.signing(RequestObject{KeyID: "r1"}, nil)
	maxAge := time.Minute
	login := p.authorize(c, &AuthorizeOptions{
		ResponseType: "code id_token", MaxAge: &maxAge, LoginHint: "a&b", Scopes: []string{"email"},
		Claims:               json.RawMessage(`{"id_token":{"acr":null}}`),
		AuthorizationDetails: json.RawMessage(`[{"type":"a"}]`),
		Resource:             []string{"https://a", "https://b"},
		Extra:                url.Values{"connection": {"x"}},
	})
	q := parseQuery(t, login.URL())
	object := q.Get("request")
	q.Del("request")
	outside := url.Values{"client_id": {"web"}, "response_type": {"code id_token"}, "scope": {"openid email"}}
	if !reflect.DeepEqual(q, outside) {
		t.Errorf("outside are %v, want %v", q, outside)
	}
	header, claims := openObject(t, object)
	if want := map[string]any{"alg": "ES256", "kid": "r1", "typ": "oauth-authz-req+jwt"}; !reflect.DeepEqual(header, want) {
		t.Errorf("header %v, want %v", header, want)
	}
	if id, _ := claims["jti"].(string); len(id) < 26 {
		t.Errorf("jti %v", claims["jti"])
	}
	delete(claims, "jti")
	now := float64(testStart.Unix())
	want := map[string]any{
		"iss": "web", "aud": testIssuer, "iat": now, "nbf": now, "exp": now + 300,
		"client_id": "web", "redirect_uri": testRedirect, "response_type": "code id_token", "response_mode": "form_post",
		"scope": "openid email", "state": login.state, "nonce": login.nonce,
		"code_challenge": login.verifier.Challenge(), "code_challenge_method": "S256",
		"max_age": 60.0, "login_hint": "a&b", "connection": "x",
		"claims":                map[string]any{"id_token": map[string]any{"acr": nil}},
		"authorization_details": []any{map[string]any{"type": "a"}},
		"resource":              []any{"https://a", "https://b"},
	}
	if !reflect.DeepEqual(claims, want) {
		t.Errorf("got  %v\nwant %v", claims, want)
	}
	if login.RequestObject() != "" {
		t.Error("an object that is given out nowhere is kept")
	}
}

func TestRequestObjectPushed(t *testing.T) {
	p := newOP(t)
	p.pushing()
	c := p.signing(RequestObject{}, func(cfg *Config) { cfg.PushedAuthorizationRequests = true })
	login := p.authorize(c, nil)
	if want := testIssuer + "/authorize?client_id=web&request_uri=" + url.QueryEscape(pushedURI); login.URL() != want {
		t.Errorf("got %s, want %s", login.URL(), want)
	}
	form, err := url.ParseQuery(p.seen("/par")[0].Body)
	if err != nil || len(form) != 1 { // RFC 9126 3: what the client authentication wants, and no other parameter
		t.Errorf("pushed %d parameters, %v", len(form), err)
	}
	header, claims := openObject(t, form.Get("request"))
	if header["kid"] != nil || claims["state"] != login.state {
		t.Errorf("header %v, or another state", header)
	}
}

func TestRequestObjectByReference(t *testing.T) {
	p := newOP(t)
	c := p.signing(RequestObject{}, nil)
	const place = "https://app.example.com/requests/CANARY"
	login := p.authorize(c, &AuthorizeOptions{RequestURI: place})
	if want := testIssuer + "/authorize?client_id=web&request_uri=" + url.QueryEscape(place) + "&response_type=code&scope=openid"; login.URL() != want {
		t.Errorf("got %s, want %s", login.URL(), want)
	}
	if _, claims := openObject(t, login.RequestObject()); claims["state"] != login.state {
		t.Error("the object is of another login")
	}
	data, err := login.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var restored Login
	if err := restored.UnmarshalBinary(data); err != nil || restored.RequestObject() != "" {
		t.Errorf("the object was stored, or %v", err)
	}
	p.metadata["request_uri_parameter_supported"] = false
	_, err = p.signing(RequestObject{}, nil).Authorize(context.Background(), &AuthorizeOptions{RequestURI: place})
	if want := "client: not supported by the provider: its metadata has no request_uri_parameter_supported"; !errors.Is(err, ErrUnsupported) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRequestObjectRejects(t *testing.T) {
	const own = "AuthorizeOptions.RequestURI "
	place := "https://app.example.com/r/1"
	for _, test := range []struct {
		name   string
		change func(*Config)
		opts   AuthorizeOptions
		want   string
	}{
		{"a claim as an extra", nil, AuthorizeOptions{Extra: url.Values{"aud": {"x"}}}, `AuthorizeOptions.Extra: the parameter "aud" is a claim of the request object`},
		{"a subject as an extra", nil, AuthorizeOptions{Extra: url.Values{"sub": {"x"}}}, `AuthorizeOptions.Extra: the parameter "sub" is a claim of the request object`},
		{"URI without objects", func(cfg *Config) { cfg.RequestObject = nil }, AuthorizeOptions{RequestURI: place}, own + "is set, and Config.RequestObject is nil"},
		{"URI and push", func(cfg *Config) { cfg.PushedAuthorizationRequests = true }, AuthorizeOptions{RequestURI: place}, own + "is set, and Config.PushedAuthorizationRequests too: a pushed request is by value"},
		{"URI over http", nil, AuthorizeOptions{RequestURI: "http://app.example.com/r"}, own + "must be https (http on a loopback host only)"},
		{"URI with a fragment", nil, AuthorizeOptions{RequestURI: place + "#x"}, own + "must not have a fragment"},
		{"long URI", nil, AuthorizeOptions{RequestURI: place + strings.Repeat("x", 512)}, own + "has more than 512 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			login, err := p.signing(RequestObject{}, test.change).Authorize(context.Background(), &test.opts)
			if login != nil || err == nil || err.Error() != "client: "+test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	t.Run("URI and push required", func(t *testing.T) {
		p := newOP(t)
		p.pushing()
		p.metadata["require_pushed_authorization_requests"] = true
		_, err := p.signing(RequestObject{}, nil).Authorize(context.Background(), &AuthorizeOptions{RequestURI: place})
		if want := "client: AuthorizeOptions.RequestURI: the provider requires pushed requests, which are by value"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

func TestRequestObjectUnsupported(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(map[string]any)
		want   string
	}{
		{"algorithm", func(m map[string]any) {
			m["request_object_signing_alg_values_supported"] = []string{"PS256", "none"}
		}, `request_object_signing_alg_values_supported of its metadata has no "ES256"`},
		{"at all", func(m map[string]any) { delete(m, "request_object_signing_alg_values_supported") }, "its metadata has no request_parameter_supported"},
	} {
		p := newOP(t)
		c := p.signing(RequestObject{}, nil)
		test.change(p.metadata)
		_, err := c.Authorize(context.Background(), nil)
		if !errors.Is(err, ErrUnsupported) || err.Error() != "client: not supported by the provider: "+test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
	p := newOP(t)
	c := p.signing(RequestObject{}, nil)
	delete(p.metadata, "request_object_signing_alg_values_supported")
	p.metadata["request_parameter_supported"] = true
	if _, err := c.Authorize(context.Background(), nil); err != nil {
		t.Errorf("supported without a list: %v", err)
	}
}

func TestRequestObjectConfig(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		object RequestObject
		want   string
	}{
		{"no key", RequestObject{}, "there is no key"},
		{"small key", RequestObject{Key: small}, "RSA key has fewer than 2048 bits"},
		{"algorithm of another key", RequestObject{Key: ed, Algorithm: "RS256"}, `the key signs with EdDSA or Ed25519, and not with "RS256"`},
		{"none", RequestObject{Key: ed, Algorithm: "none"}, `the key signs with EdDSA or Ed25519, and not with "none"`},
		{"key ID with a line break", RequestObject{Key: ed, KeyID: "a\n"}, "KeyID must be visible ASCII"},
		{"content alone", RequestObject{Key: ed, ContentEncryption: "A128GCM"}, "ContentEncryption is set, and EncryptionAlgorithm is empty"},
		{"RSA1_5", RequestObject{Key: ed, EncryptionAlgorithm: "RSA1_5"}, `"RSA1_5" is none of RSA-OAEP, RSA-OAEP-256, ECDH-ES, ECDH-ES+A128KW, ECDH-ES+A192KW, ECDH-ES+A256KW`},
		{"unknown content", RequestObject{Key: ed, EncryptionAlgorithm: "ECDH-ES", ContentEncryption: "x"}, `"x" is none of A128GCM, A192GCM, A256GCM, A128CBC-HS256, A192CBC-HS384, A256CBC-HS512`},
	} {
		_, err := New(changed(func(cfg *Config) { cfg.RequestObject = &test.object }))
		if err == nil || err.Error() != "client: Config.RequestObject: "+test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
	object := RequestObject{Key: ed}
	c, err := New(changed(func(cfg *Config) { cfg.RequestObject = &object }))
	if err != nil || c.cfg.RequestObject.Algorithm != "EdDSA" || object.Algorithm != "" {
		t.Errorf("not copied, or not completed: %v", err)
	}
	if text := renderings(t, object) + renderings(t, &object) + renderings(t, Config{RequestObject: &object}); strings.Contains(text, fmt.Sprint(ed)) || strings.Contains(text, fmt.Sprintf("%x", []byte(ed))) {
		t.Error("the key is shown")
	}
}

// encrypting makes the provider have a key for encryption, and returns it.
func (p *op) encrypting() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	public, err := json.Marshal(jose.JSONWebKey{Key: key.Public(), KeyID: "e1", Use: "enc"})
	if err != nil {
		p.t.Fatal(err)
	}
	p.handle("/jwks", func(*http.Request) (*http.Response, error) {
		set := p.jwks()
		set["keys"] = append(set["keys"].([]any), json.RawMessage(public))
		return jsonResponse(200, set), nil
	})
	return key
}

func TestRequestObjectEncrypted(t *testing.T) {
	p := newOP(t)
	key := p.encrypting()
	c := p.signing(RequestObject{EncryptionAlgorithm: "ECDH-ES+A256KW"}, nil)
	login := p.authorize(c, nil)
	jwe, err := jose.ParseEncryptedCompact(parseQuery(t, login.URL()).Get("request"),
		[]jose.KeyAlgorithm{jose.ECDH_ES_A256KW}, []jose.ContentEncryption{jose.A128CBC_HS256})
	if err != nil {
		t.Fatal(err)
	}
	if h := jwe.Header; h.KeyID != "e1" || h.ExtraHeaders["cty"] != "JWT" {
		t.Errorf("header %+v", h)
	}
	plain, err := jwe.Decrypt(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, claims := openObject(t, string(plain)); claims["state"] != login.state {
		t.Error("the object is of another login")
	}
}

// The provider is asked for its keys once an hour, or ten seconds after it failed, and old
// ones are used while it is down.
func TestRequestObjectKeys(t *testing.T) {
	ctx := context.Background()
	p := newOP(t)
	c := p.signing(RequestObject{EncryptionAlgorithm: "ECDH-ES"}, nil)
	expect := func(asked int, want error) {
		t.Helper()
		if _, err := c.Authorize(ctx, nil); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		if n := len(p.seen("/jwks")); n != asked {
			t.Errorf("asked %d times, want %d", n, asked)
		}
	}
	p.reply("/jwks", 503, "", "")
	expect(1, ErrUnavailable)
	expect(1, ErrUnavailable)
	p.advance(encryptionCooldown)
	p.reply("/jwks", 200, "text/html", "<html>")
	expect(2, ErrRejected)
	p.advance(encryptionCooldown)
	p.encrypting()
	expect(3, nil)
	p.advance(encryptionMaxAge - time.Second)
	expect(3, nil)
	p.advance(time.Second)
	p.reply("/jwks", 503, "", "")
	expect(4, nil)
	p.advance(encryptionCooldown)
	p.handle("/jwks", func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.jwks()), nil })
	expect(5, ErrUnsupported) // the one key there is signs
}

// Whoever leaves leaves the question to the others.
func TestRequestObjectKeysWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		c := p.signing(RequestObject{EncryptionAlgorithm: "ECDH-ES"}, nil)
		if _, err := c.Metadata(context.Background()); err != nil {
			t.Fatal(err)
		}
		p.encrypting()
		answer := p.handlers[testIssuer+"/jwks"]
		p.handle("/jwks", func(r *http.Request) (*http.Response, error) {
			<-time.After(time.Second)
			return answer(r)
		})
		done := make(chan error)
		go func() {
			_, err := c.Authorize(context.Background(), nil)
			done <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if _, err := c.Authorize(ctx, nil); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want the deadline", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := len(p.seen("/jwks")); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

// A provider that wants a nonce in the DPoP proof has seen the object by then, and its jti.
func TestRequestObjectPushedAgain(t *testing.T) {
	p := newOP(t)
	p.pushing()
	p.demandNonce("/par", func(int) string { return "nonce-1" }, refuseToken, func() *http.Response {
		return textResponse(201, "application/json", `{"request_uri":"`+pushedURI+`","expires_in":60}`)
	})
	c := p.signing(RequestObject{}, func(cfg *Config) { cfg.PushedAuthorizationRequests, cfg.DPoP = true, GenerateDPoPKey() })
	login := p.authorize(c, nil)
	requests := p.seen("/par")
	if len(requests) != 2 {
		t.Fatalf("%d requests, want two", len(requests))
	}
	var ids []any
	for _, r := range requests {
		form, err := url.ParseQuery(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		_, claims := openObject(t, form.Get("request"))
		if claims["state"] != login.state || claims["nonce"] != login.nonce {
			t.Error("an object of another login")
		}
		ids = append(ids, claims["jti"])
	}
	if ids[0] == ids[1] {
		t.Error("the jti was used twice")
	}
}

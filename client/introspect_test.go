package client

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
)

func TestIntrospect(t *testing.T) {
	p := newOP(t)
	p.reply("/introspect", 200, "application/json", `{"active":true,"sub":"alice","ext":{"tenant":"a"}}`)
	got, err := p.client(nil).Introspect(context.Background(), "token+/=CANARY")
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Sub string
		Ext struct{ Tenant string }
	}
	if err := got.Claims(&claims); err != nil || !got.Active || claims.Sub != "alice" || claims.Ext.Tenant != "a" {
		t.Errorf("got %t, %+v, %v", got.Active, claims, err)
	}
	if err := got.Claims(&struct{ Sub int }{}); err == nil {
		t.Error("a wrong type was decoded")
	}
	p.wantRequests("/introspect", sentRequest{"POST", testIssuer + "/introspect", http.Header{
		"Accept":        {"application/json"},
		"Authorization": {"Basic d2ViOmNsaWVudC1zZWNyZXQtQ0FOQVJZLTAxMjM0NTY3ODk="},
		"Content-Type":  {"application/x-www-form-urlencoded"},
		"User-Agent":    {userAgent},
	}, "token=token%2B%2F%3DCANARY&token_type_hint=access_token"})
}

func TestIntrospectInactive(t *testing.T) {
	for _, body := range []string{`{"active":false}`, `{"active":false,"sub":"alice"}`} {
		p := newOP(t)
		p.reply("/introspect", 200, "application/json", body)
		got, err := p.client(nil).Introspect(context.Background(), "a")
		if err != nil || got.Active {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

// What cannot be a token is not worth a request, which would have to hold it.
func TestIntrospectAsksAboutTokensOnly(t *testing.T) {
	for name, token := range map[string]string{
		"empty": "", "line break": "a\r\nb", "not ASCII": "\u00e9", "NUL": "a\x00", "large": strings.Repeat("a", maxToken+1),
	} {
		p := newOP(t)
		got, err := p.client(nil).Introspect(context.Background(), token)
		if err != nil || got.Active {
			t.Errorf("%s: got %v, %v", name, got, err)
			continue
		}
		var claims struct{ Active *bool }
		if err := got.Claims(&claims); err != nil || claims.Active == nil || *claims.Active {
			t.Errorf("%s: the answer is %+v, %v", name, claims, err)
		}
		p.wantRequests("/introspect")
	}
	p := newOP(t)
	p.reply("/introspect", 200, "application/json", `{"active":true}`)
	if got, err := p.client(nil).Introspect(context.Background(), strings.Repeat("a", maxToken)); err != nil || !got.Active {
		t.Errorf("the largest: got %v, %v", got, err)
	}
}

func TestIntrospectRejects(t *testing.T) {
	const json = "application/json"
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		want                    error
		text                    string
	}{
		{"no active", json, `{"sub":"alice"}`, 200, ErrRejected, "rejected: status 200: active is not a boolean"},
		{"active a string", json, `{"active":"true"}`, 200, ErrRejected, "rejected: status 200: active is not a boolean"},
		{"active a number", json, `{"active":1}`, 200, ErrRejected, "rejected: status 200: active is not a boolean"},
		{"active null", json, `{"active":null}`, 200, ErrRejected, "rejected: status 200: active is not a boolean"},
		{"active twice", json, `{"active":false,"active":true}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"active in capitals", json, `{"Active":true}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"folded aud", json, `{"active":true,"aud":"a","AUD":"b"}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"client_id a number", json, `{"active":true,"client_id":1}`, 200, ErrRejected, "rejected: status 200: client_id has the wrong type"},
		{"token_type a list", json, `{"active":true,"token_type":["Bearer"]}`, 200, ErrRejected, "rejected: status 200: token_type has the wrong type"},
		{"array", json, `[{"active":true}]`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"empty", json, ``, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"too large", json, `{"active":true,"a":"` + strings.Repeat("a", maxBody) + `"}`, 200, ErrRejected, "rejected: status 200: the answer has more than 1048576 bytes"},
		{"JWT", "application/token-introspection+jwt", "e30.e30.e30", 200, ErrUnsupported, "not supported by the provider: status 200: the answer is a JWT (introspection_signed_response_alg of the client's registration)"},
		{"HTML", "text/html", `<html>`, 200, ErrRejected, `rejected: status 200: the content type is "text/html", not application/json`},
		{"JSON with another status", json, `{"active":true}`, 201, ErrRejected, "rejected: status 201: no error code"},
		{"client refused", json, `{"error":"invalid_client"}`, 401, ErrRejected, `rejected: status 401: "invalid_client" (client_secret_basic was refused; if the secret is right, try Config.Auth: client.SecretPost{})`},
		{"redirect", "", "", 307, ErrRejected, "rejected: status 307: no error code"},
		{"busy", json, `{}`, 429, ErrUnavailable, "provider unavailable: status 429: no error code"},
		{"down", "", ``, 503, ErrUnavailable, "provider unavailable: status 503: no error code"},
		{"token echoed", json, `{"error":"x","error_description":"bad token-CANARY"}`, 400, ErrRejected, `rejected: status 400: "x" "bad [redacted]"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.reply("/introspect", test.status, test.contentType, test.body)
			got, err := p.client(nil).Introspect(context.Background(), "token-CANARY")
			var e *ResponseError
			if got != nil || !errors.Is(err, test.want) || !errors.As(err, &e) || err.Error() != "client: introspection endpoint: "+test.text {
				t.Errorf("got %v, want %s", err, test.text)
			}
		})
	}
}

func TestIntrospectRedirectIsNotFollowed(t *testing.T) {
	for _, status := range []int{302, 307, 308} {
		p := newOP(t)
		p.handle("/introspect", redirectTo(status, testIssuer+"/elsewhere")) // a request there fails the test
		if _, err := p.client(nil).Introspect(context.Background(), "a"); !errors.Is(err, ErrRejected) {
			t.Errorf("%d: got %v", status, err)
		}
	}
}

// Whoever is registered for signed answers takes nothing else: what is not signed could be
// anybody's (RFC 9701).
func TestIntrospectSigned(t *testing.T) {
	const (
		jwt       = "application/token-introspection+jwt"
		plain     = `{"active":true,"sub":"alice"}`
		notSigned = "the answer is not signed, and Config.IntrospectionSignedResponseAlg says that it is"
	)
	signed := func(change map[string]any) string {
		claims := map[string]any{
			"iss": testIssuer, "aud": testClientID, "iat": testStart.Unix(),
			"token_introspection": map[string]any{"active": true, "sub": "alice"},
		}
		maps.Copy(claims, change)
		return sign(testKey(), map[string]any{"alg": "ES256", "kid": "k1", "typ": "token-introspection+jwt"}, claims)
	}
	for _, test := range []struct{ name, contentType, body, want string }{
		{"signed", jwt, signed(nil), ""},
		{"plain", "application/json", plain, notSigned},
		{"signed, called JSON", "application/json", signed(nil), notSigned},
		{"signed, called another JWT", "application/jwt", signed(nil), notSigned},
		{"plain, called JWT", jwt, plain, "jwtverify: token invalid: not a JWT in compact form"},
		{"for another", jwt, signed(map[string]any{"aud": "other"}), `jwtverify: token invalid: aud does not name this audience: got ["other"], want "web"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.reply("/introspect", 200, test.contentType, test.body)
			got, err := p.client(func(cfg *Config) { cfg.IntrospectionSignedResponseAlg = "ES256" }).Introspect(context.Background(), "token-CANARY")
			if accept := p.seen("/introspect")[0].Header.Get("Accept"); accept != jwt {
				t.Errorf("asked for %s", accept)
			}
			if test.want == "" {
				var claims struct{ Sub string }
				if err != nil || !got.Active || got.Claims(&claims) != nil || claims.Sub != "alice" {
					t.Errorf("got %v", err)
				}
				return
			}
			var e *ResponseError
			if got != nil || !errors.Is(err, ErrRejected) || !errors.As(err, &e) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

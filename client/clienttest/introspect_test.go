package clienttest_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

// introspect asks about a token.
func (f *flow) introspect(token string) (status int, answer map[string]any) {
	f.t.Helper()
	response, err := f.post("/introspect", url.Values{"token": {token}})
	if err != nil {
		f.t.Fatal(err)
	}
	status = response.StatusCode
	decode(f.t, response, &answer)
	return status, answer
}

func TestIntrospect(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		f := newFlow(t, &clienttest.Options{Algorithm: "ES256", Audience: "https://api.example.com", OpaqueAccessTokens: opaque})
		token := f.tokens().AccessToken
		if jwt := strings.Count(token, ".") == 2; jwt == opaque {
			t.Errorf("opaque %t: a JWT: %t", opaque, jwt)
		}
		_, got := f.introspect(token)
		names := slices.Sorted(maps.Keys(got))
		want := []string{"acr", "active", "aud", "auth_time", "client_id", "exp", "iat", "iss", "jti", "scope", "sub", "token_type"}
		if !slices.Equal(names, want) || got["active"] != true || got["aud"] != "https://api.example.com" ||
			got["sub"] != "alice" || got["client_id"] != "web" || got["token_type"] != "Bearer" || got["iss"] != f.op.Issuer() {
			t.Errorf("opaque %t: got %v", opaque, got)
		}
	}
}

func TestIntrospectInactive(t *testing.T) {
	for name, end := range map[string]func(f *flow, token string) string{
		"another token": func(_ *flow, token string) string { return token + "x" },
		"expired":       func(f *flow, token string) string { f.op.Advance(5 * time.Minute); return token },
		"grant revoked": func(f *flow, token string) string { f.op.RevokeGrants("alice"); return token },
		"revoked": func(f *flow, token string) string {
			if _, err := f.post("/revoke", url.Values{"token": {token}}); err != nil {
				f.t.Fatal(err)
			}
			return token
		},
		"ID token": func(f *flow, _ string) string { return f.tokens().IDToken },
		"used refresh token": func(f *flow, _ string) string {
			token := f.tokens().RefreshToken
			f.refresh(token)
			return token
		},
	} {
		f := newFlow(t, fast())
		token := f.op.AccessToken(nil)
		if _, got := f.introspect(token); got["active"] != true {
			t.Fatalf("%s: got %v before", name, got)
		}
		if status, got := f.introspect(end(f, token)); status != 200 || len(got) != 1 || got["active"] != false {
			t.Errorf("%s: got %d %v", name, status, got)
		}
	}
}

func TestIntrospectRefreshToken(t *testing.T) {
	f := newFlow(t, fast())
	_, got := f.introspect(f.tokens().RefreshToken)
	if got["active"] != true || got["token_type"] != "refresh_token" || got["sub"] != "alice" || got["aud"] != nil {
		t.Errorf("got %v", got)
	}
}

func TestIntrospectNeedsAClient(t *testing.T) {
	f := newFlow(t, fast())
	token := f.op.AccessToken(nil)
	if status, got := f.introspect(""); status != 400 || got["error"] != "invalid_request" {
		t.Errorf("without a token: got %d %v", status, got)
	}
	f.secret = "wrong"
	if status, got := f.introspect(token); status != 401 || got["error"] != "invalid_client" {
		t.Errorf("got %d %v", status, got)
	}
}

// A public client proves nothing, and is told about its own tokens alone.
func TestIntrospectByAPublicClient(t *testing.T) {
	f := newFlow(t, &clienttest.Options{Algorithm: "ES256", Clients: []clienttest.Client{{ID: "web", Secret: "secret"}, {ID: "app"}}})
	token := f.op.AccessToken(nil)
	ask := func(client string) any {
		response, err := f.http.PostForm(f.op.Issuer()+"/introspect", url.Values{"token": {token}, "client_id": {client}})
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		decode(t, response, &got)
		return got["active"]
	}
	if got := ask("app"); got != false {
		t.Errorf("another client's token: %v", got)
	}
	f = newFlow(t, &clienttest.Options{Algorithm: "ES256", Clients: []clienttest.Client{{ID: "app"}}})
	token = f.op.AccessToken(nil)
	if got := ask("app"); got != true {
		t.Errorf("its own token: %v", got)
	}
}

// introspectionFaults are checked twice where the answer is spoiled: with the fault, and without.
func introspectionFaults() map[clienttest.Fault]check {
	ask := func(t *testing.T, f *flow) *http.Response {
		f.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		response, err := f.post("/introspect", url.Values{"token": {f.op.AccessToken(nil)}})
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	answers := func(status int, part string) check {
		return func(t *testing.T, f *flow) {
			if response := ask(t, f); response.StatusCode != status || !strings.Contains(body(t, response), part) {
				t.Errorf("got %s", response.Status)
			}
		}
	}
	spoils := func(ok func(f *flow, got map[string]any) bool) check {
		return func(t *testing.T, f *flow) {
			for _, spoiled := range []bool{true, false} {
				if _, got := f.introspect(f.op.AccessToken(nil)); ok(f, got) != spoiled {
					t.Errorf("spoiled %t: got %v", spoiled, got)
				}
				f.op.SetFaults()
			}
		}
	}
	is := func(name string, want any) check {
		return spoils(func(_ *flow, got map[string]any) bool { return got[name] == want })
	}
	return map[clienttest.Fault]check{
		clienttest.IntrospectionInactive: spoils(func(_ *flow, got map[string]any) bool {
			return got["active"] == false && len(got) == 1
		}),
		clienttest.IntrospectionActiveString: is("active", "true"),
		clienttest.IntrospectionNoActive:     is("active", nil),
		clienttest.IntrospectionNoAud:        is("aud", nil),
		clienttest.IntrospectionWrongAud:     is("aud", "https://elsewhere.example.com"),
		clienttest.IntrospectionWrongIss:     is("iss", "https://elsewhere.example.com"),
		clienttest.IntrospectionExpired: spoils(func(f *flow, got map[string]any) bool {
			return got["active"] == true && until(f, got, "exp") < -9*time.Minute
		}),
		clienttest.IntrospectionRefreshToken: is("token_type", "refresh_token"),
		clienttest.IntrospectionJWT: func(t *testing.T, f *flow) {
			response := ask(t, f)
			_, claims := parts(t, body(t, response))
			inner, _ := claims["token_introspection"].(map[string]any)
			if response.Header.Get("Content-Type") != "application/token-introspection+jwt" || inner["active"] != true {
				t.Errorf("got %v", claims)
			}
		},
		clienttest.IntrospectionHTML:     answers(200, "<!doctype html>"),
		clienttest.Introspection500:      answers(500, "server_error"),
		clienttest.IntrospectionRedirect: answers(307, ""),
		clienttest.IntrospectionHuge:     func(t *testing.T, f *flow) { hugeBody(t, ask(t, f), `"active"`) },
		clienttest.IntrospectionSlow: func(t *testing.T, f *flow) {
			token := f.op.AccessToken(nil)
			held(t, f, "introspection", func() (*http.Response, error) {
				return f.post("/introspect", url.Values{"token": {token}})
			})
		},
	}
}

package client

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// The tests of this file keep the lists of registered names complete: a name in another
// case is refused, also where nobody looks at it and where it is the only one.

// without is an object without one of its members, and with it in capitals.
func without(answer map[string]any, name string) map[string]any {
	changed := map[string]any{strings.ToUpper(name): "x"}
	for n, v := range answer {
		if n != name {
			changed[n] = v
		}
	}
	return changed
}

func wantNotMembers(t *testing.T, name string, err error) {
	t.Helper()
	if !errors.Is(err, ErrRejected) || !strings.HasSuffix(err.Error(), "rejected: status 200: "+notMembers) {
		t.Errorf("%s in capitals: %v", name, err)
	}
}

func TestNamesOfTokenAnswersHaveCase(t *testing.T) {
	if _, err := newOP(t).exchangeWith(200, "application/json", `{`+goodAnswer+`,"OTHER":"x"}`); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"access_token", "token_type", "expires_in", "refresh_token", "scope", "id_token", "issued_token_type",
		"authorization_details", "error", "error_description", "error_uri",
	} {
		upper := strings.ToUpper(name)
		body := strings.Replace(`{`+goodAnswer+`}`, `"`+name+`"`, `"`+upper+`"`, 1)
		if !strings.Contains(body, upper) {
			body = `{` + goodAnswer + `,"` + upper + `":"x"}`
		}
		body = strings.ReplaceAll(body, "ID_TOKEN", `\u0049D_TOKEN`) // ID alone stands for a token
		_, err := newOP(t).exchangeWith(200, "application/json", body)
		wantNotMembers(t, name, err)
	}
}

func TestNamesOfIntrospectionsHaveCase(t *testing.T) {
	introspect := func(answer map[string]any) error {
		p := newOP(t)
		p.vouch(answer)
		_, err := p.client(nil).Introspect(context.Background(), "token-CANARY")
		return err
	}
	if err := introspect(map[string]any{"OTHER": "x"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"active", "scope", "client_id", "username", "token_type", "exp", "iat", "nbf", "sub", "aud", "iss", "jti",
		"cnf", "acr", "auth_time",
	} {
		wantNotMembers(t, name, introspect(map[string]any{name: nil, strings.ToUpper(name): "x"}))
	}
}

func TestNamesOfUserInfoHaveCase(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	p.reply("/userinfo", 200, "application/json", `{"SUB":"alice"}`)
	_, err := c.UserInfo(context.Background(), tokens)
	wantNotMembers(t, "sub", err)
	p.reply("/userinfo", 200, "text/plain", `{"sub":"alice"}`)
	if _, err := c.UserInfo(context.Background(), tokens); err == nil || !strings.Contains(err.Error(), `the content type is "text/plain", not application/json`) {
		t.Error(err)
	}
}

func TestNamesOfMetadataHaveCase(t *testing.T) {
	for _, name := range []string{
		"issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri",
		"end_session_endpoint", "revocation_endpoint", "introspection_endpoint", "device_authorization_endpoint",
		"id_token_signing_alg_values_supported", "token_endpoint_auth_methods_supported",
		"scopes_supported", "authorization_response_iss_parameter_supported", "mtls_endpoint_aliases",
	} {
		p := newOP(t)
		p.metadata = without(p.metadata, name)
		_, err := p.client(nil).Metadata(context.Background())
		if want := `member "` + strings.ToUpper(name)[:min(len(name), 40)] + `" is not "` + name + `"`; !errors.Is(err, ErrRejected) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestIntrospectorAudienceOfNobody: an empty aud says as little as none.
func TestIntrospectorAudienceOfNobody(t *testing.T) {
	for _, aud := range []any{nil, "", []string{}} {
		p := newOP(t)
		p.vouch(map[string]any{"aud": aud})
		i := p.introspector(func(i *Introspector) { i.ClientIDs = []string{"spa"} })
		if _, err := i.AccessToken(context.Background(), "token"); err != nil {
			t.Errorf("%v: %v", aud, err)
		}
	}
}

// TestIntrospectorHasRoom: half of Size is kept in any case.
func TestIntrospectorHasRoom(t *testing.T) {
	p := newOP(t)
	p.vouch(nil)
	i := p.introspector(func(i *Introspector) { i.MaxAge, i.Size = time.Minute, 8 })
	for range 3 {
		for _, token := range []string{"a", "b", "c", "d"} {
			if _, err := i.AccessToken(context.Background(), token); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.asked(4)
}

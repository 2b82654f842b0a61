package jwtverify_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// TestAccessTokenFields: what the claims of providers become.
func TestAccessTokenFields(t *testing.T) {
	const sum = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	for _, c := range []struct {
		name, claims string
		client       string
		scope        []string
		bound        jwtverify.Confirmation
	}{
		{"RFC 9068", `"client_id":"app","scope":"read write"`, "app", []string{"read", "write"}, jwtverify.Confirmation{}},
		{"no scope", `"client_id":"app"`, "app", nil, jwtverify.Confirmation{}},
		{"an empty scope", `"client_id":"app","scope":""`, "app", []string{}, jwtverify.Confirmation{}},
		{"spaces", `"client_id":"app","scope":" read  write "`, "app", []string{"read", "write"}, jwtverify.Confirmation{}},
		{"spaces of other kinds", `"scope":"read\u00a0admin\tdelete\u2003write"`, "", []string{"read\u00a0admin\tdelete\u2003write"}, jwtverify.Confirmation{}},
		{"Duende", `"client_id":"app","scope":["read","write"]`, "app", []string{"read", "write"}, jwtverify.Confirmation{}},
		{"an array whose member has a space", `"scope":["read write"]`, "", []string{"read write"}, jwtverify.Confirmation{}},
		{"Okta", `"cid":"app","scp":["read"]`, "app", []string{"read"}, jwtverify.Confirmation{}},
		{"Entra", `"azp":"app","scp":"Tasks.Read Tasks.Write"`, "app", []string{"Tasks.Read", "Tasks.Write"}, jwtverify.Confirmation{}},
		{"Entra v1", `"appid":"app","scp":"Tasks.Read"`, "app", []string{"Tasks.Read"}, jwtverify.Confirmation{}},
		{"azp before cid", `"cid":"other","azp":"app"`, "app", nil, jwtverify.Confirmation{}},
		{"a cid of its own beside azp", `"cid":42,"azp":"app"`, "app", nil, jwtverify.Confirmation{}},
		{"client_id before azp", `"azp":"other","client_id":"app"`, "app", nil, jwtverify.Confirmation{}},
		{"scope before scp", `"scp":["admin"],"scope":"read"`, "", []string{"read"}, jwtverify.Confirmation{}},
		{"DPoP", `"cnf":{"jkt":"` + sum + `"}`, "", nil, jwtverify.Confirmation{JKT: sum}},
		{"a certificate", `"cnf":{"x5t#S256":"` + sum + `"}`, "", nil, jwtverify.Confirmation{X5TS256: sum}},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, err := ed25519Verifier(t).AccessToken(t.Context(), accessTokenWith(t, c.claims))
			if err != nil {
				t.Fatal(err)
			}
			if token.ClientID != c.client || !slices.Equal(token.Scope, c.scope) || (token.Scope == nil) != (c.scope == nil) || token.Confirmation != c.bound {
				t.Errorf("client %q, scope %q, bound to %+v", token.ClientID, token.Scope, token.Confirmation)
			}
		})
	}
	token, err := ed25519Verifier(t).AccessToken(t.Context(), accessTokenWith(t, `"jti":"j","acr":"2","amr":["pwd"],"auth_time":1767225000,"iat":1767225001`))
	if err != nil {
		t.Fatal(err)
	}
	if token.Issuer != testIssuer || token.Subject != "user-1" || !slices.Equal(token.Audience, []string{testClient}) ||
		token.ID != "j" || token.ACR != "2" || !slices.Equal(token.AMR, []string{"pwd"}) ||
		token.AuthTime.Unix() != 1767225000 || token.IssuedAt.Unix() != 1767225001 || token.Expiry.Unix() != 1767225900 {
		t.Errorf("iss %q sub %q aud %q jti %q acr %q amr %q auth_time %v iat %v exp %v", token.Issuer, token.Subject, token.Audience,
			token.ID, token.ACR, token.AMR, token.AuthTime, token.IssuedAt, token.Expiry)
	}
}

func accessTokenWith(tb testing.TB, claims string) string {
	return mint(tb, "ed25519", "EdDSA", `{"alg":"EdDSA","kid":"ed25519","typ":"at+jwt"}`,
		`{"iss":"https://op.example.com","sub":"user-1","aud":"client-1","exp":1767225900,`+claims+`}`)
}

// TestIntrospectionFields: an answer says less than a token does.
func TestIntrospectionFields(t *testing.T) {
	v := &jwtverify.Verifier{Issuer: testIssuer, Audience: testClient, Now: func() time.Time { return time.Unix(testNow, 0) }}
	token, err := v.Introspection([]byte(`{"active":true,"client_id":"app","aud":"client-1","scope":"read"}`))
	if err != nil {
		t.Fatal(err)
	}
	if token.Issuer != testIssuer || token.Subject != "" || token.ClientID != "app" || !token.Expiry.IsZero() || !slices.Equal(token.Scope, []string{"read"}) {
		t.Errorf("iss %q sub %q client %q exp %v scope %q", token.Issuer, token.Subject, token.ClientID, token.Expiry, token.Scope)
	}
}

// TestAccessTokenRedaction: the claims of a user stay out of logs.
func TestAccessTokenRedaction(t *testing.T) {
	token, err := ed25519Verifier(t).AccessToken(t.Context(), accessTokenWith(t, `"email":"canary@example.com"`))
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", token, "in", struct{ T *jwtverify.AccessToken }{token})
	text, err := json.Marshal(token)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v %s %d %v", token, token, token, *token, token, []*jwtverify.AccessToken{token}), log.String(), string(text)} {
		if strings.Contains(shown, "canary") || !strings.Contains(shown, "[redacted]") {
			t.Errorf("printed as %s", shown)
		}
	}
}

// TestSharedSecretRedaction: a key prints, and a secret among keys does not.
func TestSharedSecretRedaction(t *testing.T) {
	secret := strings.Repeat("canary", 8)
	keys, err := jwtverify.SharedSecret(secret).Keys(t.Context(), "any kid")
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", keys[0])
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	set := jwtverify.SharedSecret(secret)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "set", set)
	shown := []string{fmt.Sprintf("%v %+v %#v %s %x", keys, keys, keys, keys[0], keys[0].Public), log.String(), string(text)}
	for _, shown := range append(shown, fmt.Sprintf("%v %+v %#v %s %x %d", set, set, set, set, set, []jwtverify.KeySet{set})) {
		if strings.Contains(shown, "canary") || strings.Contains(shown, "63616e617279") || strings.Contains(shown, "99 97 110") || strings.Contains(shown, "0x63, 0x61") {
			t.Errorf("printed as %s", shown)
		}
	}
}

// TestLogoutTokenNeedsAGuard: without one, nothing tells a token from its replay.
func TestLogoutTokenNeedsAGuard(t *testing.T) {
	token, err := ed25519Verifier(t).LogoutToken(t.Context(), "a.b.c", nil)
	if token != nil {
		t.Error("a token beside the error")
	}
	checkRefusal(t, err, "invalid", "", "no ReplayGuard")
}

package jwtverify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// everyClaim is a token that has every claim there is a field for.
func everyClaim(t testing.TB) (*jwtverify.IDToken, string) {
	t.Helper()
	v, _, _ := benchToken(t, "ES256", "p256", 0)
	raw := mint(t, "p256", "ES256", `{"alg":"ES256","kid":"p256","typ":"JWT"}`, `{"iss":"https://op.example.com","sub":"user-1",`+
		`"aud":["client-1"],"azp":"client-1","exp":1767225900,"iat":1767225595,"auth_time":1767225000,"nonce":"canary-nonce","sid":"s-1",`+
		`"acr":"urn:gold","amr":["pwd","otp"],"roles":{"admin":true}}`)
	token, err := v.IDToken(t.Context(), raw, jwtverify.Expect{Nonce: "canary-nonce"})
	if err != nil {
		t.Fatal(err)
	}
	return token, raw
}

func TestIDTokenSaysWhatTheTokenSays(t *testing.T) {
	token, raw := everyClaim(t)
	checkFields(t, token)
	if token.Raw() != raw {
		t.Error("another raw token")
	}
	var claims struct {
		Roles struct{ Admin bool }
	}
	if err := token.Claims(&claims); err != nil || !claims.Roles.Admin {
		t.Errorf("claims %v, %v", claims, err)
	}
	var wrong struct{ Sub int }
	if err := token.Claims(&wrong); err == nil || !strings.HasPrefix(err.Error(), "jwtverify: decoding claims: ") {
		t.Errorf("decoding a string into an int: %v", err)
	}
}

func checkFields(t *testing.T, token *jwtverify.IDToken) {
	t.Helper()
	for name, c := range map[string][2]any{
		"Issuer":          {token.Issuer, testIssuer},
		"Subject":         {token.Subject, "user-1"},
		"Audience":        {token.Audience, []string{testClient}},
		"AuthorizedParty": {token.AuthorizedParty, testClient},
		"Nonce":           {token.Nonce, "canary-nonce"},
		"SessionID":       {token.SessionID, "s-1"},
		"ACR":             {token.ACR, "urn:gold"},
		"AMR":             {token.AMR, []string{"pwd", "otp"}},
		"Expiry":          {token.Expiry, time.Unix(1767225900, 0)},
		"IssuedAt":        {token.IssuedAt, time.Unix(1767225595, 0)},
		"AuthTime":        {token.AuthTime, time.Unix(1767225000, 0)},
	} {
		if !reflect.DeepEqual(c[0], c[1]) {
			t.Errorf("%s = %v, want %v", name, c[0], c[1])
		}
	}
}

func TestIDTokenStorage(t *testing.T) {
	token, raw := everyClaim(t)
	for _, without := range []bool{false, true} {
		if without {
			token, raw = token.WithoutRaw(), ""
		}
		stored, err := token.AppendBinary([]byte("before"))
		if err != nil || !bytes.HasPrefix(stored, []byte("before")) {
			t.Fatalf("AppendBinary: %q, %v", stored, err)
		}
		stored = stored[len("before"):]
		var restored jwtverify.IDToken
		if err := restored.UnmarshalBinary(stored); err != nil {
			t.Fatal(err)
		}
		checkFields(t, &restored)
		if restored.Raw() != raw {
			t.Errorf("raw %q, want %q", restored.Raw(), raw)
		}
		if again, err := restored.MarshalBinary(); err != nil || !bytes.Equal(again, stored) {
			t.Errorf("stored a second time: %x, %v; want %x", again, err, stored)
		}
		stored[len(stored)/2] = 0 // what was restored does not alias what it was restored from
		checkFields(t, &restored)
	}
}

// Keep holds on to what the fields say, whatever it is told, and to nothing else.
func TestKeep(t *testing.T) {
	token, raw := everyClaim(t)
	for _, c := range []struct {
		names []string
		want  string
	}{
		{nil, "acr amr aud auth_time azp exp iat iss nonce sid sub"},
		{[]string{"roles"}, "acr amr aud auth_time azp exp iat iss nonce roles sid sub"},
		{[]string{"Roles", "role", "admin", "", "none"}, "acr amr aud auth_time azp exp iat iss nonce sid sub"},
	} {
		kept := token.Keep(c.names...)
		stored, err := kept.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var restored jwtverify.IDToken
		if err := restored.UnmarshalBinary(stored); err != nil {
			t.Fatal(err)
		}
		for _, kept := range []*jwtverify.IDToken{kept, &restored} {
			checkFields(t, kept)
			var claims map[string]json.RawMessage
			if err := kept.Claims(&claims); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(slices.Sorted(maps.Keys(claims)), " "); got != c.want || kept.Raw() != "" {
				t.Errorf("Keep(%q) kept %q and %q of the token, want %q", c.names, got, kept.Raw(), c.want)
			}
			if roles, ok := claims["roles"]; ok && string(roles) != `{"admin":true}` {
				t.Errorf("roles changed to %s", roles)
			}
		}
	}
	if token.Raw() != raw || !strings.Contains(claimsOf(t, token), `"roles"`) {
		t.Error("Keep changed its receiver")
	}
	if again := token.Keep("roles").Keep(); strings.Contains(claimsOf(t, again), "roles") {
		t.Error("a claim that was kept before cannot be dropped")
	}
	if _, err := new(jwtverify.IDToken).Keep("sub").MarshalBinary(); err == nil || !strings.Contains(err.Error(), "never verified") {
		t.Errorf("stored what the zero IDToken keeps: %v", err)
	}
}

// Names and values come through as they were written, escapes and all.
func TestKeepIsExact(t *testing.T) {
	v, _, _ := benchToken(t, "ES256", "p256", 0)
	raw := mint(t, "p256", "ES256", `{"alg":"ES256","kid":"p256","typ":"JWT"}`, ` { "iss" : "https:\/\/op.example.com","sub":"user-1",`+
		`"\u0061ud":"client-1","exp":1767225900, "iat":1767225595,"q\"\u00e9<":[ 1.50, {"a":"\ud83d\ude00"} ],"nonce":"n"} `)
	token, err := v.IDToken(t.Context(), raw, jwtverify.Expect{Nonce: "n"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"iss":"https:\/\/op.example.com","sub":"user-1","aud":"client-1","exp":1767225900,"iat":1767225595,"q\"é\u003c":[ 1.50, {"a":"\ud83d\ude00"} ],"nonce":"n"}`
	if got := claimsOf(t, token.Keep("q\"é<")); got != want {
		t.Errorf("kept %s\nwant %s", got, want)
	}
}

// claimsOf is what a token has of claims, as it has them.
func claimsOf(t *testing.T, token *jwtverify.IDToken) string {
	t.Helper()
	var payload json.RawMessage
	if err := token.Claims(&payload); err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

func TestIDTokenStorageIsSmall(t *testing.T) {
	token, raw := everyClaim(t)
	whole, err := token.MarshalBinary()
	if err != nil || len(whole) > len(raw)*3/4+8 {
		t.Errorf("%d bytes for a token of %d, %v", len(whole), len(raw), err)
	}
	claims, err := token.WithoutRaw().MarshalBinary()
	if err != nil || len(claims) > len(whole)-64 {
		t.Errorf("%d bytes without the token, %d with it, %v", len(claims), len(whole), err)
	}
	if token.Raw() == "" {
		t.Error("WithoutRaw changed its receiver")
	}
}

func TestUnmarshalBinaryRefusesDamage(t *testing.T) {
	token, _ := everyClaim(t)
	whole, err := token.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	const stored = "jwtverify: stored ID token: "
	for _, c := range []struct {
		name, reason string
		data         []byte
	}{
		{"nothing", "damaged", nil},
		{"a later version", "of a later version", append([]byte{3}, whole[1:]...)},
		{"version 0", "damaged", append([]byte{0}, whole[1:]...)},
		{"cut short", "damaged", whole[:len(whole)-1]},
		{"more behind", "damaged", append(bytes.Clone(whole), 0)},
		{"no three segments", "damaged", []byte("\x01\x02\x02{}\x02{}")},
		{"a token as text", "damaged", []byte("\x01\x00\x02{}")},
		{"claims no object", "payload: not a JSON object", []byte("\x02[]")},
		{"claims of a wrong kind", "sub is not a string", []byte(`` + "\x02" + `{"sub":1}`)},
	} {
		kept := *token
		err := kept.UnmarshalBinary(c.data)
		if err == nil || !strings.HasPrefix(err.Error(), stored) || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v", c.name, err)
		}
		checkFields(t, &kept)
	}
	if _, err := new(jwtverify.IDToken).MarshalBinary(); err == nil || !strings.Contains(err.Error(), "never verified") {
		t.Errorf("stored the zero IDToken: %v", err)
	}
}

func TestIDTokenIsRedacted(t *testing.T) {
	token, raw := everyClaim(t)
	holder := struct {
		Token *jwtverify.IDToken
		Value jwtverify.IDToken
		Want  jwtverify.Expect
	}{token, *token, jwtverify.Expect{Nonce: "canary-nonce", AccessToken: "canary-access", Code: "canary-code", State: "canary-state"}}
	var log bytes.Buffer
	text, list := slog.New(slog.NewTextHandler(&log, nil)), slog.New(slog.NewJSONHandler(&log, nil))
	for _, l := range []*slog.Logger{text, list} {
		l.Info("x", "token", token, "value", *token, "want", holder.Want, "holder", holder)
	}
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(encoded)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		printed += fmt.Sprintf(verb+verb+verb+verb, token, *token, holder.Want, holder)
	}
	for _, secret := range []string{"canary", fmt.Sprintf("%x", "canary"), raw[:40], raw[len(raw)-40:], "user-1"} {
		if strings.Contains(printed, secret) {
			t.Errorf("%q is in %s", secret, printed)
		}
	}
	if !strings.Contains(printed, "[redacted]") {
		t.Errorf("printed as %s", printed)
	}
}

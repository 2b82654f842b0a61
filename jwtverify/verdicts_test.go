package jwtverify_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// verdicts run a vector by its kind, and return all claims of an accepted token.
var verdicts = map[string]func(*testing.T, *jwtverify.Verifier, vector) (map[string]any, error){
	"idtoken":       idTokenVerdict,
	"accesstoken":   accessTokenVerdict,
	"introspection": introspectionVerdict,
	"logouttoken":   logoutTokenVerdict,
	"response":      responseVerdict,
	"userinfo":      userInfoVerdict,

	"introspectionjwt": introspectionJWTVerdict,
}

func decoded(t *testing.T, claims func(any) error) (m map[string]any) {
	if err := claims(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

func idTokenVerdict(t *testing.T, verifier *jwtverify.Verifier, v vector) (map[string]any, error) {
	token, err := verifier.IDToken(t.Context(), v.Token, v.Want.expect())
	if token == nil {
		return nil, err
	}
	claims := decoded(t, token.Claims)
	raw := signedToken(t, v)
	if token.Raw() != raw || token.Subject != claims["sub"] || token.Issuer != claims["iss"] {
		t.Errorf("issuer %q, subject %q", token.Issuer, token.Subject)
	}
	stored, storeErr := token.MarshalBinary()
	var restored jwtverify.IDToken
	if storeErr != nil || restored.UnmarshalBinary(stored) != nil {
		t.Fatal("cannot be stored and restored")
	}
	if restored.Raw() != raw || restored.Subject != token.Subject {
		t.Errorf("after storage: subject %q", restored.Subject)
	}
	return claims, err
}

func accessTokenVerdict(t *testing.T, verifier *jwtverify.Verifier, v vector) (map[string]any, error) {
	token, err := verifier.AccessToken(t.Context(), v.Token)
	if token == nil {
		return nil, err
	}
	claims := decoded(t, token.Claims)
	subject, _ := claims["sub"].(string) // missing, where the token is the client's own
	if token.Issuer != claims["iss"] || token.Subject != subject || subject == "" && token.ClientID == "" {
		t.Errorf("issuer %q, subject %q", token.Issuer, token.Subject)
	}
	return claims, err
}

func introspectionVerdict(t *testing.T, verifier *jwtverify.Verifier, v vector) (map[string]any, error) {
	verifier.Keys = nil // are not needed
	token, err := verifier.Introspection([]byte(v.Token))
	if token == nil {
		return nil, err
	}
	if token.Issuer != v.Verifier.Issuer {
		t.Errorf("issuer %q", token.Issuer)
	}
	return decoded(t, token.Claims), err
}

// logoutTokenVerdict has no claims to show but those of LogoutToken: it returns those
// of the token after it has compared them.
func logoutTokenVerdict(t *testing.T, verifier *jwtverify.Verifier, v vector) (map[string]any, error) {
	token, err := verifier.LogoutToken(t.Context(), v.Token, guard{v.Want.Seen, v.Want.GuardDown})
	if token == nil {
		return nil, err
	}
	var claims map[string]any
	var typed struct{ Iss, Sub, SID, JTI string }
	payload := []byte(payloadOf(v.Token))
	if json.Unmarshal(payload, &claims) != nil || json.Unmarshal(payload, &typed) != nil {
		t.Fatal("claims cannot be read")
	}
	if token.Issuer != typed.Iss || token.Subject != typed.Sub || token.SessionID != typed.SID || token.ID != typed.JTI {
		t.Errorf("got %+v", token)
	}
	return claims, err
}

func payloadOf(token string) string { return unb64(strings.Split(token, ".")[1]) }

// guard is a ReplayGuard with one answer.
type guard struct{ seen, down bool }

var errGuard = errors.New("store is down")

func (g guard) Use(context.Context, string, time.Time) (bool, error) {
	if g.down {
		return true, errGuard
	}
	return !g.seen, nil
}

func responseVerdict(t *testing.T, verifier *jwtverify.Verifier, v vector) (map[string]any, error) {
	params, err := verifier.AuthorizationResponse(t.Context(), v.Token)
	if params == nil {
		return nil, err
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(payloadOf(v.Token)), &claims); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"state", "code", "error", "iss"} {
		if text, _ := claims[name].(string); params.Get(name) != text {
			t.Errorf("%s is %q, want %q", name, params.Get(name), text)
		}
	}
	if params.Has("aud") || params.Has("exp") {
		t.Error("claims of the envelope among the parameters")
	}
	return claims, err
}

// introspectionJWTVerdict returns the claims around the answer, after it has compared that.
func introspectionJWTVerdict(t *testing.T, verifier *jwtverify.Verifier, v vector) (map[string]any, error) {
	answer, err := verifier.IntrospectionJWT(t.Context(), v.Token)
	if answer == nil {
		return nil, err
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(payloadOf(v.Token)), &claims); err != nil {
		t.Fatal(err)
	}
	got := decoded(t, func(to any) error { return json.Unmarshal(answer, to) })
	if !reflect.DeepEqual(got, claims["token_introspection"]) {
		t.Errorf("got %s", answer)
	}
	return claims, err
}

func userInfoVerdict(t *testing.T, verifier *jwtverify.Verifier, v vector) (map[string]any, error) {
	payload, err := verifier.UserInfo(t.Context(), v.Token, v.Want.Subject)
	if payload == nil {
		return nil, err
	}
	return decoded(t, func(to any) error { return json.Unmarshal(payload, to) }), err
}

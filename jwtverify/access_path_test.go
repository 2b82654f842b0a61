package jwtverify

import (
	"reflect"
	"testing"
)

// TestAccessTokenClaims is for an access token what TestTexts, TestClaim and
// TestSources are for an ID token.
func TestAccessTokenClaims(t *testing.T) {
	token := &AccessToken{payload: `{"realm_access":{"roles":["admin"]},"_claim_names":{"groups":"src1"},` +
		`"_claim_sources":{"src1":{"endpoint":"https://graph.example/"}}}`}
	if list, ok := token.Texts("realm_access", "roles"); !ok || !reflect.DeepEqual(list, []string{"admin"}) {
		t.Errorf("roles %q, %v", list, ok)
	}
	if value, ok := token.Claim("realm_access"); !ok || string(value) != `{"roles":["admin"]}` {
		t.Errorf("realm_access %s, %v", value, ok)
	}
	want := []ClaimSource{{Names: []string{"groups"}, Endpoint: "https://graph.example/"}}
	if got := token.Sources(); !reflect.DeepEqual(got, want) {
		t.Errorf("%d sources, not the one of groups", len(got))
	}
	// An access token is not refused for a source that is not there.
	if got := (&AccessToken{payload: `{"_claim_names":{"groups":"src1"}}`}).Sources(); got != nil {
		t.Errorf("%d sources of a dangling name", len(got))
	}
}

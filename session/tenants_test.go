package session

import (
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// With a list of tenants a session is of one of them, and ends where that leaves the list.
func TestTenantSessions(t *testing.T) {
	const listed, other = "11111111-2222-3333-4444-555555555555", "99999999-9999-9999-9999-999999999999"
	rp, err := client.New(client.Config{
		Issuer: "https://login.example.com/{tenantid}/v2.0", MetadataURL: "https://login.example.com/metadata",
		Tenants: []string{listed}, ClientID: "web", RedirectURL: "https://app.example.com/auth/callback",
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(rp, Config{Secrets: []string{testSecret(1)}})
	if err != nil {
		t.Fatal(err)
	}
	for issuer, want := range map[string]bool{
		"https://login.example.com/" + listed + "/v2.0": true,
		"https://login.example.com/" + other + "/v2.0":  false,
		"https://login.example.com/{tenantid}/v2.0":     false,
	} {
		rec := &record{identity: identity{issuer: issuer}, tokens: &client.Tokens{IDToken: &jwtverify.IDToken{Issuer: issuer, Audience: []string{"web"}}}}
		if got := m.providers[0].made(rec); got != want {
			t.Errorf("%s: got %t", issuer, got)
		}
	}
}

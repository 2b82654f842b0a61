package jwtverify_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// A providerShape is what the ID tokens of a provider say of a user, apart from the
// claims that all of them have, and what becomes of it.
type providerShape struct {
	name, claims string
	email        jwtverify.Text
	verified     jwtverify.Verified
	domain       string // of VerifiedEmailDomain; empty: none
	updated      string // RFC 3339; empty: absent
	texts        map[string][]string
	nested       []string // a path of several elements, and
	roles        []string // what is there
	custom       customClaims
	sources      int
}

// customClaims are those of an application that knows several providers.
type customClaims struct {
	jwtverify.StandardClaims
	Groups         jwtverify.Strings `json:"groups"`
	IsPrivateEmail jwtverify.Bool    `json:"is_private_email"`
	HostedDomain   jwtverify.Text    `json:"hd"`
}

var providerShapes = []providerShape{
	{
		name: "Auth0", claims: `"nickname":"jane","name":"jane@example.com","picture":"https://s.gravatar.com/avatar/x",` +
			`"updated_at":"2026-01-01T00:00:00.123Z","email":"jane@example.com","email_verified":true,` +
			`"https://app.example.com/favorite_color":"blue","https://app.example.com/roles":["editor","admin"]`,
		email: "jane@example.com", verified: jwtverify.VerifiedYes, domain: "example.com", updated: "2026-01-01T00:00:00.123Z",
		texts: map[string][]string{
			"https://app.example.com/favorite_color": {"blue"}, "https://app.example.com/roles": {"editor", "admin"},
		},
	},
	{
		name: "Okta", claims: `"ver":1,"name":"Jane Doe","idp":"00o1","email":"jane@example.com","email_verified":true,` +
			`"preferred_username":"jane@example.com","zoneinfo":"America/Los_Angeles","locale":"en-US","updated_at":1767225000,` +
			`"groups":["Everyone","Admins"]`,
		email: "jane@example.com", verified: jwtverify.VerifiedYes, domain: "example.com", updated: "2025-12-31T23:50:00Z",
		texts:  map[string][]string{"groups": {"Everyone", "Admins"}},
		custom: customClaims{Groups: jwtverify.Strings{"Everyone", "Admins"}},
	},
	{
		name: "Cognito", claims: `"token_use":"id","cognito:username":"jane","cognito:groups":["eu-west-1_Admins"],"cognito:roles":[],` +
			`"email":"jane@example.com","email_verified":"true","phone_number_verified":"false","custom:tenant":"acme","event_id":"x"`,
		email: "jane@example.com", verified: jwtverify.VerifiedYes, domain: "example.com",
		texts: map[string][]string{"cognito:groups": {"eu-west-1_Admins"}, "cognito:roles": {}, "custom:tenant": {"acme"}},
	},
	{
		name: "Keycloak", claims: `"typ":"ID","azp":"client-1","sid":"s-1","realm_access":{"roles":["offline_access"]},` +
			`"resource_access":{"client-1":{"roles":["manager"]},"account":{"roles":["view-profile"]}},` +
			`"email_verified":false,"preferred_username":"jane","email":"jane@example.com","groups":["/staff/it"]`,
		email: "jane@example.com", verified: jwtverify.VerifiedNo,
		texts:  map[string][]string{"groups": {"/staff/it"}},
		nested: []string{"resource_access", "client-1", "roles"}, roles: []string{"manager"},
		custom: customClaims{Groups: jwtverify.Strings{"/staff/it"}},
	},
	{
		name: "Entra", claims: `"ver":"2.0","tid":"9188040d-6c67-4c5b-b112-36a304b66dad","oid":"0000","email":"jane@example.com",` +
			`"preferred_username":"jane@example.com","roles":["Task.Write"],"groups":["4cf5"],"xms_edov":"1"`,
		email: "jane@example.com", verified: jwtverify.VerifiedUnstated,
		texts:  map[string][]string{"roles": {"Task.Write"}, "groups": {"4cf5"}},
		custom: customClaims{Groups: jwtverify.Strings{"4cf5"}},
	},
	{
		name: "Entra, over 200 groups", claims: `"ver":"2.0","oid":"0000","_claim_names":{"groups":"src1"},` +
			`"_claim_sources":{"src1":{"endpoint":"https://graph.windows.net/t/users/0000/getMemberObjects"}}`,
		sources: 1,
	},
	{
		name: "Google", claims: `"azp":"client-1","hd":"example.com","email":"jane@example.com","email_verified":true,` +
			`"name":"Jane Doe","picture":"https://lh3.googleusercontent.com/x","given_name":"Jane","family_name":"Doe","locale":"en"`,
		email: "jane@example.com", verified: jwtverify.VerifiedYes, domain: "example.com",
		texts:  map[string][]string{"hd": {"example.com"}},
		custom: customClaims{HostedDomain: "example.com"},
	},
	{
		name: "Apple", claims: `"email":"x7@privaterelay.appleid.com","email_verified":"true","is_private_email":"true","real_user_status":2,"nonce_supported":true`,
		email: "x7@privaterelay.appleid.com", verified: jwtverify.VerifiedYes, domain: "privaterelay.appleid.com",
		custom: customClaims{IsPrivateEmail: true},
	},
	{
		name: "AD FS", claims: `"unique_name":"CORP\\jane","upn":"jane@corp.example","groups":"Domain Users","role":"Admin"`,
		texts:  map[string][]string{"groups": {"Domain Users"}, "role": {"Admin"}},
		custom: customClaims{Groups: jwtverify.Strings{"Domain Users"}},
	},
	{
		name: "LinkedIn", claims: `"name":"Jane Doe","locale":{"country":"US","language":"en"},"email":"jane@example.com","email_verified":"true"`,
		email: "jane@example.com", verified: jwtverify.VerifiedYes, domain: "example.com",
	},
}

func TestProviderShapes(t *testing.T) {
	for _, p := range providerShapes {
		t.Run(p.name, func(t *testing.T) {
			token := tokenSaying(t, p.claims)
			claims, err := jwtverify.Decode[customClaims](token)
			if err != nil {
				t.Fatal(err)
			}
			if claims.Subject != token.Subject || claims.Email != p.email || claims.EmailVerified != p.verified {
				t.Errorf("sub %q, email %q, verified %v", claims.Subject, claims.Email, claims.EmailVerified)
			}
			if domain, ok := claims.VerifiedEmailDomain(); domain != p.domain || ok != (p.domain != "") {
				t.Errorf("domain %q, %v", domain, ok)
			}
			updated, _ := time.Parse(time.RFC3339, p.updated) // the zero time where there is none
			if !claims.UpdatedAt.Equal(updated) {
				t.Errorf("updated at %v", claims.UpdatedAt)
			}
			claims.StandardClaims = jwtverify.StandardClaims{}
			if !reflect.DeepEqual(claims, p.custom) {
				t.Errorf("custom claims %+v, want %+v", claims, p.custom)
			}
			for name, want := range p.texts {
				if got, ok := token.Texts(name); !ok || !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %q, %v; want %q", name, got, ok, want)
				}
			}
			if got, ok := token.Texts(p.nested...); !reflect.DeepEqual(got, p.roles) || ok != (p.roles != nil) {
				t.Errorf("%q: %q, %v; want %q", p.nested, got, ok, p.roles)
			}
			if got := token.Sources(); len(got) != p.sources {
				t.Errorf("%d sources, want %d", len(got), p.sources)
			}
		})
	}
}

package jwtverify_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

// pathClaims has what a path could go wrong on.
const pathClaims = `"realm_access":{"roles":["offline_access","admin"]},` +
	`"resource_access":{"my.app":{"roles":["reader"]},"My.App":{"roles":["owner"]},"a/b":{"roles":"one"}},` +
	`"https://app.example.com/favorite_color":"blue","https://app.example.com/roles":["editor"],` +
	`"cognito:groups":["staff"],"a":{"b":"nested"},"a.b":"flat","a/b":"slash","":{"":"empty"},` +
	`"mixed":["a",1],"list":[{"roles":["x"]}],"none":[],"no":null,"number":5,"spaced":"a b","deep":{"x":{"y":{"z":["w"]}}},` +
	`"\u0065scaped":{"\u006eame":"\u00e9"}`

func TestTexts(t *testing.T) {
	token := tokenSaying(t, pathClaims)
	for _, c := range []struct {
		path []string
		want []string // nil: no such texts
	}{
		{[]string{"realm_access", "roles"}, []string{"offline_access", "admin"}},
		{[]string{"resource_access", "my.app", "roles"}, []string{"reader"}},
		{[]string{"resource_access", "My.App", "roles"}, []string{"owner"}},
		{[]string{"resource_access", "a/b", "roles"}, []string{"one"}},
		{[]string{"https://app.example.com/favorite_color"}, []string{"blue"}},
		{[]string{"https://app.example.com/roles"}, []string{"editor"}},
		{[]string{"cognito:groups"}, []string{"staff"}},
		{[]string{"a", "b"}, []string{"nested"}},
		{[]string{"a.b"}, []string{"flat"}},
		{[]string{"a/b"}, []string{"slash"}},
		{[]string{"", ""}, []string{"empty"}},
		{[]string{"none"}, []string{}},
		{[]string{"spaced"}, []string{"a b"}},
		{[]string{"deep", "x", "y", "z"}, []string{"w"}},
		{[]string{"escaped", "name"}, []string{"é"}},
		{[]string{"sub"}, []string{"user-1"}},

		{nil, nil},
		{[]string{"missing"}, nil},
		{[]string{"realm_access"}, nil},
		{[]string{"realm_access.roles"}, nil},
		{[]string{"realm_access/roles"}, nil},
		{[]string{"Realm_Access", "roles"}, nil},
		{[]string{"realm_access", "ROLES"}, nil},
		{[]string{"realm_access", "roles", "0"}, nil},
		{[]string{"realm_access", "roles", "admin"}, nil},
		{[]string{"resource_access", "MY.APP", "roles"}, nil},
		{[]string{"resource_access", "my", "app", "roles"}, nil},
		{[]string{"https:", "", "app.example.com", "roles"}, nil},
		{[]string{"https://app", "example", "com/roles"}, nil},
		{[]string{"list", "roles"}, nil},
		{[]string{"mixed"}, nil},
		{[]string{"no"}, nil},
		{[]string{"number"}, nil},
		{[]string{"a", "b", "c"}, nil},
		{[]string{`\u0065scaped`}, nil},
		{[]string{""}, nil},
	} {
		got, ok := token.Texts(c.path...)
		if !reflect.DeepEqual(got, c.want) || ok != (c.want != nil) {
			t.Errorf("Texts(%q) = %q, %v; want %q", c.path, got, ok, c.want)
		}
	}
}

func TestClaim(t *testing.T) {
	token := tokenSaying(t, pathClaims)
	for path, want := range map[string]string{
		"no": "null", "number": "5", "mixed": `["a",1]`, "deep|x": `{"y":{"z":["w"]}}`, "escaped": `{"\u006eame":"\u00e9"}`,
	} {
		got, ok := token.Claim(strings.Split(path, "|")...)
		if !ok || string(got) != want {
			t.Errorf("Claim(%s) = %s, %v; want %s", path, got, ok, want)
		}
	}
	for _, path := range []string{"missing", "deep|y", "number|x", "No"} {
		if got, ok := token.Claim(strings.Split(path, "|")...); ok || got != nil {
			t.Errorf("Claim(%s) = %s, %v", path, got, ok)
		}
	}
	all, ok := token.Claim()
	if !ok || !strings.HasPrefix(string(all), `{"iss":"https://op.example.com",`) || !strings.HasSuffix(string(all), pathClaims+"}") {
		t.Errorf("Claim() = %s, %v", all, ok)
	}
	if value, ok := new(jwtverify.IDToken).Claim(); ok || value != nil {
		t.Errorf("of a token that was never verified: %s", value)
	}
	if list, ok := new(jwtverify.IDToken).Texts("sub"); ok || list != nil {
		t.Errorf("of a token that was never verified: %s", list)
	}
}

// TestTextsAreACopy: who changes what was returned does not change the token.
func TestTextsAreACopy(t *testing.T) {
	token := tokenSaying(t, pathClaims)
	value, _ := token.Claim("realm_access", "roles")
	list, _ := token.Texts("realm_access", "roles")
	value[2], list[0] = 'X', "root"
	if again, _ := token.Texts("realm_access", "roles"); !reflect.DeepEqual(again, []string{"offline_access", "admin"}) {
		t.Errorf("now %q", again)
	}
}

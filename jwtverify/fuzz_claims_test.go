package jwtverify_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

// FuzzClaims: whatever claims a token has, a path leads where it leads in what
// encoding/json makes of them, StandardClaims can be read and keep the subject, no
// email address is verified that does not say so, and each claim has one source.
func FuzzClaims(f *testing.F) {
	for _, p := range providerShapes {
		f.Add(`{"sub":"user-1",`+p.claims+"}", strings.Join(p.nested, "\n"))
	}
	f.Add("{"+pathClaims+"}", "resource_access\nMy.App\nroles")
	f.Add(`{"a":{"A":1,"a":[1,{"a":"b"}]}}`, "a\nA")
	f.Add(`{"":{"":["\ud83d\ude00"]}}`, "\n")
	f.Add(`{"email":"a@b@c.example","email_verified":"TRUE ","updated_at":1e400,"address":[]}`, "email")
	f.Add(`{"_claim_names":{"a":"x","b":"y","c":"x"},"_claim_sources":{"x":{"JWT":"e30.e30.AA"},"y":{}}}`, "_claim_sources\nx\nJWT")
	f.Fuzz(func(t *testing.T, payload, joined string) {
		var token jwtverify.IDToken
		if jwtverify.ReadClaims(payload) != nil || token.UnmarshalBinary([]byte("\x02"+payload)) != nil {
			return // refused when it was verified: nothing of the kind is ever stored
		}
		path := strings.Split(joined, "\n")
		checkPath(t, &token, payload, path)
		checkPath(t, &token, payload, path[:1])
		checkPath(t, &token, payload, nil)
		checkStandard(t, &token, payload)
		checkSources(t, &token)
	})
}

// unmarshal reads as encoding/json does, without making numbers of numbers.
func unmarshal(t *testing.T, text []byte) (v any) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

func checkPath(t *testing.T, token *jwtverify.IDToken, payload string, path []string) {
	want, there := unmarshal(t, []byte(payload)), true
	for _, name := range path {
		object, _ := want.(map[string]any)
		want, there = object[name]
		if !there {
			break
		}
	}
	value, ok := token.Claim(path...)
	if ok != there || !there && value != nil {
		t.Fatalf("Claim(%q) = %s, %v", path, value, ok)
	}
	if ok && !reflect.DeepEqual(unmarshal(t, value), want) {
		t.Fatalf("Claim(%q) = %s, want %v", path, value, want)
	}
	if list, ok := token.Texts(path...); !reflect.DeepEqual(list, textsOf(want)) || ok != (list != nil) {
		t.Fatalf("Texts(%q) = %q, %v, of %v", path, list, ok, want)
	}
}

func textsOf(v any) []string {
	if text, ok := v.(string); ok {
		return []string{text}
	}
	array, ok := v.([]any)
	if !ok {
		return nil
	}
	list := []string{}
	for _, e := range array {
		text, ok := e.(string)
		if !ok {
			return nil
		}
		list = append(list, text)
	}
	return list
}

func checkStandard(t *testing.T, token *jwtverify.IDToken, payload string) {
	claims, err := jwtverify.Decode[jwtverify.StandardClaims](token)
	if err != nil || claims.Subject != token.Subject {
		t.Fatalf("sub %q, not %q: %v", claims.Subject, token.Subject, err)
	}
	members := unmarshal(t, []byte(payload)).(map[string]any)
	says, stated := members["email_verified"]
	yes := says == true || says == "true"
	if (claims.EmailVerified == jwtverify.VerifiedYes) != yes || (claims.EmailVerified == jwtverify.VerifiedUnstated) == stated {
		t.Fatalf("verified %v, and the token says %v", claims.EmailVerified, says)
	}
	domain, ok := claims.VerifiedEmailDomain()
	if ok != (domain != "") || ok && (!yes || !strings.HasSuffix(strings.ToLower(string(claims.Email)), "@"+domain) || strings.Count(string(claims.Email), "@") != 1) {
		t.Fatalf("the domain of %q, verified %v, is %q", claims.Email, says, domain)
	}
	if year := claims.UpdatedAt.Year(); year < 0 || year > 9999 {
		t.Fatalf("updated in %d", year)
	}
}

func checkSources(t *testing.T, token *jwtverify.IDToken) {
	var names []string
	for _, src := range token.Sources() {
		if len(src.Names) == 0 {
			t.Fatal("a source of nothing")
		}
		names = append(names, src.Names...)
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Fatalf("claims with two sources: %q", names)
	}
}

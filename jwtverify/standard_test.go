package jwtverify_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// tokenSaying is a verified ID token that has these further claims.
func tokenSaying(tb testing.TB, more string) *jwtverify.IDToken {
	tb.Helper()
	token, err := verifySaying(tb, more)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

func verifySaying(tb testing.TB, more string) (*jwtverify.IDToken, error) {
	tb.Helper()
	payload := `{"iss":"https://op.example.com","sub":"user-1","aud":"client-1","exp":1767225900,"iat":1767225595`
	if more != "" {
		payload += "," + more
	}
	raw := mint(tb, "ed25519", "EdDSA", `{"alg":"EdDSA","kid":"ed25519","typ":"JWT"}`, payload+"}")
	return ed25519Verifier(tb).IDToken(tb.Context(), raw, jwtverify.Expect{})
}

// A saying is a JSON object with claims, as everything with claims gives them out.
type saying string

func (s saying) Claims(v any) error { return json.Unmarshal([]byte(s), v) }

func decodeStandard(t *testing.T, text string) jwtverify.StandardClaims {
	t.Helper()
	claims, err := jwtverify.Decode[jwtverify.StandardClaims](saying(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return claims
}

// TestStandardClaims reads all claims of Core 5.1, and writes them again.
func TestStandardClaims(t *testing.T) {
	const text = `{"sub":"user-1","name":"Jane Q. Doe","given_name":"Jane","family_name":"Doe","middle_name":"Q.","nickname":"jd",` +
		`"preferred_username":"jane","profile":"https://example.com/jane","picture":"https://example.com/jane.jpg",` +
		`"website":"https://jane.example","email":"jane@example.com","email_verified":true,"gender":"female",` +
		`"birthdate":"0000-10-31","zoneinfo":"America/Los_Angeles","locale":"en-US","phone_number":"+1 (425) 555-1212",` +
		`"phone_number_verified":false,"address":{"formatted":"1 Main St\r\nX","street_address":"1 Main St","locality":"X",` +
		`"region":"CA","postal_code":"04109","country":"US"},"updated_at":1311280970}`
	got := decodeStandard(t, text)
	want := jwtverify.StandardClaims{
		Subject: "user-1", Name: "Jane Q. Doe", GivenName: "Jane", FamilyName: "Doe", MiddleName: "Q.", Nickname: "jd",
		PreferredUsername: "jane", Profile: "https://example.com/jane", Picture: "https://example.com/jane.jpg",
		Website: "https://jane.example", Email: "jane@example.com", EmailVerified: jwtverify.VerifiedYes, Gender: "female",
		Birthdate: "0000-10-31", Zoneinfo: "America/Los_Angeles", Locale: "en-US", PhoneNumber: "+1 (425) 555-1212",
		PhoneNumberVerified: jwtverify.VerifiedNo,
		Address: jwtverify.Address{
			Formatted: "1 Main St\r\nX", StreetAddress: "1 Main St", Locality: "X", Region: "CA", PostalCode: "04109", Country: "US",
		},
		UpdatedAt: jwtverify.Time{Time: time.Unix(1311280970, 0)},
	}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	written, err := json.Marshal(got)
	if err != nil || string(written) != text {
		t.Errorf("written as %s, %v", written, err)
	}
	if empty := decodeStandard(t, `{}`); empty != (jwtverify.StandardClaims{}) {
		t.Errorf("of no claims: %+v", empty)
	}
	if written, err := json.Marshal(jwtverify.StandardClaims{}); err != nil || string(written) != `{}` {
		t.Errorf("no claims are written as %s, %v", written, err)
	}
}

// TestNoClaimSpoilsAnother gives each claim a value of each wrong type.
func TestNoClaimSpoilsAnother(t *testing.T) {
	for field := range reflect.TypeFor[jwtverify.StandardClaims]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "sub" || name == "gender" { // one that has to survive
			continue
		}
		for _, wrong := range []string{
			"null", "true", "5", "-1e999", `""`, `"soon"`, "[]", `["a"]`, "{}", `{"country":5,"language":"en"}`, `{"a":1,"a":2}`,
		} {
			got := decodeStandard(t, `{"`+name+`":`+wrong+`,"sub":"user-1","gender":"female"}`)
			if got.Subject != "user-1" || got.Gender != "female" {
				t.Errorf("%s %s spoils the rest: %+v", name, wrong, got)
			}
			value := reflect.ValueOf(got).FieldByIndex(field.Index)
			verified, isVerified := value.Interface().(jwtverify.Verified)
			switch {
			case isVerified && (verified == jwtverify.VerifiedYes) != (wrong == "true"):
				t.Errorf("%s %s is %v", name, wrong, verified)
			case isVerified, wrong == `"soon"` && value.Kind() == reflect.String, wrong == "5" && name == "updated_at":
			case !value.IsZero():
				t.Errorf("%s %s is %v, not absent", name, wrong, value)
			}
		}
	}
}

// TestSubjectIsNotTolerant: a sub of another type is an error where a token has not
// been refused for it already, and a failed Decode gives out nothing.
func TestSubjectIsNotTolerant(t *testing.T) {
	claims, err := jwtverify.Decode[jwtverify.StandardClaims](saying(`{"name":"Jane","sub":5,"email":"jane@example.com"}`))
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) || wrong.Field != "sub" {
		t.Errorf("error %v", err)
	}
	if claims != (jwtverify.StandardClaims{}) {
		t.Errorf("claims beside the error: %+v", claims)
	}
}

func TestVerifiedIsThreeValued(t *testing.T) {
	const yes, no, unstated = jwtverify.VerifiedYes, jwtverify.VerifiedNo, jwtverify.VerifiedUnstated
	for text, want := range map[string]jwtverify.Verified{
		`{}`:                                unstated,
		`{"email_verified":true}`:           yes,
		`{"email_verified":"true"}`:         yes,
		`{"email_verified":"tru\u0065"}`:    yes,
		`{"email_verified":false}`:          no,
		`{"email_verified":"false"}`:        no,
		`{"email_verified":"TRUE"}`:         no,
		`{"email_verified":"True"}`:         no,
		`{"email_verified":"TRUE "}`:        no,
		`{"email_verified":"true "}`:        no,
		`{"email_verified":"\"true\""}`:     no,
		`{"email_verified":"1"}`:            no,
		`{"email_verified":"yes"}`:          no,
		`{"email_verified":1}`:              no,
		`{"email_verified":0}`:              no,
		`{"email_verified":null}`:           no,
		`{"email_verified":""}`:             no,
		`{"email_verified":[true]}`:         no,
		`{"email_verified":{"value":true}}`: no,
	} {
		claims := decodeStandard(t, text)
		if claims.EmailVerified != want {
			t.Errorf("%s: %v, want %v", text, claims.EmailVerified, want)
		}
		phone := decodeStandard(t, strings.Replace(text, "email_", "phone_number_", 1))
		if phone.PhoneNumberVerified != want || phone.EmailVerified != unstated {
			t.Errorf("%s, of the phone number: %v and %v", text, phone.PhoneNumberVerified, phone.EmailVerified)
		}
	}
}

// TestVerifiedIsReplaced: what was in the field before does not outlive a no.
func TestVerifiedIsReplaced(t *testing.T) {
	claims := jwtverify.StandardClaims{EmailVerified: jwtverify.VerifiedYes, Email: "a@b.example"}
	if err := json.Unmarshal([]byte(`{"email_verified":null,"email":null}`), &claims); err != nil {
		t.Fatal(err)
	}
	if claims.EmailVerified != jwtverify.VerifiedNo || claims.Email != "" {
		t.Errorf("still %v, %q", claims.EmailVerified, claims.Email)
	}
}

func TestVerifiedIsWritten(t *testing.T) {
	for v, want := range map[jwtverify.Verified][2]string{
		jwtverify.VerifiedUnstated: {"null", "unstated"},
		jwtverify.VerifiedNo:       {"false", "no"},
		jwtverify.VerifiedYes:      {"true", "yes"},
		17:                         {"false", "no"},
	} {
		text, err := json.Marshal(v)
		if err != nil || string(text) != want[0] || v.String() != want[1] {
			t.Errorf("%d: %s, %v, %s", int(v), text, err, v)
		}
	}
}

// TestVerifiedInAnotherSpellingIsRefused: encoding/json would take it for the claim.
func TestVerifiedInAnotherSpellingIsRefused(t *testing.T) {
	tokenSaying(t, `"email_verified":true`)
	for _, name := range []string{"Email_Verified", "EMAIL_VERIFIED", "phone_number_Verified"} {
		token, err := verifySaying(t, `"`+name+`":true`)
		if token != nil || !errors.Is(err, jwtverify.ErrInvalid) || !strings.Contains(err.Error(), `member "`+name+`" is not "`+strings.ToLower(name)+`"`) {
			t.Errorf("%s: %v, %v", name, token, err)
		}
	}
}

func TestVerifiedEmailDomain(t *testing.T) {
	for email, want := range map[string]string{
		"jane@example.com":                           "example.com",
		"Jane.Q.Doe+news@Mail.Example.COM":           "mail.example.com",
		"o'neil_{x}@xn--bcher-kva.example":           "xn--bcher-kva.example",
		"1@2.3com.a-b.c0":                            "2.3com.a-b.c0",
		strings.Repeat("a", 64) + "@example.com":     "example.com",
		"a@" + strings.Repeat("b", 63) + ".example":  strings.Repeat("b", 63) + ".example",
		"a@" + strings.Repeat("abc.", 62) + "exmpl":  strings.Repeat("abc.", 62) + "exmpl",
		"user%evil.example@corp.example":             "corp.example",
		"a@evil.example@corp.example":                "",
		"a@@corp.example":                            "",
		"@corp.example":                              "",
		"a@":                                         "",
		"a":                                          "",
		"":                                           "",
		"corp.example":                               "",
		"a@corp.example.":                            "",
		"a@.corp.example":                            "",
		"a@corp..example":                            "",
		"a@corp":                                     "",
		"a@localhost":                                "",
		"a@127.0.0.1":                                "",
		"a@[127.0.0.1]":                              "",
		"a@[IPv6:::1]":                               "",
		"a@corp.example:25":                          "",
		"a@corp_x.example":                           "",
		"a@-corp.example":                            "",
		"a@corp-.example":                            "",
		"a@corp.9example":                            "",
		"a@corp.example ":                            "",
		" a@corp.example":                            "",
		"a b@corp.example":                           "",
		"a@corp.example\n":                           "",
		"a@corp.example\x00":                         "",
		"a@corp.example,b@evil.example":              "",
		"Jane <a@corp.example>":                      "",
		"<a@corp.example>":                           "",
		"mailto:a@corp.example":                      "",
		`"a"@corp.example`:                           "",
		`"a@evil.example"@corp.example`:              "",
		"a(b)@corp.example":                          "",
		"a@corp.example(b)":                          "",
		`a\@evil.example@corp.example`:               "",
		".a@corp.example":                            "",
		"a.@corp.example":                            "",
		"a..b@corp.example":                          "",
		"a@b\u00fccher.example":                      "",
		"a@corp\uff0eexample":                        "",
		"a@evil.example\uff20corp.example":           "",
		"a\uff20evil.example@corp.example":           "",
		"\u00e4@corp.example":                        "",
		"a@\u212aorp.example":                        "",
		strings.Repeat("a", 65) + "@example.com":     "",
		"a@" + strings.Repeat("b", 64) + ".example":  "",
		"a@" + strings.Repeat("abc.", 62) + "exmple": "",
		"a@" + strings.Repeat("a.", 1<<15) + "bexample.": "",
	} {
		claims := jwtverify.StandardClaims{Email: jwtverify.Text(email), EmailVerified: jwtverify.VerifiedYes}
		domain, ok := claims.VerifiedEmailDomain()
		if domain != want || ok != (want != "") {
			t.Errorf("%.80q: %q, %v; want %q", email, domain, ok, want)
		}
		for _, not := range []jwtverify.Verified{jwtverify.VerifiedNo, jwtverify.VerifiedUnstated} {
			claims.EmailVerified = not
			if domain, ok := claims.VerifiedEmailDomain(); ok || domain != "" {
				t.Errorf("%.80q, verified %v: %q", email, not, domain)
			}
		}
	}
}

func TestTime(t *testing.T) {
	at := time.Date(2024, 2, 29, 12, 30, 15, 0, time.UTC)
	for text, want := range map[string]time.Time{
		`1709209815`:                  at,
		`1709209815.75`:               at,
		`1.709209815e9`:               at,
		`"1709209815"`:                at,
		`"1709209815.75"`:             at,
		`"2024-02-29T12:30:15Z"`:      at,
		`"2024-02-29T13:30:15+01:00"`: at,
		`"2024-02-29T12:30:15.750Z"`:  at.Add(750 * time.Millisecond), // Auth0
		`0`:                           time.Unix(0, 0),
		`253402300799`:                time.Unix(253402300799, 0),
		`253402300800`:                {},
		`1709209815000`:               {}, // milliseconds
		`-1`:                          {},
		`1e999`:                       {},
		`"1e999"`:                     {},
		`"NaN"`:                       {},
		`"0x10"`:                      {},
		`"1_000"`:                     {},
		`"+1"`:                        {},
		`""`:                          {},
		`"null"`:                      {},
		`"2024-02-30T12:30:15Z"`:      {},
		`"2024-02-29"`:                {},
		`"Thu, 29 Feb 2024"`:          {},
		`null`:                        {},
		`true`:                        {},
		`[1709209815]`:                {},
		`{"$date":1709209815}`:        {},
	} {
		got := jwtverify.Time{Time: time.Now()}
		if err := json.Unmarshal([]byte(text), &got); err != nil || !got.Equal(want) || got.IsZero() != want.IsZero() {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	if text, err := json.Marshal(jwtverify.Time{}); err != nil || string(text) != "null" {
		t.Errorf("the zero time is written as %s, %v", text, err)
	}
}

func TestAddress(t *testing.T) {
	for text, want := range map[string]jwtverify.Address{
		`{"postal_code":4109,"country":"DE"}`:       {Country: "DE"},
		`{"Country":"DE","region":null}`:            {},
		`{"country":"DE","country":"FR"}`:           {},
		`{"formatted":"a\nb","x":{"country":"FR"}}`: {Formatted: "a\nb"},
		`"1 Main St"`:        {},
		`[{"country":"DE"}]`: {},
		`null`:               {},
		`{"locality":"\u0042\u00e9ziers","region":9}`: {Locality: "Béziers"},
	} {
		got := jwtverify.Address{Country: "stale", Region: "stale"}
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestStringsAndBool(t *testing.T) {
	type claims struct {
		Groups jwtverify.Strings
		Yes    jwtverify.Bool
	}
	for text, want := range map[string]claims{
		`{}`:                                {},
		`{"groups":"admins"}`:               {Groups: jwtverify.Strings{"admins"}},
		`{"groups":"a b,c"}`:                {Groups: jwtverify.Strings{"a b,c"}},
		`{"groups":""}`:                     {Groups: jwtverify.Strings{""}},
		`{"groups":["a","b"],"yes":true}`:   {Groups: jwtverify.Strings{"a", "b"}, Yes: true},
		`{"groups":[],"yes":"true"}`:        {Groups: jwtverify.Strings{}, Yes: true},
		`{"groups":["a",1],"yes":"TRUE"}`:   {},
		`{"groups":["a",null],"yes":1}`:     {},
		`{"groups":[["a"]],"yes":"1"}`:      {},
		`{"groups":{"a":"b"},"yes":null}`:   {},
		`{"groups":null,"yes":false}`:       {},
		`{"groups":1,"yes":"true "}`:        {},
		`{"groups":true,"yes":["true"]}`:    {},
		`{"groups":false,"yes":{"a":true}}`: {},
	} {
		got := claims{Groups: jwtverify.Strings{"stale"}, Yes: true}
		if !strings.Contains(text, "groups") {
			got = claims{}
		}
		if !strings.Contains(text, "yes") {
			got.Yes = false
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v; want %#v", text, got, err, want)
		}
	}
}

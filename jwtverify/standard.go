package jwtverify

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
)

// Decode reads claims into a T: those of an ID token, an access token, a claim source,
// the userinfo answer, or a session. On an error it returns the zero T.
//
//	claims, err := jwtverify.Decode[jwtverify.StandardClaims](token)
//
// StandardClaims may be embedded in a struct with the claims of a provider's own, for
// which Strings and Bool take what providers send instead of an array or a boolean.
func Decode[T any](from interface{ Claims(v any) error }) (T, error) {
	var claims T
	if err := from.Claims(&claims); err != nil {
		var zero T
		return zero, err
	}
	return claims, nil
}

// StandardClaims are the claims about a user that OpenID Connect defines (Core 5.1),
// for Decode or for Claims of a verified token. All are optional, and all but sub are
// what a provider says to be shown on a page: a claim of a wrong type (LinkedIn's
// locale is an object) is as good as absent, and spoils none of the others.
//
// A user is identified by the issuer and sub together, and by nothing here besides.
// Names repeat, addresses are given to the next person, and a provider that lets users
// type in an address of their choice lets them type in yours. An address that was
// verified once says who could read its mail then, which is good for an invitation or
// a proposal to link accounts, and no key of a table of users.
type StandardClaims struct {
	Subject string `json:"sub,omitzero"` // with the issuer, the user; an error if it is no string

	Name              Text `json:"name,omitzero"`
	GivenName         Text `json:"given_name,omitzero"`
	FamilyName        Text `json:"family_name,omitzero"`
	MiddleName        Text `json:"middle_name,omitzero"`
	Nickname          Text `json:"nickname,omitzero"`
	PreferredUsername Text `json:"preferred_username,omitzero"` // not unique, may have any characters

	// Profile, Picture and Website are addresses that the user may have chosen. Do not
	// fetch them from inside your network, nor link to one without a look at its scheme.
	Profile Text `json:"profile,omitzero"`
	Picture Text `json:"picture,omitzero"`
	Website Text `json:"website,omitzero"`

	Email         Text     `json:"email,omitzero"` // see VerifiedEmailDomain
	EmailVerified Verified `json:"email_verified,omitzero"`

	Gender    Text `json:"gender,omitzero"`
	Birthdate Text `json:"birthdate,omitzero"` // 1815-12-10, 1815, or 0000-12-10 where the year is kept back: no time.Time
	Zoneinfo  Text `json:"zoneinfo,omitzero"`  // Europe/Paris
	Locale    Text `json:"locale,omitzero"`    // en-US; some send en_US

	PhoneNumber         Text     `json:"phone_number,omitzero"` // +1 (425) 555-1212, also with ;ext=5678
	PhoneNumberVerified Verified `json:"phone_number_verified,omitzero"`

	Address   Address `json:"address,omitzero"`
	UpdatedAt Time    `json:"updated_at,omitzero"`
}

// VerifiedEmailDomain returns the domain of the email address, in lower case, where the
// provider says that the address is verified and it is one beyond doubt: a plain ASCII
// local part, one @, and a host name of at least two labels. An address such as
// a@evil.example@corp.example, on whose domain two programs can disagree, has none, and
// neither has one with a quoted local part, an IP address, a dot at the end or a
// domain that is not ASCII.
//
// It is for rules such as "colleagues only", under two conditions that no code can
// check: the provider verifies addresses itself, and everybody with an address in the
// domain may come in. With Google, hd says it better; with Entra, the issuer does.
func (c *StandardClaims) VerifiedEmailDomain() (domain string, ok bool) {
	if c.EmailVerified != VerifiedYes {
		return "", false
	}
	local, domain, _ := strings.Cut(string(c.Email), "@")
	if !isDotAtom(local) || !isHostName(domain) {
		return "", false
	}
	return strings.ToLower(domain), true
}

// Bounds of an email address and its parts in bytes: RFC 5321 4.5.3.1, RFC 1035 2.3.4.
const (
	maxLocalPart = 64
	maxDomain    = 253
	maxLabel     = 63
)

// isDotAtom tells whether s is the local part of an address as nearly all of them are
// (RFC 5322 3.2.3), and needs neither quotes nor comments.
func isDotAtom(s string) bool {
	if len(s) > maxLocalPart {
		return false
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsFunc(atom, isNotAtom) {
			return false
		}
	}
	return true
}

func isNotAtom(r rune) bool {
	return !isAlphanumeric(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// isHostName tells whether s is a name of the domain name system with two labels or
// more, the last of which is no number.
func isHostName(s string) bool {
	if len(s) > maxDomain {
		return false
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool { return !isAlphanumeric(r) && r != '-' }) {
			return false
		}
	}
	top := labels[len(labels)-1]
	return len(labels) > 1 && (top[0] < '0' || '9' < top[0])
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// An Address is the address claim (Core 5.1.1). A member that is no string is as good
// as absent, and so is the whole claim where it is no object.
type Address struct {
	Formatted     string `json:"formatted,omitzero"` // for a label; lines end with \n or \r\n
	StreetAddress string `json:"street_address,omitzero"`
	Locality      string `json:"locality,omitzero"`    // city
	Region        string `json:"region,omitzero"`      // state, province
	PostalCode    string `json:"postal_code,omitzero"` // a text: 04109 is one
	Country       string `json:"country,omitzero"`
}

// UnmarshalJSON never fails.
func (a *Address) UnmarshalJSON(data []byte) error {
	*a = Address{}
	v := parsed(data)
	for name, to := range map[string]*string{
		"formatted": &a.Formatted, "street_address": &a.StreetAddress, "locality": &a.Locality,
		"region": &a.Region, "postal_code": &a.PostalCode, "country": &a.Country,
	} {
		member, _ := v.Member(name)
		*to, _ = member.String()
	}
	return nil
}

// A Text is a claim that should be a string, and is empty where it is absent or
// anything else.
type Text string

// UnmarshalJSON never fails.
func (t *Text) UnmarshalJSON(data []byte) error {
	text, _ := parsed(data).String()
	*t = Text(text)
	return nil
}

// Verified is what a provider says of an email address or a phone number. The zero
// Verified is that it says nothing.
type Verified int

// The values of Verified. Only true, and "true" in these very letters, are a yes.
const (
	VerifiedUnstated Verified = iota // the claim is absent, as it always is at Entra
	VerifiedNo                       // false, "false", or anything else that is not a yes, null and 1 included
	VerifiedYes
)

// UnmarshalJSON never fails.
func (v *Verified) UnmarshalJSON(data []byte) error {
	*v = VerifiedNo
	if saysTrue(data) {
		*v = VerifiedYes
	}
	return nil
}

// MarshalJSON writes true, false, or null where nothing is said.
func (v Verified) MarshalJSON() ([]byte, error) {
	if v == VerifiedUnstated {
		return []byte("null"), nil
	}
	return strconv.AppendBool(nil, v == VerifiedYes), nil
}

// String returns "yes", "no" or "unstated".
func (v Verified) String() string {
	switch v {
	case VerifiedYes:
		return "yes"
	case VerifiedUnstated:
		return "unstated"
	}
	return "no"
}

// A Bool is a claim that should be a boolean, of a provider that may send a string
// instead (Apple's is_private_email). It is true for true and for "true" in these very
// letters, and false for everything else.
type Bool bool

// UnmarshalJSON never fails.
func (b *Bool) UnmarshalJSON(data []byte) error {
	*b = Bool(saysTrue(data))
	return nil
}

// saysTrue tells the boolean true, and the string that Apple and the userinfo endpoint
// of Cognito send for it.
func saysTrue(data []byte) bool {
	v := parsed(data)
	yes, _ := v.Bool()
	text, _ := v.String()
	return yes || text == "true"
}

// Strings is a claim that should be an array of strings, of a provider that may send
// one string where there is one (AD FS does for groups). The string is not split,
// whatever stands in it. Strings is nil where the claim is absent or anything else; an
// array with something else in it is not read in part.
type Strings []string

// UnmarshalJSON never fails.
func (s *Strings) UnmarshalJSON(data []byte) error {
	list, _ := parsed(data).Texts()
	*s = list
	return nil
}

// A Time is a claim that should be a number of seconds since 1970, of a provider that
// may send these as a string, or RFC 3339 (Auth0's updated_at). It is the zero time
// where the claim is absent, anything else, or a number that is past the year 9999 or
// before 1970.
//
// It is for times to be shown. Those that decide about a token (exp, iat, nbf,
// auth_time) are numbers, or the token is refused.
type Time struct{ time.Time }

// UnmarshalJSON never fails.
func (t *Time) UnmarshalJSON(data []byte) error {
	*t = Time{}
	v := parsed(data)
	if text, ok := v.String(); ok {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			t.Time = at
			return nil
		}
		v = parsed([]byte(text))
	}
	_ = setTime(&t.Time, "", v) // leaves the zero time
	return nil
}

// MarshalJSON writes the number of seconds since 1970, or null for the zero time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.Unix())
}

// parsed returns the value that data is, or no value where it is not one that can be
// read in one way only.
func parsed(data []byte) strictjson.Value {
	v, _ := strictjson.Parse(string(data))
	return v
}

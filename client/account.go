package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"unicode"

	"github.com/postern-go/postern/internal/jwtpack"
	"github.com/postern-go/postern/internal/strictjson"
)

// An Account is who signed in at a provider without OpenID Connect, as its user endpoint
// said: see [NewOAuth]. Nobody signed it. Issuer and Subject together are who somebody is;
// the rest is what the provider, and mostly the user, say of them. It prints as [redacted].
type Account struct {
	Issuer  string // OAuthConfig.Issuer
	Subject string // the value at OAuthConfig.SubjectPath; a number digit for digit

	claims string
}

// Claims decodes all that the user endpoint said into v, as encoding/json does. No member is
// there twice, and of the outermost no two have names that differ only in case.
func (a *Account) Claims(v any) error {
	if err := json.Unmarshal([]byte(a.claims), v); err != nil {
		return fmt.Errorf("client: account: %w", err)
	}
	return nil
}

// Claim returns the JSON value of a member; see [jwtverify.IDToken.Claim].
func (a *Account) Claim(path ...string) (value json.RawMessage, ok bool) {
	v, ok := strictjson.At(a.claims, path)
	if !ok {
		return nil, false
	}
	return json.RawMessage(v.Raw()), true
}

// Texts returns the strings of a member; see [jwtverify.IDToken.Texts].
func (a *Account) Texts(path ...string) (list []string, ok bool) {
	v, _ := strictjson.At(a.claims, path)
	return v.Texts()
}

// WithoutClaims returns a copy that keeps who it is and nothing else, which saves some two
// kilobytes at GitHub where the copy is stored. Its Claims decodes an empty object.
func (a *Account) WithoutClaims() *Account {
	return &Account{Issuer: a.Issuer, Subject: a.Subject, claims: "{}"}
}

// signedIn completes the tokens of a login with who they are of.
func (c *Client) signedIn(ctx context.Context, s *snapshot, login *Login, t *Tokens) (*Tokens, error) {
	if t.Scope == nil {
		t.Scope = strings.Fields(login.scope)
	}
	a, err := c.askUser(ctx, endpoint{name: "user", url: c.oauth.userEndpoint}, t)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, s.oauthError(a)
	}
	if a.mediaType() != "application/json" {
		return nil, a.refuse(a.notJSON())
	}
	subject, err := c.oauth.readSubject(a.body)
	if err != nil {
		return nil, a.refuse(err.Error())
	}
	t.Account = &Account{Issuer: c.cfg.Issuer, Subject: subject, claims: a.body}
	return t, nil
}

// maxSubject is as long as a sub may be (OpenID Connect Core 2), in bytes.
const maxSubject = 255

// readSubject finds who an answer of the user endpoint is about. Its errors quote nothing
// of body.
func (p *oauthProvider) readSubject(body string) (string, error) {
	ignore := func(string, strictjson.Value) error { return nil }
	if err := members(body, p.subject[:1], ignore); err != nil {
		return "", err
	}
	name := strings.Join(p.subject, ".")
	v, ok := strictjson.At(body, p.subject)
	if !ok || v.IsNull() {
		return "", fmt.Errorf("%s is missing", name)
	}
	subject, ok := v.String()
	if number, isNumber := v.Number(); isNumber {
		// Somebody else's arithmetic may round any other number: 1e3 and 1000.0 are not 1000.
		if strings.Trim(number, "0123456789") != "" {
			return "", fmt.Errorf("%s is a number, but not one of digits alone", name)
		}
		if number == "0" { // what an unset integer is written as
			return "", fmt.Errorf("%s is 0, which is nobody's", name)
		}
		subject, ok = number, true
	}
	switch {
	case !ok:
		return "", fmt.Errorf("%s is neither a string nor a number", name)
	case subject == "":
		return "", fmt.Errorf("%s is empty", name)
	case len(subject) > maxSubject:
		return "", fmt.Errorf("%s is longer than %d bytes", name, maxSubject)
	case strings.ContainsFunc(subject, unicode.IsControl):
		return "", fmt.Errorf("%s has control characters", name)
	}
	return subject, nil
}

const accountStored = 1 // the version of a stored Account

var errAccountData = errors.New("client: not the data of an Account")

// MarshalBinary returns the account for storage. The form is versioned, and later versions
// of this package read it.
func (a *Account) MarshalBinary() ([]byte, error) { return a.AppendBinary(nil) }

// AppendBinary is MarshalBinary onto b. An Account that no sign-in made is an error.
func (a *Account) AppendBinary(b []byte) ([]byte, error) {
	if a.Issuer == "" || a.Subject == "" || a.claims == "" {
		return nil, errors.New("client: an Account that nobody signed in with cannot be stored")
	}
	b = append(b, accountStored)
	for _, s := range [...]string{a.Issuer, a.Subject, a.claims} {
		b = jwtpack.Append(b, s)
	}
	return b, nil
}

// UnmarshalBinary restores what MarshalBinary wrote, and refuses all else. It asks nobody
// again: feed it only what comes from under your own seal. On an error a is left as it was.
func (a *Account) UnmarshalBinary(data []byte) error {
	r := reader{data: data}
	version := r.byte()
	n := Account{Issuer: r.text(), Subject: r.text(), claims: r.text()}
	// What was cut short has no claims: a reader that has failed returns empty texts.
	if len(r.data) > 0 || version != accountStored || n.Issuer == "" || n.Subject == "" || n.claims == "" {
		return errAccountData
	}
	*a = n
	return nil
}

// Format keeps what is said of a user out of every kind of printing.
func (a Account) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue keeps what is said of a user out of logs.
func (a Account) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON keeps what is said of a user out of JSON; Claims gives it out.
func (a Account) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

package client

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/postern-go/postern/internal/jwtpack"
	"github.com/postern-go/postern/jwtverify"
)

// Tokens is what a grant gave. It prints as [redacted]; MarshalBinary, versioned, is
// the one door to storage. The methods of a Client do not change the Tokens they
// are given.
type Tokens struct {
	AccessToken  string
	TokenType    string             // Bearer, or DPoP where Config.DPoP is set; N_A for what is no access token (see Client.ExchangeToken)
	RefreshToken string             // empty: none
	Expiry       time.Time          // of the access token, in whole seconds; zero: the provider did not say
	Scope        []string           // granted; what was asked for where the answer did not say (RFC 6749 5.1)
	IDToken      *jwtverify.IDToken // verified; nil: none

	// AuthorizationDetails are what was granted (RFC 9396 7), a JSON array of objects,
	// which may be less than what was asked for; nil: the provider did not say.
	AuthorizationDetails json.RawMessage

	// Account is who signed in, where the client is one of NewOAuth. Nil: IDToken says it.
	Account *Account

	// SessionState is session_state of the callback (OpenID Connect Session Management 2),
	// of at most 512 visible characters: what a page asks Metadata.CheckSessionIframe with.
	// Nobody signed it, and it decides nothing. Empty: there was none, or none like that.
	SessionState string

	received time.Time // zero: not known
}

// OAuth2 returns the access token in the vocabulary of x/oauth2. The refresh token
// is not in it: a token source of that library would use it up and tell nobody. See
// [Client.TokenSource], and [Client.Transport] for sending tokens of the type DPoP.
func (t *Tokens) OAuth2() *oauth2.Token {
	return &oauth2.Token{AccessToken: t.AccessToken, TokenType: t.TokenType, Expiry: t.Expiry}
}

// refreshAhead is how long before its end an access token is replaced, at most.
const refreshAhead = time.Minute

// RefreshAt is when it is time for [Client.Refresh]: a minute before Expiry, or a
// quarter of the token's life if that is shorter. It is zero where Expiry is.
func (t *Tokens) RefreshAt() time.Time {
	if t.Expiry.IsZero() {
		return time.Time{}
	}
	ahead := refreshAhead
	if !t.received.IsZero() {
		ahead = min(ahead, t.Expiry.Sub(t.received)/4)
	}
	return t.Expiry.Add(-ahead)
}

// Versions of stored Tokens. The first has no authorization details, the second nothing else
// beyond that, and both still are what Tokens without the rest are written as: during a
// deployment, programs of either age read them.
const (
	tokensPlain   = 1
	tokensDetails = 2
	tokensAny     = 3 // and an account and a session_state
)

var errTokensData = errors.New("client: not the data of Tokens")

// MarshalBinary returns the tokens for storage, in few bytes. They are in the
// clear: seal them. The form is versioned, and later versions of this package read
// it.
func (t *Tokens) MarshalBinary() ([]byte, error) { return t.AppendBinary(nil) }

// AppendBinary is MarshalBinary onto b.
func (t *Tokens) AppendBinary(b []byte) ([]byte, error) {
	b, err := t.appendExtras(b)
	if err != nil {
		return nil, err
	}
	b = binary.AppendVarint(b, unixOrZero(t.Expiry))
	b = binary.AppendVarint(b, unixOrZero(t.received))
	tokenType := t.TokenType
	if tokenType == "Bearer" {
		tokenType = "" // the usual one takes no space
	}
	for _, s := range [...]string{t.AccessToken, tokenType, t.RefreshToken, strings.Join(t.Scope, " ")} {
		b = jwtpack.Append(b, s)
	}
	if t.IDToken == nil {
		return b, nil
	}
	return t.IDToken.AppendBinary(b)
}

// appendExtras adds the version and what not all Tokens have.
func (t *Tokens) appendExtras(b []byte) ([]byte, error) {
	details := string(t.AuthorizationDetails)
	switch {
	case t.Account == nil && t.SessionState == "" && t.AuthorizationDetails == nil:
		return append(b, tokensPlain), nil
	case t.Account == nil && t.SessionState == "":
		return jwtpack.Append(append(b, tokensDetails), details), nil
	}
	b = jwtpack.Append(append(b, tokensAny), details)
	b = jwtpack.Append(b, t.SessionState)
	if t.Account == nil {
		return jwtpack.Append(b, ""), nil
	}
	account, err := t.Account.MarshalBinary()
	return jwtpack.Append(b, string(account)), err
}

// UnmarshalBinary restores what MarshalBinary wrote, and refuses all else. It does
// not verify anything again: feed it only what comes from under your own seal.
func (t *Tokens) UnmarshalBinary(data []byte) error {
	r := reader{data: data}
	var n Tokens
	switch r.byte() {
	case tokensPlain:
	case tokensDetails:
		n.AuthorizationDetails = json.RawMessage(r.text())
	case tokensAny:
		n.readExtras(&r)
	default:
		return errTokensData
	}
	n.Expiry, n.received = timeOrZero(r.varint()), timeOrZero(r.varint())
	n.AccessToken, n.TokenType, n.RefreshToken = r.text(), r.text(), r.text()
	n.Scope = splitScopes(r.text())
	if r.failed {
		return errTokensData
	}
	if n.TokenType == "" {
		n.TokenType = "Bearer"
	}
	if len(r.data) > 0 {
		n.IDToken = new(jwtverify.IDToken)
		if err := n.IDToken.UnmarshalBinary(r.data); err != nil {
			return errTokensData
		}
	}
	*t = n
	return nil
}

// readExtras reads what appendExtras wrote behind tokensAny.
func (t *Tokens) readExtras(r *reader) {
	if details := r.text(); details != "" {
		t.AuthorizationDetails = json.RawMessage(details)
	}
	t.SessionState = r.text()
	account := r.text()
	if account == "" {
		return
	}
	t.Account = new(Account)
	if t.Account.UnmarshalBinary([]byte(account)) != nil {
		r.fail()
	}
}

func unixOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func timeOrZero(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

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

// Versions of stored Tokens. The first has no authorization details, and still is what
// Tokens without them are written as.
const (
	tokensPlain   = 1
	tokensDetails = 2
)

var errTokensData = errors.New("client: not the data of Tokens")

// MarshalBinary returns the tokens for storage, in few bytes. They are in the
// clear: seal them. The form is versioned, and later versions of this package read
// it.
func (t *Tokens) MarshalBinary() ([]byte, error) { return t.AppendBinary(nil) }

// AppendBinary is MarshalBinary onto b.
func (t *Tokens) AppendBinary(b []byte) ([]byte, error) {
	if t.AuthorizationDetails == nil {
		b = append(b, tokensPlain)
	} else {
		b = jwtpack.Append(append(b, tokensDetails), string(t.AuthorizationDetails))
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

// UnmarshalBinary restores what MarshalBinary wrote, and refuses all else. It does
// not verify anything again: feed it only what comes from under your own seal.
func (t *Tokens) UnmarshalBinary(data []byte) error {
	r := reader{data: data}
	var n Tokens
	switch r.byte() {
	case tokensPlain:
	case tokensDetails:
		n.AuthorizationDetails = json.RawMessage(r.text())
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

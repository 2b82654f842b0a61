package session

import (
	"time"

	"github.com/postern-go/postern/client"
)

// An identity is who a sign-in was by, and what the provider calls it: enough to know
// what a logout token is about. It stays what it was at the sign-in, whatever the ID
// token of a refresh has.
type identity struct {
	issuer  string
	subject string
	sid     string    // the session at the provider; empty: it did not say
	issued  time.Time // iat of the ID token of the sign-in
}

// identityOf reads the tokens of a sign-in: the ID token or, of a provider without OpenID
// Connect, the account, which says nothing of time.
func identityOf(t *client.Tokens) (identity, bool) {
	switch {
	case t == nil:
		return identity{}, false
	case t.IDToken != nil:
		id := t.IDToken
		return identity{issuer: id.Issuer, subject: id.Subject, sid: id.SessionID, issued: id.IssuedAt}, true
	case t.Account != nil:
		return identity{issuer: t.Account.Issuer, subject: t.Account.Subject}, true
	}
	return identity{}, false
}

// withoutTokens is t as a session keeps it that is for the identity alone.
func withoutTokens(t *client.Tokens) *client.Tokens {
	kept := &client.Tokens{TokenType: t.TokenType, IDToken: t.IDToken, Account: t.Account, SessionState: t.SessionState, Scope: t.Scope}
	if kept.IDToken != nil {
		kept.IDToken = kept.IDToken.WithoutRaw()
	}
	return kept
}

// user names the user in hashes.
func (i identity) user() memoryKey { return keyOf("user", i.issuer, i.subject) }

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

// identityOf reads the tokens of a sign-in.
func identityOf(t *client.Tokens) (identity, bool) {
	if t == nil || t.IDToken == nil {
		return identity{}, false
	}
	id := t.IDToken
	return identity{issuer: id.Issuer, subject: id.Subject, sid: id.SessionID, issued: id.IssuedAt}, true
}

// user names the user in hashes.
func (i identity) user() memoryKey { return keyOf("user", i.issuer, i.subject) }

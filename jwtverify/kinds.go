package jwtverify

import (
	"slices"
	"strings"

	"github.com/postern-go/postern/internal/strictjson"
)

// One issuer signs tokens of several kinds with the same keys, and perhaps for the same
// audience. Where the header does not tell them apart, the claims must.

// A kind is what tokens of one kind may say of themselves. Keycloak gives all of its
// tokens the claim typ, and Cognito and Hydra give theirs token_use.
type kind struct {
	types  []string // in any case
	uses   []string
	events bool // as logout tokens alone have them
}

var (
	idTokens     = kind{types: []string{"ID", "JWT"}, uses: []string{"id"}}
	accessTokens = kind{types: []string{"Bearer", "DPoP", "JWT", "at+jwt"}, uses: []string{"access", "access_token"}}
	logoutTokens = kind{types: []string{"Logout", "JWT", "logout+jwt"}, events: true}
	statements   = kind{types: []string{"JWT"}} // about a user, and no token for anything
)

// is refuses what says of itself that it is something else.
func (c *claims) is(k kind) error {
	if c.events.Exists() && !k.events { // Back-Channel Logout 2.4
		return invalidClaim("events", "is that of a logout token")
	}
	if c.kind != "" && !containsFold(k.types, c.kind) {
		return &ClaimError{Claim: "typ", Reason: "is that of another kind of token", Got: c.kind, Err: ErrInvalid}
	}
	if c.use != "" && !slices.Contains(k.uses, c.use) {
		return &ClaimError{Claim: "token_use", Reason: "is that of another kind of token", Got: c.use, Err: ErrInvalid}
	}
	return nil
}

// isNoIDToken refuses what only ID tokens have; a nonce may be in others too, where they
// say what they are.
func (c *claims) isNoIDToken(mayHaveNonce bool) error {
	if c.accessTokenHash != "" {
		return invalidClaim("at_hash", "is that of an ID token")
	}
	if c.codeHash != "" {
		return invalidClaim("c_hash", "is that of an ID token")
	}
	if c.nonce != "" && !mayHaveNonce {
		return invalidClaim("nonce", "is that of an ID token")
	}
	return nil
}

// isIDToken refuses the other tokens of an issuer: a logout token, what says of itself to
// be something else, and what has the claims of an access token and none of an ID token.
func (c *claims) isIDToken() error {
	if err := c.is(idTokens); err != nil {
		return err
	}
	if !c.saysIDToken() && c.grantsScope() {
		return invalid("claims are those of an access token")
	}
	return nil
}

// saysIDToken tells whether the token has what only an ID token has.
func (c *claims) saysIDToken() bool {
	return c.nonce != "" || c.accessTokenHash != "" || c.codeHash != "" || c.use != "" || strings.EqualFold(c.kind, "ID")
}

// isAccessToken refuses the other tokens of an issuer. typ is that of the header.
func (c *claims) isAccessToken(typ string) error {
	if err := c.is(accessTokens); err != nil {
		return err
	}
	if isAccessType(typ) {
		return nil
	}
	says := c.use != "" || strings.EqualFold(c.kind, "Bearer") || strings.EqualFold(c.kind, "DPoP")
	if err := c.isNoIDToken(says); err != nil { // Keycloak before 24 has a nonce in both, and says what is what
		return err
	}
	if !says && !c.grantsScope() && !c.othersParty() {
		return invalid("nothing tells it from an ID token")
	}
	return nil
}

// isStatement refuses ID, access and logout tokens where claims about a user are wanted.
func (c *claims) isStatement() error {
	if err := c.is(statements); err != nil {
		return err
	}
	if err := c.isNoIDToken(false); err != nil {
		return err
	}
	if c.grantsScope() {
		return invalid("claims are those of an access token")
	}
	return nil
}

// grantsScope tells whether the token has what an ID token has no use for: a scope, or a
// client that is not called azp.
func (c *claims) grantsScope() bool {
	for _, v := range []strictjson.Value{c.scope, c.scp, c.clientID, c.cid, c.appID, c.grantedBy} {
		if v.Exists() {
			return true
		}
	}
	return false
}

// othersParty tells whether the token was issued to somebody else than it is for, which
// is all that Auth0 says in an access token without a scope. Most ID tokens are for the
// client that asked for them; those that Google gives an app for its server, or one
// service for another, are not, and have email_verified.
func (c *claims) othersParty() bool {
	return c.authorizedParty != "" && !slices.Contains(c.audience, c.authorizedParty) && !c.emailVerified.Exists()
}

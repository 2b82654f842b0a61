package jwtverify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
)

// An AccessToken is a verified access token, or one that its issuer has vouched for
// (Introspection). Some tokens stand for a client alone, without a user: their Subject is
// then what the provider calls the client, often ClientID, or empty in the answer of an
// introspection endpoint. Where that matters, ask for something that only users' tokens
// have.
//
// It holds what the issuer says of a user, and prints as [redacted] in fmt, slog and
// JSON. Changing a field does not change what Claims decodes.
type AccessToken struct {
	Issuer   string    // iss
	Subject  string    // sub
	ClientID string    // client_id, or what stands in its place: azp, cid or appid; empty: absent
	Audience []string  // aud; with Verifier.AudienceClaim, that claim
	Scope    []string  // scope or scp; nil: absent
	ID       string    // jti; empty: absent
	ACR      string    // acr; empty: absent
	AMR      []string  // amr; nil: absent
	Expiry   time.Time // exp
	IssuedAt time.Time // iat; zero: absent
	AuthTime time.Time // auth_time; zero: absent

	// Confirmation is cnf, the key that the sender must prove to have. Zero: none, the
	// token is as good in one hand as in another. Bearer looks at it, and code that calls
	// AccessToken itself has to.
	Confirmation Confirmation

	payload string // the claims, as JSON
}

// A Confirmation names the key a token is bound to (RFC 7800 3). A token that is
// bound in no way known here is refused, so one of the two is there or nothing is.
type Confirmation struct {
	JKT     string // jkt, the SHA-256 thumbprint of a DPoP key (RFC 9449 6.1)
	X5TS256 string // x5t#S256, the SHA-256 of a TLS client certificate (RFC 8705 3.1)
}

// An AccessTokenVerifier decides on access tokens: a *Verifier, Issuers, a *Cache, or
// client.Introspector, which asks the introspection endpoint. Implementations are safe for concurrent use.
type AccessTokenVerifier interface {
	// AccessToken returns what the token says, or an error that wraps exactly one of
	// ErrExpired, ErrInvalid and ErrKeys.
	AccessToken(ctx context.Context, raw string) (*AccessToken, error)
}

// accessTokenTypes is what Verifier.AccessTokenTypes may have.
var accessTokenTypes = []string{"at+jwt", "JWT", ""}

// AccessToken verifies a JWT access token (RFC 9068 4) and returns what it says. On an
// error, which wraps exactly one of ErrExpired, ErrInvalid and ErrKeys, the token is nil.
//
// The issuer, the audience, exp and the signature are mandatory; so is sub, which may be
// missing only where typ is at+jwt and there is a client_id: the token is then one of the
// client itself, as Duende issues them, and Subject is empty. iat and nbf must not be in
// the future; cnf must be one that is known. How long ago the token was issued does not
// matter (Auth0 lets them live for 30 days).
//
// With a typ other than at+jwt, which Verifier.AccessTokenTypes must allow, what looks
// like an ID token is refused: one with at_hash or c_hash, or with a nonce and without a
// word of being an access token (token_use, or Keycloak's claim typ). And there must be
// something that only access tokens have: that word, a scope, a client_id (cid, appid), how
// the client proved itself (Auth0's gty, Entra's azpacr), or an azp that is not the
// audience where there is no email_verified.
//
// It checks neither scope nor anything else that the API at hand may ask for, nor who
// presents the token: Bearer does. Whether the token was revoked is known to the issuer
// alone (RFC 7662).
func (v *Verifier) AccessToken(ctx context.Context, raw string) (*AccessToken, error) {
	t, err := v.accessToken(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("jwtverify: %w", err)
	}
	return t, nil
}

func (v *Verifier) accessToken(ctx context.Context, raw string) (*AccessToken, error) {
	types, err := v.accessTypes()
	if err != nil {
		return nil, err
	}
	token, c, err := v.read(ctx, raw, types)
	if err != nil {
		return nil, err
	}
	if err := c.isAccessToken(token.typ); err != nil {
		return nil, err
	}
	if err := v.checkIssuer(&c, token.key); err != nil { // RFC 9068 4
		return nil, err
	}
	if err := c.principal(isAccessType(token.typ)); err != nil { // 2.2
		return nil, err
	}
	if c.expiry.IsZero() { // 4
		return nil, invalidClaim("exp", "is missing")
	}
	return v.grant(&c)
}

// principal checks sub. Duende's tokens for client credentials have none, against the
// letter of RFC 9068 2.2: where nothing else could be meant, a client_id is enough.
func (c *claims) principal(unmistakable bool) error {
	if unmistakable && c.subject == "" && c.clientID.Exists() {
		return nil
	}
	return checkSubject(c.subject)
}

// isAccessType tells whether a header's typ says that the token is an access token.
func isAccessType(typ string) bool { return checkType(typ, accessTokenTypes[:1]) == nil }

// accessTypes returns the types that an access token may have.
func (v *Verifier) accessTypes() ([]string, error) {
	if v.AccessTokenTypes == nil {
		return accessTokenTypes[:1], nil
	}
	for _, t := range v.AccessTokenTypes {
		if !slices.Contains(accessTokenTypes, t) {
			return nil, misconfigured("Verifier.AccessTokenTypes has %s, which no access token has", quote(t))
		}
	}
	return v.AccessTokenTypes, nil
}

// grant checks what a token and the answer of an introspection endpoint have in common.
func (v *Verifier) grant(c *claims) (*AccessToken, error) {
	t := &AccessToken{
		Issuer: c.issuer, Subject: c.subject, ACR: c.acr, AMR: c.amr,
		Expiry: c.expiry, IssuedAt: c.issuedAt, AuthTime: c.authTime, payload: c.payload,
	}
	var err error
	if t.Audience, err = v.recipients(c); err != nil {
		return nil, err
	}
	if !slices.Contains(t.Audience, v.Audience) { // RFC 9068 4
		return nil, &ClaimError{Claim: v.audienceClaim(), Reason: "does not name this audience", Want: v.Audience, Got: t.Audience, Err: ErrInvalid}
	}
	if t.Confirmation, err = readConfirmation(c.confirmation); err != nil {
		return nil, err
	}
	if t.Scope, err = c.scopes(); err != nil {
		return nil, err
	}
	if t.ClientID, err = c.client(); err != nil {
		return nil, err
	}
	if c.id.Exists() {
		if err := setText(&t.ID, "jti", c.id); err != nil {
			return nil, err
		}
	}
	now := v.now()
	if err := v.begun(c, now); err != nil {
		return nil, err
	}
	if err := v.over(c, now); err != nil { // RFC 9068 4; the last check, as in age
		return nil, err
	}
	return t, nil
}

func (v *Verifier) audienceClaim() string {
	if v.AudienceClaim == "" {
		return "aud"
	}
	return v.AudienceClaim
}

// recipients returns whom the token is for. Only the name of the claim is configured:
// that it names Verifier.Audience is checked all the same.
func (v *Verifier) recipients(c *claims) (list []string, err error) {
	if v.audienceClaim() == "aud" {
		return c.audience, nil
	}
	err = strictjson.Object(c.payload, nil, func(name string, value strictjson.Value) error {
		if name == v.AudienceClaim {
			return setTexts(&list, name, value)
		}
		return nil
	})
	return list, err
}

// scopes returns scope (RFC 8693 4.2), or scp, as Okta and Entra call it: one text with
// spaces, or an array.
func (c *claims) scopes() (list []string, err error) {
	name, v := "scope", c.scope
	if !v.Exists() {
		name, v = "scp", c.scp
	}
	if !v.Exists() {
		return nil, nil
	}
	if text, ok := v.String(); ok {
		// RFC 6749 3.3: spaces, and none of the other characters that Unicode calls so.
		return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' }), nil
	}
	err = setTexts(&list, name, v)
	return list, err
}

// client returns client_id (RFC 8693 4.3) or what has its place: azp (Auth0, Keycloak,
// Entra), cid (Okta), appid (Entra v1). The last two are registered nowhere, and an issuer
// that has azp may let its users choose what a claim called cid says.
func (c *claims) client() (id string, err error) {
	switch {
	case c.clientID.Exists():
		err = setText(&id, "client_id", c.clientID)
	case c.authorizedParty != "":
		id = c.authorizedParty
	case c.cid.Exists():
		err = setText(&id, "cid", c.cid)
	case c.appID.Exists():
		err = setText(&id, "appid", c.appID)
	}
	return id, err
}

// thumbprint is the length of a SHA-256 in base64url.
const thumbprint = 43

func readConfirmation(v strictjson.Value) (c Confirmation, err error) {
	if !v.Exists() {
		return c, nil
	}
	err = strictjson.Object(v.Raw(), []string{"jkt", "x5t#S256"}, func(name string, v strictjson.Value) error {
		switch name {
		case "jkt":
			return setThumbprint(&c.JKT, v)
		case "x5t#S256":
			return setThumbprint(&c.X5TS256, v)
		}
		return nil
	})
	if err != nil {
		return Confirmation{}, unreadable("cnf", err)
	}
	if c == (Confirmation{}) { // RFC 7800 3.1: bound, and nobody here can tell to what
		return c, invalidClaim("cnf", "names no key in a way that is understood")
	}
	return c, nil
}

func setThumbprint(to *string, v strictjson.Value) error {
	if err := setText(to, "cnf", v); err != nil {
		return err
	}
	if sum, err := base64url.DecodeString(*to); err != nil || len(*to) != thumbprint || len(sum) == 0 {
		return invalidClaim("cnf", "has what is not a SHA-256 in base64url")
	}
	return nil
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(t string) bool { return strings.EqualFold(t, s) })
}

// Claims decodes all claims into v as encoding/json does, which takes the name of a
// field in any case. Where two claims could be taken for one, the token was refused.
func (t *AccessToken) Claims(v any) error {
	if err := json.Unmarshal([]byte(t.payload), v); err != nil {
		return fmt.Errorf("jwtverify: decoding claims: %w", err)
	}
	return nil
}

// Format keeps the claims out of every kind of printing.
func (t AccessToken) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue keeps the claims out of logs.
func (t AccessToken) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON keeps the claims out of JSON; Claims gives them out.
func (t AccessToken) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

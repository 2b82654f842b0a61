package jwtverify

import (
	"fmt"
	"strings"

	"github.com/postern-go/postern/internal/strictjson"
)

// Introspection checks the answer of an introspection endpoint (RFC 7662 2.2), which
// the caller asked over TLS about a token, and returns what it says. Keys are not
// needed, for there is no signature. The zero value of active, absence included, is no.
//
// As for AccessToken, the audience is mandatory and cnf must be one that is known. iss
// must be the issuer where it is there; AccessToken.Issuer is Verifier.Issuer in any
// case. exp, iat and nbf are compared where they are there. A sub may be missing where
// there is a client_id: the token is then one of the client itself. A member that is
// null counts as missing.
//
// The endpoint answers for every token of its issuer, so one that is not an access token
// is refused: by token_type, which must be Bearer or DPoP where it is there, by what
// token_use and typ say, and by at_hash, c_hash or a nonce. A token_type of DPoP without
// the key in cnf is refused too.
func (v *Verifier) Introspection(answer []byte) (*AccessToken, error) {
	t, err := v.introspection(string(answer))
	if err != nil {
		return nil, fmt.Errorf("jwtverify: %w", err)
	}
	return t, nil
}

// An introspected answer is claims, and what is said of the token besides.
type introspected struct {
	claims
	active    bool
	tokenType string // empty: absent
}

func readIntrospection(answer string) (a introspected, err error) {
	names := append([]string{"active", "token_type", "username"}, claimNames...) // RFC 7662 2.2
	err = strictjson.Object(answer, names, func(name string, v strictjson.Value) error {
		switch {
		case v.IsNull(): // Hydra: "aud": null
			return nil
		case name == "active":
			a.active = v.Raw() == "true"
			return nil
		case name == "token_type":
			return setText(&a.tokenType, name, v)
		}
		return a.set(name, v)
	})
	if err != nil {
		return introspected{}, unreadable("introspection", err)
	}
	a.payload = answer
	return a, nil
}

func (v *Verifier) introspection(answer string) (*AccessToken, error) {
	if err := v.complete(); err != nil {
		return nil, err
	}
	a, err := readIntrospection(answer)
	if err != nil {
		return nil, err
	}
	if !a.active {
		return nil, invalidClaim("active", "is not true")
	}
	if err := a.isAccessToken(); err != nil {
		return nil, err
	}
	if a.issuer == "" && v.Tenants == nil {
		a.issuer = v.Issuer
	}
	if err := v.checkIssuer(&a.claims, nil); err != nil {
		return nil, err
	}
	if err := a.principal(true); err != nil {
		return nil, err
	}
	t, err := v.grant(&a.claims)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(a.tokenType, "DPoP") && t.Confirmation.JKT == "" { // RFC 9449 6.2
		return nil, invalidClaim("cnf", "names no key for a token of type DPoP")
	}
	return t, nil
}

// isAccessToken refuses the other tokens of an issuer, for which its endpoint may answer
// too.
func (a *introspected) isAccessToken() error {
	if err := a.is(accessTokens); err != nil { // Keycloak: ID and refresh tokens
		return err
	}
	if a.tokenType != "" && !containsFold([]string{"Bearer", "DPoP"}, a.tokenType) {
		return &ClaimError{Claim: "token_type", Reason: "is that of another kind of token", Got: a.tokenType, Err: ErrInvalid}
	}
	return a.isNoIDToken(a.tokenType != "")
}

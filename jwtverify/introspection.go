package jwtverify

import (
	"fmt"

	"github.com/postern-go/postern/internal/strictjson"
)

// Introspection checks the answer of an introspection endpoint (RFC 7662 2.2), which
// the caller asked over TLS about a token, and returns what it says. Keys are not
// needed, for there is no signature. The zero value of active, absence included, is no.
//
// As for AccessToken, the audience is mandatory and cnf must be one that is known. iss
// must be the issuer where it is there; AccessToken.Issuer is Verifier.Issuer in any
// case. exp, iat and nbf are compared where they are there. A sub may be missing where
// there is a client_id: the token is then one of the client itself.
func (v *Verifier) Introspection(answer []byte) (*AccessToken, error) {
	t, err := v.introspection(string(answer))
	if err != nil {
		return nil, fmt.Errorf("jwtverify: %w", err)
	}
	return t, nil
}

func (v *Verifier) introspection(answer string) (*AccessToken, error) {
	if err := v.complete(); err != nil {
		return nil, err
	}
	active := false
	err := strictjson.Object(answer, []string{"active"}, func(name string, value strictjson.Value) error {
		if name == "active" {
			active = value.Raw() == "true"
		}
		return nil
	})
	if err != nil {
		return nil, unreadable("introspection", err)
	}
	if !active {
		return nil, invalidClaim("active", "is not true")
	}
	c, err := readClaims(answer)
	if err != nil {
		return nil, err
	}
	if err := c.isNoOther(); err != nil { // Keycloak answers for ID and refresh tokens too
		return nil, err
	}
	if c.issuer != "" && c.issuer != v.Issuer {
		return nil, &ClaimError{Claim: "iss", Reason: "is another issuer", Want: v.Issuer, Got: c.issuer, Err: ErrInvalid}
	}
	c.issuer = v.Issuer
	if c.subject != "" || !c.clientID.Exists() {
		if err := checkSubject(c.subject); err != nil {
			return nil, err
		}
	}
	return v.grant(&c)
}

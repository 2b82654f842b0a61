package jwtverify

import "time"

// WhySkipped tells why a JWK set is used without this key, if it is.
func WhySkipped(jwk string) error {
	_, err := parseJWK(jwk)
	return err
}

// ProofPath is what a proof for a request has to name.
var ProofPath = proofPath

// UseBy is Use for a proof by the key with the thumbprint jkt.
func (c *ReplayCache) UseBy(jkt, id string, expires time.Time) (bool, error) {
	return c.useBy(jkt, id, expires)
}

// Owners is how many keys the cache counts the proofs of.
func (c *ReplayCache) Owners() int { return len(c.held) }

// ReadClaims reads the claims of a token as they are read when it is verified.
func ReadClaims(payload string) error {
	_, err := readClaims(payload)
	return err
}

package jwtverify

// WhySkipped tells why a JWK set is used without this key, if it is.
func WhySkipped(jwk string) error {
	_, err := parseJWK(jwk)
	return err
}

// ProofPath is what a proof for a request has to name.
var ProofPath = proofPath

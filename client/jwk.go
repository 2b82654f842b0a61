package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
)

// A jwk is a public key for others to read (RFC 7517 4, RFC 7518 6, RFC 8037 2).
type jwk struct {
	Type         string   `json:"kty"`
	Curve        string   `json:"crv,omitempty"`
	X            string   `json:"x,omitempty"`
	Y            string   `json:"y,omitempty"`
	Modulus      string   `json:"n,omitempty"`
	Exponent     string   `json:"e,omitempty"`
	Use          string   `json:"use,omitempty"`
	KeyID        string   `json:"kid,omitempty"`
	Algorithm    string   `json:"alg,omitempty"`
	Certificates [][]byte `json:"x5c,omitempty"` // DER; 4.7 wants base64 with padding, as encoding/json does
}

// newJWK writes down a key that jwtsign.Algorithm has accepted.
func newJWK(public crypto.PublicKey) (*jwk, error) {
	encode := base64.RawURLEncoding.EncodeToString
	switch pub := public.(type) {
	case *rsa.PublicKey:
		return &jwk{Type: "RSA", Modulus: encode(pub.N.Bytes()), Exponent: encode(big.NewInt(int64(pub.E)).Bytes())}, nil
	case *ecdsa.PublicKey:
		point, err := pub.Bytes() // 4, x, y
		if err != nil {
			return nil, err
		}
		half := len(point) / 2
		return &jwk{Type: "EC", Curve: pub.Curve.Params().Name, X: encode(point[1 : 1+half]), Y: encode(point[1+half:])}, nil
	case ed25519.PublicKey:
		return &jwk{Type: "OKP", Curve: "Ed25519", X: encode(pub)}, nil
	}
	return nil, fmt.Errorf("a key of type %T is no JWK", public)
}

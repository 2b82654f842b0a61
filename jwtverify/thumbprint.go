package jwtverify

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"
	"slices"
)

var errThumbprint = errors.New("jwtverify: no thumbprint of a key that verifies nothing")

// Thumbprint returns the SHA-256 thumbprint of the key, as base64url (RFC 7638; RFC
// 8037 2 for Ed25519): what cnf.jkt of an access token that is bound to a DPoP key is
// compared with (RFC 9449 6.1). It is one for each key, whatever JWK the key was read
// from; ID and Algorithm are no part of it. A key that Key says verifies nothing has
// none, which is an error.
func (k Key) Thumbprint() (string, error) {
	if !slices.ContainsFunc(algorithms[:], Key{Public: k.Public}.fits) || k.weakness() != nil {
		return "", errThumbprint
	}
	// RFC 7638 3.2 and 3.3: the required members and no others, in lexicographic order,
	// without white space. None of the values needs an escape.
	var jwk string
	switch pub := k.Public.(type) {
	case *rsa.PublicKey:
		e := big.NewInt(int64(pub.E)).Bytes()
		jwk = `{"e":"` + base64url.EncodeToString(e) + `","kty":"RSA","n":"` + base64url.EncodeToString(pub.N.Bytes()) + `"}`
	case *ecdsa.PublicKey:
		var point []byte // 4, and x and y, each as long as the curve is wide
		err := contained(func() (err error) { point, err = pub.Bytes(); return err })
		if err != nil {
			return "", errThumbprint
		}
		x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
		jwk = `{"crv":"` + pub.Params().Name + `","kty":"EC","x":"` + base64url.EncodeToString(x) + `","y":"` + base64url.EncodeToString(y) + `"}`
	case ed25519.PublicKey:
		jwk = `{"crv":"Ed25519","kty":"OKP","x":"` + base64url.EncodeToString(pub) + `"}`
	default:
		return "", errThumbprint
	}
	sum := sha256.Sum256([]byte(jwk))
	return base64url.EncodeToString(sum[:]), nil
}

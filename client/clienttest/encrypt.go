package clienttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// encryptIDToken encrypts a signed ID token, if the client is registered for it, in the
// way that the active faults want. payload is what was signed.
func (p *Provider) encryptIDToken(c *registered, token string, payload []byte) string {
	key := c.IDTokenEncryptionKey
	if key == nil || p.has(PlainInsteadOfEncrypted) {
		return token
	}
	plain := []byte(token)
	opts := (&jose.EncrypterOptions{}).WithContentType("JWT")
	switch {
	case p.has(UnsignedJWE):
		plain, opts = payload, &jose.EncrypterOptions{}
	case p.has(WrongJWEKey):
		key = another(key)
	case p.has(ZippedJWE):
		opts.Compression = jose.DEFLATE
	}
	return encryptTo(key, plain, opts)
}

// encryptTo makes a JWE in compact form (RFC 7516 section 7.1). A key that nothing can be
// encrypted to panics.
func encryptTo(key crypto.PublicKey, plain []byte, opts *jose.EncrypterOptions) string {
	recipient := jose.Recipient{Key: key}
	switch key.(type) {
	case *rsa.PublicKey:
		recipient.Algorithm = jose.RSA_OAEP_256
	case *ecdsa.PublicKey:
		recipient.Algorithm = jose.ECDH_ES
	default:
		panic(fmt.Sprintf("clienttest: nothing can be encrypted to a %T", key))
	}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, recipient, opts)
	if err != nil {
		panic("clienttest: " + err.Error())
	}
	sealed, err := encrypter.Encrypt(plain)
	if err != nil {
		panic("clienttest: " + err.Error())
	}
	text, err := sealed.CompactSerialize()
	if err != nil {
		panic("clienttest: " + err.Error())
	}
	return text
}

// another makes a key of the type of key, whose private half nobody has.
func another(key crypto.PublicKey) crypto.PublicKey {
	if known, ok := key.(*ecdsa.PublicKey); ok {
		made, err := ecdsa.GenerateKey(known.Curve, rand.Reader)
		if err != nil {
			panic("clienttest: " + err.Error())
		}
		return &made.PublicKey
	}
	return generate("RS256").Public()
}

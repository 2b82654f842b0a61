package clienttest

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/postern-go/postern/internal/jwtsign"
)

func algorithms() []string {
	return []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
	}
}

// macBytes is the size of the hash of an algorithm with a shared secret, and with it the
// least size of the secret (RFC 7518 section 3.2); 0: it is no such algorithm.
func macBytes(algorithm string) int {
	if !slices.Contains([]string{"HS256", "HS384", "HS512"}, algorithm) {
		return 0
	}
	return hashOf(algorithm).Size()
}

// hashOf is the hash function of an algorithm; for EdDSA the one inside Ed25519,
// which at_hash uses too.
func hashOf(algorithm string) crypto.Hash {
	switch {
	case strings.HasSuffix(algorithm, "256"):
		return crypto.SHA256
	case strings.HasSuffix(algorithm, "384"):
		return crypto.SHA384
	default:
		return crypto.SHA512
	}
}

// halfHash is the left half of the hash of a token: at_hash (OpenID Connect Core 3.1.3.6).
func halfHash(algorithm, token string) string {
	h := hashOf(algorithm).New()
	h.Write([]byte(token))
	sum := h.Sum(nil)
	return encode(sum[:len(sum)/2])
}

// header is that of a JWS signed with k.
func (k *signingKey) header(typ string) map[string]any {
	return map[string]any{"alg": k.algorithm, "kid": k.id, "typ": typ}
}

// sign makes a JWS in compact form (RFC 7515 section 7.1).
func (k *signingKey) sign(header map[string]any, payload []byte) string {
	token, err := jwtsign.Sign(k.private, k.algorithm, header, json.RawMessage(payload))
	return mustSign(token, err)
}

// unsigned makes a JWS that nobody signed (RFC 7515 appendix A.5).
func unsigned(header map[string]any, payload []byte) string {
	return encode(mustJSON(header)) + "." + encode(payload) + "."
}

// forge changes one bit of the signature of a JWS.
func forge(token string) string {
	end := strings.LastIndexByte(token, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(token[end:])
	if err != nil {
		panic("clienttest: " + err.Error())
	}
	signature[0] ^= 1
	return token[:end] + encode(signature)
}

// publicPEM is what the victims of algorithm confusion take for a secret.
func (k *signingKey) publicPEM() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		panic("clienttest: " + err.Error())
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// authenticated makes a JWS with a shared secret (RFC 7518 section 3.2).
func authenticated(header map[string]any, payload []byte, secret []byte) string {
	token, err := jwtsign.MAC(secret, header["alg"].(string), header, json.RawMessage(payload))
	return mustSign(token, err)
}

func mustSign(token string, err error) string {
	if err != nil {
		panic("clienttest: " + err.Error())
	}
	return token
}

package clienttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
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

func digest(h crypto.Hash, text string) []byte {
	sum := h.New()
	sum.Write([]byte(text))
	return sum.Sum(nil)
}

// halfHash is the left half of the hash of a token: at_hash (OpenID Connect Core 3.1.3.6).
func halfHash(algorithm, token string) string {
	sum := digest(hashOf(algorithm), token)
	return encode(sum[:len(sum)/2])
}

// header is that of a JWS signed with k.
func (k *signingKey) header(typ string) map[string]any {
	return map[string]any{"alg": k.algorithm, "kid": k.id, "typ": typ}
}

// sign makes a JWS in compact form (RFC 7515 section 7.1).
func (k *signingKey) sign(header map[string]any, payload []byte) string {
	input := signingInput(header, payload)
	return input + "." + encode(k.signature(input))
}

func signingInput(header map[string]any, payload []byte) string {
	return encode(mustJSON(header)) + "." + encode(payload)
}

// signature signs input as RFC 7518 section 3 and RFC 8037 section 3.1 say.
func (k *signingKey) signature(input string) []byte {
	hash := hashOf(k.algorithm)
	var signature []byte
	var err error
	switch family := k.algorithm[:2]; family {
	case "RS":
		signature, err = k.private.Sign(rand.Reader, digest(hash, input), hash)
	case "PS":
		opts := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
		signature, err = k.private.Sign(rand.Reader, digest(hash, input), opts)
	case "ES":
		return signECDSA(k.private.(*ecdsa.PrivateKey), digest(hash, input))
	default:
		signature, err = k.private.Sign(nil, []byte(input), crypto.Hash(0))
	}
	if err != nil {
		panic("clienttest: " + err.Error())
	}
	return signature
}

// signECDSA gives r and s side by side, each as long as the curve's order (RFC 7518
// section 3.4).
func signECDSA(key *ecdsa.PrivateKey, digest []byte) []byte {
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		panic("clienttest: " + err.Error())
	}
	size := (key.Curve.Params().BitSize + 7) / 8
	signature := make([]byte, 2*size)
	r.FillBytes(signature[:size])
	s.FillBytes(signature[size:])
	return signature
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
	input := signingInput(header, payload)
	mac := hmac.New(hashOf(header["alg"].(string)).New, secret)
	mac.Write([]byte(input))
	return input + "." + encode(mac.Sum(nil))
}

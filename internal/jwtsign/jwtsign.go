// Package jwtsign makes signed JSON Web Tokens (RFC 7515 7.1): client assertions,
// request objects and DPoP proofs. The key is any crypto.Signer, so that it may be in
// a key management service.
package jwtsign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of all algorithms
	_ "crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// minRSABits is that of RFC 7518 3.3.
const minRSABits = 2048

// Algorithm returns the algorithm to sign with: alg, if key can sign with it; where alg
// is empty, what is understood most widely for a key of its type: RS256, ES256, ES384,
// ES512 by its curve, or EdDSA.
func Algorithm(key crypto.Signer, alg string) (string, error) {
	if key == nil {
		return "", errors.New("there is no key")
	}
	switch pub := key.Public().(type) {
	case *rsa.PublicKey:
		if pub.N == nil || pub.N.BitLen() < minRSABits {
			return "", fmt.Errorf("RSA key has fewer than %d bits", minRSABits)
		}
		return choose(alg, "RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
	case *ecdsa.PublicKey:
		switch pub.Curve {
		case elliptic.P256():
			return choose(alg, "ES256")
		case elliptic.P384():
			return choose(alg, "ES384")
		case elliptic.P521():
			return choose(alg, "ES512")
		}
		return "", errors.New("key is on a curve that no algorithm has")
	case ed25519.PublicKey:
		return choose(alg, "EdDSA", "Ed25519")
	}
	return "", fmt.Errorf("a key of type %T signs no tokens", key.Public())
}

func choose(alg string, names ...string) (string, error) {
	if alg == "" {
		return names[0], nil
	}
	for _, name := range names {
		if alg == name {
			return alg, nil
		}
	}
	return "", fmt.Errorf("the key signs with %s, and not with %q", strings.Join(names, " or "), alg)
}

// Sign makes a token. alg is one that Algorithm returned for key; header and claims are
// what json.Marshal makes objects of, and header names alg itself.
func Sign(key crypto.Signer, alg string, header, claims any) (string, error) {
	input, err := signingInput(header, claims)
	if err != nil {
		return "", err
	}
	sig, err := signature(key, alg, []byte(input))
	if err != nil {
		return "", fmt.Errorf("signing with %s: %w", alg, err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}

// MAC makes a token under a shared secret, with HS256, HS384 or HS512.
func MAC(secret []byte, alg string, header, claims any) (string, error) {
	input, err := signingInput(header, claims)
	if err != nil {
		return "", err
	}
	mac := hmac.New(hashOf(alg).New, secret)
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}

func signingInput(header, claims any) (string, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c), nil
}

func hashOf(alg string) crypto.Hash {
	switch {
	case strings.HasSuffix(alg, "256"):
		return crypto.SHA256
	case strings.HasSuffix(alg, "384"):
		return crypto.SHA384
	}
	return crypto.SHA512
}

// signature signs as RFC 7518 3 and RFC 8037 3.1 say.
func signature(key crypto.Signer, alg string, input []byte) ([]byte, error) {
	if strings.HasPrefix(alg, "Ed") {
		return key.Sign(rand.Reader, input, crypto.Hash(0))
	}
	hash := hashOf(alg)
	h := hash.New()
	h.Write(input)
	if strings.HasPrefix(alg, "PS") {
		return key.Sign(rand.Reader, h.Sum(nil), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash})
	}
	sig, err := key.Sign(rand.Reader, h.Sum(nil), hash)
	if err != nil || !strings.HasPrefix(alg, "ES") {
		return sig, err
	}
	return fixed(sig, key.Public().(*ecdsa.PublicKey))
}

// fixed makes of a signature in DER the form of RFC 7518 3.4: r and s, each as long as
// the order of the curve.
func fixed(der []byte, pub *ecdsa.PublicKey) ([]byte, error) {
	var number struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &number); err != nil || len(rest) > 0 {
		return nil, errors.New("the key made no ECDSA signature")
	}
	size := (pub.Curve.Params().BitSize + 7) / 8
	if number.R.Sign() <= 0 || number.S.Sign() <= 0 || number.R.BitLen() > 8*size || number.S.BitLen() > 8*size {
		return nil, errors.New("the key made no ECDSA signature")
	}
	sig := make([]byte, 2*size)
	number.R.FillBytes(sig[:size])
	number.S.FillBytes(sig[size:])
	return sig, nil
}

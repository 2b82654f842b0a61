package clienttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"net/http"
	"slices"
	"sync"
)

const rsaBits = 2048

// A signingKey is a private key under a name, for one algorithm.
type signingKey struct {
	id, algorithm string
	private       crypto.Signer
}

// A keyring is the keys between two rotations.
type keyring struct {
	current *signingKey
	retired func() *signingKey // of StaleKey: never in the JWKS
	foreign []map[string]any   // further keys of the JWKS, with which nothing is ever signed
}

func newKid() string { return rand.Text()[:12] }

func newSigningKey(algorithm string) *signingKey {
	return &signingKey{id: newKid(), algorithm: algorithm, private: generate(algorithm)}
}

func generate(algorithm string) crypto.Signer {
	var key crypto.Signer
	var err error
	switch algorithm {
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, rsaBits)
	}
	if err != nil {
		panic("clienttest: " + err.Error())
	}
	return key
}

// ring returns the keys, made when somebody first asks for them.
func (p *Provider) ring() *keyring {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys == nil {
		p.keys = &keyring{
			current: newSigningKey(p.algorithm),
			retired: sync.OnceValue(func() *signingKey { return newSigningKey(p.algorithm) }),
			foreign: foreignKeys(),
		}
	}
	return p.keys
}

// RotateKeys replaces all keys. The old ones leave the JWKS at once.
func (p *Provider) RotateKeys() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = nil
}

// serveJWKS answers with the public keys (RFC 7517 section 5).
func (p *Provider) serveJWKS(w http.ResponseWriter, r *http.Request) {
	p.hold(r.Context(), JWKSSlow)
	if p.has(JWKS500) {
		serverError(w)
		return
	}
	ring := p.ring()
	keys := append(slices.Clone(ring.foreign), ring.current.jwk())
	if p.has(JWKSEmpty) {
		keys = []map[string]any{}
	}
	if p.has(JWKSHuge) {
		writeHuge(w)
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Write(mustJSON(map[string]any{"keys": keys}))
}

// jwk is the public half of k as a JSON Web Key (RFC 7518 section 6, RFC 8037 section 2).
func (k *signingKey) jwk() map[string]any {
	members := map[string]any{"kid": k.id, "use": "sig", "alg": k.algorithm}
	switch public := k.private.Public().(type) {
	case *rsa.PublicKey:
		members["kty"] = "RSA"
		members["n"] = encode(public.N.Bytes())
		members["e"] = encode(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			panic("clienttest: " + err.Error())
		}
		half := len(point) / 2 // 0x04, x, y
		members["kty"] = "EC"
		members["crv"] = public.Curve.Params().Name
		members["x"] = encode(point[1 : 1+half])
		members["y"] = encode(point[1+half:])
	case ed25519.PublicKey:
		members["kty"] = "OKP"
		members["crv"] = "Ed25519"
		members["x"] = encode(public)
	}
	return members
}

// foreignKeys are what real key sets have beside the one key that a client needs: a second
// signing key, an encryption key, a curve and a key type that it does not know, and a key
// that is broken. They stand before the right one.
func foreignKeys() []map[string]any {
	second := newSigningKey("ES256").jwk()
	delete(second, "alg") // as most providers
	return []map[string]any{
		{"kid": newKid(), "kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "e": "AQAB", "n": encode(modulus())},
		{"kid": newKid(), "kty": "EC", "use": "sig", "crv": "secp256k1", "x": encode(random(32)), "y": encode(random(32))},
		{"kid": newKid(), "kty": "AKP", "use": "sig", "alg": "ML-DSA-44", "pub": encode(random(1312))},
		{"kid": newKid(), "kty": "EC", "use": "sig", "crv": "P-256", "x": "AQ"},
		second,
	}
}

// modulus looks like that of an RSA key. Nobody knows its factors, and nobody needs them.
func modulus() []byte {
	n := random(rsaBits / 8)
	n[0] |= 0x80
	n[len(n)-1] |= 1
	return n
}

func random(size int) []byte {
	b := make([]byte, size)
	rand.Read(b)
	return b
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

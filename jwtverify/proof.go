package jwtverify

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
)

const (
	// maxProof bounds a proof in bytes, before anything of it is parsed. One with an RSA
	// key of 4,096 bits and its signature comes to 2 KB.
	maxProof = 8 << 10
	// maxProofID bounds jti. RFC 9449 4.2 suggests 16 or 36 bytes.
	maxProofID = 256
)

// proofTypes is what typ of a proof is, RFC 9449 4.2.
var proofTypes = []string{"dpop+jwt"}

// open checks the proof as a JWS that brings its own key (steps 2 and 4 to 7), and
// returns what was signed and the thumbprint of the key. The key is nobody's yet.
func (d *DPoP) open(raw string) (payload, jkt string, err error) {
	if len(raw) > maxProof {
		return "", "", invalid("larger than %d bytes", maxProof)
	}
	// The decoder of encoding/base64 skips line breaks.
	if strings.ContainsAny(raw, "\r\n") {
		return "", "", invalid("line break inside")
	}
	// Two proofs in one header field, or a JWE, have more parts.
	if strings.Count(raw, ".") != 2 { // step 2
		return "", "", invalid("not a JWT in compact form")
	}
	head, body, sig, err := split(raw)
	if err != nil {
		return "", "", err
	}
	h, err := readHeader(head)
	if err != nil {
		return "", "", err
	}
	if err := checkType(h.typ, proofTypes); err != nil { // step 4
		return "", "", err
	}
	alg, ok := d.allows(h.alg) // step 5
	if !ok {
		return "", "", &ClaimError{Claim: "alg", Reason: "is not an algorithm that may sign", Got: h.alg, Err: ErrInvalid}
	}
	key, err := readProofKey(h.jwk, alg) // step 7
	if err != nil {
		return "", "", err
	}
	if err := key.signed(alg, raw[:len(head)+1+len(body)], sig); err != nil { // step 6
		return "", "", err
	}
	payload, err = decode(body)
	if err != nil {
		return "", "", invalid("payload is not base64url")
	}
	jkt, err = key.Thumbprint()
	return payload, jkt, err
}

// allows tells whether alg may sign a proof, and returns it.
func (d *DPoP) allows(name string) (algorithm, bool) {
	alg, ok := asymmetric(name)
	return alg, ok && (d.Algorithms == nil || slices.Contains(d.Algorithms, name))
}

// asymmetric finds an algorithm that is made with a private key: a shared secret that
// came with the proof would prove nothing.
func asymmetric(name string) (algorithm, bool) {
	alg, known := algorithmNamed(name)
	switch alg.key {
	case rsaPKCS1, rsaPSS, ecdsaKey, edwards:
		return alg, known
	}
	return algorithm{}, false
}

// readProofKey reads jwk, which must be a public key for alg (step 7).
func readProofKey(jwk strictjson.Value, alg algorithm) (Key, error) {
	if !jwk.Exists() {
		return Key{}, invalidClaim("jwk", "is missing")
	}
	if !jwk.IsObject() {
		return Key{}, invalidClaim("jwk", "is not an object")
	}
	err := strictjson.Object(jwk.Raw(), jwkNames, func(name string, _ strictjson.Value) error {
		if private(name) {
			return invalidClaim("jwk", "is a private key or a shared secret")
		}
		return nil
	})
	if err != nil {
		return Key{}, unreadable("jwk", err)
	}
	key, err := parseJWK(jwk.Raw())
	if err != nil {
		return Key{}, invalidClaim("jwk", "is not a key that verifies signatures")
	}
	if !key.fits(alg) {
		return Key{}, &ClaimError{Claim: "jwk", Reason: "is not a key for the algorithm", Want: alg.name, Err: ErrInvalid}
	}
	return key, nil
}

// signed checks the signature of a proof (RFC 7515 5.2 step 8).
func (k Key) signed(alg algorithm, input, segment string) error {
	signature, err := base64url.DecodeString(segment)
	if err != nil {
		return invalid("signature is not base64url")
	}
	if err := k.verify(alg, []byte(input), signature); err != nil {
		return invalid("%w", err)
	}
	return nil
}

// A proof is what a proof says, as it was read: an empty text and a zero time mean
// that the claim is absent.
type proof struct {
	id, method, url             string // jti, htm, htu
	tokenHash, nonce            string // ath
	issuedAt, expiry, notBefore time.Time
}

// proofNames are compared without regard to case, to be refused where it is wrong.
var proofNames = []string{"jti", "htm", "htu", "iat", "ath", "nonce", "exp", "nbf"}

// readProof reads the payload and checks that the required claims of RFC 9449 4.2 are
// there (step 3), each of its form.
func readProof(payload string) (p proof, err error) {
	if err := strictjson.Object(payload, proofNames, p.set); err != nil {
		return proof{}, unreadable("payload", err)
	}
	required := [...]struct {
		name  string
		there bool
	}{
		{"jti", p.id != ""}, {"htm", p.method != ""}, {"htu", p.url != ""},
		{"iat", !p.issuedAt.IsZero()}, {"ath", p.tokenHash != ""},
	}
	for _, claim := range required {
		if !claim.there {
			return proof{}, invalidClaim(claim.name, "is missing")
		}
	}
	if len(p.id) > maxProofID {
		return proof{}, invalidClaim("jti", fmt.Sprintf("is longer than %d bytes", maxProofID))
	}
	return p, nil
}

func (p *proof) set(name string, v strictjson.Value) error {
	switch name {
	case "jti":
		return setText(&p.id, name, v)
	case "htm":
		return setText(&p.method, name, v)
	case "htu":
		return setText(&p.url, name, v)
	case "iat":
		return setTime(&p.issuedAt, name, v)
	case "ath":
		return setText(&p.tokenHash, name, v)
	case "nonce":
		return setText(&p.nonce, name, v)
	case "exp":
		return setTime(&p.expiry, name, v)
	case "nbf":
		return setTime(&p.notBefore, name, v)
	}
	return nil
}

// request checks that the proof is for this request.
func (p *proof) request(want *ExpectProof) error {
	if p.method != want.Method { // step 8
		return &ClaimError{Claim: "htm", Reason: "is another method", Want: want.Method, Got: p.method, Err: ErrInvalid}
	}
	got, ok := proofTarget(p.url)
	if !ok {
		return invalidClaim("htu", "is no http or https URL with a host and without user information")
	}
	if target, _ := proofTarget(want.URL); got != target { // step 9
		return &ClaimError{Claim: "htu", Reason: "is another URL", Want: target, Got: got, Err: ErrInvalid}
	}
	return nil
}

// age checks that the proof was made just now, and RFC 7519 4.1.4 and 4.1.5 of a proof
// that limits itself further.
func (p *proof) age(now time.Time, window time.Duration) error {
	if p.issuedAt.Before(now.Add(-window)) { // step 11
		return &ClaimError{Claim: "iat", Reason: "is too long ago", Got: p.issuedAt, Err: ErrInvalid}
	}
	if p.issuedAt.After(now.Add(window)) { // step 11
		return &ClaimError{Claim: "iat", Reason: "is in the future", Got: p.issuedAt, Err: ErrInvalid}
	}
	if !p.expiry.IsZero() && !p.expiry.After(now.Add(-DefaultLeeway)) {
		return &ClaimError{Claim: "exp", Reason: "is over", Got: p.expiry, Err: ErrInvalid}
	}
	if p.notBefore.After(now.Add(DefaultLeeway)) {
		return &ClaimError{Claim: "nbf", Reason: "is in the future", Got: p.notBefore, Err: ErrInvalid}
	}
	return nil
}

// bound checks that the proof is for this access token, and the token for this key.
func (p *proof) bound(want *ExpectProof, jkt string) error {
	sum := sha256.Sum256([]byte(want.AccessToken))
	if !equal(p.tokenHash, base64url.EncodeToString(sum[:])) { // step 12, first half
		return invalidClaim("ath", "is not of the access token")
	}
	if !equal(jkt, want.JKT) { // step 12, second half
		return invalidClaim("jwk", "is not the key that the access token is bound to")
	}
	return nil
}

// use records a proof that is right. Two clients may choose the same jti, so the key
// stands beside it; a guard sees the hash of both, which has one length and holds
// nothing that a client wrote.
func (s *proofState) use(ctx context.Context, jkt, id string, expires time.Time) error {
	sum := sha256.Sum256([]byte("DPoP " + jkt + " " + id))
	id = "dpop:" + base64url.EncodeToString(sum[:])
	var first bool
	var err error
	if cache, ok := s.guard.(*ReplayCache); ok {
		first, err = cache.useBy(jkt, id, expires)
	} else {
		first, err = s.guard.Use(ctx, id, expires)
	}
	if err != nil {
		return fmt.Errorf("%w: replay guard: %w", ErrKeys, err)
	}
	if !first {
		return invalidClaim("jti", "was used before")
	}
	return nil
}

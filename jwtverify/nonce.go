package jwtverify

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// ErrNonce: a DPoP proof has no nonce of this server, or an old one, and nothing else
// is wrong with it. Answer with the error code use_dpop_nonce and with DPoP.Nonce in
// the header DPoP-Nonce: the client makes another proof and tries again (RFC 9449 9).
var ErrNonce = errors.New("a nonce of this server is wanted")

const (
	// nonceTurn is how long the same nonce is given out. A nonce is taken until the
	// turn after its own is over: between two and a half minutes and five.
	nonceTurn = 150 * time.Second
	// minNonceSecret is that of the hash, 256 bits where the bytes are random.
	minNonceSecret = sha256.Size
	// minNonceBytes is how many different bytes a secret has at least: random ones have
	// some 30, hexadecimal digits 16, and what was filled by hand one or two.
	minNonceBytes = 8
)

// Nonce returns the nonce to send in the header DPoP-Nonce: with every answer to
// ErrNonce, and best with all others too, so that clients learn the next one before
// the last is over. It is the same for all clients, changes every 150 seconds and is
// taken for 150 to 300 seconds. It is empty unless RequireNonce is set, and where
// NonceSecret is one that Verify refuses.
func (d *DPoP) Nonce() string {
	s := d.state()
	if s.err != nil || !d.RequireNonce {
		return ""
	}
	return s.nonce(turn(d.now()))
}

// checkNonce takes the nonces of this turn and of the one before it, and of the next,
// which a replica whose clock is ahead gives out already (RFC 9449 4.3 step 10).
func (s *proofState) checkNonce(got string, now time.Time) error {
	if got == "" {
		return nonceError("is missing")
	}
	known := false
	for at := turn(now) - 1; at <= turn(now)+1; at++ {
		if equal(got, s.nonce(at)) {
			known = true
		}
	}
	if !known {
		return nonceError("is unknown or too old")
	}
	return nil
}

func nonceError(reason string) error {
	return fmt.Errorf("%w: %w", invalidClaim("nonce", reason), ErrNonce)
}

func turn(now time.Time) int64 { return now.Unix() / int64(nonceTurn/time.Second) }

// nonce authenticates the number of a turn: nobody can tell the nonce of the next.
func (s *proofState) nonce(turn int64) string {
	h := hmac.New(sha256.New, s.nonceKey)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(turn)))
	return base64url.EncodeToString(h.Sum(nil))
}

// newNonceKey derives the key of nonces, so that a secret that serves for something
// else too does so for nothing else under this key. Without a secret it is random.
func newNonceKey(secret []byte) ([]byte, error) {
	if secret == nil {
		secret = make([]byte, minNonceSecret)
		rand.Read(secret) // never fails
	} else if err := checkNonceSecret(secret); err != nil {
		return nil, err
	}
	return hkdf.Key(sha256.New, secret, nil, "postern DPoP nonce 1", sha256.Size)
}

// checkNonceSecret refuses what is too short to be a secret or obviously none.
func checkNonceSecret(secret []byte) error {
	if len(secret) < minNonceSecret {
		return invalid("DPoP.NonceSecret has %d bytes, and must have at least %d random ones", len(secret), minNonceSecret)
	}
	different := map[byte]bool{}
	for _, b := range secret {
		different[b] = true
	}
	if len(different) < minNonceBytes {
		return invalid("DPoP.NonceSecret has %d different bytes, and must have at least %d random ones", len(different), minNonceSecret)
	}
	return nil
}

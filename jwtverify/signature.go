package jwtverify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"slices"
)

// Bounds of an RSA modulus in bits. RFC 7518 3.3 asks for the smaller one; the larger
// one is that of crypto/tls, because the time of a check grows with its square.
const (
	minRSABits = 2048
	maxRSABits = 8192
	// maxRSAExponent is that of crypto/rsa.
	maxRSAExponent = 1<<31 - 1
)

type keyType uint8

const (
	rsaPKCS1 keyType = iota // RFC 7518 3.3
	rsaPSS                  // RFC 7518 3.5
	ecdsaKey                // RFC 7518 3.4
	edwards                 // RFC 8037 3.1, RFC 9864 2.2
	hmacKey                 // RFC 7518 3.2
)

// An algorithm is a row of the registry of JSON Web Signature algorithms.
type algorithm struct {
	name  string
	key   keyType
	hash  crypto.Hash    // also that of at_hash and its like; for EdDSA only that
	curve elliptic.Curve // of ecdsaKey
}

// algorithms is all that may ever sign. There is no row for "none". The rows with a
// shared secret fit no key but that of SharedSecret, and no Verifier allows them beside
// others: a token cannot choose what it is checked with.
var algorithms = [...]algorithm{
	{"RS256", rsaPKCS1, crypto.SHA256, nil},
	{"ES256", ecdsaKey, crypto.SHA256, elliptic.P256()},
	{"PS256", rsaPSS, crypto.SHA256, nil},
	{"EdDSA", edwards, crypto.SHA512, nil},
	{"Ed25519", edwards, crypto.SHA512, nil},
	{"RS384", rsaPKCS1, crypto.SHA384, nil},
	{"RS512", rsaPKCS1, crypto.SHA512, nil},
	{"ES384", ecdsaKey, crypto.SHA384, elliptic.P384()},
	{"ES512", ecdsaKey, crypto.SHA512, elliptic.P521()},
	{"PS384", rsaPSS, crypto.SHA384, nil},
	{"PS512", rsaPSS, crypto.SHA512, nil},
	{"HS256", hmacKey, crypto.SHA256, nil},
	{"HS384", hmacKey, crypto.SHA384, nil},
	{"HS512", hmacKey, crypto.SHA512, nil},
}

func algorithmNamed(name string) (algorithm, bool) {
	for i := range algorithms {
		if algorithms[i].name == name {
			return algorithms[i], true
		}
	}
	return algorithm{}, false
}

var (
	errSignature = errors.New("signature does not verify")
	errKeyType   = errors.New("key does not fit the algorithm")
	// RFC 7518 3.2: a secret is at least as long as the hash.
	errShortSecret = errors.New("shared secret is shorter than the hash of the algorithm")
)

// VerifySignature checks a JWS signature with this key: input is the encoded
// header and payload with the dot between them (RFC 7515 5.2 step 8), alg one of
// the algorithms that Verifier.Algorithms lists. The key must be made for alg, and
// must not be weak.
//
// It checks nothing else, and a token whose signature verifies may still be
// expired, for somebody else, or from another issuer: most programs want Verifier.
func (k Key) VerifySignature(alg string, input, signature []byte) error {
	a, ok := algorithmNamed(alg)
	if !ok {
		return fmt.Errorf("jwtverify: %w", invalid("no algorithm %s", quote(alg)))
	}
	if err := k.verify(a, input, signature); err != nil {
		return fmt.Errorf("jwtverify: %w", invalid("%w", err))
	}
	return nil
}

func (k Key) verify(a algorithm, input, signature []byte) error {
	if !k.fits(a) {
		return errKeyType
	}
	if err := k.weakness(); err != nil {
		return err
	}
	var buf [sha512.Size]byte
	valid := false
	switch pub := k.Public.(type) {
	case *rsa.PublicKey:
		if a.key == rsaPKCS1 {
			valid = rsa.VerifyPKCS1v15(pub, a.hash, a.digest(&buf, input), signature) == nil
		} else {
			// RFC 7518 3.5: the salt is as long as the hash, no other length.
			salt := rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
			valid = rsa.VerifyPSS(pub, a.hash, a.digest(&buf, input), signature, &salt) == nil
		}
	case *ecdsa.PublicKey:
		// A key put together by hand may lack its coordinates, for which crypto/ecdsa panics.
		if contained(func() error { valid = verifyECDSA(pub, a.digest(&buf, input), signature); return nil }) != nil {
			return errBrokenKey
		}
	case ed25519.PublicKey:
		valid = ed25519.Verify(pub, input, signature)
	case sharedSecret:
		if len(pub) < a.hash.Size() {
			return errShortSecret
		}
		valid = hmac.Equal(a.mac(&buf, pub, input), signature)
	}
	if !valid {
		return errSignature
	}
	return nil
}

// fits tells whether the key is of the type and curve of a, and not reserved for
// another algorithm.
func (k Key) fits(a algorithm) bool {
	if !k.reservedFor(a) {
		return false
	}
	switch pub := k.Public.(type) {
	case *rsa.PublicKey:
		return pub != nil && (a.key == rsaPKCS1 || a.key == rsaPSS)
	case *ecdsa.PublicKey:
		return a.key == ecdsaKey && pub != nil && pub.Curve == a.curve
	case ed25519.PublicKey:
		return a.key == edwards
	case sharedSecret:
		return a.key == hmacKey
	}
	return false
}

func (k Key) reservedFor(a algorithm) bool {
	if k.Algorithm == "" || k.Algorithm == a.name {
		return true
	}
	// EdDSA with the one curve there is here, and Ed25519, are two names of one
	// algorithm (RFC 9864 2.2): providers change the one for the other.
	own, _ := algorithmNamed(k.Algorithm)
	return own.key == edwards && a.key == edwards
}

// weakness says why a key must not be used by anybody. That points are on their
// curve is checked by crypto/ecdsa at every use, crypto/ed25519 checks nothing of a key.
func (k Key) weakness() error {
	switch pub := k.Public.(type) {
	case *rsa.PublicKey:
		if pub.N == nil || pub.N.BitLen() < minRSABits {
			return fmt.Errorf("RSA key has fewer than %d bits", minRSABits)
		}
		if pub.N.BitLen() > maxRSABits {
			return fmt.Errorf("RSA key has more than %d bits", maxRSABits)
		}
		// RFC 8017 3.1: both are odd, and e is at least 3. crypto/rsa refuses a longer one.
		if pub.N.Bit(0) == 0 || pub.E < 3 || pub.E&1 == 0 || pub.E > maxRSAExponent {
			return errors.New("RSA key has a modulus or an exponent that no RSA key has")
		}
	case ed25519.PublicKey:
		if len(pub) != ed25519.PublicKeySize {
			return fmt.Errorf("Ed25519 key has %d bytes", len(pub))
		}
		if smallOrder(pub) {
			return errors.New("Ed25519 key is a point of small order")
		}
	}
	return nil
}

// smallOrders are the y coordinates, little endian, of the eight points whose order
// divides 8, two of which have another encoding as well (y + p). With such a public key
// signatures can be made for any message by anybody, and the first of them is 32 zero
// bytes, a key that somebody forgot to fill in.
var smallOrders = [...]string{
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
	"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
	"\xec\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
	"\xed\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
	"\xee\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
}

func smallOrder(pub ed25519.PublicKey) bool {
	y := [ed25519.PublicKeySize]byte(pub)
	y[len(y)-1] &= 0x7f // the sign of x
	return slices.Contains(smallOrders[:], string(y[:]))
}

// digest hashes input into buf.
func (a algorithm) digest(buf *[sha512.Size]byte, input []byte) []byte {
	switch a.hash {
	case crypto.SHA256:
		sum := sha256.Sum256(input)
		return buf[:copy(buf[:], sum[:])]
	case crypto.SHA384:
		sum := sha512.Sum384(input)
		return buf[:copy(buf[:], sum[:])]
	default:
		*buf = sha512.Sum512(input)
		return buf[:]
	}
}

// mac authenticates input under the secret, into buf.
func (a algorithm) mac(buf *[sha512.Size]byte, secret sharedSecret, input []byte) []byte {
	h := hmac.New(a.hash.New, secret)
	h.Write(slices.Clone(input)) // what an interface is given goes to the heap: a copy, and not the caller's array
	return h.Sum(buf[:0])
}

// verifyECDSA checks a signature in the form of RFC 7518 3.4: r and s, each exactly
// as long as the order of the curve.
func verifyECDSA(pub *ecdsa.PublicKey, digest, signature []byte) bool {
	size := (pub.Curve.Params().BitSize + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	// A SEQUENCE of two INTEGERs, with room for its head in front: those of P-521 make
	// it longer than 127 bytes, which takes one byte more to say.
	buf := make([]byte, 3, 3+2*(2+1+66))
	buf = appendInteger(buf, signature[:size])
	buf = appendInteger(buf, signature[size:])
	n := byte(len(buf) - 3)
	der := buf[1:]
	if n >= 0x80 {
		der = buf
		der[1] = 0x81
	}
	der[0], buf[2] = 0x30, n
	return ecdsa.VerifyASN1(pub, digest, der)
}

// appendInteger appends a non-negative big-endian number as a DER INTEGER.
func appendInteger(der, number []byte) []byte {
	for len(number) > 1 && number[0] == 0 {
		number = number[1:]
	}
	if number[0] >= 0x80 {
		der = append(der, 0x02, byte(len(number)+1), 0)
	} else {
		der = append(der, 0x02, byte(len(number)))
	}
	return append(der, number...)
}

package jwtverify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-go/postern/internal/strictjson"
)

// maxEncrypted bounds an encrypted token in bytes, before anything of it is parsed.
// The base64 of a signed token of maxToken bytes, of a key encrypted for RSA with 4,096
// bits and of the rest takes 22,620 bytes; what is left is for a header of 1,400 bytes.
const maxEncrypted = 24 << 10

// A keyManagement is a row of the registry of JSON Web Encryption algorithms, of those
// that have their place in alg.
type keyManagement struct {
	name  string
	curve bool // ECDH, else RSA
	wraps bool // ECDH of a key that encrypts the content's key (RFC 3394), else of that key itself
}

// keyManagements is all that may ever be in alg. RSA1_5 is open to guessing by error
// and time; dir, A128KW and their like need a shared secret; PBES2 lets the token say
// how long to work for it.
var keyManagements = [...]keyManagement{
	{name: "RSA-OAEP"},
	{name: "RSA-OAEP-256"},
	{name: "ECDH-ES", curve: true},
	{name: "ECDH-ES+A128KW", curve: true, wraps: true},
	{name: "ECDH-ES+A192KW", curve: true, wraps: true},
	{name: "ECDH-ES+A256KW", curve: true, wraps: true},
}

func keyManagementNamed(name string) (keyManagement, bool) {
	for _, m := range keyManagements {
		if m.name == name {
			return m, true
		}
	}
	return keyManagement{}, false
}

// A contentCipher is a row of the same registry, of those that have their place in enc,
// with its lengths in bytes (RFC 7518 5.2 and 5.3).
type contentCipher struct {
	name                string
	key, iv, tag, block int
}

var contentCiphers = [...]contentCipher{
	{"A128GCM", 16, 12, 16, 1},
	{"A192GCM", 24, 12, 16, 1},
	{"A256GCM", 32, 12, 16, 1},
	{"A128CBC-HS256", 32, 16, 16, 16},
	{"A192CBC-HS384", 48, 16, 24, 16},
	{"A256CBC-HS512", 64, 16, 32, 16},
}

func contentCipherNamed(name string) (contentCipher, bool) {
	for _, c := range contentCiphers {
		if c.name == name {
			return c, true
		}
	}
	return contentCipher{}, false
}

// errDecrypt is the one word on every decryption that failed: whether it was the key,
// the tag or the padding helps nobody but those who guess.
var errDecrypt = errors.New("cannot be decrypted")

// An encrypted token is one that has the form of a JWE and whose header has nothing in
// it that is refused. Nothing has been decrypted yet.
type encrypted struct {
	raw   string
	alg   keyManagement
	enc   contentCipher
	kid   string
	curve elliptic.Curve // of the sender's key, where alg is ECDH
	key   int            // length of the encrypted key
}

// decrypt takes the encryption off a token (RFC 7516 5.2) and returns the signed token
// that must be in it (RFC 7519 7.2), of which nothing is known yet.
func (v *Verifier) decrypt(raw string) (string, error) {
	if len(raw) > maxEncrypted {
		return "", invalid("larger than %d bytes", maxEncrypted)
	}
	if strings.Count(raw, ".") != 4 { // Core 3.1.3.7 step 1, RFC 9068 4, Back-Channel Logout 2.6
		return "", invalid("not encrypted, and Verifier.Decrypt demands it")
	}
	e, err := readEncrypted(raw)
	if err != nil {
		return "", err
	}
	plain, err := e.open(v.decryptionKeys(&e))
	if err != nil {
		return "", err
	}
	if strings.Count(plain, ".") == 4 {
		return "", invalid("encrypted twice")
	}
	return plain, nil
}

// partNames are the parts of the compact form, RFC 7516 7.1.
var partNames = [...]string{"header", "encrypted key", "initialization vector", "ciphertext", "authentication tag"}

func readEncrypted(raw string) (encrypted, error) {
	if strings.ContainsAny(raw, "\r\n") { // which the decoder of encoding/base64 skips
		return encrypted{}, invalid("line break inside")
	}
	var parts [len(partNames)]string
	for i, segment := range strings.Split(raw, ".") {
		var err error
		if parts[i], err = decode(segment); err != nil {
			return encrypted{}, invalid("%s is not base64url", partNames[i])
		}
	}
	e, err := readEncryption(parts[0])
	if err != nil {
		return encrypted{}, err
	}
	// Ciphertext and tag of a wrong length could be the right ones, divided elsewhere.
	if len(parts[2]) != e.enc.iv {
		return encrypted{}, invalid("%s has a wrong length", partNames[2])
	}
	if len(parts[3])%e.enc.block != 0 {
		return encrypted{}, invalid("%s has a wrong length", partNames[3])
	}
	if len(parts[4]) != e.enc.tag {
		return encrypted{}, invalid("%s has a wrong length", partNames[4])
	}
	e.raw, e.key = raw, len(parts[1])
	return e, nil
}

// encryptionNames are compared without regard to case, to be refused where it is wrong.
var encryptionNames = []string{
	"alg", "enc", "zip", "kid", "typ", "cty", "crit", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c",
	"jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "b64",
}

// An encryptionHeader is what this package reads of the header of a JWE (RFC 7516 4.1).
// As in that of a JWS, keys and addresses of keys have no meaning (go-jose refuses them
// where they are malformed), and neither have claims that are repeated in it (RFC 7519
// 5.3): those inside decide.
type encryptionHeader struct {
	alg, enc, kid, cty string
	epk                strictjson.Value
}

func (h *encryptionHeader) set(name string, v strictjson.Value) error {
	switch name {
	case "alg":
		return setText(&h.alg, name, v)
	case "enc":
		return setText(&h.enc, name, v)
	case "kid":
		return setText(&h.kid, name, v)
	case "cty":
		return setText(&h.cty, name, v)
	case "epk":
		h.epk = v
	case "zip": // RFC 7516 4.1.3: what is small here could be of any size
		return invalidClaim(name, "asks for decompression")
	case "crit": // RFC 7516 4.1.13: no extension is understood here
		return invalidClaim(name, "names extensions that must be understood")
	case "b64": // RFC 7797 7: not in a JWT
		return invalidClaim(name, "is not for a JWT")
	}
	return nil
}

// readEncryption decides by the header what may be decrypted at all.
func readEncryption(text string) (encrypted, error) {
	var h encryptionHeader
	if err := strictjson.Object(text, encryptionNames, h.set); err != nil {
		return encrypted{}, unreadable("header", err)
	}
	alg, known := keyManagementNamed(h.alg)
	if !known {
		return encrypted{}, &ClaimError{Claim: "alg", Reason: "is not an algorithm that may encrypt a key", Got: h.alg, Err: ErrInvalid}
	}
	enc, known := contentCipherNamed(h.enc)
	if !known {
		return encrypted{}, &ClaimError{Claim: "enc", Reason: "is not an algorithm that may encrypt", Got: h.enc, Err: ErrInvalid}
	}
	// RFC 7519 5.2 demands "JWT" for what is nested. Many providers leave it out, and
	// oidc-provider repeats the typ of what is inside, which is checked there.
	if h.cty != "" && checkType(h.cty, []string{"JWT", "at+jwt"}) != nil {
		return encrypted{}, &ClaimError{Claim: "cty", Reason: "is not that of a signed token", Got: h.cty, Err: ErrInvalid}
	}
	if len(h.kid) > maxKeyID {
		return encrypted{}, invalidClaim("kid", fmt.Sprintf("is longer than %d bytes", maxKeyID))
	}
	e := encrypted{alg: alg, enc: enc, kid: h.kid}
	if !alg.curve {
		return e, nil
	}
	var err error
	e.curve, err = readEphemeral(h.epk)
	return e, err
}

// curves are those of keys that decrypt, RFC 7518 6.2.1.1.
var curves = [...]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}

func curveNamed(name string) elliptic.Curve {
	for _, c := range curves {
		if c.Params().Name == name {
			return c
		}
	}
	return nil
}

// readEphemeral reads the sender's key (RFC 7518 4.6.1.1) and returns its curve. That
// it is a point of it is what keeps ours from being computed with another curve's
// points until it is known.
func readEphemeral(epk strictjson.Value) (elliptic.Curve, error) {
	if !epk.Exists() {
		return nil, invalidClaim("epk", "is missing")
	}
	if !epk.IsObject() {
		return nil, invalidClaim("epk", "is not an object")
	}
	var kty, crv, x, y string
	err := strictjson.Object(epk.Raw(), jwkNames, func(name string, v strictjson.Value) error {
		switch name {
		case "kty":
			return setText(&kty, "epk", v)
		case "crv":
			return setText(&crv, "epk", v)
		case "x":
			return setText(&x, "epk", v)
		case "y":
			return setText(&y, "epk", v)
		case "d":
			return invalidClaim("epk", "is a private key")
		}
		return nil
	})
	if err != nil {
		return nil, unreadable("epk", err)
	}
	curve := curveNamed(crv)
	if kty != "EC" || curve == nil {
		return nil, &ClaimError{Claim: "epk", Reason: "is of no curve known here", Got: crv, Err: ErrInvalid}
	}
	if len(x) != len(y) { // RFC 7518 6.2.1.2, 6.2.1.3: each as long as the curve demands
		return nil, invalidClaim("epk", "has coordinates of different lengths")
	}
	// 4 says that a point follows with both its coordinates.
	xy, errX := decode(x)
	tail, errY := decode(y)
	if _, err := ecdsa.ParseUncompressedPublicKey(curve, []byte("\x04"+xy+tail)); errors.Join(errX, errY, err) != nil {
		return nil, invalidClaim("epk", "is no point of its curve")
	}
	return curve, nil
}

// open decrypts with the first of the keys that can.
func (e *encrypted) open(keys []DecryptionKey) (plain string, err error) {
	if len(keys) == 0 {
		return "", &ClaimError{Claim: "kid", Reason: "names no decryption key for " + e.needs(), Got: e.kid, Err: ErrInvalid}
	}
	err = invalid("%s has a wrong length", partNames[1])
	for _, k := range keys {
		if k.encryptedSize(e) != e.key {
			continue
		}
		if plain, err = e.openWith(k); err == nil {
			return plain, nil
		}
	}
	return "", err
}

// needs describes the key that would open e.
func (e *encrypted) needs() string {
	if e.curve == nil {
		return e.alg.name
	}
	return e.alg.name + " on " + e.curve.Params().Name
}

// openWith hands a token to go-jose, which is told that it may be nothing else than
// what was read here.
func (e *encrypted) openWith(k DecryptionKey) (string, error) {
	var plain []byte
	err := contained(func() error {
		jwe, err := jose.ParseEncryptedCompact(e.raw,
			[]jose.KeyAlgorithm{jose.KeyAlgorithm(e.alg.name)}, []jose.ContentEncryption{jose.ContentEncryption(e.enc.name)})
		if err != nil {
			return err
		}
		plain, err = jwe.Decrypt(k.Private)
		return err
	})
	if err != nil {
		return "", invalid("%w", errDecrypt)
	}
	return string(plain), nil
}

var errPanic = errors.New("panic")

// contained runs code of others on what somebody else made: a token, or a key put
// together by hand. A panic is then a failure, and not the end of the program.
func contained(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	return f()
}

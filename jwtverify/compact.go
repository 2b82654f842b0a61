package jwtverify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/postern-go/postern/internal/strictjson"
)

const (
	// maxToken bounds a token in bytes, before anything of it is parsed. Keycloak
	// tokens with many roles come to 12 KB.
	maxToken = 16 << 10
	// usualToken is what most tokens, and all that is in them, fit into: so much is
	// put on the stack, and what is longer on the heap.
	usualToken = 2 << 10
	// maxKeyID bounds a kid. The longest in use are URLs of key vaults, under 200.
	maxKeyID = 512
	// maxCandidates bounds the keys tried for one token: where it names none, a large
	// set would make one bad token cost hundreds of signature checks.
	maxCandidates = 8
)

// Strict also refuses trailing bits that are not zero, so that one token has one form.
var base64url = base64.RawURLEncoding.Strict()

// A signed token is one whose signature has been verified; nothing is known yet of
// its claims.
type signed struct {
	alg     algorithm
	typ     string // the header parameter
	raw     string // the token itself, without the encryption around it
	key     *Key   // that verified it
	payload string
}

// read takes a token through everything that stands before what its claims say: a Verifier
// that can decide, the compact form, the signature, and the form of the claims.
func (v *Verifier) read(ctx context.Context, raw string, types []string) (token signed, c claims, err error) {
	if err := v.ready(); err != nil {
		return signed{}, claims{}, err
	}
	if token, err = v.open(ctx, raw, types); err != nil {
		return signed{}, claims{}, err
	}
	if c, err = readClaims(token.payload); err != nil {
		return signed{}, claims{}, err
	}
	return token, c, nil
}

// open takes a token in compact form (RFC 7515 7.1) through everything that stands
// before its claims. It is the one road of all kinds of tokens; types are the values
// of typ that the kind may have, and "" allows it to be absent.
func (v *Verifier) open(ctx context.Context, raw string, types []string) (signed, error) {
	if v.Decrypt != nil {
		var err error
		if raw, err = v.decrypt(raw); err != nil {
			return signed{}, err
		}
	}
	if err := checkSize(raw); err != nil {
		return signed{}, err
	}
	head, body, sig, err := split(raw)
	if err != nil {
		return signed{}, err
	}
	h, err := readHeader(head)
	if err != nil {
		return signed{}, err
	}
	if err := checkType(h.typ, types); err != nil {
		return signed{}, err
	}
	alg, ok := v.allows(h.alg)
	if !ok {
		return signed{}, &ClaimError{Claim: "alg", Reason: "is not an algorithm that may sign", Got: h.alg, Err: ErrInvalid}
	}
	key, err := v.verify(ctx, alg, h.kid, raw[:len(head)+1+len(body)], sig)
	if err != nil {
		return signed{}, err
	}
	payload, err := decode(body)
	if err != nil {
		return signed{}, invalid("payload is not base64url")
	}
	return signed{alg, h.typ, raw, key, payload}, nil
}

// checkSize refuses what is not worth a look at its parts.
func checkSize(raw string) error {
	if len(raw) > maxToken {
		return invalid("larger than %d bytes", maxToken)
	}
	// The decoder of encoding/base64 skips line breaks.
	if strings.IndexByte(raw, '\n') >= 0 || strings.IndexByte(raw, '\r') >= 0 {
		return invalid("line break inside")
	}
	return nil
}

// split divides the compact form of a JWS: three parts, the last of them not empty.
func split(raw string) (head, body, sig string, err error) {
	head, rest, _ := strings.Cut(raw, ".")
	body, sig, ok := strings.Cut(rest, ".")
	if !ok {
		return "", "", "", invalid("not a JWT in compact form")
	}
	switch strings.Count(sig, ".") {
	case 0:
	case 2:
		return "", "", "", invalid("encrypted, and Verifier.Decrypt is nil")
	default:
		return "", "", "", invalid("not a JWT in compact form")
	}
	if sig == "" {
		return "", "", "", invalid("not signed")
	}
	return head, body, sig, nil
}

// A header is what this package reads of the JOSE header (RFC 7515 4.1). Keys and
// addresses of keys in it (jku, x5c, x5u) are the token's own word for itself and have
// no meaning here; jwk has one in DPoP proofs, whose key is nobody's yet.
type header struct {
	alg, kid, typ string
	jwk           strictjson.Value
}

// headerNames are compared without regard to case, to be refused where it is wrong.
var headerNames = []string{
	"alg", "kid", "typ", "cty", "crit", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "b64", "zip", "enc",
}

func readHeader(segment string) (h header, err error) {
	text, err := decode(segment)
	if err != nil {
		return header{}, invalid("header is not base64url")
	}
	err = strictjson.Object(text, headerNames, func(name string, v strictjson.Value) error {
		switch name {
		case "alg":
			return setText(&h.alg, name, v)
		case "kid":
			return setText(&h.kid, name, v)
		case "typ":
			return setText(&h.typ, name, v)
		case "jwk":
			h.jwk = v
		case "crit": // RFC 7515 4.1.11: no extension is understood here
			return invalidClaim(name, "names extensions that must be understood")
		case "b64": // RFC 7797 7: not in a JWT
			return invalidClaim(name, "is not for a JWT")
		}
		return nil
	})
	if err != nil {
		return header{}, unreadable("header", err)
	}
	if h.alg == "" {
		return header{}, invalidClaim("alg", "is missing")
	}
	if len(h.kid) > maxKeyID {
		return header{}, invalidClaim("kid", fmt.Sprintf("is longer than %d bytes", maxKeyID))
	}
	return h, nil
}

// checkType compares typ as RFC 7515 4.1.9 says: a media type, which has no regard
// for case, and whose "application/" may be left out.
func checkType(typ string, types []string) error {
	for _, t := range types {
		if strings.EqualFold(typ, t) || t != "" && strings.EqualFold(typ, "application/"+t) {
			return nil
		}
	}
	return &ClaimError{Claim: "typ", Reason: "is that of another kind of token", Want: types, Got: typ, Err: ErrInvalid}
}

// verify finds the key and checks the signature with it (RFC 7515 5.2 step 8). It
// returns the key that did.
func (v *Verifier) verify(ctx context.Context, alg algorithm, kid, input, segment string) (*Key, error) {
	var buf [maxRSABits / 8]byte // the longest signature there is
	signature, err := base64url.AppendDecode(buf[:0], []byte(segment))
	if err != nil {
		return nil, invalid("signature is not base64url")
	}
	keys, err := v.Keys.Keys(ctx, kid)
	if err != nil {
		return nil, unavailable(err)
	}
	// A name that several keys bear is as good as none: each that fits is tried.
	var stack [usualToken]byte
	tried, signed := 0, append(stack[:0], input...)
	for i := 0; i < len(keys) && tried < maxCandidates; i++ {
		if !keys[i].fits(alg) {
			continue
		}
		if err = keys[i].verify(alg, signed, signature); err == nil {
			return &keys[i], nil
		}
		if err == errSignature { // a weak key costs nothing, and hides none behind it
			tried++
		}
	}
	if err == nil {
		return nil, &ClaimError{Claim: "kid", Reason: "names no key for " + alg.name, Got: kid, Err: ErrInvalid}
	}
	return nil, invalid("%w", err)
}

// unavailable makes every error of a KeySet one of ErrKeys.
func unavailable(err error) error {
	if errors.Is(err, ErrKeys) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrKeys, err)
}

func decode(segment string) (string, error) {
	var buf [usualToken]byte // the copy out of it is the only allocation
	b, err := base64url.AppendDecode(buf[:0], []byte(segment))
	return string(b), err
}

// setText reads a parameter or claim that must be a string, and not an empty one,
// where it is there at all: after it, empty means absent.
func setText(to *string, name string, v strictjson.Value) error {
	text, ok := v.String()
	if !ok {
		return invalidClaim(name, "is not a string")
	}
	if text == "" {
		return invalidClaim(name, "is empty")
	}
	*to = text
	return nil
}

// unreadable makes an error of reading JSON one of ErrInvalid, if it is not already.
func unreadable(what string, err error) error {
	if errors.Is(err, ErrInvalid) {
		return err
	}
	return invalid("%s: %w", what, err)
}

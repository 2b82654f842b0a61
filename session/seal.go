package session

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/gorilla/securecookie"
)

// A purpose separates the keys of cookies that must never stand in for one
// another: each purpose has its own, derived with its name.
type purpose string

const (
	purposeSession purpose = "session"
	purposeSeen    purpose = "seen"
	purposeLogin   purpose = "login"
)

var purposes = [...]purpose{purposeSession, purposeSeen, purposeLogin}

var (
	// errUnknownKey: sealed under a secret this process does not have. While a
	// new secret is being rolled out that is a good cookie, which another
	// process can open: the request is anonymous, and the cookie stays.
	errUnknownKey = errors.New("sealed under an unknown key")
	// errUndecryptable: not ours, damaged, or of another purpose, name or
	// format. The request is anonymous, and the cookie is deleted.
	errUndecryptable = errors.New("undecryptable")
)

const (
	// keyIDLength is in base64 characters: 36 bits tell a handful of secrets
	// apart, and say nothing about them.
	keyIDLength = 6

	macLength  = sha256.Size
	timeLength = 5 // seconds since 1970 as securecookie counts them, until the year 36812
	// prefixLength is MAC and time in base64.
	prefixLength = (8*(macLength+timeLength) + 5) / 6
)

// strict is base64 that refuses a last character with bits that decode to
// nothing, so that there is one text for the same bytes.
var strict = base64.RawURLEncoding.Strict()

// A sealer encrypts and authenticates cookie values with securecookie. The
// first secret seals, all of them open. It is safe for concurrent use.
//
// A sealed value is the key ID and securecookie's text with its outer base64
// taken off: carried as it is, base64 within base64, it would be a third
// longer, and flipped bits in its last character would pass.
type sealer struct {
	keys    []*sealKey
	scratch sync.Pool // of *[]byte, for texts being rebuilt: nothing secret
}

// A sealKey is what is derived of one secret.
type sealKey struct {
	id     string
	codecs map[purpose]*securecookie.SecureCookie
}

// newSealer derives the keys for one app of each secret. Without secrets it
// makes a random one, and no other process or later run can open what it seals.
func newSealer(secrets []string, app string) (*sealer, error) {
	if len(secrets) == 0 {
		secrets = []string{rand.Text() + rand.Text()}
	}
	s := &sealer{scratch: sync.Pool{New: func() any { return new([]byte) }}}
	for i, secret := range secrets {
		if err := checkSecret(secret); err != nil {
			return nil, fmt.Errorf("secret %d of %d: %w", i+1, len(secrets), err)
		}
		key, err := newSealKey(secret, app)
		if err != nil {
			return nil, fmt.Errorf("secret %d of %d: %w", i+1, len(secrets), err)
		}
		if s.key(key.id) != nil {
			return nil, fmt.Errorf("secret %d of %d: the same secret is there twice", i+1, len(secrets))
		}
		s.keys = append(s.keys, key)
	}
	if err := s.selfTest(); err != nil {
		return nil, err
	}
	return s, nil
}

func newSealKey(secret, app string) (*sealKey, error) {
	id, err := hkdf.Key(sha256.New, []byte(secret), nil, "postern session 1 key id\x00"+app, keyIDLength)
	if err != nil {
		return nil, err
	}
	key := &sealKey{
		id:     strict.EncodeToString(id)[:keyIDLength],
		codecs: make(map[purpose]*securecookie.SecureCookie, len(purposes)),
	}
	for _, p := range purposes {
		// 32 bytes for HMAC-SHA256 and 32 for AES-256. securecookie signs
		// without encrypting when its second key is nil: here it never is.
		both, err := hkdf.Key(sha256.New, []byte(secret), nil, "postern session 1 "+string(p)+"\x00"+app, 64)
		if err != nil {
			return nil, err
		}
		// No MaxAge and no MaxLength: times are inside the seal, under our
		// clock, and what is too long for one cookie is split.
		key.codecs[p] = securecookie.New(both[:32], both[32:]).
			MaxAge(0).MaxLength(0).SetSerializer(securecookie.NopEncoder{})
	}
	return key, nil
}

// selfTest shows, once per key and purpose, that what is sealed opens, is not
// readable, and does not open under another name.
func (s *sealer) selfTest() error {
	const name, plain = "self-test", "the quick brown fox jumps over the lazy dog"
	for _, key := range s.keys {
		for _, p := range purposes {
			sealed, err := key.seal(p, name, []byte(plain))
			if err != nil {
				return fmt.Errorf("self-test: %w", err)
			}
			raw, _ := strict.DecodeString(sealed[keyIDLength:])
			if strings.Contains(string(raw), plain[:8]) {
				return errors.New("self-test: a sealed value is readable")
			}
			if got, err := s.open(p, name, sealed); err != nil || string(got) != plain {
				return errors.New("self-test: a sealed value does not open")
			}
			if _, err := s.open(p, "other", sealed); err == nil {
				return errors.New("self-test: a sealed value opens under another name")
			}
		}
	}
	return nil
}

func (s *sealer) key(id string) *sealKey {
	for _, key := range s.keys {
		if key.id == id {
			return key
		}
	}
	return nil
}

// seal encrypts plain for a purpose and a cookie name, under the first secret.
// Two seals of the same bytes differ.
func (s *sealer) seal(p purpose, cookie string, plain []byte) (string, error) {
	return s.keys[0].seal(p, cookie, plain)
}

func (k *sealKey) seal(p purpose, cookie string, plain []byte) (string, error) {
	if len(plain) == 0 {
		return "", errors.New("nothing to seal") // securecookie could not open it
	}
	// A private copy: with NopEncoder, Encode encrypts the bytes it was given.
	text, err := k.codecs[p].Encode(cookie, append([]byte(nil), plain...))
	if err != nil {
		return "", fmt.Errorf("sealing: %w", err)
	}
	return packText(k.id, text)
}

// open returns what seal was given, in bytes that are the caller's own. A
// value under a secret this sealer lacks is errUnknownKey; everything else
// that does not open, for whatever reason, is errUndecryptable.
func (s *sealer) open(p purpose, cookie, sealed string) ([]byte, error) {
	if len(sealed) < keyIDLength {
		return nil, errUndecryptable
	}
	key := s.key(sealed[:keyIDLength])
	if key == nil {
		return nil, errUnknownKey
	}
	text, err := s.unpackText(sealed[keyIDLength:])
	if err != nil {
		return nil, errUndecryptable
	}
	var plain []byte
	if err := key.codecs[p].Decode(cookie, text, &plain); err != nil {
		return nil, errUndecryptable
	}
	return plain, nil
}

// packText is how a text of securecookie travels. The text is
// base64("time|base64(encrypted)|MAC"); what travels is the key ID, MAC and time
// in base64, and the inner base64 as it stands, without its padding.
func packText(keyID, text string) (string, error) {
	malformed := errors.New("sealing: securecookie wrote something else than expected")
	raw, err := base64.URLEncoding.DecodeString(text)
	if err != nil || len(raw) < macLength+1 {
		return "", malformed
	}
	fields, mac := raw[:len(raw)-macLength-1], raw[len(raw)-macLength:]
	seconds, inner, ok := strings.Cut(string(fields), "|")
	unix, err := strconv.ParseUint(seconds, 10, 8*timeLength)
	if err != nil || !ok {
		return "", malformed
	}
	var prefix [macLength + timeLength]byte
	copy(prefix[:], mac)
	putTime(prefix[macLength:], unix)
	return keyID + strict.EncodeToString(prefix[:]) + strings.TrimRight(inner, "="), nil
}

// unpackText rebuilds the text of securecookie. The inner base64 is covered by
// the MAC as text, the rest is decoded strictly, and padding is refused: there
// is one s for each text.
func (s *sealer) unpackText(carried string) (string, error) {
	if len(carried) <= prefixLength || carried[len(carried)-1] == '=' {
		return "", errUndecryptable
	}
	var prefix [macLength + timeLength]byte
	// DecodeString and its kin skip CR and LF: then the length tells.
	if n, err := strict.Decode(prefix[:], []byte(carried[:prefixLength])); err != nil || n != len(prefix) {
		return "", errUndecryptable
	}
	inner := carried[prefixLength:]

	pooled := s.scratch.Get().(*[]byte)
	defer s.scratch.Put(pooled)
	fields := strconv.AppendUint((*pooled)[:0], getTime(prefix[macLength:]), 10)
	fields = append(fields, '|')
	fields = append(fields, inner...)
	fields = append(fields, "==="[:(4-len(inner)%4)%4]...)
	fields = append(fields, '|')
	fields = append(fields, prefix[:macLength]...)
	// The outer layer goes behind its own source, in the same buffer.
	both := base64.URLEncoding.AppendEncode(fields, fields)
	*pooled = both
	return string(both[len(fields):]), nil
}

func putTime(dst []byte, seconds uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], seconds)
	copy(dst, b[8-timeLength:])
}

func getTime(src []byte) uint64 {
	var b [8]byte
	copy(b[8-timeLength:], src)
	return binary.BigEndian.Uint64(b[:])
}

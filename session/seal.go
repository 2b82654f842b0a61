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
	purposeStepUp  purpose = "step-up"
	purposeLogout  purpose = "logout"
)

var purposes = [...]purpose{purposeSession, purposeSeen, purposeLogin, purposeStepUp, purposeLogout}

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
	// formLength is of the form, which is the next character.
	formLength = 1
	formText   = 't'
	formPacked = 'p'

	macLength  = sha256.Size
	timeLength = 5 // seconds since 1970 as securecookie counts them, until the year 36812
	// prefixLength is MAC and time in base64.
	prefixLength = (8*(macLength+timeLength) + 5) / 6
)

// strict is base64 that refuses a last character with bits that decode to
// nothing, so that there is one text for the same bytes.
var (
	strict     = base64.RawURLEncoding.Strict()
	strictText = base64.URLEncoding.Strict() // as securecookie writes it, with padding
)

// A sealer encrypts and authenticates cookie values with securecookie. The
// first secret seals, all of them open. It is safe for concurrent use.
//
// A sealed value is the key ID, a form, and securecookie's text, either as it is
// or packed. The text is base64 within base64; packed it is a quarter shorter, and
// opening it takes a third longer, because the text must be made again.
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
			short, err := pack(sealed)
			if err != nil {
				return fmt.Errorf("self-test: %w", err)
			}
			if raw, _ := strict.DecodeString(short[keyIDLength+formLength+prefixLength:]); strings.Contains(string(raw), plain) {
				return errors.New("self-test: a sealed value is readable")
			}
			for _, form := range [...]string{sealed, short} {
				if got, err := s.open(p, name, form); err != nil || string(got) != plain {
					return errors.New("self-test: a sealed value does not open")
				}
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
	return k.id + string(formText) + text, nil
}

// open returns what seal was given, in bytes that are the caller's own. A
// value under a secret this sealer lacks is errUnknownKey; everything else
// that does not open, for whatever reason, is errUndecryptable.
func (s *sealer) open(p purpose, cookie, sealed string) ([]byte, error) {
	if len(sealed) < keyIDLength+formLength {
		return nil, errUndecryptable
	}
	key := s.key(sealed[:keyIDLength])
	if key == nil {
		return nil, errUnknownKey
	}
	text, ok := s.textOf(sealed[keyIDLength:])
	if !ok {
		return nil, errUndecryptable
	}
	var plain []byte
	if err := key.codecs[p].Decode(cookie, text, &plain); err != nil {
		return nil, errUndecryptable
	}
	return plain, nil
}

// textOf gives the text of securecookie in a sealed value without its key ID.
// No other value has the same text.
func (s *sealer) textOf(value string) (text string, ok bool) {
	form, carried := value[0], value[formLength:]
	switch form {
	case formText:
		return carried, canonical(carried)
	case formPacked:
		return s.unpack(carried)
	}
	return "", false
}

// canonical says whether text is the one that base64 makes of what it decodes
// to. Inside, only line breaks would be skipped; at the end, bits would.
func canonical(text string) bool {
	const group = 4
	if len(text) < group || strings.IndexByte(text, '\r') >= 0 || strings.IndexByte(text, '\n') >= 0 {
		return false
	}
	var last [3]byte
	_, err := strictText.Decode(last[:], []byte(text[len(text)-group:]))
	return err == nil
}

// pack makes a sealed value shorter. Of securecookie's text, which is
// base64("time|base64(encrypted)|MAC"), it leaves MAC and time in base64, and
// the inner base64 as it stands, without its padding.
func pack(sealed string) (string, error) {
	malformed := errors.New("sealing: securecookie wrote something else than expected")
	raw, err := strictText.DecodeString(sealed[keyIDLength+formLength:])
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
	return sealed[:keyIDLength] + string(formPacked) + strict.EncodeToString(prefix[:]) + strings.TrimRight(inner, "="), nil
}

// unpack makes the text of securecookie again. The MAC covers the inner base64
// as text, the rest is decoded strictly, and padding is refused: so each text has
// one packed value.
func (s *sealer) unpack(packed string) (text string, ok bool) {
	if len(packed) <= prefixLength || packed[len(packed)-1] == '=' {
		return "", false
	}
	var prefix [macLength + timeLength]byte
	// Decode skips line breaks: then it is the length that tells.
	if n, err := strict.Decode(prefix[:], []byte(packed[:prefixLength])); err != nil || n != len(prefix) {
		return "", false
	}
	inner := packed[prefixLength:]

	scratch := s.scratch.Get().(*[]byte)
	defer s.scratch.Put(scratch)
	fields := strconv.AppendUint((*scratch)[:0], getTime(prefix[macLength:]), 10)
	fields = append(fields, '|')
	fields = append(fields, inner...)
	fields = append(fields, "==="[:(4-len(inner)%4)%4]...)
	fields = append(fields, '|')
	fields = append(fields, prefix[:macLength]...)
	// The outer layer goes behind its own source, in the same buffer.
	both := base64.URLEncoding.AppendEncode(fields, fields)
	*scratch = both
	return string(both[len(fields):]), true
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

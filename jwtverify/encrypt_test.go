package jwtverify_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"slices"
	"strings"
	"testing"
)

// A sealing is how a test encrypts a token. It is written with the standard library
// alone, so that what decrypts is not tested with itself, and so that it can do wrong.
type sealing struct {
	key, alg, enc string
	header        []member              // set last, in place of what was there
	text          func(string) string   // of the header
	plain         func(string) string   // what is encrypted
	pad           func(p []byte) []byte // the padding of CBC
	content       []byte                // the content's key, where it is to be a certain one
	wrapped       func(key []byte) []byte
	segments      func(s []string) // of the finished token
}

func (s sealing) with(name, value string) sealing {
	s.header = set(slices.Clone(s.header), name, value)
	return s
}

// contentKeySizes are the bytes of a key for enc.
var contentKeySizes = map[string]int{
	"A128GCM": 16, "A192GCM": 24, "A256GCM": 32, "A128CBC-HS256": 32, "A192CBC-HS384": 48, "A256CBC-HS512": 64,
}

// seal encrypts a text, RFC 7516 5.1.
func (s sealing) seal(tb testing.TB, plain string) string {
	tb.Helper()
	header := []member{{"alg", `"` + s.alg + `"`}, {"enc", `"` + s.enc + `"`}, {"cty", `"JWT"`}}
	content := s.content
	if content == nil {
		content = randomBytes(contentKeySizes[s.enc])
	}
	var key []byte
	switch public := publicKey(tb, s.key).(type) {
	case *rsa.PublicKey:
		key = encryptOAEP(tb, public, s.alg, content)
	case *ecdsa.PublicKey:
		ephemeral, shared := agree(tb, public)
		header = append(header, member{"epk", ephemeral})
		if wrap, ok := strings.CutPrefix(s.alg, "ECDH-ES+"); ok {
			key = wrapKey(tb, concatKDF(shared, s.alg, map[string]int{"A128KW": 16, "A192KW": 24, "A256KW": 32}[wrap]), content)
		} else {
			content = concatKDF(shared, s.enc, len(content))
		}
	}
	if s.wrapped != nil {
		key = s.wrapped(key)
	}
	for _, m := range s.header {
		header = set(header, m.name, m.value)
		if m.value == "" {
			header = unset(header, m.name)
		}
	}
	text := object(header)
	if s.text != nil {
		text = s.text(text)
	}
	if s.plain != nil {
		plain = s.plain(plain)
	}
	iv, ciphertext, tag := s.encrypt(tb, content, []byte(plain), []byte(b64(text)))
	parts := []string{b64(text), b64(string(key)), b64(string(iv)), b64(string(ciphertext)), b64(string(tag))}
	if s.segments != nil {
		s.segments(parts)
	}
	return strings.Join(parts, ".")
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func encryptOAEP(tb testing.TB, public *rsa.PublicKey, alg string, content []byte) []byte {
	tb.Helper()
	h := sha1.New()
	if alg == "RSA-OAEP-256" {
		h = sha256.New()
	}
	key, err := rsa.EncryptOAEP(h, rand.Reader, public, content, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// agree makes a key of the sender's and what it has in common with that of the receiver.
func agree(tb testing.TB, public *ecdsa.PublicKey) (jwk string, shared []byte) {
	tb.Helper()
	receiver, err := public.ECDH()
	if err != nil {
		tb.Fatal(err)
	}
	sender, err := receiver.Curve().GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	if shared, err = sender.ECDH(receiver); err != nil {
		tb.Fatal(err)
	}
	return ephemeralJWK(sender.PublicKey()), shared
}

func ephemeralJWK(key *ecdh.PublicKey) string {
	xy := string(key.Bytes()[1:])
	name := map[ecdh.Curve]string{ecdh.P256(): "P-256", ecdh.P384(): "P-384", ecdh.P521(): "P-521"}[key.Curve()]
	return `{"kty":"EC","crv":"` + name + `","x":"` + b64(xy[:len(xy)/2]) + `","y":"` + b64(xy[len(xy)/2:]) + `"}`
}

// concatKDF derives a key, RFC 7518 4.6.2, without apu and apv.
func concatKDF(shared []byte, alg string, size int) (key []byte) {
	for round := uint32(1); len(key) < size; round++ {
		b := binary.BigEndian.AppendUint32(nil, round)
		b = append(b, shared...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(alg)))
		b = append(append(b, alg...), 0, 0, 0, 0, 0, 0, 0, 0)
		sum := sha256.Sum256(binary.BigEndian.AppendUint32(b, uint32(8*size)))
		key = append(key, sum[:]...)
	}
	return key[:size]
}

// wrapKey encrypts a key with another, RFC 3394 2.2.1.
func wrapKey(tb testing.TB, with, key []byte) []byte {
	tb.Helper()
	block, err := aes.NewCipher(with)
	if err != nil {
		tb.Fatal(err)
	}
	out := append([]byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}, key...)
	for t := range 6 * len(key) / 8 {
		r := out[8+8*(t%(len(key)/8)):][:8]
		b := append(slices.Clone(out[:8]), r...)
		block.Encrypt(b, b)
		copy(r, b[8:])
		binary.BigEndian.PutUint64(out, binary.BigEndian.Uint64(b)^uint64(t+1))
	}
	return out
}

// encrypt encrypts with the content's key, RFC 7518 5.2.2.1 and 5.3.
func (s sealing) encrypt(tb testing.TB, key, plain, aad []byte) (iv, ciphertext, tag []byte) {
	tb.Helper()
	half := len(key)
	cbc := strings.Contains(s.enc, "CBC")
	if cbc {
		half /= 2
	}
	block, err := aes.NewCipher(key[len(key)-half:])
	if err != nil {
		tb.Fatal(err)
	}
	if !cbc {
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			tb.Fatal(err)
		}
		iv = randomBytes(12)
		sealed := gcm.Seal(nil, iv, plain, aad)
		return iv, sealed[:len(plain)], sealed[len(plain):]
	}
	iv = randomBytes(16)
	n := 16 - len(plain)%16
	ciphertext = append(plain, slices.Repeat([]byte{byte(n)}, n)...)
	if s.pad != nil {
		ciphertext = s.pad(ciphertext)
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(ciphertext, ciphertext)
	mac := hmac.New(map[int]func() hash.Hash{16: sha256.New, 24: sha512.New384, 32: sha512.New}[half], key[:half])
	for _, b := range [][]byte{aad, iv, ciphertext, binary.BigEndian.AppendUint64(nil, uint64(8*len(aad)))} {
		mac.Write(b)
	}
	return iv, ciphertext, mac.Sum(nil)[:half]
}

// oddBits sets a bit in the last character of a segment that stands for nothing.
func oddBits(segment string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(segment) - 1
	changed := segment[:last] + string(alphabet[strings.IndexByte(alphabet, segment[last])|1])
	if _, err := base64.RawURLEncoding.Strict().DecodeString(changed); err == nil {
		return segment + "A" // there was no such bit
	}
	return changed
}

// Package jwtpack stores tokens in few bytes. A JWT is base64 three times over by
// the time a cookie carries it; here its segments are stored as the bytes they
// encode, and every string, JWT or not, comes back byte for byte.
package jwtpack

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxSegments is what a JWE has; a JWS has 3, and opaque tokens that are base64url have 1.
const maxSegments = 5

// Decoding through Strict refuses trailing bits that are not zero, so that what
// decodes also encodes back to the same text.
var segment = base64.RawURLEncoding.Strict()

var errTruncated = errors.New("packed token is cut short or damaged")

// Append appends token to dst in packed form, which carries its own length.
//
// The form is one byte, the number of segments, and each segment as a uvarint of
// its length and its decoded bytes; or, where the token is not canonical base64url
// divided by dots, a zero byte and the text itself in the same way.
func Append(dst []byte, token string) []byte {
	start := len(dst)
	if dst, ok := appendSegments(dst, token); ok {
		return dst
	}
	dst = append(dst[:start], 0)
	dst = binary.AppendUvarint(dst, uint64(len(token)))
	return append(dst, token...)
}

func appendSegments(dst []byte, token string) ([]byte, bool) {
	n := strings.Count(token, ".") + 1
	// The decoder of encoding/base64 skips line breaks.
	if n > maxSegments || strings.ContainsAny(token, "\r\n") {
		return dst, false
	}
	dst = append(dst, byte(n))
	for range n {
		text, after, _ := strings.Cut(token, ".")
		token = after
		dst = binary.AppendUvarint(dst, uint64(segment.DecodedLen(len(text))))
		var err error
		if dst, err = segment.AppendDecode(dst, []byte(text)); err != nil {
			return dst, false
		}
	}
	return dst, true
}

// Cut restores the token at the start of data, and returns the bytes behind it.
// Damaged data is an error, never a panic; whether the data are genuine is for a
// seal around them to say. The token does not alias data; that of Split does.
func Cut(data []byte) (token string, rest []byte, err error) {
	n, err := length(data)
	if err != nil {
		return "", nil, err
	}
	return restore(data[:n]), data[n:], nil
}

// Split finds the packed token at the start of data without restoring it, and
// returns what stands behind it. The Packed token aliases data.
func Split(data string) (p Packed, rest string, err error) {
	n, err := length(data)
	if err != nil {
		return "", "", err
	}
	return Packed(data[:n]), data[n:], nil
}

// length is that of the packed token at the start of data.
func length[T string | []byte](data T) (int, error) {
	if len(data) == 0 || data[0] > maxSegments {
		return 0, errTruncated
	}
	rest := data[1:]
	for range max(1, data[0]) {
		var err error
		if _, rest, err = cutBytes(rest); err != nil {
			return 0, err
		}
	}
	return len(data) - len(rest), nil
}

// cutBytes cuts a uvarint and as many bytes as it says from the start of data.
func cutBytes[T string | []byte](data T) (b, rest T, err error) {
	// Lengths of tokens take one or two bytes; four are 256 MiB, and fit an int everywhere.
	n := 0
	for i := range min(len(data), 4) {
		n |= int(data[i]&0x7f) << (7 * i)
		if data[i] >= 0x80 {
			continue
		}
		data = data[i+1:]
		if n > len(data) {
			break
		}
		return data[:n], data[n:], nil
	}
	return b, rest, errTruncated
}

// Packed is one token in packed form, as Append writes it. The zero Packed is no
// token at all. It holds a secret and prints as [redacted].
type Packed string

// Pack returns token in packed form.
func Pack(token string) Packed {
	return Packed(Append(make([]byte, 0, len(token)+2), token))
}

// Token restores the token; it is empty for the zero Packed.
func (p Packed) Token() string {
	if p == "" {
		return ""
	}
	return restore([]byte(p))
}

// usualToken is what most tokens fit into. The stack is then where they are put
// together, and the token itself the only allocation.
const usualToken = 2048

func restore(packed []byte) string {
	n, rest := packed[0], packed[1:]
	if n == 0 {
		text, _, _ := cutBytes(rest)
		return string(text)
	}
	var stack [usualToken]byte
	token := stack[:0]
	for i := range n {
		if i > 0 {
			token = append(token, '.')
		}
		var b []byte
		b, rest, _ = cutBytes(rest)
		token = segment.AppendEncode(token, b)
	}
	return string(token)
}

// Segment returns the decoded bytes of one segment of the token, counted from 0;
// ok is false where the token was not stored as segments or has no such one.
func (p Packed) Segment(i int) (b string, ok bool) {
	if p == "" || i >= int(p[0]) {
		return "", false
	}
	rest := string(p[1:])
	for range i + 1 {
		b, rest, _ = cutBytes(rest)
	}
	return b, true
}

// Segments returns the number of segments; 0 where the token was stored as text.
func (p Packed) Segments() int {
	if p == "" {
		return 0
	}
	return int(p[0])
}

// Format keeps the token out of every kind of printing.
func (p Packed) Format(s fmt.State, _ rune) { io.WriteString(s, "[redacted]") }

// MarshalText keeps the token out of JSON and logs.
func (p Packed) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

package client

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/jwtpack"
	"github.com/postern-go/postern/pkce"
)

// Versions of a stored Login. The first has no response type, mode or resources, and
// still is what a Login without them is written as: during a deployment, programs of
// either age read it.
const (
	loginCode = 1 // a code, in the query
	loginAny  = 2
)

var errLoginData = errors.New("client: not the data of a Login")

// MarshalBinary returns the Login for storage, without its URL and request object. It
// holds secrets in the clear: seal it. The form is versioned, and later versions of this
// package read it.
func (l *Login) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, 256)
	if l.want == asksCode && l.mode == modeQuery && len(l.resource) == 0 {
		return l.append(append(b, loginCode)), nil
	}
	b = l.append(append(b, loginAny))
	b = append(b, byte(l.want))
	b = jwtpack.Append(b, l.mode)
	return jwtpack.Append(b, strings.Join(l.resource, " ")), nil
}

// append adds what every version has.
func (l *Login) append(b []byte) []byte {
	b = binary.AppendVarint(b, l.created.Unix())
	maxAge := int64(-1) // none was asked for
	if l.maxAge != nil {
		maxAge = int64(*l.maxAge / time.Second)
	}
	b = binary.AppendVarint(b, maxAge)
	for _, s := range [...]string{
		l.issuer, l.clientID, l.redirectURL, l.state, l.nonce, string(l.verifier), l.scope, strings.Join(l.acr, " "),
	} {
		b = jwtpack.Append(b, s)
	}
	return b
}

// UnmarshalBinary restores what MarshalBinary wrote, and refuses all else. It does
// not find out who wrote it: feed it only what comes from under your own seal.
func (l *Login) UnmarshalBinary(data []byte) error {
	r := reader{data: data}
	n := Login{want: asksCode, mode: modeQuery, sent: new(flag)}
	version := r.byte()
	n.read(&r)
	switch version {
	case loginCode:
	case loginAny:
		n.want, n.mode = responseType(r.byte()), r.text()
		if resource := r.text(); resource != "" {
			n.resource = strings.Split(resource, " ")
		}
		if !n.consistent() {
			return errLoginData
		}
	default:
		return errLoginData
	}
	if r.failed || len(r.data) > 0 {
		return errLoginData
	}
	*l = n
	return nil
}

// read reads what every version has.
func (l *Login) read(r *reader) {
	created, maxAge := r.varint(), r.varint()
	var verifier, acr string
	for _, s := range [...]*string{
		&l.issuer, &l.clientID, &l.redirectURL, &l.state, &l.nonce, &verifier, &l.scope, &acr,
	} {
		*s = r.text()
	}
	if maxAge < -1 || maxAge > int64(maxMaxAge/time.Second) {
		r.fail()
	}
	l.verifier = pkce.Verifier(verifier)
	l.created = time.Unix(created, 0)
	if maxAge >= 0 {
		d := time.Duration(maxAge) * time.Second
		l.maxAge = &d
	}
	if acr != "" {
		l.acr = strings.Split(acr, " ")
	}
}

// consistent tells whether response type and mode are ones that Authorize makes.
func (l *Login) consistent() bool {
	want, err := parseResponseType(l.want.String())
	if err != nil || want != l.want {
		return false
	}
	_, mode, err := want.responseMode(l.mode)
	return err == nil && mode == l.mode
}

// maxMaxAge is what a time.Duration can hold.
const maxMaxAge = 1<<63 - 1

// A reader reads stored values. After the first that is not there, it has failed
// and returns zeros.
type reader struct {
	data   []byte
	failed bool
}

func (r *reader) fail() {
	r.failed = true
	r.data = nil
}

func (r *reader) byte() byte {
	if len(r.data) == 0 {
		r.fail()
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) text() string {
	s, rest, err := jwtpack.Cut(r.data)
	if err != nil {
		r.fail()
		return ""
	}
	r.data = rest
	return s
}

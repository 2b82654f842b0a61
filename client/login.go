package client

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postern-go/postern/internal/jwtpack"
	"github.com/postern-go/postern/pkce"
)

// A Login is one attempt to sign in: where to send the browser, and the secrets to
// check its return with. It belongs to one browser: store it where no other can
// bring it back (a sealed cookie, as package session does; a server-side session),
// and remove it when it is used.
//
// It prints as [redacted]; MarshalBinary, versioned, is the one door to storage.
// The zero Login is refused by Exchange. A Login is for one Exchange: once its code
// has been sent, the same Login is refused. What was restored from storage is
// another one, so that a program which stores Logins must remove them.
type Login struct {
	issuer, clientID string
	redirectURL      string
	url              string
	state, nonce     string
	verifier         pkce.Verifier
	created          time.Time
	maxAge           *time.Duration
	acr              []string
	scope            string
	sent             *flag // shared by copies
}

// A flag can be raised once.
type flag struct{ atomic.Bool }

func (f *flag) raise() bool { return f.CompareAndSwap(false, true) }

// URL is where to send the browser. It is empty for a Login of NewLogin, and for
// one that was restored from storage.
func (l *Login) URL() string { return l.url }

// State is the state parameter, by which a callback names its attempt. It is a
// secret until the attempt is over.
func (l *Login) State() string { return l.state }

// Created says when the attempt began, in whole seconds.
func (l *Login) Created() time.Time { return l.created }

// newSecrets returns two texts of 256 random bits each, in 43 URL-safe characters.
func newSecrets() (a, b string) {
	var random [64]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	const half = 43
	var text [2 * half]byte
	base64.RawURLEncoding.Encode(text[:half], random[:32])
	base64.RawURLEncoding.Encode(text[half:], random[32:])
	both := string(text[:])
	return both[:half], both[half:]
}

// LoginSecrets is what a front end that started the flow by itself hands over. All
// fields but the last three are required. It prints as [redacted].
type LoginSecrets struct {
	Issuer      string
	ClientID    string
	RedirectURL string         // exactly as it was sent
	State       string         // at least 22 characters, which is 128 random bits
	Nonce       string         // likewise
	Verifier    pkce.Verifier  // see pkce.Parse
	Created     time.Time      // when the flow began
	MaxAge      *time.Duration // if max_age was sent
	ACR         []string       // if acr_values was sent, and the answer must be one of them
	Scopes      []string       // that were asked for
}

// The length of a state or nonce that somebody else made.
const (
	minSecret = 22
	maxSecret = 512
)

// NewLogin is for a backend whose own front end started the flow: a mobile app or a
// single-page app that sends the callback on. It cannot check that the secrets are
// random, nor that they come from the browser that the callback comes from. Most
// programs want [Client.Authorize].
func NewLogin(s LoginSecrets) (*Login, error) {
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	l := &Login{
		issuer:      s.Issuer,
		clientID:    s.ClientID,
		redirectURL: s.RedirectURL,
		state:       s.State,
		nonce:       s.Nonce,
		verifier:    s.Verifier,
		created:     s.Created.Truncate(time.Second),
		acr:         slices.Clone(s.ACR),
		scope:       strings.Join(s.Scopes, " "),
		sent:        new(flag),
	}
	if s.MaxAge != nil {
		maxAge := *s.MaxAge
		l.maxAge = &maxAge
	}
	return l, nil
}

func (s *LoginSecrets) validate() error {
	if err := checkIssuer(s.Issuer); err != nil {
		return fmt.Errorf("LoginSecrets.Issuer %w", err)
	}
	if s.ClientID == "" {
		return errors.New("LoginSecrets.ClientID is empty")
	}
	if err := checkRedirectURL(s.RedirectURL, true); err != nil {
		return fmt.Errorf("LoginSecrets.RedirectURL %w", err)
	}
	if !isSecret(s.State) {
		return fmt.Errorf("LoginSecrets.State must have %d to %d visible ASCII characters", minSecret, maxSecret)
	}
	if !isSecret(s.Nonce) {
		return fmt.Errorf("LoginSecrets.Nonce must have %d to %d visible ASCII characters", minSecret, maxSecret)
	}
	if _, err := pkce.Parse(string(s.Verifier)); err != nil {
		return fmt.Errorf("LoginSecrets.Verifier: %w", err)
	}
	if s.Created.IsZero() {
		return errors.New("LoginSecrets.Created is zero")
	}
	if err := checkMaxAge(s.MaxAge); err != nil {
		return fmt.Errorf("LoginSecrets.MaxAge %w", err)
	}
	if s.ACR != nil && len(s.ACR) == 0 {
		return errors.New("LoginSecrets.ACR is an empty list: nil is for no demand")
	}
	if err := checkWords(s.ACR); err != nil {
		return fmt.Errorf("LoginSecrets.ACR: %w", err)
	}
	if err := checkScopes(s.Scopes); err != nil {
		return fmt.Errorf("LoginSecrets.Scopes: %w", err)
	}
	return nil
}

func isSecret(s string) bool { return len(s) >= minSecret && len(s) <= maxSecret && isVisible(s) }

const loginVersion = 1

var errLoginData = errors.New("client: not the data of a Login")

// MarshalBinary returns the Login for storage, without its URL. It holds secrets in
// the clear: seal it. The form is versioned, and later versions of this package read
// it.
func (l *Login) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, 256)
	b = append(b, loginVersion)
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
	return b, nil
}

// UnmarshalBinary restores what MarshalBinary wrote, and refuses all else. It does
// not find out who wrote it: feed it only what comes from under your own seal.
func (l *Login) UnmarshalBinary(data []byte) error {
	r := reader{data: data}
	if r.byte() != loginVersion {
		return errLoginData
	}
	created, maxAge := r.varint(), r.varint()
	var n Login
	var verifier, acr string
	for _, s := range [...]*string{
		&n.issuer, &n.clientID, &n.redirectURL, &n.state, &n.nonce, &verifier, &n.scope, &acr,
	} {
		*s = r.text()
	}
	if r.failed || len(r.data) > 0 || maxAge < -1 || maxAge > int64(maxMaxAge/time.Second) {
		return errLoginData
	}
	n.verifier = pkce.Verifier(verifier)
	n.created = time.Unix(created, 0)
	if maxAge >= 0 {
		d := time.Duration(maxAge) * time.Second
		n.maxAge = &d
	}
	if acr != "" {
		n.acr = strings.Split(acr, " ")
	}
	n.sent = new(flag)
	*l = n
	return nil
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

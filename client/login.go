package client

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

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
	verifier         pkce.Verifier // empty: no code was asked for
	created          time.Time
	maxAge           *time.Duration
	acr              []string
	scope            string
	want             responseType
	mode             string // as ResponseMode gives it
	modeSent         string // as the request has it; not stored
	resource         []string
	object           string // not stored
	sent             *flag  // shared by copies
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

// ResponseMode is how the answer comes: query, fragment or form_post, or one of these
// with .jwt behind it where it is signed (JARM). A form comes from another site, without
// the browser's SameSite=Lax cookies, and a fragment does not come to a server at all.
func (l *Login) ResponseMode() string { return l.mode }

// signed tells whether the answer comes signed as a whole.
func (l *Login) signed() bool { return strings.HasSuffix(l.mode, modeSigned) }

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
// fields up to Created are required. It prints as [redacted].
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
	Resource    []string       // if resource was sent

	// ResponseType and ResponseMode are as they were sent. Empty: code, and query. For a
	// type without a code there is no Verifier.
	ResponseType, ResponseMode string
}

// The length of a state or nonce that somebody else made.
const (
	minSecret = 22
	maxSecret = 512
)

// NewLogin is for a backend whose own front end started the flow: a mobile app or a
// single-page app that sends the callback on. It cannot check that the secrets are
// random, nor that they come from the browser that the callback comes from. Most
// programs want [Client.Authorize]; it is the only way for a client of [NewOAuth].
func NewLogin(s LoginSecrets) (*Login, error) {
	want, mode, err := s.validate()
	if err != nil {
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
		want:        want,
		mode:        mode,
		resource:    slices.Clone(s.Resource),
		sent:        new(flag),
	}
	if s.MaxAge != nil {
		maxAge := *s.MaxAge
		l.maxAge = &maxAge
	}
	return l, nil
}

func (s *LoginSecrets) validate() (want responseType, mode string, err error) {
	if want, err = parseResponseType(s.ResponseType); err != nil {
		return 0, "", fmt.Errorf("LoginSecrets.ResponseType: %w", err)
	}
	if _, mode, err = want.responseMode(s.ResponseMode); err != nil {
		return 0, "", fmt.Errorf("LoginSecrets.ResponseMode: %w", err)
	}
	if err := s.checkPlaces(); err != nil {
		return 0, "", err
	}
	if err := s.checkSecrets(want); err != nil {
		return 0, "", err
	}
	return want, mode, s.checkDemands()
}

func (s *LoginSecrets) checkPlaces() error {
	if err := checkIssuer(inTenant(s.Issuer, "0")); err != nil {
		return fmt.Errorf("LoginSecrets.Issuer %w", err)
	}
	if s.ClientID == "" {
		return errors.New("LoginSecrets.ClientID is empty")
	}
	if err := checkRedirectURL(s.RedirectURL, true); err != nil {
		return fmt.Errorf("LoginSecrets.RedirectURL %w", err)
	}
	return nil
}

func (s *LoginSecrets) checkSecrets(want responseType) error {
	if !isSecret(s.State) {
		return fmt.Errorf("LoginSecrets.State must have %d to %d visible ASCII characters", minSecret, maxSecret)
	}
	if !isSecret(s.Nonce) {
		return fmt.Errorf("LoginSecrets.Nonce must have %d to %d visible ASCII characters", minSecret, maxSecret)
	}
	if !want.has(asksCode) {
		if s.Verifier != "" {
			return fmt.Errorf("LoginSecrets.Verifier is set, and %s brings no code", want)
		}
		return nil
	}
	if _, err := pkce.Parse(string(s.Verifier)); err != nil {
		return fmt.Errorf("LoginSecrets.Verifier: %w", err)
	}
	return nil
}

func (s *LoginSecrets) checkDemands() error {
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
	if err := checkResources(s.Resource); err != nil {
		return fmt.Errorf("LoginSecrets.Resource: %w", err)
	}
	return nil
}

func isSecret(s string) bool { return len(s) >= minSecret && len(s) <= maxSecret && isVisible(s) }

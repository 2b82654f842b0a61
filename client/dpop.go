package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/postern-go/postern/internal/jwtsign"
	"github.com/postern-go/postern/internal/origin"
	"github.com/postern-go/postern/jwtverify"
)

// Values of token_type, and the schemes of the same name (RFC 6750, RFC 9449 7.1).
const (
	typeBearer = "Bearer"
	typeDPoP   = "DPoP"
)

// A DPoPKey is the key that access tokens, and the refresh tokens of a public client, are
// bound to (RFC 9449): whoever finds a token can do nothing with it. Make one with
// [NewDPoPKey] or [GenerateDPoPKey]. It is safe for concurrent use, and prints as
// [redacted].
type DPoPKey struct {
	signer     crypto.Signer
	public     *jwk
	thumbprint string
}

// NewDPoPKey makes a DPoPKey of a key that the program keeps, in a file or a key
// management service: tokens that are stored are of use only together with it. It is RSA
// from 2,048 bits, P-256, P-384, P-521 or Ed25519, and should sign nothing else. Each
// request to the token endpoint, and each to an API, takes one signature.
func NewDPoPKey(signer crypto.Signer) (*DPoPKey, error) {
	if _, err := jwtsign.Algorithm(signer, ""); err != nil {
		return nil, fmt.Errorf("client: DPoP key: %w", err)
	}
	public, err := newJWK(signer.Public())
	if err != nil {
		return nil, fmt.Errorf("client: DPoP key: %w", err)
	}
	thumbprint, err := jwtverify.Key{Public: signer.Public()}.Thumbprint()
	if err != nil {
		return nil, fmt.Errorf("client: DPoP key: %w", err)
	}
	return &DPoPKey{signer: signer, public: public, thumbprint: thumbprint}, nil
}

// GenerateDPoPKey makes a new DPoPKey on the curve P-256, which ends with the program. It
// is for tokens that do too, and for one process: with several, or with tokens in cookies
// or a store, use NewDPoPKey.
func GenerateDPoPKey() *DPoPKey {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	key, err := NewDPoPKey(signer)
	if err != nil {
		panic(err) // nor does a key on P-256
	}
	return key
}

// Thumbprint returns the SHA-256 thumbprint of the public key as base64url (RFC 7638):
// dpop_jkt of the authorization request, and cnf.jkt of the access tokens.
func (k *DPoPKey) Thumbprint() string { return k.thumbprint }

// Format keeps the key out of every kind of printing.
func (*DPoPKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue keeps the key out of logs.
func (*DPoPKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (*DPoPKey) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

func (cfg *Config) checkDPoP() error {
	if cfg.DPoP != nil && cfg.DPoP.signer == nil {
		return errors.New("Config.DPoP has no key: make it with NewDPoPKey or GenerateDPoPKey")
	}
	return nil
}

// tokenType is the token_type that grants of this client give.
func (cfg *Config) tokenType() string {
	if cfg.DPoP != nil {
		return typeDPoP
	}
	return typeBearer
}

type proofHeader struct {
	Type      string `json:"typ"`
	Algorithm string `json:"alg"`
	Key       *jwk   `json:"jwk"`
}

type proofClaims struct {
	ID        string `json:"jti"`
	Method    string `json:"htm"`
	URL       string `json:"htu"`
	IssuedAt  int64  `json:"iat"`
	TokenHash string `json:"ath,omitempty"`
	Nonce     string `json:"nonce,omitempty"`
}

// proof proves possession of the key for one request (RFC 9449 4.2), and for the access
// token in it, where there is one.
func (c *Client) proof(method string, target *url.URL, accessToken string) (string, error) {
	key := c.cfg.DPoP
	alg, err := signAlgorithm(key.signer, "", c.cfg.Profile.among(c.proofAlgorithms()))
	if err != nil {
		return "", fmt.Errorf("dpop_signing_alg_values_supported: %w", err)
	}
	claims := proofClaims{
		ID:       rand.Text(), // 130 bits
		Method:   method,
		URL:      withoutQuery(target),
		IssuedAt: c.Now().Unix(),
		Nonce:    c.nonces.of(target),
	}
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		claims.TokenHash = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return jwtsign.Sign(key.signer, alg, proofHeader{"dpop+jwt", alg, key.public}, claims)
}

// proofAlgorithms are what the provider lists, as far as that is known without asking.
func (c *Client) proofAlgorithms() []string {
	d := &c.discovery
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == nil {
		return nil
	}
	return d.current.metadata.DPoPSigningAlgValuesSupported
}

// withoutQuery is the htu of a request (RFC 9449 4.2). An empty path is sent as a slash.
func withoutQuery(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return u.Scheme + "://" + u.Host + path
}

// prove adds a proof to an attempt at an endpoint that takes one.
func (c *Client) prove(r *attempt) error {
	if c.cfg.DPoP == nil || !r.to.bound {
		return nil
	}
	target, err := url.Parse(r.to.url)
	if err != nil {
		return err
	}
	proof, err := c.proof(http.MethodPost, target, "")
	if err != nil {
		return err
	}
	r.header.Set("DPoP", proof)
	r.secrets = append(r.secrets, proof)
	return nil
}

var errNoDPoPKey = errors.New("the access token is bound to a DPoP key, and Config.DPoP is nil")

// present adds an access token to the header of a request (RFC 6750 2.1, RFC 9449 7.1).
func (c *Client) present(header http.Header, method string, target *url.URL, tokenType, accessToken string) error {
	switch {
	case tokenType == "" || strings.EqualFold(tokenType, typeBearer):
		header.Set("Authorization", "Bearer "+accessToken)
		return nil
	case !strings.EqualFold(tokenType, typeDPoP):
		return fmt.Errorf("an access token of type %q is not understood", cut(tokenType, quoted))
	case c.cfg.DPoP == nil:
		return errNoDPoPKey
	}
	proof, err := c.proof(method, target, accessToken)
	if err != nil {
		return fmt.Errorf("DPoP proof: %w", err)
	}
	header.Set("Authorization", "DPoP "+accessToken)
	header.Set("DPoP", proof)
	return nil
}

const useNonce = "use_dpop_nonce" // RFC 9449 8, 9

// wantsNonce tells whether the answer asks for a proof with the nonce that it brings.
func (c *Client) wantsNonce(a *answer) bool {
	if c.cfg.DPoP == nil || !a.endpoint.bound || nonceOf(a.header) == "" {
		return false
	}
	if a.status != http.StatusBadRequest && a.status != http.StatusUnauthorized {
		return false
	}
	code, _, _ := a.errorTexts()
	return code == useNonce || challengesNonce(a.header)
}

// challengesNonce looks for the error in the challenges of any scheme: whoever writes it
// in another place means the same, and one more request does no harm.
func challengesNonce(header http.Header) bool {
	for _, challenge := range header.Values("WWW-Authenticate") {
		if strings.Contains(challenge, `"`+useNonce+`"`) {
			return true
		}
	}
	return false
}

// rememberNonce keeps the nonce that an answer brings (RFC 9449 8.2).
func (c *Client) rememberNonce(address string, header http.Header) {
	if c.cfg.DPoP == nil || nonceOf(header) == "" {
		return
	}
	if target, err := url.Parse(address); err == nil {
		c.nonces.keep(target, nonceOf(header))
	}
}

// maxNonce bounds a nonce, which goes into every proof. RFC 9449 8 has no bound; most have
// some 50 bytes.
const maxNonce = 1 << 10

// nonceOf is the nonce in a header; empty: there is none, or what cannot be one (8.1).
func nonceOf(header http.Header) string {
	values := header.Values("DPoP-Nonce")
	if len(values) != 1 || len(values[0]) > maxNonce || !isVisible(values[0]) || strings.ContainsAny(values[0], `"\`) {
		return ""
	}
	return values[0]
}

// maxNonces is of how many origins the nonce is remembered: the provider's, and those of
// the APIs that a program calls.
const maxNonces = 100

// nonces are the last that each origin gave.
type nonces struct {
	mu       sync.Mutex
	byOrigin map[string]string
}

func (n *nonces) of(target *url.URL) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byOrigin[origin.Of(target)]
}

func (n *nonces) keep(target *url.URL, value string) {
	from := origin.Of(target)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byOrigin == nil {
		n.byOrigin = make(map[string]string)
	}
	if _, known := n.byOrigin[from]; !known && len(n.byOrigin) >= maxNonces {
		for other := range n.byOrigin { // any: who lost its nonce is given another
			delete(n.byOrigin, other)
			break
		}
	}
	n.byOrigin[from] = strings.Clone(value)
}

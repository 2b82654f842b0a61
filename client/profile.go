package client

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/jwtsign"
	"github.com/postern-go/postern/jwtverify"
)

// A Profile is a set of demands beyond OpenID Connect, as one switch: a Client with a
// Profile does what it says by itself, and New refuses a configuration that cannot keep
// it, and discovery a provider whose metadata cannot, each naming the rule. The zero
// Profile is OpenID Connect as RFC 9700 wants it.
//
// What no client can see stays open: whether a provider has bound an access token to the
// certificate, how it authenticates people, and whether the application redirects to where
// others say.
type Profile uint8

const (
	// FAPI1Advanced is FAPI 1.0 Part 2: signed requests, and answers that are signed too,
	// by themselves (JARM, which is the default here) or by an ID token beside the code
	// (AuthorizeOptions.ResponseType "code id_token", with s_hash); PrivateKeyJWT or a
	// certificate; access tokens bound to Config.Certificate; PS256 or ES256.
	FAPI1Advanced Profile = iota + 1

	// FAPI2Security is the FAPI 2.0 Security Profile: every request is pushed, the answer is
	// a code and an iss; PrivateKeyJWT or a certificate; tokens bound to Config.DPoP or
	// Config.Certificate; PS256, ES256 or EdDSA with Ed25519.
	FAPI2Security

	// FAPI2MessageSigning is FAPI2Security with signed requests and signed answers (FAPI
	// 2.0 Message Signing 5.3 and 5.4). For one of the two set Config.RequestObject, or
	// AuthorizeOptions.ResponseMode, under FAPI2Security.
	FAPI2MessageSigning
)

// Sets of profiles, for the rules.
const (
	inFAPI1   = 1 << FAPI1Advanced
	inFAPI2   = 1<<FAPI2Security | 1<<FAPI2MessageSigning
	inSigned  = 1<<FAPI1Advanced | 1<<FAPI2MessageSigning
	inPlain   = 1 << FAPI2Security
	inMessage = 1 << FAPI2MessageSigning
	inAll     = inFAPI1 | inFAPI2
)

// String returns the name of the specification.
func (p Profile) String() string {
	switch p {
	case 0:
		return "OpenID Connect"
	case FAPI1Advanced:
		return "FAPI 1.0 Advanced"
	case FAPI2Security:
		return "FAPI 2.0 Security Profile"
	case FAPI2MessageSigning:
		return "FAPI 2.0 Message Signing"
	}
	return fmt.Sprintf("Profile(%d)", uint8(p))
}

func (p Profile) in(set int) bool { return set>>p&1 == 1 }

// profileClock is what FAPI 2.0 5.3.2.1 lets clocks differ by.
const profileClock = time.Minute

// A profileRule is one demand on the configuration. Its check says which field is wrong,
// and what to do.
type profileRule struct {
	in      int
	section string
	check   func(*Config) error
}

// profileRules name the sections of FAPI 1.0 Part 1 and 2, FAPI 2.0 Security Profile, and
// for Message Signing the one of the same kind of rule there.
var profileRules = [...]profileRule{
	{inFAPI1, "Part 2, 8.5", (*Config).needsTLS},
	{inFAPI2, "5.2.1", (*Config).needsTLS},
	{inFAPI1, "Part 1, 5.2.2-20", (*Config).needsTLSRedirect},
	{inFAPI2, "5.3.2.2-8", (*Config).needsTLSRedirect},
	{inFAPI1, "Part 2, 5.2.2-14", (*Config).needsKeyedAuth},
	{inFAPI2, "5.3.3.1-2", (*Config).needsKeyedAuth},
	{inFAPI2, "5.3.3.1-5", (*Config).needsIssuerAudience},
	{inFAPI1, "Part 2, 5.2.3-1", (*Config).needsBindingCertificate},
	{inFAPI2, "5.3.3.1-1", (*Config).needsBinding},
	{inFAPI1, "Part 2, 5.2.3-8", (*Config).needsRequestObject},
	{inMessage, "5.3.2-1", (*Config).needsRequestObject},
	{inFAPI1, "Part 2, 8.6-1", (*Config).needsProfileAlgorithms},
	{inFAPI2, "5.4.1-1", (*Config).needsProfileAlgorithms},
	{inFAPI2, "5.3.2.1-14", (*Config).needsProfileClock},
}

// checkProfile applies the rules, after everything else about the configuration is right.
func (cfg *Config) checkProfile() error {
	if cfg.Profile > FAPI2MessageSigning {
		return fmt.Errorf("Config.Profile is %v: there is none of that number", cfg.Profile)
	}
	for _, rule := range profileRules {
		if !cfg.Profile.in(rule.in) {
			continue
		}
		if err := rule.check(cfg); err != nil {
			return fmt.Errorf("%w (%v, %s)", err, cfg.Profile, rule.section)
		}
	}
	return nil
}

func (cfg *Config) needsTLS() error {
	if !strings.HasPrefix(cfg.Issuer, "https:") {
		return errors.New("Config.Issuer must be https, on a loopback host too")
	}
	if cfg.BackChannelURL != "" && !strings.HasPrefix(cfg.BackChannelURL, "https:") {
		return errors.New("Config.BackChannelURL must be https, on a loopback host too")
	}
	return nil
}

func (cfg *Config) needsTLSRedirect() error {
	if cfg.RedirectURL != "" && !strings.HasPrefix(cfg.RedirectURL, "https:") {
		return errors.New("Config.RedirectURL must be https, on a loopback host too")
	}
	return nil
}

// needsKeyedAuth wants proof of a private key. What somebody else asserts of the client
// is none that this package could vouch for.
func (cfg *Config) needsKeyedAuth() error {
	switch auth := cfg.chooseAuth(nil).(type) {
	case PrivateKeyJWT, *PrivateKeyJWT, TLSClientAuth, *TLSClientAuth, SelfSignedTLSClientAuth, *SelfSignedTLSClientAuth:
		return nil
	default:
		return fmt.Errorf("Config.Auth is %T: set PrivateKeyJWT, TLSClientAuth or SelfSignedTLSClientAuth", auth)
	}
}

// signedAuth is Config.Auth, where that signs.
func (cfg *Config) signedAuth() (PrivateKeyJWT, bool) {
	switch auth := cfg.Auth.(type) {
	case PrivateKeyJWT:
		return auth, true
	case *PrivateKeyJWT:
		return *auth, true
	}
	return PrivateKeyJWT{}, false
}

func (cfg *Config) needsIssuerAudience() error {
	if auth, ok := cfg.signedAuth(); ok && auth.Audience != "" && auth.Audience != cfg.Issuer {
		return errors.New("Config.Auth: PrivateKeyJWT.Audience must be the issuer: leave it empty")
	}
	return nil
}

func (cfg *Config) needsBindingCertificate() error {
	if !cfg.hasCertificate() {
		return errors.New("Config.Certificate is nil: access tokens must be bound to one")
	}
	if cfg.DPoP != nil {
		return errors.New("Config.DPoP is set: leave it nil, access tokens must be bound to Config.Certificate")
	}
	return nil
}

func (cfg *Config) needsBinding() error {
	if cfg.DPoP == nil && !cfg.hasCertificate() {
		return errors.New("Config.DPoP and Config.Certificate are both nil: access tokens must be bound to one of them")
	}
	return nil
}

func (cfg *Config) needsRequestObject() error {
	if cfg.RedirectURL != "" && cfg.RequestObject == nil {
		return errors.New("Config.RequestObject is nil: authorization requests must be signed")
	}
	return nil
}

func (cfg *Config) needsProfileAlgorithms() error {
	for _, named := range [...]struct {
		field string
		algs  []string
	}{
		{"Config.Algorithms", cfg.Algorithms},
		{"Config.IDTokenSignedResponseAlg", []string{cfg.IDTokenSignedResponseAlg}},
		{"Config.AuthorizationSignedResponseAlg", []string{cfg.AuthorizationSignedResponseAlg}},
		{"Config.UserInfoSignedResponseAlg", []string{cfg.UserInfoSignedResponseAlg}},
		{"Config.IntrospectionSignedResponseAlg", []string{cfg.IntrospectionSignedResponseAlg}},
	} {
		for _, alg := range named.algs {
			if alg != "" && !slices.Contains(cfg.Profile.algorithms(), alg) {
				return fmt.Errorf("%s: %q must be one of %s", named.field, alg, cfg.Profile.algorithmList())
			}
		}
	}
	if auth, ok := cfg.signedAuth(); ok {
		if err := cfg.Profile.checkSigner("Config.Auth: PrivateKeyJWT", auth.Key, auth.Algorithm); err != nil {
			return err
		}
	}
	if o := cfg.RequestObject; o != nil {
		if err := cfg.Profile.checkSigner("Config.RequestObject", o.Key, o.Algorithm); err != nil {
			return err
		}
	}
	if cfg.DPoP != nil {
		return cfg.Profile.checkSigner("Config.DPoP", cfg.DPoP.signer, "")
	}
	return nil
}

func (cfg *Config) needsProfileClock() error {
	if cfg.Leeway > profileClock { // the default is as much
		return fmt.Errorf("Config.Leeway must be at most %v", profileClock)
	}
	return nil
}

// algorithms are those of a profile; nil for the zero one, which has no opinion.
func (p Profile) algorithms() []string {
	switch {
	case p.in(inFAPI1): // Part 2, 8.6
		return []string{"PS256", "ES256"}
	case p.in(inFAPI2): // 5.4.1
		return []string{"PS256", "ES256", "EdDSA", "Ed25519"}
	}
	return nil
}

func (p Profile) algorithmList() string { return strings.Join(p.algorithms(), ", ") }

// among returns what of the algorithms that a provider lists the profile takes. Nothing
// listed is everything; where nothing would be left, which checkMetadata refuses, it is
// what the profile takes, so that no result is wider than that.
func (p Profile) among(listed []string) []string {
	own := p.algorithms()
	if own == nil {
		return listed
	}
	both := slices.DeleteFunc(slices.Clone(own), func(alg string) bool { return !slices.Contains(listed, alg) })
	if len(both) == 0 {
		return own
	}
	return both
}

// checkSigner wants a key that signs by an algorithm of the profile. owner is the field
// that has it.
func (p Profile) checkSigner(owner string, key crypto.Signer, alg string) error {
	if alg != "" {
		if !slices.Contains(p.algorithms(), alg) {
			return fmt.Errorf("%s.Algorithm: %q must be one of %s", owner, alg, p.algorithmList())
		}
		return nil
	}
	if p.signs(key, "", nil) {
		return nil
	}
	return fmt.Errorf("%s.Key must be one that signs with one of %s", owner, p.algorithmList())
}

// signs tells whether key signs by an algorithm that a provider lists, or all of them
// where it lists none, and that the profile takes. alg is the only one; empty: any.
func (p Profile) signs(key crypto.Signer, alg string, listed []string) bool {
	return slices.ContainsFunc(p.algorithms(), func(name string) bool {
		if alg != "" && alg != name || lacks(listed, name) {
			return false
		}
		_, err := jwtsign.Algorithm(key, name)
		return err == nil
	})
}

// responseMode is mode, or what stands for an empty one.
func (p Profile) responseMode(want responseType, mode string) string {
	if mode == "" && want == asksCode && p.in(inSigned) { // Part 2, 5.2.2-2; Message Signing 5.4.2
		return "jwt"
	}
	return mode
}

// checkAnswer says whether an answer of a response type, which comes in a mode, is one of
// the profile.
func (p Profile) checkAnswer(want responseType, mode string) error {
	signed := strings.HasSuffix(mode, modeSigned)
	switch {
	case p.in(inFAPI2) && want != asksCode: // 5.3.3.2-1
		return fmt.Errorf("ResponseType must be code (%v, 5.3.3.2-1)", p)
	case p.in(inMessage) && !signed:
		return fmt.Errorf("ResponseMode must be jwt: leave it empty (%v, 5.4.2-1)", p)
	case p.in(inFAPI1) && want != asksCode|asksIDToken && (want != asksCode || !signed):
		return fmt.Errorf("ResponseType must be code id_token, or code with the ResponseMode jwt (%v, Part 2, 5.2.2-2)", p)
	}
	return nil
}

// checkDetached wants the hash of the state in an ID token that signs for the answer it
// came with (FAPI 1.0 Part 2, 5.2.3.1-4). That it is right has been verified.
func (p Profile) checkDetached(id *jwtverify.IDToken) error {
	if _, ok := id.Claim("s_hash"); p.in(inFAPI1) && !ok {
		return fmt.Errorf("client: %w: ID token of the callback: s_hash is missing (%v, Part 2, 5.2.3.1-4)", ErrRejected, p)
	}
	return nil
}

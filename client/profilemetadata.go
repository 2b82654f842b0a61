package client

import (
	"errors"
	"fmt"
	"slices"
)

// A metadataRule is one demand of a profile on the metadata of a provider. Its check says
// which member is wrong, in words that complete "its metadata".
type metadataRule struct {
	in      int
	section string
	check   func(*Config, *Metadata) error
}

// metadataRules: a list that is not there says nothing, as everywhere in this package; a
// flag that is not there says no (RFC 8414 2).
var metadataRules = [...]metadataRule{
	{inFAPI2, "5.3.3.2-2", (*Config).wantsPushing},
	{inFAPI2, "5.3.3.2-3", (*Config).wantsChallenge},
	{inPlain, "5.3.2.2-7", (*Config).wantsIss},
	{inFAPI1, "Part 2, 5.2.2-2", (*Config).wantsSignature},
	{inMessage, "5.4.1-1", (*Config).wantsSignedAnswers},
	{inFAPI1, "Part 2, 5.2.2-14", (*Config).wantsAuth},
	{inFAPI2, "5.3.2.1-6", (*Config).wantsAuth},
	{inFAPI1, "Part 2, 5.2.2-6", (*Config).wantsBinding},
	{inFAPI2, "5.3.2.1-5", (*Config).wantsBinding},
	{inFAPI1, "Part 2, 8.6-1", (*Config).wantsAlgorithms},
	{inFAPI2, "5.4.1-1", (*Config).wantsAlgorithms},
}

// checkMetadata applies the rules of the profile. The error wraps ErrUnsupported.
func (cfg *Config) checkMetadata(m *Metadata) error {
	if broken := cfg.profileBreaches(m); len(broken) > 0 {
		return fmt.Errorf("%w: its metadata %w", ErrUnsupported, broken[0])
	}
	return nil
}

// profileBreaches are all reasons why the profile cannot be kept at the provider.
func (cfg *Config) profileBreaches(m *Metadata) (broken []error) {
	for _, rule := range metadataRules {
		if !cfg.Profile.in(rule.in) {
			continue
		}
		if err := rule.check(cfg, m); err != nil {
			broken = append(broken, fmt.Errorf("%w (%v, %s)", err, cfg.Profile, rule.section))
		}
	}
	return broken
}

// signsIn tells whether the client begins sign-ins: one that does not needs nothing for it.
func (cfg *Config) signsIn() bool { return cfg.RedirectURL != "" }

func (cfg *Config) wantsPushing(m *Metadata) error {
	if cfg.signsIn() && m.PushedAuthorizationRequestEndpoint == "" {
		return errors.New("has no pushed_authorization_request_endpoint")
	}
	return nil
}

func (cfg *Config) wantsChallenge(m *Metadata) error {
	if cfg.signsIn() && lacks(m.CodeChallengeMethodsSupported, "S256") {
		return errors.New("has no S256 in code_challenge_methods_supported")
	}
	return nil
}

func (cfg *Config) wantsIss(m *Metadata) error {
	if cfg.signsIn() && !m.AuthorizationResponseIssParameterSupported {
		return errors.New("does not promise an iss in authorization_response_iss_parameter_supported")
	}
	return nil
}

// wantsSignature: by JARM, or by an ID token.
func (cfg *Config) wantsSignature(m *Metadata) error {
	hybrid := func(name string) bool { return (asksCode | asksIDToken).is(name) }
	if !cfg.signsIn() || !lacks(m.ResponseModesSupported, "jwt") ||
		len(m.ResponseTypesSupported) == 0 || slices.ContainsFunc(m.ResponseTypesSupported, hybrid) {
		return nil
	}
	return errors.New("has neither jwt in response_modes_supported nor code id_token in response_types_supported")
}

func (cfg *Config) wantsSignedAnswers(m *Metadata) error {
	if cfg.signsIn() && lacks(m.ResponseModesSupported, "jwt") {
		return errors.New("has no jwt in response_modes_supported")
	}
	return nil
}

func (cfg *Config) wantsAuth(m *Metadata) error {
	method := cfg.chooseAuth(nil).method()
	if lacks(m.TokenEndpointAuthMethodsSupported, method) {
		return fmt.Errorf("has no %s in token_endpoint_auth_methods_supported", method)
	}
	return nil
}

// wantsBinding: an access token that is bound to a certificate looks like any other, so
// that this is the only place to find out.
func (cfg *Config) wantsBinding(m *Metadata) error {
	if cfg.DPoP == nil && !m.TLSClientCertificateBoundAccessTokens {
		return errors.New("does not promise bound tokens in tls_client_certificate_bound_access_tokens")
	}
	return nil
}

func (cfg *Config) wantsAlgorithms(m *Metadata) error {
	if auth, ok := cfg.signedAuth(); ok && !cfg.Profile.signs(auth.Key, auth.Algorithm, m.TokenEndpointAuthSigningAlgValuesSupported) {
		return errors.New("has no algorithm that Config.Auth may sign with in token_endpoint_auth_signing_alg_values_supported")
	}
	if cfg.DPoP != nil && !cfg.Profile.signs(cfg.DPoP.signer, "", m.DPoPSigningAlgValuesSupported) {
		return errors.New("has no algorithm that Config.DPoP may sign with in dpop_signing_alg_values_supported")
	}
	if !cfg.signsIn() {
		return nil
	}
	if o := cfg.RequestObject; o != nil && !cfg.Profile.signs(o.Key, o.Algorithm, m.RequestObjectSigningAlgValuesSupported) {
		return errors.New("has no algorithm that Config.RequestObject may sign with in request_object_signing_alg_values_supported")
	}
	if !shares(m.IDTokenSigningAlgValuesSupported, cfg.takes(cfg.IDTokenSignedResponseAlg, cfg.Algorithms)) {
		return errors.New("has no algorithm that may sign ID tokens in id_token_signing_alg_values_supported")
	}
	if cfg.Profile.in(inSigned) && !shares(m.AuthorizationSigningAlgValuesSupported, cfg.takes(cfg.AuthorizationSignedResponseAlg, nil)) {
		return errors.New("has no algorithm that may sign answers in authorization_signing_alg_values_supported")
	}
	return nil
}

// takes are the algorithms that may sign what the provider sends: the one that is
// registered, those that are configured, or those of the profile.
func (cfg *Config) takes(registered string, configured []string) []string {
	switch {
	case registered != "":
		return []string{registered}
	case configured != nil:
		return configured
	}
	return cfg.Profile.algorithms()
}

// lacks tells whether a list of the metadata is there, and has no such value.
func lacks(listed []string, value string) bool {
	return len(listed) > 0 && !slices.Contains(listed, value)
}

// shares tells whether a list of the metadata has one of the values, or is not there.
func shares(listed, values []string) bool {
	return len(listed) == 0 || slices.ContainsFunc(values, func(v string) bool { return slices.Contains(listed, v) })
}

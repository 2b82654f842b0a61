package client

import (
	"slices"
	"strings"
)

func (v *visit) checkPKCE() {
	methods := v.m.CodeChallengeMethodsSupported
	switch {
	case !v.cfg.signsIn():
	case len(methods) == 0:
		v.found(SeverityNote, "Issuer", "Nothing is to be done: it is sent in any case, and the nonce guards against an injected code too.",
			"The provider does not say in code_challenge_methods_supported that it checks PKCE.")
	case !slices.Contains(methods, "S256"):
		v.found(SeverityError, "Issuer", "Ask the provider for S256: no other method is sent (RFC 9700 2.1.1).",
			"The provider takes PKCE by %s only.", quotedList(methods))
	}
}

func (v *visit) checkIss() {
	if v.cfg.signsIn() && !v.m.AuthorizationResponseIssParameterSupported && v.cfg.Profile == 0 {
		v.found(SeverityNote, "RedirectURL", "If the program signs in at several providers, give each a redirect URL of its own (RFC 9700 4.4.2).",
			"The provider does not promise an iss in its answers (RFC 9207).")
	}
}

func (v *visit) checkPushing() {
	switch {
	case !v.cfg.signsIn() || v.m.PushedAuthorizationRequestEndpoint != "":
	case v.cfg.PushedAuthorizationRequests:
		v.found(SeverityError, "PushedAuthorizationRequests", "Set it to false.", "The provider has no pushed_authorization_request_endpoint.")
	case v.m.RequirePushedAuthorizationRequests:
		v.found(SeverityError, "Issuer", "Tell the provider.", "The provider requires pushed requests, and has no pushed_authorization_request_endpoint.")
	}
}

func (v *visit) checkRequestObject() {
	const fix = "Set Algorithm, or another Key, or leave Config.RequestObject nil."
	offered := v.m.RequestObjectSigningAlgValuesSupported
	switch o := v.cfg.RequestObject; {
	case o == nil:
	case lacks(offered, o.Algorithm):
		v.found(SeverityError, "RequestObject", fix, "It signs with %s, and the provider lists %s in request_object_signing_alg_values_supported.", o.Algorithm, quotedList(offered))
	case len(offered) == 0 && !v.m.RequestParameterSupported:
		v.found(SeverityError, "RequestObject", fix, "The provider does not say in request_parameter_supported that it takes signed requests.")
	}
}

func (v *visit) checkSignedAnswers() {
	v.checkAnswerAlgorithm(v.cfg.signedUserInfo(), v.m.UserInfoSigningAlgValuesSupported)
	v.checkAnswerAlgorithm(v.cfg.signedIntrospection(), v.m.IntrospectionSigningAlgValuesSupported)
	if v.cfg.AuthorizationSignedResponseAlg == "" {
		return
	}
	isSigned := func(mode string) bool { return mode == "jwt" || strings.HasSuffix(mode, modeSigned) }
	if modes := v.m.ResponseModesSupported; len(modes) > 0 && !slices.ContainsFunc(modes, isSigned) {
		v.found(SeverityError, "AuthorizationSignedResponseAlg", "Leave it empty.",
			"The provider signs no answers: response_modes_supported has %s.", quotedList(modes))
	}
	v.checkAnswerAlgorithm(v.cfg.signedAuthorization(), v.m.AuthorizationSigningAlgValuesSupported)
}

func (v *visit) checkAnswerAlgorithm(a signedAnswer, offered []string) {
	if a.alg != "" && lacks(offered, a.alg) {
		v.found(SeverityError, a.name+"SignedResponseAlg", "Register the client for one of these.",
			"It is %s, and the provider signs answers with %s.", a.alg, quotedList(offered))
	}
}

func (v *visit) checkDPoP() {
	offered := v.m.DPoPSigningAlgValuesSupported
	if v.cfg.DPoP == nil {
		return
	}
	if len(offered) == 0 {
		v.found(SeverityWarning, "DPoP", "Leave it nil, unless the provider is known to bind tokens: one that does not is refused at sign-in.",
			"The provider does not say in dpop_signing_alg_values_supported that it knows DPoP.")
		return
	}
	if _, err := signAlgorithm(v.cfg.DPoP.signer, "", v.cfg.Profile.among(offered)); err != nil {
		v.found(SeverityError, "DPoP", "Use a key for one of these.", "The key signs with none of %s, which the provider lists.", quotedList(offered))
	}
}

// checkCertificate: one that is there beside another way to authenticate is there to bind
// tokens.
func (v *visit) checkCertificate() {
	if !v.cfg.hasCertificate() {
		return
	}
	if strings.HasPrefix(v.m.TokenEndpoint, "http:") {
		v.found(SeverityError, "Certificate", "Use a provider over https.", "The provider's endpoints are http, so that no certificate can be shown.")
	}
	byCertificate := strings.HasSuffix(v.cfg.chooseAuth(nil).method(), TLSClientAuth{}.method())
	if !byCertificate && !v.m.TLSClientCertificateBoundAccessTokens && v.cfg.DPoP == nil {
		v.found(SeverityWarning, "Certificate", "Leave it nil, or authenticate by it with TLSClientAuth.",
			"The provider does not say in tls_client_certificate_bound_access_tokens that it binds tokens to it.")
	}
}

func (v *visit) checkAlgorithms() {
	if !v.cfg.signsIn() {
		return
	}
	offered, registered := v.m.IDTokenSigningAlgValuesSupported, v.cfg.IDTokenSignedResponseAlg
	switch {
	case registered != "" && lacks(offered, registered):
		v.found(SeverityError, "IDTokenSignedResponseAlg", "Register the client for one of these.",
			"It is %s, and the provider signs ID tokens with %s.", registered, quotedList(offered))
	case macBytes(registered) > 0 && (len(offered) == 0 || slices.ContainsFunc(offered, isAsymmetric)):
		v.found(SeverityWarning, "IDTokenSignedResponseAlg", "Register the client for an algorithm with a public key, such as RS256, and leave this empty.",
			"It is %s: whoever has the client secret can make ID tokens.", registered)
	case registered == "" && v.cfg.Algorithms != nil && !shares(offered, v.cfg.Algorithms):
		v.found(SeverityError, "Algorithms", "Leave it nil, or name one of these.",
			"None of %s is one that the provider signs ID tokens with: %s.", strings.Join(v.cfg.Algorithms, ", "), quotedList(offered))
	case registered == "" && len(offered) > 0 && !slices.ContainsFunc(offered, isAsymmetric):
		v.found(SeverityError, "IDTokenSignedResponseAlg", "Name the one that the client is registered for.",
			"It is empty, and the provider signs ID tokens with %s, which no public key verifies.", quotedList(offered))
	}
}

package clienttest

import (
	"net/http"
	"slices"
	"strings"
)

// The paths of the endpoints, below the issuer.
const (
	pathDiscovery = "/.well-known/openid-configuration"
	pathJWKS      = "/jwks"
	pathAuthorize = "/authorize"
	pathSignIn    = "/sign-in"
	pathToken     = "/token"
	pathUserInfo  = "/userinfo"
	pathRevoke    = "/revoke"
	pathLogout    = "/logout"

	pathIntrospect = "/introspect"
	pathDevice     = "/device-authorization"
	pathDevicePage = "/device"
	pathRegister   = "/register" // and below it one for each client
	pathCheck      = "/check-session"
)

// serveDiscovery answers with the metadata (OpenID Connect Discovery section 4).
func (p *Provider) serveDiscovery(w http.ResponseWriter, r *http.Request) {
	p.hold(r.Context(), DiscoverySlow)
	switch {
	case p.has(Discovery500):
		serverError(w)
	case p.has(DiscoveryHTML):
		writeHTML(w)
	case p.has(DiscoveryRedirect):
		redirectElsewhere(w)
	default:
		p.writeMetadata(w)
	}
}

func (p *Provider) writeMetadata(w http.ResponseWriter) {
	m := p.metadata()
	for _, f := range p.active() {
		spoilMetadata(f, m)
	}
	if p.has(DiscoveryHuge) {
		writeHuge(w)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(mustJSON(m))
}

func (p *Provider) metadata() map[string]any {
	// HS256 and none are advertised by real providers (LemonLDAP::NG). Here HS256 is used for
	// a client that is registered for it, and none is not.
	algorithms := []string{p.algorithm, "RS256", "HS256", "none"}
	m := map[string]any{
		"issuer":                                         p.Issuer(),
		"authorization_endpoint":                         p.endpoint(pathAuthorize),
		"token_endpoint":                                 p.endpoint(pathToken),
		"userinfo_endpoint":                              p.endpoint(pathUserInfo),
		"jwks_uri":                                       p.endpoint(pathJWKS),
		"revocation_endpoint":                            p.endpoint(pathRevoke),
		"introspection_endpoint":                         p.endpoint(pathIntrospect),
		"end_session_endpoint":                           p.endpoint(pathLogout),
		"registration_endpoint":                          p.endpoint(pathRegister),
		"scopes_supported":                               []string{"openid", "profile", "email", scopeOffline},
		"response_types_supported":                       []string{"code", "id_token", "code id_token"},
		"response_modes_supported":                       responseModes(),
		"authorization_signing_alg_values_supported":     []string{p.algorithm},
		"device_authorization_endpoint":                  p.endpoint(pathDevice),
		"grant_types_supported":                          grantTypes(),
		"prompt_values_supported":                        []string{"none", "login", "select_account"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          slices.Compact(algorithms),
		"token_endpoint_auth_methods_supported":          p.authMethods(),
		"id_token_encryption_alg_values_supported":       []string{"RSA-OAEP-256", "ECDH-ES"},
		"id_token_encryption_enc_values_supported":       []string{"A256GCM"},
		"revocation_endpoint_auth_methods_supported":     p.authMethods(),
		"introspection_endpoint_auth_methods_supported":  p.authMethods(),
		"code_challenge_methods_supported":               []string{"S256"},
		"dpop_signing_alg_values_supported":              proofAlgorithms(),
		"authorization_response_iss_parameter_supported": true,
		"request_uri_parameter_supported":                false,
		"claims_parameter_supported":                     true,
		"check_session_iframe":                           p.endpoint(pathCheck),
		"backchannel_logout_supported":                   true,
		"backchannel_logout_session_supported":           true,
		"frontchannel_logout_supported":                  true,
		"frontchannel_logout_session_supported":          true,
	}
	if p.acrValues != nil {
		m["acr_values_supported"] = p.acrValues
	}
	return m
}

func spoilMetadata(f Fault, m map[string]any) {
	switch f {
	case DiscoveryWrongIssuer:
		m["issuer"] = otherIssuer
	case DiscoverySlashIssuer:
		m["issuer"] = otherSlash(m["issuer"].(string))
	case DiscoveryPlainHTTP:
		m["token_endpoint"] = "http://" + elsewhere + pathToken
	case NoIssParameter:
		delete(m, "authorization_response_iss_parameter_supported")
	case NoUserInfo:
		delete(m, "userinfo_endpoint")
	case NoEndSession:
		delete(m, "end_session_endpoint")
	case NoRevocation:
		delete(m, "revocation_endpoint")
	case NoIntrospection:
		delete(m, "introspection_endpoint")
	case NoRegistration:
		delete(m, "registration_endpoint")
	case NoCheckSession:
		delete(m, "check_session_iframe")
	case NoBackChannelLogout:
		delete(m, "backchannel_logout_supported")
		delete(m, "backchannel_logout_session_supported")
	case NoFrontChannelLogout:
		delete(m, "frontchannel_logout_supported")
		delete(m, "frontchannel_logout_session_supported")
	}
}

func otherSlash(issuer string) string {
	if bare, found := strings.CutSuffix(issuer, "/"); found {
		return bare
	}
	return issuer + "/"
}

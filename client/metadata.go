package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-go/postern/internal/strictjson"
)

// Metadata is what a provider says of itself (OpenID Connect Discovery 3, RFC
// 8414). For a Config it may be written by hand, where a provider has no discovery
// document: Issuer, AuthorizationEndpoint, TokenEndpoint and JWKSURI are required.
//
// Endpoints are https, or http on a loopback host where the issuer is that too.
// They may be on other hosts than the issuer.
type Metadata struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint,omitempty"`
	TokenEndpoint         string `json:"token_endpoint,omitempty"`
	UserInfoEndpoint      string `json:"userinfo_endpoint,omitempty"`
	JWKSURI               string `json:"jwks_uri,omitempty"`
	EndSessionEndpoint    string `json:"end_session_endpoint,omitempty"`
	RevocationEndpoint    string `json:"revocation_endpoint,omitempty"`
	IntrospectionEndpoint string `json:"introspection_endpoint,omitempty"`

	RegistrationEndpoint               string `json:"registration_endpoint,omitempty"`
	PushedAuthorizationRequestEndpoint string `json:"pushed_authorization_request_endpoint,omitempty"` // RFC 9126
	DeviceAuthorizationEndpoint        string `json:"device_authorization_endpoint,omitempty"`         // RFC 8628
	BackchannelAuthenticationEndpoint  string `json:"backchannel_authentication_endpoint,omitempty"`   // CIBA
	CheckSessionIframe                 string `json:"check_session_iframe,omitempty"`                  // Session Management

	// MTLSEndpointAliases are where the endpoints of the same name are for a client that
	// comes with a certificate (RFC 8705 5).
	MTLSEndpointAliases map[string]string `json:"mtls_endpoint_aliases,omitempty"`

	// What the provider supports. An empty list means that it did not say.
	IDTokenSigningAlgValuesSupported                   []string `json:"id_token_signing_alg_values_supported,omitempty"`
	TokenEndpointAuthMethodsSupported                  []string `json:"token_endpoint_auth_methods_supported,omitempty"` // empty: client_secret_basic
	TokenEndpointAuthSigningAlgValuesSupported         []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	IntrospectionEndpointAuthMethodsSupported          []string `json:"introspection_endpoint_auth_methods_supported,omitempty"` // empty: those of the token endpoint, as the next three
	IntrospectionEndpointAuthSigningAlgValuesSupported []string `json:"introspection_endpoint_auth_signing_alg_values_supported,omitempty"`
	RevocationEndpointAuthMethodsSupported             []string `json:"revocation_endpoint_auth_methods_supported,omitempty"`
	RevocationEndpointAuthSigningAlgValuesSupported    []string `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`
	ScopesSupported                                    []string `json:"scopes_supported,omitempty"`
	ResponseTypesSupported                             []string `json:"response_types_supported,omitempty"`
	ResponseModesSupported                             []string `json:"response_modes_supported,omitempty"`
	GrantTypesSupported                                []string `json:"grant_types_supported,omitempty"`
	CodeChallengeMethodsSupported                      []string `json:"code_challenge_methods_supported,omitempty"`
	DPoPSigningAlgValuesSupported                      []string `json:"dpop_signing_alg_values_supported,omitempty"`
	RequestObjectSigningAlgValuesSupported             []string `json:"request_object_signing_alg_values_supported,omitempty"`
	AuthorizationSigningAlgValuesSupported             []string `json:"authorization_signing_alg_values_supported,omitempty"` // JARM
	UserInfoSigningAlgValuesSupported                  []string `json:"userinfo_signing_alg_values_supported,omitempty"`
	IntrospectionSigningAlgValuesSupported             []string `json:"introspection_signing_alg_values_supported,omitempty"` // RFC 9701
	BackchannelTokenDeliveryModesSupported             []string `json:"backchannel_token_delivery_modes_supported,omitempty"` // CIBA
	AuthorizationDetailsTypesSupported                 []string `json:"authorization_details_types_supported,omitempty"`      // RFC 9396

	// Every callback has an iss parameter (RFC 9207 3), so one without it is refused.
	AuthorizationResponseIssParameterSupported bool `json:"authorization_response_iss_parameter_supported,omitempty"`
	RequirePushedAuthorizationRequests         bool `json:"require_pushed_authorization_requests,omitempty"`
	TLSClientCertificateBoundAccessTokens      bool `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	RequestParameterSupported                  bool `json:"request_parameter_supported,omitempty"`
	BackchannelLogoutSupported                 bool `json:"backchannel_logout_supported,omitempty"`
	BackchannelLogoutSessionSupported          bool `json:"backchannel_logout_session_supported,omitempty"` // logout tokens can have a sid
	FrontchannelLogoutSupported                bool `json:"frontchannel_logout_supported,omitempty"`
	FrontchannelLogoutSessionSupported         bool `json:"frontchannel_logout_session_supported,omitempty"` // requests can have iss and sid

	raw      string     // the document; empty for one written by hand
	ownQuery url.Values // of AuthorizationEndpoint
}

// Claims decodes the whole document into v as encoding/json does, for members that
// Metadata has no field for. The document has no duplicate members.
func (m *Metadata) Claims(v any) error {
	document := m.raw
	if document == "" {
		document = m.document()
	}
	if err := json.Unmarshal([]byte(document), v); err != nil {
		return fmt.Errorf("client: metadata: %w", err)
	}
	return nil
}

// document writes the fields as a document of their own.
func (m *Metadata) document() string {
	document, _ := json.Marshal(m) // texts and a bool do not fail
	return string(document)
}

func (m *Metadata) clone() *Metadata {
	n := *m
	_, lists, _ := n.fields()
	for _, list := range lists {
		*list = slices.Clone(*list)
	}
	n.MTLSEndpointAliases = maps.Clone(m.MTLSEndpointAliases)
	return &n
}

// parseMetadata reads a document and checks it for the provider at issuer. null, and
// an empty text for an endpoint, mean the same as no member.
func parseMetadata(document, issuer string) (*Metadata, error) {
	m := &Metadata{raw: document}
	texts, lists, flags := m.fields()
	member := func(name string, v strictjson.Value) error {
		ok := true
		switch text, list, flag := texts[name], lists[name], flags[name]; {
		case v.IsNull():
		case text != nil:
			*text, ok = v.String()
		case list != nil:
			*list, ok = v.Strings()
		case flag != nil:
			*flag, ok = v.Bool()
		case name == "mtls_endpoint_aliases":
			return m.readAliases(v)
		}
		if !ok {
			return fmt.Errorf("%s has the wrong type", name)
		}
		return nil
	}
	if err := strictjson.Object(document, m.registered(), member); err != nil {
		return nil, err
	}
	if m.Issuer != issuer { // Discovery 4.3, byte for byte
		return nil, issuerMismatch(issuer, m.Issuer)
	}
	return m, m.checkEndpoints()
}

// registered are the names of all members that this package reads.
func (m *Metadata) registered() []string {
	texts, lists, flags := m.fields()
	return slices.Concat(slices.Collect(maps.Keys(texts)), slices.Collect(maps.Keys(lists)), slices.Collect(maps.Keys(flags)),
		[]string{"mtls_endpoint_aliases"})
}

// readAliases reads RFC 8705 5. What is not an endpoint, or not a text, is skipped.
func (m *Metadata) readAliases(v strictjson.Value) error {
	texts, _, _ := m.fields()
	m.MTLSEndpointAliases = map[string]string{}
	return strictjson.Object(v.Raw(), slices.Collect(maps.Keys(texts)), func(name string, v strictjson.Value) error {
		if url, ok := v.String(); ok && texts[name] != nil {
			m.MTLSEndpointAliases[name] = url
		}
		return nil
	})
}

// fields are the members that this package reads, and go-oidc reads no others.
func (m *Metadata) fields() (texts map[string]*string, lists map[string]*[]string, flags map[string]*bool) {
	texts = map[string]*string{
		"issuer":                                &m.Issuer,
		"authorization_endpoint":                &m.AuthorizationEndpoint,
		"token_endpoint":                        &m.TokenEndpoint,
		"userinfo_endpoint":                     &m.UserInfoEndpoint,
		"jwks_uri":                              &m.JWKSURI,
		"end_session_endpoint":                  &m.EndSessionEndpoint,
		"revocation_endpoint":                   &m.RevocationEndpoint,
		"introspection_endpoint":                &m.IntrospectionEndpoint,
		"registration_endpoint":                 &m.RegistrationEndpoint,
		"pushed_authorization_request_endpoint": &m.PushedAuthorizationRequestEndpoint,
		"device_authorization_endpoint":         &m.DeviceAuthorizationEndpoint,
		"backchannel_authentication_endpoint":   &m.BackchannelAuthenticationEndpoint,
		"check_session_iframe":                  &m.CheckSessionIframe,
	}
	lists = map[string]*[]string{
		"id_token_signing_alg_values_supported":                    &m.IDTokenSigningAlgValuesSupported,
		"token_endpoint_auth_methods_supported":                    &m.TokenEndpointAuthMethodsSupported,
		"token_endpoint_auth_signing_alg_values_supported":         &m.TokenEndpointAuthSigningAlgValuesSupported,
		"introspection_endpoint_auth_methods_supported":            &m.IntrospectionEndpointAuthMethodsSupported,
		"introspection_endpoint_auth_signing_alg_values_supported": &m.IntrospectionEndpointAuthSigningAlgValuesSupported,
		"revocation_endpoint_auth_methods_supported":               &m.RevocationEndpointAuthMethodsSupported,
		"revocation_endpoint_auth_signing_alg_values_supported":    &m.RevocationEndpointAuthSigningAlgValuesSupported,
		"scopes_supported":                            &m.ScopesSupported,
		"response_types_supported":                    &m.ResponseTypesSupported,
		"response_modes_supported":                    &m.ResponseModesSupported,
		"grant_types_supported":                       &m.GrantTypesSupported,
		"code_challenge_methods_supported":            &m.CodeChallengeMethodsSupported,
		"dpop_signing_alg_values_supported":           &m.DPoPSigningAlgValuesSupported,
		"request_object_signing_alg_values_supported": &m.RequestObjectSigningAlgValuesSupported,
		"authorization_signing_alg_values_supported":  &m.AuthorizationSigningAlgValuesSupported,
		"userinfo_signing_alg_values_supported":       &m.UserInfoSigningAlgValuesSupported,
		"introspection_signing_alg_values_supported":  &m.IntrospectionSigningAlgValuesSupported,
		"backchannel_token_delivery_modes_supported":  &m.BackchannelTokenDeliveryModesSupported,
		"authorization_details_types_supported":       &m.AuthorizationDetailsTypesSupported,
	}
	flags = map[string]*bool{
		"authorization_response_iss_parameter_supported": &m.AuthorizationResponseIssParameterSupported,
		"require_pushed_authorization_requests":          &m.RequirePushedAuthorizationRequests,
		"tls_client_certificate_bound_access_tokens":     &m.TLSClientCertificateBoundAccessTokens,
		"request_parameter_supported":                    &m.RequestParameterSupported,
		"backchannel_logout_supported":                   &m.BackchannelLogoutSupported,
		"backchannel_logout_session_supported":           &m.BackchannelLogoutSessionSupported,
		"frontchannel_logout_supported":                  &m.FrontchannelLogoutSupported,
		"frontchannel_logout_session_supported":          &m.FrontchannelLogoutSessionSupported,
	}
	return texts, lists, flags
}

func issuerMismatch(want, got string) error {
	hint := ""
	if strings.TrimSuffix(want, "/") == strings.TrimSuffix(got, "/") {
		hint = ": only the slash at the end differs; configure the issuer as the provider writes it"
	}
	return fmt.Errorf("issuer is %q, configured is %q%s", cut(got, maxDescription), want, hint)
}

func (m *Metadata) checkEndpoints() error {
	allowHTTP := strings.HasPrefix(m.Issuer, "http:")
	required := []string{"authorization_endpoint", "token_endpoint", "jwks_uri"}
	texts, _, _ := m.fields()
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if name == "issuer" || *texts[name] == "" && !slices.Contains(required, name) {
			continue
		}
		if err := checkEndpoint(*texts[name], allowHTTP); err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.MTLSEndpointAliases)) {
		if err := checkEndpoint(m.MTLSEndpointAliases[name], allowHTTP); err != nil {
			return fmt.Errorf("mtls_endpoint_aliases: %s %w", name, err)
		}
	}
	return m.checkOwnQuery()
}

// checkOwnQuery reads the authorization endpoint's own query (RFC 6749 3.1), and
// refuses one with a parameter that a request has too: the provider would see it
// twice.
func (m *Metadata) checkOwnQuery() (err error) {
	_, query, _ := strings.Cut(m.AuthorizationEndpoint, "?")
	if m.ownQuery, err = url.ParseQuery(query); err != nil {
		return errors.New("authorization_endpoint has a malformed query")
	}
	for name := range m.ownQuery {
		if isReserved(name) {
			return fmt.Errorf("authorization_endpoint has the parameter %q in its own query", cut(name, quoted))
		}
	}
	return nil
}

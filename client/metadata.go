package client

import (
	"encoding/json"
	"errors"
	"fmt"
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

	IDTokenSigningAlgValuesSupported  []string `json:"id_token_signing_alg_values_supported,omitempty"`
	TokenEndpointAuthMethodsSupported []string `json:"token_endpoint_auth_methods_supported,omitempty"` // empty: client_secret_basic
	ScopesSupported                   []string `json:"scopes_supported,omitempty"`

	// Every callback has an iss parameter (RFC 9207 3), so one without it is refused.
	AuthorizationResponseIssParameterSupported bool `json:"authorization_response_iss_parameter_supported,omitempty"`

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
	n.IDTokenSigningAlgValuesSupported = slices.Clone(m.IDTokenSigningAlgValuesSupported)
	n.TokenEndpointAuthMethodsSupported = slices.Clone(m.TokenEndpointAuthMethodsSupported)
	n.ScopesSupported = slices.Clone(m.ScopesSupported)
	return &n
}

// registeredMetadata are the members that this package or go-oidc reads.
var registeredMetadata = []string{
	"issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri",
	"end_session_endpoint", "revocation_endpoint", "introspection_endpoint", "device_authorization_endpoint",
	"id_token_signing_alg_values_supported", "token_endpoint_auth_methods_supported",
	"scopes_supported", "authorization_response_iss_parameter_supported",
}

// parseMetadata reads a document and checks it for the provider at issuer. null, and
// an empty text for an endpoint, mean the same as no member.
func parseMetadata(document, issuer string) (*Metadata, error) {
	m := &Metadata{raw: document}
	texts, lists := m.fields()
	member := func(name string, v strictjson.Value) error {
		ok := true
		switch text, list := texts[name], lists[name]; {
		case v.IsNull():
		case text != nil:
			*text, ok = v.String()
		case list != nil:
			*list, ok = v.Strings()
		case name == "authorization_response_iss_parameter_supported":
			m.AuthorizationResponseIssParameterSupported, ok = v.Bool()
		}
		if !ok {
			return fmt.Errorf("%s has the wrong type", name)
		}
		return nil
	}
	if err := strictjson.Object(document, registeredMetadata, member); err != nil {
		return nil, err
	}
	if m.Issuer != issuer { // Discovery 4.3, byte for byte
		return nil, issuerMismatch(issuer, m.Issuer)
	}
	return m, m.checkEndpoints()
}

func (m *Metadata) fields() (texts map[string]*string, lists map[string]*[]string) {
	return map[string]*string{
			"issuer":                 &m.Issuer,
			"authorization_endpoint": &m.AuthorizationEndpoint,
			"token_endpoint":         &m.TokenEndpoint,
			"userinfo_endpoint":      &m.UserInfoEndpoint,
			"jwks_uri":               &m.JWKSURI,
			"end_session_endpoint":   &m.EndSessionEndpoint,
			"revocation_endpoint":    &m.RevocationEndpoint,
			"introspection_endpoint": &m.IntrospectionEndpoint,
		}, map[string]*[]string{
			"id_token_signing_alg_values_supported": &m.IDTokenSigningAlgValuesSupported,
			"token_endpoint_auth_methods_supported": &m.TokenEndpointAuthMethodsSupported,
			"scopes_supported":                      &m.ScopesSupported,
		}
}

func issuerMismatch(want, got string) error {
	hint := ""
	if strings.TrimSuffix(want, "/") == strings.TrimSuffix(got, "/") {
		hint = ": only the slash at the end differs; configure the issuer as the provider writes it"
	}
	return fmt.Errorf("issuer is %q, configured is %q%s", cut(got, maxDescription), want, hint)
}

func (m *Metadata) checkEndpoints() error {
	endpoints := []struct {
		name, url string
		required  bool
	}{
		{"authorization_endpoint", m.AuthorizationEndpoint, true},
		{"token_endpoint", m.TokenEndpoint, true},
		{"jwks_uri", m.JWKSURI, true},
		{"userinfo_endpoint", m.UserInfoEndpoint, false},
		{"end_session_endpoint", m.EndSessionEndpoint, false},
		{"revocation_endpoint", m.RevocationEndpoint, false},
		{"introspection_endpoint", m.IntrospectionEndpoint, false},
	}
	allowHTTP := strings.HasPrefix(m.Issuer, "http:")
	for _, e := range endpoints {
		if e.url == "" && !e.required {
			continue
		}
		if err := checkEndpoint(e.url, allowHTTP); err != nil {
			return fmt.Errorf("%s %w", e.name, err)
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

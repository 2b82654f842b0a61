package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
)

// ClientMetadata describes a client to a provider, and in a [Registration] it is what
// the provider registered. A zero field is not sent, and the provider chooses; a list
// that is empty and not nil is sent as an empty one. What the values mean is said in
// RFC 7591 2 and OpenID Connect Dynamic Client Registration 2, unless a comment names
// another document.
//
// In JSON it has the members of those documents, and unmarshalling refuses what has two
// of one name, or one of the wrong type. It holds nothing secret.
type ClientMetadata struct {
	RedirectURIs    []string `json:"redirect_uris"`
	ApplicationType string   `json:"application_type"` // web, which is the default, or native
	GrantTypes      []string `json:"grant_types"`      // by default authorization_code alone: refresh_token must be named
	ResponseTypes   []string `json:"response_types"`   // by default code alone
	Scope           []string `json:"scope"`            // that the client may ask for

	// What people see. A text in another language is a member of Extra, such as
	// "client_name#ja-Hani-JP".
	ClientName string   `json:"client_name"`
	ClientURI  string   `json:"client_uri"`
	LogoURI    string   `json:"logo_uri"`
	PolicyURI  string   `json:"policy_uri"`
	TOSURI     string   `json:"tos_uri"`
	Contacts   []string `json:"contacts"` // of the people who answer for it, mostly e-mail addresses

	SoftwareID      string `json:"software_id"` // the same for every copy of the program
	SoftwareVersion string `json:"software_version"`

	// How it authenticates at the token endpoint and the like.
	TokenEndpointAuthMethod     string          `json:"token_endpoint_auth_method"` // client_secret_basic by default
	TokenEndpointAuthSigningAlg string          `json:"token_endpoint_auth_signing_alg"`
	JWKSURI                     string          `json:"jwks_uri"` // where its public keys are
	JWKS                        json.RawMessage `json:"jwks"`     // or the keys themselves, as a set. Not both, and never a private key: that is an error
	TLSClientAuthSubjectDN      string          `json:"tls_client_auth_subject_dn"`
	TLSClientAuthSANDNS         string          `json:"tls_client_auth_san_dns"` // RFC 8705 2.1.2, as the one before and the three after
	TLSClientAuthSANURI         string          `json:"tls_client_auth_san_uri"`
	TLSClientAuthSANIP          string          `json:"tls_client_auth_san_ip"`
	TLSClientAuthSANEmail       string          `json:"tls_client_auth_san_email"`

	// What it receives, and how that is protected.
	SubjectType                             string   `json:"subject_type"` // public or pairwise
	SectorIdentifierURI                     string   `json:"sector_identifier_uri"`
	IDTokenSignedResponseAlg                string   `json:"id_token_signed_response_alg"`
	IDTokenEncryptedResponseAlg             string   `json:"id_token_encrypted_response_alg"`
	IDTokenEncryptedResponseEnc             string   `json:"id_token_encrypted_response_enc"`
	UserInfoSignedResponseAlg               string   `json:"userinfo_signed_response_alg"`
	UserInfoEncryptedResponseAlg            string   `json:"userinfo_encrypted_response_alg"`
	UserInfoEncryptedResponseEnc            string   `json:"userinfo_encrypted_response_enc"`
	AuthorizationSignedResponseAlg          string   `json:"authorization_signed_response_alg"` // JARM 3, as the next two
	AuthorizationEncryptedResponseAlg       string   `json:"authorization_encrypted_response_alg"`
	AuthorizationEncryptedResponseEnc       string   `json:"authorization_encrypted_response_enc"`
	IntrospectionSignedResponseAlg          string   `json:"introspection_signed_response_alg"` // RFC 9701 6, as the next two
	IntrospectionEncryptedResponseAlg       string   `json:"introspection_encrypted_response_alg"`
	IntrospectionEncryptedResponseEnc       string   `json:"introspection_encrypted_response_enc"`
	TLSClientCertificateBoundAccessTokens   bool     `json:"tls_client_certificate_bound_access_tokens"` // RFC 8705 3.4
	DPoPBoundAccessTokens                   bool     `json:"dpop_bound_access_tokens"`                   // RFC 9449 5.2
	AuthorizationDetailsTypes               []string `json:"authorization_details_types"`                // RFC 9396 10
	BackchannelTokenDeliveryMode            string   `json:"backchannel_token_delivery_mode"`            // CIBA 4, as the next three: poll, ping or push
	BackchannelClientNotificationEndpoint   string   `json:"backchannel_client_notification_endpoint"`
	BackchannelAuthenticationRequestSignAlg string   `json:"backchannel_authentication_request_signing_alg"`
	BackchannelUserCodeParameter            bool     `json:"backchannel_user_code_parameter"`

	// What it asks with.
	DefaultMaxAge                      *time.Duration `json:"default_max_age"` // in whole seconds
	RequireAuthTime                    bool           `json:"require_auth_time"`
	DefaultACRValues                   []string       `json:"default_acr_values"`
	InitiateLoginURI                   string         `json:"initiate_login_uri"`
	RequestURIs                        []string       `json:"request_uris"`
	RequestObjectSigningAlg            string         `json:"request_object_signing_alg"`
	RequestObjectEncryptionAlg         string         `json:"request_object_encryption_alg"`
	RequestObjectEncryptionEnc         string         `json:"request_object_encryption_enc"`
	RequireSignedRequestObject         bool           `json:"require_signed_request_object"`         // RFC 9101 10.5
	RequirePushedAuthorizationRequests bool           `json:"require_pushed_authorization_requests"` // RFC 9126 6

	// How it is told that somebody signed out: RP-Initiated Logout 3.1, Back-Channel
	// Logout 2.2, Front-Channel Logout 2.
	PostLogoutRedirectURIs            []string `json:"post_logout_redirect_uris"`
	BackchannelLogoutURI              string   `json:"backchannel_logout_uri"`
	BackchannelLogoutSessionRequired  bool     `json:"backchannel_logout_session_required"`
	FrontchannelLogoutURI             string   `json:"frontchannel_logout_uri"`
	FrontchannelLogoutSessionRequired bool     `json:"frontchannel_logout_session_required"`

	// Extra are members without a field: those of the provider, and texts in other
	// languages. A name that has a field is an error.
	Extra map[string]json.RawMessage `json:"-"`
}

// registrationMembers stand beside the metadata in requests and answers (RFC 7591 2.3
// and 3.2.1, RFC 7592 3), and never are metadata.
var registrationMembers = [...]string{
	"client_id", "client_secret", "client_id_issued_at", "client_secret_expires_at",
	"registration_access_token", "registration_client_uri", "software_statement",
}

// fields are the members that have a field, by name. The tags of the struct are the only
// list of them.
func (m *ClientMetadata) fields() map[string]any {
	v := reflect.ValueOf(m).Elem()
	fields := map[string]any{}
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("json"); name != "-" {
			fields[name] = v.Field(i).Addr().Interface()
		}
	}
	return fields
}

// MarshalJSON encodes the metadata as it is sent, and as it was received. What Register
// and Update refuse to send it does not look at.
func (m ClientMetadata) MarshalJSON() ([]byte, error) { return json.Marshal(m.members()) }

// members are those that are not zero.
func (m *ClientMetadata) members() map[string]any {
	members := map[string]any{}
	for name, value := range m.Extra {
		members[name] = value
	}
	for name, field := range m.fields() {
		if value := reflect.ValueOf(field).Elem(); !value.IsZero() {
			members[name] = value.Interface()
		}
	}
	if m.Scope != nil {
		members["scope"] = strings.Join(m.Scope, " ")
	}
	if m.DefaultMaxAge != nil {
		members["default_max_age"] = int64(*m.DefaultMaxAge / time.Second)
	}
	return members
}

// check applies before anything is sent.
func (m *ClientMetadata) check() error {
	if err := checkScopes(m.Scope); err != nil {
		return fmt.Errorf("ClientMetadata.Scope: %w", err)
	}
	if err := checkMaxAge(m.DefaultMaxAge); err != nil {
		return fmt.Errorf("ClientMetadata.DefaultMaxAge %w", err)
	}
	if len(m.JWKS) > 0 && m.JWKSURI != "" { // RFC 7591 2
		return errors.New("ClientMetadata.JWKS and ClientMetadata.JWKSURI are both set: one of them says where the keys are")
	}
	if m.JWKS != nil {
		if err := checkPublicKeys(string(m.JWKS)); err != nil {
			return fmt.Errorf("ClientMetadata.JWKS %w", err)
		}
	}
	fields := m.fields()
	for name, value := range m.Extra {
		if fields[name] != nil {
			return fmt.Errorf("ClientMetadata.Extra has %q, which has a field of its own", name)
		}
		if name == "" || slices.Contains(registrationMembers[:], name) {
			return fmt.Errorf("ClientMetadata.Extra has %q, which is no metadata", name)
		}
		if _, err := strictjson.Parse(string(value)); err != nil {
			return fmt.Errorf("ClientMetadata.Extra: %q is not one JSON value", cut(name, quoted))
		}
	}
	return nil
}

// privateMembers are those of a key that nobody else may have (RFC 7518 6.2.2, 6.3.2
// and 6.4.1, RFC 8037 2).
var privateMembers = [...]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// checkPublicKeys refuses a key set that must not leave the program.
func checkPublicKeys(jwks string) error {
	set, err := strictjson.Parse(jwks)
	if err != nil {
		return errors.New("is not one JSON value")
	}
	keys, _ := set.Member("keys")
	err = keys.Elements(func(key strictjson.Value) error {
		if !key.IsObject() {
			return errors.New("has something that is no key")
		}
		for _, name := range privateMembers {
			if _, ok := key.Member(name); ok {
				return fmt.Errorf("has a private key (%s): register the public half alone", name)
			}
		}
		return nil
	})
	if !keys.IsArray() {
		return errors.New("is not a set of keys")
	}
	return err
}

// UnmarshalJSON reads what MarshalJSON writes, and what providers answer.
func (m *ClientMetadata) UnmarshalJSON(data []byte) error {
	n := ClientMetadata{}
	fields := n.fields()
	err := members(string(data), slices.Collect(maps.Keys(fields)), func(name string, v strictjson.Value) error {
		return n.read(fields, name, v)
	})
	if err != nil {
		return fmt.Errorf("client: client metadata: %w", err)
	}
	*m = n
	return nil
}

// read takes one member. null means the same as no member.
func (m *ClientMetadata) read(fields map[string]any, name string, v strictjson.Value) error {
	if v.IsNull() {
		return nil
	}
	ok := true
	switch field := fields[name].(type) {
	case *string:
		*field, ok = v.String()
	case *bool:
		*field, ok = v.Bool()
	case *[]string:
		read := textList
		if name == "scope" {
			read = scopeList
		}
		*field, ok = read(v)
	case **time.Duration:
		var seconds int64
		seconds, ok = wholeSeconds(v)
		d := min(time.Duration(seconds), maxLifetime/time.Second) * time.Second
		*field = &d
	case *json.RawMessage:
		*field = json.RawMessage(v.Raw())
	default:
		if m.Extra == nil {
			m.Extra = map[string]json.RawMessage{}
		}
		m.Extra[name] = json.RawMessage(v.Raw())
	}
	if !ok {
		return fmt.Errorf("%s has the wrong type", name)
	}
	return nil
}

// textList reads a list of texts. IBM Verify Access answers with one text where
// redirect_uris has one.
func textList(v strictjson.Value) ([]string, bool) {
	if s, ok := v.String(); ok {
		return []string{s}, true
	}
	return v.Strings()
}

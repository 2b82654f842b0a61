package client

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Every member of the documents that the fields come from, which are those of the
// registry "OAuth Dynamic Client Registration Metadata" without OpenID Federation.
var metadataMembers = strings.Fields(`
	redirect_uris token_endpoint_auth_method grant_types response_types client_name client_uri logo_uri scope contacts
	tos_uri policy_uri jwks_uri jwks software_id software_version
	application_type sector_identifier_uri subject_type id_token_signed_response_alg id_token_encrypted_response_alg
	id_token_encrypted_response_enc userinfo_signed_response_alg userinfo_encrypted_response_alg userinfo_encrypted_response_enc
	request_object_signing_alg request_object_encryption_alg request_object_encryption_enc token_endpoint_auth_signing_alg
	default_max_age require_auth_time default_acr_values initiate_login_uri request_uris
	post_logout_redirect_uris backchannel_logout_uri backchannel_logout_session_required frontchannel_logout_uri
	frontchannel_logout_session_required
	authorization_signed_response_alg authorization_encrypted_response_alg authorization_encrypted_response_enc
	introspection_signed_response_alg introspection_encrypted_response_alg introspection_encrypted_response_enc
	tls_client_auth_subject_dn tls_client_auth_san_dns tls_client_auth_san_uri tls_client_auth_san_ip tls_client_auth_san_email
	tls_client_certificate_bound_access_tokens dpop_bound_access_tokens require_signed_request_object
	require_pushed_authorization_requests authorization_details_types
	backchannel_token_delivery_mode backchannel_client_notification_endpoint backchannel_authentication_request_signing_alg
	backchannel_user_code_parameter`)

// filled has a value in every field but Extra, which is as given.
func filled(t *testing.T) ClientMetadata {
	t.Helper()
	m := ClientMetadata{}
	for name, field := range m.fields() {
		switch f := field.(type) {
		case *string:
			*f = "the " + name
		case *bool:
			*f = true
		case *[]string:
			*f = []string{name, "b"}
		case **time.Duration:
			d := time.Hour
			*f = &d
		case *json.RawMessage:
			*f = json.RawMessage(`{"keys":[{"kty":"EC","x":"a","y":"b"}]}`)
		default:
			t.Fatalf("%s has a type that nobody reads", name)
		}
	}
	m.JWKSURI = "" // beside JWKS
	m.Extra = map[string]json.RawMessage{"client_name#ja-Hani-JP": json.RawMessage(`"\u5ba2"`), "x": json.RawMessage(`[1,{"a":null}]`)}
	return m
}

func TestClientMetadataMembers(t *testing.T) {
	m := ClientMetadata{}
	fields := m.fields()
	for _, name := range metadataMembers {
		if fields[name] == nil {
			t.Errorf("%s has no field", name)
		}
		delete(fields, name)
	}
	for name := range fields {
		t.Errorf("%s is in no document", name)
	}
}

func TestClientMetadataRoundTrip(t *testing.T) {
	want := filled(t)
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	if len(members) != len(metadataMembers)+1 { // without jwks_uri, with two of Extra
		t.Errorf("%d members", len(members))
	}
	if members["default_max_age"] != 3600.0 || members["scope"] != "scope b" || members["require_auth_time"] != true {
		t.Errorf("got %v %v %v", members["default_max_age"], members["scope"], members["require_auth_time"])
	}
	var got ClientMetadata
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
	if err := json.Unmarshal([]byte(`{"client_name":"b"}`), &got); err != nil || !reflect.DeepEqual(got, ClientMetadata{ClientName: "b"}) {
		t.Errorf("something is left of before: %+v, %v", got, err)
	}
}

func TestClientMetadataUnmarshalRejects(t *testing.T) {
	for body, text := range map[string]string{
		`{"client_name":"a","client_name":"b"}`: "client: client metadata: " + notMembers,
		`{"Client_Name":"a"}`:                   "client: client metadata: " + notMembers,
		`{"client_name":1}`:                     "client: client metadata: client_name has the wrong type",
		`{"contacts":[1]}`:                      "client: client metadata: contacts has the wrong type",
		`{"scope":1}`:                           "client: client metadata: scope has the wrong type",
		`{"default_max_age":"60"}`:              "client: client metadata: default_max_age has the wrong type",
		`{"require_auth_time":1}`:               "client: client metadata: require_auth_time has the wrong type",
	} {
		m := ClientMetadata{ClientName: "before"}
		if err := m.UnmarshalJSON([]byte(body)); err == nil || err.Error() != text || m.ClientName != "before" {
			t.Errorf("%s: got %v and %+v, want %s", body, err, m, text)
		}
	}
}

// What a provider answers can be kept, even where it must not be sent.
func TestClientMetadataMarshalsWhatItUnmarshals(t *testing.T) {
	for _, body := range []string{
		`{"jwks":{"keys":[{"d":"a"}]}}`, `{"jwks":{"keys":[]},"jwks_uri":"https://a"}`, `{"scope":"\"a\""}`, `{"":1}`, `{"client_id":"a"}`,
	} {
		var m, again ClientMetadata
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Fatal(err)
		}
		if m.check() == nil {
			t.Errorf("%s may be sent", body)
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("%s: got %+v, %v", body, again, err)
		}
	}
}

func TestLongDefaultMaxAge(t *testing.T) {
	var m ClientMetadata
	if err := json.Unmarshal([]byte(`{"default_max_age":1e300}`), &m); err != nil || *m.DefaultMaxAge != maxLifetime {
		t.Errorf("got %v, %v", m.DefaultMaxAge, err)
	}
}

func TestClientMetadataClone(t *testing.T) {
	m := filled(t)
	n := m.clone()
	if !reflect.DeepEqual(m, n) {
		t.Errorf("got %+v", n)
	}
	m.RedirectURIs[0], m.JWKS[0], m.Extra["x"] = "changed", '[', nil
	if n.RedirectURIs[0] == "changed" || n.JWKS[0] == '[' || n.Extra["x"] == nil {
		t.Error("the clone has the slices of the other")
	}
}

// The names of the errors are those that an application has in its hands.
func TestRegistrationErrorsWrap(t *testing.T) {
	p := registrar(t, 400, "application/json", `{"error":"invalid_client_metadata","error_description":"no"}`)
	_, err := p.register(nil)
	var e *ResponseError
	if !errors.As(err, &e) || e.Endpoint != "registration" || e.Code != "invalid_client_metadata" || e.Description != "no" || e.Status != 400 {
		t.Errorf("got %v", err)
	}
}

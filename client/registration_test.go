package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

const clientURI = testIssuer + "/register/web"

// managed is a registration at the provider.
func (p *op) managed() *Registration {
	return &Registration{
		Issuer: testIssuer, ClientID: testClientID, ClientSecret: testSecret,
		RegistrationAccessToken: "rat-CANARY-1", RegistrationClientURI: clientURI,
		Metadata:   ClientMetadata{RedirectURIs: []string{testRedirect}, Extra: extra("x_any", `{"a":1}`)},
		HTTPClient: &http.Client{Transport: p},
		Now:        p.clock,
	}
}

func managementHeader(withBody bool) http.Header {
	h := http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer rat-CANARY-1"}, "User-Agent": {userAgent}}
	if withBody {
		h.Set("Content-Type", "application/json")
	}
	return h
}

// Whatever the provider does not say again of credentials stays.
func TestRegistrationRead(t *testing.T) {
	p := newOP(t)
	p.reply("/register/web", 200, "application/json", `{"client_id":"web","client_name":"Web"}`)
	reg := p.managed()
	before := *reg
	got, err := reg.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got.ClientSecret != testSecret || got.RegistrationAccessToken != "rat-CANARY-1" || got.RegistrationClientURI != clientURI {
		t.Errorf("got %+v", plain(*got))
	}
	if !reflect.DeepEqual(got.Metadata, ClientMetadata{ClientName: "Web"}) {
		t.Errorf("got %+v", got.Metadata)
	}
	before.Now, reg.Now = nil, nil
	if !reflect.DeepEqual(plain(*reg), plain(before)) {
		t.Error("Read changes what it is called on")
	}
	p.wantRequests("/register/web", sentRequest{"GET", clientURI, managementHeader(false), ""})
	if len(p.requests) != 1 {
		t.Errorf("%d requests", len(p.requests))
	}
}

// The provider gives another secret and another token (RFC 7592 3, IBM Verify Access).
func TestRegistrationUpdate(t *testing.T) {
	p := newOP(t)
	p.reply("/register/web", 200, "application/json", `{"client_id":"web","client_secret":"another","client_secret_expires_at":0,
		"registration_access_token":"rat-CANARY-2","registration_client_uri":"`+testIssuer+`/register/moved","client_name":"Other"}`)
	reg := p.managed()
	reg.ClientIDIssuedAt, reg.ClientSecretExpiresAt = testStart, testStart
	metadata := reg.Metadata
	metadata.ClientName = "Mine"
	got, err := reg.Update(context.Background(), metadata)
	if err != nil {
		t.Fatal(err)
	}
	if got.ClientSecret != "another" || !got.ClientSecretExpiresAt.IsZero() || got.RegistrationAccessToken != "rat-CANARY-2" ||
		got.RegistrationClientURI != testIssuer+"/register/moved" || !got.ClientIDIssuedAt.Equal(testStart) || got.Metadata.ClientName != "Other" {
		t.Errorf("got %+v", plain(*got))
	}
	// Not registration_access_token, registration_client_uri, client_secret_expires_at, client_id_issued_at (RFC 7592 2.2).
	p.wantRequests("/register/web", sentRequest{"PUT", clientURI, managementHeader(true),
		`{"client_id":"web","client_name":"Mine","client_secret":"` + testSecret + `","redirect_uris":["` + testRedirect + `"],"x_any":{"a":1}}`})

	p.reply("/register/moved", 200, "application/json", `{"client_id":"web"}`)
	if _, err := got.Read(context.Background()); err != nil {
		t.Error(err)
	}
	if sent := p.seen("/register/moved"); len(sent) != 1 || sent[0].Header.Get("Authorization") != "Bearer rat-CANARY-2" {
		t.Errorf("the next request is %v", sent)
	}
}

func TestRegistrationUpdateOfAPublicClient(t *testing.T) {
	p := newOP(t)
	p.reply("/register/web", 200, "application/json", `{"client_id":"web"}`)
	reg := p.managed()
	reg.ClientSecret = ""
	if _, err := reg.Update(context.Background(), ClientMetadata{}); err != nil {
		t.Fatal(err)
	}
	p.wantRequests("/register/web", sentRequest{"PUT", clientURI, managementHeader(true), `{"client_id":"web"}`})
}

func TestRegistrationUpdateRefusesToSend(t *testing.T) {
	p := newOP(t)
	_, err := p.managed().Update(context.Background(), ClientMetadata{Extra: extra("registration_access_token", `"a"`)})
	if want := `client: ClientMetadata.Extra has "registration_access_token", which is no metadata`; err == nil || err.Error() != want || len(p.requests) != 0 {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRegistrationDelete(t *testing.T) {
	for _, status := range []int{204, 200} {
		p := newOP(t)
		p.reply("/register/web", status, "", "")
		if err := p.managed().Delete(context.Background()); err != nil {
			t.Errorf("%d: %v", status, err)
		}
		p.wantRequests("/register/web", sentRequest{"DELETE", clientURI, managementHeader(false), ""})
	}
}

func TestRegistrationManagementRejected(t *testing.T) {
	const json = "application/json"
	read := func(r *Registration) error { _, err := r.Read(context.Background()); return err }
	update := func(r *Registration) error { _, err := r.Update(context.Background(), r.Metadata); return err }
	remove := func(r *Registration) error { return r.Delete(context.Background()) }
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		ask                     func(*Registration) error
		want                    error
		text                    string // after "client: client configuration endpoint: "
	}{
		{"another client", json, `{"client_id":"other"}`, 200, read, ErrRejected, "rejected: status 200: client_id is not the one of the registration"},
		{"another client after an update", json, `{"client_id":"other"}`, 200, update, ErrRejected, "rejected: status 200: client_id is not the one of the registration"},
		{"no client", json, `{}`, 200, read, ErrRejected, "rejected: status 200: client_id is missing"},
		{"a URI without TLS", json, `{"client_id":"web","registration_client_uri":"http://op.example.com/c"}`, 200, update, ErrRejected,
			"rejected: status 200: registration_client_uri must be https, as the issuer is"},
		{"duplicate", json, `{"client_id":"web","client_secret":"a","client_secret":"b"}`, 200, read, ErrRejected, "rejected: status 200: " + notMembers},
		{"HTML", "text/html", `<html>`, 200, read, ErrRejected, `rejected: status 200: the content type is "text/html", not application/json`},
		{"too large", json, strings.Repeat(" ", maxBody+1), 200, update, ErrRejected, "rejected: status 200: the answer has more than 1048576 bytes"},
		{"the token is no good any more", json, `{"error":"invalid_token"}`, 401, read, ErrRejected, `rejected: status 401: "invalid_token"`},
		{"the token is no good any more, to an update", json, `{"error":"invalid_token"}`, 401, update, ErrRejected, `rejected: status 401: "invalid_token"`},
		{"the token is no good any more, to a delete", json, `{"error":"invalid_token"}`, 401, remove, ErrRejected, `rejected: status 401: "invalid_token"`},
		{"no right to", json, `{"error":"x","error_description":"rat-CANARY-1 ` + testSecret + `"}`, 403, update, ErrRejected, `rejected: status 403: "x" "[redacted] [redacted]"`},
		{"no update", "", ``, 405, update, ErrUnsupported, "not supported by the provider: status 405: no error code"},
		{"no delete", "", ``, 405, remove, ErrUnsupported, "not supported by the provider: status 405: no error code"},
		{"redirect of a read", "", ``, 307, read, ErrRejected, "rejected: status 307: no error code"},
		{"redirect of a delete", "", ``, 308, remove, ErrRejected, "rejected: status 308: no error code"},
		{"an error in 200", json, `{"error":"invalid_client_metadata"}`, 200, update, ErrRejected, `rejected: status 200: "invalid_client_metadata"`},
		{"down", "", ``, 503, remove, ErrUnavailable, "provider unavailable: status 503: no error code"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.handle("/register/web", func(req *http.Request) (*http.Response, error) {
				resp := textResponse(test.status, test.contentType, test.body)
				resp.Header.Set("Location", "https://evil.example.com/") // a request there fails the test
				return resp, nil
			})
			err := test.ask(p.managed())
			var e *ResponseError
			if !errors.Is(err, test.want) || !errors.As(err, &e) || e.Status != test.status || err.Error() != "client: client configuration endpoint: "+test.text {
				t.Errorf("got %v, want %s", err, test.text)
			}
			if len(p.requests) != 1 {
				t.Errorf("%d requests", len(p.requests))
			}
		})
	}
}

func TestRegistrationThatCannotBeManaged(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Registration)
		want   error // nil: a mistake of the program's
		text   string
	}{
		{"no token", func(r *Registration) { r.RegistrationAccessToken = "" }, ErrUnsupported,
			"client: not supported by the provider: the registration came without registration_client_uri or registration_access_token"},
		{"no URI", func(r *Registration) { r.RegistrationClientURI = "" }, ErrUnsupported,
			"client: not supported by the provider: the registration came without registration_client_uri or registration_access_token"},
		{"URI without TLS", func(r *Registration) { r.RegistrationClientURI = "http://op.example.com/" }, nil, "client: Registration: registration_client_uri must be https, as the issuer is"},
		{"token with a line break", func(r *Registration) { r.RegistrationAccessToken = "a\nb" }, nil, "client: Registration: registration_access_token has characters that none has"},
		{"no issuer", func(r *Registration) { r.Issuer = "" }, nil, "client: Registration: the issuer is empty"},
	} {
		p := newOP(t)
		reg := p.managed()
		test.change(reg)
		for i, ask := range []func() error{
			func() error { _, err := reg.Read(context.Background()); return err },
			func() error { _, err := reg.Update(context.Background(), ClientMetadata{}); return err },
			func() error { return reg.Delete(context.Background()) },
		} {
			if err := ask(); err == nil || err.Error() != test.text || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%s, %d: got %v, want %s", test.name, i, err, test.text)
			}
		}
		if len(p.requests) != 0 {
			t.Errorf("%s: something was sent", test.name)
		}
	}
}

// A provider for development is on this machine, and so is its client configuration endpoint.
func TestRegistrationOnThisMachine(t *testing.T) {
	for uri, ok := range map[string]bool{
		"http://127.0.0.1:8080/c": true, "http://localhost/c": true, "https://op.example.com/c": true, "http://op.example.com/c": false,
	} {
		reg := Registration{Issuer: "http://localhost:8080", ClientID: "a", RegistrationClientURI: uri}
		if err := reg.check(); (err == nil) != ok {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

func TestRegistrationStorage(t *testing.T) {
	want := Registration{
		Issuer: testIssuer, ClientID: `odd: %2B+/?&="\~`, ClientSecret: `se cret:%25+/?&=~"\`,
		ClientIDIssuedAt: time.Unix(1767225600, 0), ClientSecretExpiresAt: time.Unix(1767229200, 0),
		RegistrationAccessToken: "e30.e30.c2ln", RegistrationClientURI: clientURI,
		Metadata: filled(t), asked: ClientMetadata{TokenEndpointAuthMethod: "client_secret_post"}, defaultMethod: "client_secret_post",
	}
	data, err := want.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	hc := &http.Client{}
	got := Registration{HTTPClient: hc, ClientSecret: "before"}
	if err := got.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	if got.HTTPClient != hc {
		t.Error("HTTPClient is gone")
	}
	got.HTTPClient = nil
	if !reflect.DeepEqual(plain(got), plain(want)) {
		t.Errorf("got  %+v\nwant %+v", plain(got), plain(want))
	}
	least := Registration{}
	if data, err = least.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	if err := got.UnmarshalBinary(data); err != nil || !reflect.DeepEqual(plain(got), plain(least)) {
		t.Errorf("got %+v, %v", plain(got), err)
	}
	bad := Registration{Metadata: ClientMetadata{Extra: extra("x", "")}}
	if _, err := bad.MarshalBinary(); err == nil {
		t.Error("metadata that is not JSON was written")
	}
}

func TestRegistrationStorageHostile(t *testing.T) {
	p := newOP(t)
	data, err := p.managed().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name string, data []byte) {
		t.Helper()
		reg := Registration{ClientID: "before"}
		if err := reg.UnmarshalBinary(data); err != errRegistrationData || reg.ClientID != "before" {
			t.Errorf("%s: got %v, %v", name, reg, err)
		}
	}
	for i := range data {
		refused(fmt.Sprintf("the first %d bytes", i), data[:i])
	}
	refused("a byte more", append(data[:len(data):len(data)], 0))
	refused("another version", append([]byte{registrationVersion + 1}, data[1:]...))
	refused("metadata that is none", []byte(strings.Replace(string(data), `{"redirect_uris"`, `["redirect_uris"`, 1)))
}

func TestRegistrationRedaction(t *testing.T) {
	p := newOP(t)
	reg := p.managed()
	reg.Metadata.Extra = extra("x", `"CANARY"`)
	req := RegistrationRequest{InitialAccessToken: "iat-CANARY", SoftwareStatement: "sta-CANARY"}
	text := renderings(t, reg) + renderings(t, *reg) + renderings(t, req) + renderings(t, &req)
	for _, canary := range []string{"CANARY", fmt.Sprintf("%x", "CANARY"), fmt.Sprintf("%X", "CANARY"), fmt.Sprint([]byte("CANARY"))} {
		if strings.Contains(text, canary) {
			t.Errorf("it shows %q:\n%s", canary, text)
		}
	}
	if got := fmt.Sprintf("%+v", reg); got != "{Issuer:https://op.example.com ClientID:web}" {
		t.Errorf("got %s", got)
	}
}

func TestRegistrationConfig(t *testing.T) {
	hc := &http.Client{}
	signing := secretOf(32)
	for _, test := range []struct {
		name   string
		change func(*Registration)
		base   Config
		auth   ClientAuth
		secret string
		want   Config // but for Issuer, ClientID, Auth, ClientSecret
	}{
		{"nobody says anything", func(r *Registration) {}, Config{}, SecretBasic{}, testSecret, Config{RedirectURL: testRedirect}},
		{"nobody says anything, and no secret", func(r *Registration) { r.ClientSecret = "" }, Config{}, NoAuth{}, "", Config{RedirectURL: testRedirect}},
		{"the documentation", func(r *Registration) { r.defaultMethod = "client_secret_post" }, Config{}, SecretPost{}, testSecret, Config{RedirectURL: testRedirect}},
		{"the documentation, and no secret", func(r *Registration) { r.ClientSecret, r.defaultMethod = "", "client_secret_post" }, Config{}, NoAuth{}, "", Config{RedirectURL: testRedirect}},
		{"the request", func(r *Registration) {
			r.asked.TokenEndpointAuthMethod, r.defaultMethod = "client_secret_basic", "client_secret_post"
		}, Config{}, SecretBasic{}, testSecret, Config{RedirectURL: testRedirect}},
		{"the answer", func(r *Registration) {
			r.Metadata.TokenEndpointAuthMethod, r.asked.TokenEndpointAuthMethod, r.defaultMethod = "none", "client_secret_basic", "client_secret_post"
		}, Config{}, NoAuth{}, "", Config{RedirectURL: testRedirect}},
		{"a secret of a public client that has expired", func(r *Registration) {
			r.Metadata.TokenEndpointAuthMethod, r.ClientSecretExpiresAt = "none", testStart.Add(-time.Hour)
		}, Config{}, NoAuth{}, "", Config{RedirectURL: testRedirect}},
		{"a secret that has not expired", func(r *Registration) { r.ClientSecretExpiresAt = testStart.Add(time.Second) }, Config{}, SecretBasic{}, testSecret, Config{RedirectURL: testRedirect}},
		{"the way of the caller", func(r *Registration) { r.Metadata.TokenEndpointAuthMethod = "client_secret_post" }, Config{Auth: &SecretPost{}}, &SecretPost{}, testSecret, Config{RedirectURL: testRedirect}},
		{"the way of the caller against the documentation", func(r *Registration) { r.defaultMethod = "client_secret_post" }, Config{Auth: SecretBasic{}}, SecretBasic{}, testSecret, Config{RedirectURL: testRedirect}},
		{"the algorithm of the answer", func(r *Registration) {
			r.Metadata.IDTokenSignedResponseAlg, r.asked.IDTokenSignedResponseAlg = "PS256", "ES256"
		}, Config{}, SecretBasic{}, testSecret, Config{RedirectURL: testRedirect, IDTokenSignedResponseAlg: "PS256"}},
		{"the algorithm of the request", func(r *Registration) { r.asked.IDTokenSignedResponseAlg = "ES256" }, Config{IDTokenSignedResponseAlg: "ES256"}, SecretBasic{}, testSecret,
			Config{RedirectURL: testRedirect, IDTokenSignedResponseAlg: "ES256"}},
		{"ID tokens with the secret", func(r *Registration) { r.ClientSecret, r.Metadata.IDTokenSignedResponseAlg = signing, "HS256" }, Config{}, SecretBasic{}, signing,
			Config{RedirectURL: testRedirect, IDTokenSignedResponseAlg: "HS256"}},
		{"a method that signs with the secret", func(r *Registration) {
			r.ClientSecret, r.Metadata.TokenEndpointAuthMethod, r.asked.TokenEndpointAuthSigningAlg = signing, "client_secret_jwt", "HS256"
		}, Config{}, SecretJWT{Algorithm: "HS256"}, signing, Config{RedirectURL: testRedirect}},
		{"answers with the secret", func(r *Registration) {
			r.ClientSecret, r.Metadata.TokenEndpointAuthMethod, r.Metadata.AuthorizationSignedResponseAlg = signing, "client_secret_post", "HS256"
		}, Config{}, SecretPost{}, signing, Config{RedirectURL: testRedirect, AuthorizationSignedResponseAlg: "HS256"}},
		{"algorithm of userinfo", func(r *Registration) {
			r.asked.UserInfoSignedResponseAlg, r.Metadata.UserInfoSignedResponseAlg = "ES256", "PS256"
		}, Config{}, SecretBasic{}, testSecret, Config{RedirectURL: testRedirect, UserInfoSignedResponseAlg: "PS256"}},
		{"algorithm of answers about tokens that was asked for", func(r *Registration) { r.asked.IntrospectionSignedResponseAlg = "ES256" }, Config{}, SecretBasic{}, testSecret,
			Config{RedirectURL: testRedirect, IntrospectionSignedResponseAlg: "ES256"}},
		{"userinfo with the secret", func(r *Registration) {
			r.ClientSecret, r.Metadata.TokenEndpointAuthMethod, r.Metadata.UserInfoSignedResponseAlg = signing, "client_secret_post", "HS256"
		}, Config{}, SecretPost{}, signing, Config{RedirectURL: testRedirect, UserInfoSignedResponseAlg: "HS256"}},
		{"pushed requests", func(r *Registration) { r.Metadata.RequirePushedAuthorizationRequests = true }, Config{}, SecretBasic{}, testSecret,
			Config{RedirectURL: testRedirect, PushedAuthorizationRequests: true}},
		{"what base has", func(r *Registration) {}, Config{Issuer: testIssuer, ClientID: testClientID, Scopes: []string{"a"}, Leeway: time.Second, HTTPClient: hc}, SecretBasic{}, testSecret,
			Config{RedirectURL: testRedirect, Scopes: []string{"a"}, Leeway: time.Second, HTTPClient: hc}},
		{"no redirect URI", func(r *Registration) { r.Metadata.RedirectURIs = []string{} }, Config{}, SecretBasic{}, testSecret, Config{}},
		{"the redirect URI of the request", func(r *Registration) {
			r.Metadata.RedirectURIs, r.asked.RedirectURIs = nil, []string{"https://b.example.com/"}
		}, Config{}, SecretBasic{}, testSecret,
			Config{RedirectURL: "https://b.example.com/"}},
		{"one of several", func(r *Registration) { r.Metadata.RedirectURIs = []string{testRedirect, "https://b.example.com/"} }, Config{RedirectURL: "https://b.example.com/"}, SecretBasic{}, testSecret,
			Config{RedirectURL: "https://b.example.com/"}},
		{"a port of this machine", func(r *Registration) { r.Metadata.RedirectURIs = []string{"http://127.0.0.1/cb"} }, Config{RedirectURL: "http://127.0.0.1:49152/cb"}, SecretBasic{}, testSecret,
			Config{RedirectURL: "http://127.0.0.1:49152/cb"}},
		{"a port of this machine, IPv6", func(r *Registration) { r.Metadata.RedirectURIs = []string{"http://[::1]/cb"} }, Config{RedirectURL: "http://[::1]:49152/cb"}, SecretBasic{}, testSecret,
			Config{RedirectURL: "http://[::1]:49152/cb"}},
		{"by hand", func(r *Registration) { r.Metadata.RedirectURIs = nil }, Config{RedirectURL: "https://b.example.com/"}, SecretBasic{}, testSecret, Config{RedirectURL: "https://b.example.com/"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			reg := p.managed()
			test.change(reg)
			got, err := reg.Config(test.base)
			if err != nil {
				t.Fatal(err)
			}
			if got.Now == nil || !got.Now().Equal(testStart) || got.HTTPClient == nil {
				t.Error("clock or HTTP client is not taken over")
			}
			want := test.want
			want.Issuer, want.ClientID, want.Auth, want.ClientSecret = testIssuer, testClientID, test.auth, test.secret
			got.Now = nil
			if test.base.HTTPClient == nil {
				got.HTTPClient = nil
			}
			type shown Config
			if !reflect.DeepEqual(shown(got), shown(want)) {
				t.Errorf("got  %+v\nwant %+v", shown(got), shown(want))
			}
			if _, err := New(got); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRegistrationConfigRejects(t *testing.T) {
	several := func(r *Registration) {
		r.Metadata.RedirectURIs = []string{testRedirect, "https://b.example.com/", "http://127.0.0.1/cb", "https://127.0.0.1/cb"}
	}
	for _, test := range []struct {
		name   string
		change func(*Registration)
		base   Config
		text   string
	}{
		{"another issuer", func(*Registration) {}, Config{Issuer: "https://other.example.com"}, "Config.Issuer is set, and it is another one than the client has"},
		{"another client", func(*Registration) {}, Config{ClientID: "other"}, "Config.ClientID is set, and it is another one than the client has"},
		{"a secret", func(*Registration) {}, Config{ClientSecret: testSecret}, "Config.ClientSecret is set, and it is for the registration to say"},
		{"a secret that expired", func(r *Registration) { r.ClientSecretExpiresAt = testStart }, Config{},
			"rejected: the client secret expired at 2026-03-01T12:00:00Z: Read or Update may give another one, or register again"},
		{"a secret that expired, for ID tokens alone", func(r *Registration) {
			r.Metadata.TokenEndpointAuthMethod, r.Metadata.IDTokenSignedResponseAlg, r.ClientSecretExpiresAt = "none", "HS256", testStart
		}, Config{}, "rejected: the client secret expired at 2026-03-01T12:00:00Z: Read or Update may give another one, or register again"},
		{"no secret", func(r *Registration) { r.ClientSecret, r.asked.TokenEndpointAuthMethod = "", "client_secret_basic" }, Config{}, `the client is registered for "client_secret_basic", and got no secret`},
		{"another way", func(r *Registration) { r.Metadata.TokenEndpointAuthMethod = "client_secret_post" }, Config{Auth: SecretBasic{}}, `Config.Auth is client_secret_basic, and the client is registered for "client_secret_post"`},
		{"a key", func(r *Registration) { r.Metadata.TokenEndpointAuthMethod = "private_key_jwt" }, Config{}, `the client is registered for "private_key_jwt": Config.Auth must bring what that needs`},
		{"a way that nobody knows", func(r *Registration) { r.Metadata.TokenEndpointAuthMethod = strings.Repeat("x", 100) }, Config{},
			`the client is registered for "` + strings.Repeat("x", 64) + `": Config.Auth must bring what that needs`},
		{"another algorithm", func(r *Registration) { r.Metadata.IDTokenSignedResponseAlg = "ES256" }, Config{IDTokenSignedResponseAlg: "RS256"}, `Config.IDTokenSignedResponseAlg is "RS256", and the client is registered for "ES256"`},
		{"no key for ID tokens", func(r *Registration) { r.Metadata.IDTokenEncryptedResponseAlg = "ECDH-ES" }, Config{}, "the client is registered for encrypted ID tokens: Config.Decrypt must have the key"},
		{"another algorithm of answers", func(r *Registration) { r.Metadata.AuthorizationSignedResponseAlg = "ES256" }, Config{AuthorizationSignedResponseAlg: "RS256"}, `Config.AuthorizationSignedResponseAlg is "RS256", and the client is registered for "ES256"`},
		{"no key for answers", func(r *Registration) { r.Metadata.AuthorizationEncryptedResponseAlg = "ECDH-ES" }, Config{}, "the client is registered for encrypted answers: Config.AuthorizationDecrypt must have the key"},
		{"another algorithm of userinfo", func(r *Registration) { r.Metadata.UserInfoSignedResponseAlg = "ES256" }, Config{UserInfoSignedResponseAlg: "RS256"}, `Config.UserInfoSignedResponseAlg is "RS256", and the client is registered for "ES256"`},
		{"another algorithm of answers about tokens", func(r *Registration) { r.Metadata.IntrospectionSignedResponseAlg = "ES256" }, Config{IntrospectionSignedResponseAlg: "RS256"}, `Config.IntrospectionSignedResponseAlg is "RS256", and the client is registered for "ES256"`},
		{"no key for userinfo", func(r *Registration) { r.Metadata.UserInfoEncryptedResponseAlg = "ECDH-ES" }, Config{}, "the client is registered for encrypted userinfo: Config.UserInfoDecrypt must have the key"},
		{"no key for answers about tokens", func(r *Registration) { r.asked.IntrospectionEncryptedResponseAlg = "ECDH-ES" }, Config{}, "the client is registered for encrypted answers about tokens: Config.IntrospectionDecrypt must have the key"},
		{"a secret that expired, for userinfo alone", func(r *Registration) {
			r.Metadata.TokenEndpointAuthMethod, r.Metadata.UserInfoSignedResponseAlg, r.ClientSecretExpiresAt = "tls_client_auth", "HS256", testStart
		}, Config{}, "rejected: the client secret expired at 2026-03-01T12:00:00Z: Read or Update may give another one, or register again"},
		{"a secret that expired, for answers about tokens alone", func(r *Registration) {
			r.Metadata.TokenEndpointAuthMethod, r.Metadata.IntrospectionSignedResponseAlg, r.ClientSecretExpiresAt = "tls_client_auth", "HS512", testStart
		}, Config{}, "rejected: the client secret expired at 2026-03-01T12:00:00Z: Read or Update may give another one, or register again"},
		{"no key for requests", func(r *Registration) { r.Metadata.RequireSignedRequestObject = true }, Config{}, "the client is registered with require_signed_request_object: Config.RequestObject must have the key"},
		{"no certificate for access tokens", func(r *Registration) { r.Metadata.TLSClientCertificateBoundAccessTokens = true }, Config{}, "the client is registered with tls_client_certificate_bound_access_tokens: Config.Certificate must be there"},
		{"no key for access tokens", func(r *Registration) { r.Metadata.DPoPBoundAccessTokens = true }, Config{}, "the client is registered with dpop_bound_access_tokens: Config.DPoP must have the key"},
		{"several redirect URIs", several, Config{}, "4 redirect URIs are registered: choose one in Config.RedirectURL"},
		{"a redirect URI that is not registered", several, Config{RedirectURL: testRedirect + "2"}, "Config.RedirectURL is none of the 4 that are registered"},
		{"another port", several, Config{RedirectURL: "https://b.example.com:8443/"}, "Config.RedirectURL is none of the 4 that are registered"},
		{"another port with TLS", several, Config{RedirectURL: "https://127.0.0.1:8443/cb"}, "Config.RedirectURL is none of the 4 that are registered"},
		{"another path on this machine", several, Config{RedirectURL: "http://127.0.0.1:8080/other"}, "Config.RedirectURL is none of the 4 that are registered"},
		{"another name of this machine", several, Config{RedirectURL: "http://localhost:8080/cb"}, "Config.RedirectURL is none of the 4 that are registered"},
		{"no URL", several, Config{RedirectURL: "x"}, "Config.RedirectURL is none of the 4 that are registered"},
	} {
		p := newOP(t)
		reg := p.managed()
		test.change(reg)
		if _, err := reg.Config(test.base); err == nil || err.Error() != "client: registration: "+test.text {
			t.Errorf("%s: got %v, want %s", test.name, err, test.text)
		}
	}
	expired := Registration{Issuer: testIssuer, ClientID: "a", ClientSecret: "s", ClientSecretExpiresAt: time.Unix(1, 0)} // by the clock of the machine
	if _, err := expired.Config(Config{}); err == nil || !strings.Contains(err.Error(), "expired at 1970-01-01T00:00:01Z") {
		t.Errorf("got %v", err)
	}
}

// Credentials of any characters go through a registration, storage and the two forms in
// which they are sent (RFC 6749 2.3.1, appendix A).
func TestCredentialsOfEveryCharacter(t *testing.T) {
	var every strings.Builder
	for c := byte(' '); c <= '~'; c++ {
		every.WriteByte(c)
	}
	for method, credentials := range map[string]func(sentRequest) (id, secret string){
		"client_secret_basic": func(r sentRequest) (id, secret string) {
			req := http.Request{Header: r.Header}
			user, password, _ := req.BasicAuth()
			id, _ = url.QueryUnescape(user)
			secret, _ = url.QueryUnescape(password)
			return id, secret
		},
		"client_secret_post": func(r sentRequest) (id, secret string) {
			form, _ := url.ParseQuery(r.Body)
			return form.Get("client_id"), form.Get("client_secret")
		},
	} {
		body, err := json.Marshal(map[string]any{
			"client_id": "id" + every.String(), "client_secret": every.String(), "client_secret_expires_at": 0, "token_endpoint_auth_method": method,
		})
		if err != nil {
			t.Fatal(err)
		}
		p := registrar(t, 201, "application/json", string(body))
		reg, err := p.register(nil)
		if err != nil {
			t.Fatal(err)
		}
		data, err := reg.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		stored := &Registration{HTTPClient: reg.HTTPClient, Now: reg.Now}
		if err := stored.UnmarshalBinary(data); err != nil {
			t.Fatal(err)
		}
		cfg, err := stored.Config(Config{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p.reply("/token", 400, "application/json", `{}`)
		if _, err := c.Refresh(context.Background(), &Tokens{RefreshToken: "refresh-1"}); !errors.Is(err, ErrRejected) {
			t.Errorf("%s: got %v", method, err)
		}
		sent := p.seen("/token")
		if len(sent) != 1 {
			t.Fatalf("%s: %d requests", method, len(sent))
		}
		if id, secret := credentials(sent[0]); id != "id"+every.String() || secret != every.String() {
			t.Errorf("%s: got %q, %q", method, id, secret)
		}
	}
}

// FuzzRegistration: an answer that is accepted can be stored, comes back as it was, and
// holds what every request with it needs; no bytes make the storage panic.
func FuzzRegistration(f *testing.F) {
	f.Add([]byte(registered))
	f.Add([]byte(`{"client_id":"a","client_secret":"s","client_secret_expires_at":1e300,"registration_access_token":"t","registration_client_uri":"https://a/b","scope":"a b","x":{"y":[1]}}`))
	f.Add([]byte(`{"client_id":"a","jwks":{"keys":[{"kty":"oct","k":"a"}]},"default_max_age":0.5,"contacts":"a"}`))
	f.Add([]byte{registrationVersion, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = new(Registration).UnmarshalBinary(data)
		reg := &Registration{Issuer: testIssuer}
		a := &answer{status: 201, header: http.Header{"Content-Type": {"application/json"}}, body: string(data)}
		got, err := reg.next(a)
		if err != nil {
			return
		}
		if got.ClientID == "" || !isVSChar(got.ClientID) || !isVisible(got.RegistrationAccessToken) {
			t.Errorf("accepted %+v", plain(*got))
		}
		stored, err := got.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		back := &Registration{}
		if err := back.UnmarshalBinary(stored); err != nil || back.ClientID != got.ClientID || back.ClientSecret != got.ClientSecret {
			t.Errorf("%v: got %+v after %+v", err, plain(*back), plain(*got))
		}
	})
}

// A provider that repeats the body of an update as it is.
func TestNoSecretOfAnUpdateInErrors(t *testing.T) {
	for _, secret := range []string{"secret-CANARY", `secret<&>CANARY`, `secret"CANARY\\`} {
		p := newOP(t)
		p.handle("/register/web", func(r *http.Request) (*http.Response, error) {
			return jsonResponse(400, map[string]any{"error": "invalid_client_metadata", "error_description": p.seen("/register/web")[0].Body}), nil
		})
		reg := p.managed()
		reg.ClientSecret = secret
		_, err := reg.Update(t.Context(), ClientMetadata{})
		if err == nil || !strings.Contains(err.Error(), redacted) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("got %v", err)
		}
	}
}

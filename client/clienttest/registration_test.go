package clienttest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// A managed is a registration by hand.
type managed struct {
	Status      int
	ID          string `json:"client_id"`
	Secret      string `json:"client_secret"`
	IssuedAt    int64  `json:"client_id_issued_at"`
	ExpiresAt   *int64 `json:"client_secret_expires_at"`
	AccessToken string `json:"registration_access_token"`
	ClientURI   string `json:"registration_client_uri"`
	Method      string `json:"token_endpoint_auth_method"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Location    string `json:"-"`
}

// register sends what a client that registers itself sends.
func (f *flow) register(body string) managed {
	return f.manage("POST", f.op.Issuer()+"/register", "", body)
}

func (f *flow) manage(method, address, token, text string) managed {
	f.t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(text))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	f.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := f.http.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	m := managed{Location: response.Header.Get("Location")}
	if answer := body(f.t, response); answer != "" && response.Header.Get("Content-Type") == "application/json" {
		if err := json.Unmarshal([]byte(answer), &m); err != nil {
			f.t.Fatalf("%v: %s", err, answer)
		}
	}
	m.Status = response.StatusCode
	return m
}

const wantsOne = `{"redirect_uris":["` + redirectURL + `"]}`

func registrationFaults() map[clienttest.Fault]check {
	sees := func(ok func(f *flow, m managed) bool) check {
		return func(t *testing.T, f *flow) {
			if m := f.register(wantsOne); !ok(f, m) {
				t.Errorf("got %+v", m)
			}
		}
	}
	return map[clienttest.Fault]check{
		clienttest.RegistrationNoMethod: sees(func(f *flow, m managed) bool {
			return m.Status == 201 && m.Method == "" && m.Secret != ""
		}),
		clienttest.RegistrationSecretPost: sees(func(f *flow, m managed) bool {
			return m.Status == 201 && m.Method == "client_secret_post" && m.Secret != ""
		}),
		clienttest.RegistrationExpiredSecret: sees(func(f *flow, m managed) bool {
			return m.Status == 201 && *m.ExpiresAt == f.op.Now().Add(-time.Hour).Unix()
		}),
		clienttest.Registration500: sees(func(f *flow, m managed) bool {
			return m.Status == 500 && m.Error == "server_error" && f.manage("GET", f.op.Issuer()+"/register/x", "", "").Status == 500
		}),
		clienttest.RegistrationRedirect: sees(func(f *flow, m managed) bool {
			return m.Status == 307 && m.Location == "https://elsewhere.example.com/"
		}),
	}
}

func TestRegistration(t *testing.T) {
	f := newFlow(t, fast())
	m := f.register(wantsOne)
	if m.Status != 201 || m.ID == "" || len(m.Secret) < 64 || *m.ExpiresAt != 0 || m.IssuedAt == 0 || m.AccessToken == "" ||
		m.ClientURI != f.op.Issuer()+"/register/"+m.ID || m.Method != "client_secret_basic" {
		t.Fatalf("got %+v", m)
	}
	other := f.register(wantsOne)
	if other.ID == m.ID || other.Secret == m.Secret || other.AccessToken == m.AccessToken {
		t.Error("two clients share something")
	}
	read := f.manage("GET", m.ClientURI, m.AccessToken, "")
	if read.Status != 200 || read.Secret != m.Secret || read.AccessToken != m.AccessToken {
		t.Errorf("read %+v", read)
	}
	update := f.manage("PUT", m.ClientURI, m.AccessToken, `{"client_id":"`+m.ID+`","client_secret":"`+m.Secret+`","redirect_uris":["`+redirectURL+`"],"token_endpoint_auth_method":"none"}`)
	if update.Status != 200 || update.Secret != "" || update.ExpiresAt != nil || update.Method != "none" || update.AccessToken == m.AccessToken {
		t.Errorf("updated to %+v", update)
	}
	if old := f.manage("GET", m.ClientURI, m.AccessToken, ""); old.Status != 401 || old.Error != "invalid_token" {
		t.Errorf("the old token gives %+v", old)
	}
	if gone := f.manage("DELETE", m.ClientURI, update.AccessToken, ""); gone.Status != 204 {
		t.Errorf("deleted with %+v", gone)
	}
	if gone := f.manage("GET", m.ClientURI, update.AccessToken, ""); gone.Status != 401 {
		t.Errorf("it is still there: %+v", gone)
	}
	if f.op.Count("registration") != 2 || f.op.Count("client_configuration") != 5 {
		t.Errorf("counted %d and %d", f.op.Count("registration"), f.op.Count("client_configuration"))
	}
}

func TestRegistrationRefuses(t *testing.T) {
	f := newFlow(t, fast())
	with := func(member string) string { return strings.Replace(wantsOne, `{`, `{`+member+`,`, 1) }
	for _, test := range []struct{ name, body, code string }{
		{"no JSON", `redirect_uris=x`, "invalid_client_metadata"},
		{"a member twice", `{"redirect_uris":[],"redirect_uris":["https://a"]}`, "invalid_client_metadata"},
		{"no redirect URI", `{}`, "invalid_redirect_uri"},
		{"a fragment", `{"redirect_uris":["https://app.example.com/#a"]}`, "invalid_redirect_uri"},
		{"a path", `{"redirect_uris":["/callback"]}`, "invalid_redirect_uri"},
		{"a method that is not there", with(`"token_endpoint_auth_method":"private_key_jwt"`), "invalid_client_metadata"},
		{"an ID", with(`"client_id":"mine"`), "invalid_client_metadata"},
		{"a secret", with(`"client_secret":"mine"`), "invalid_client_metadata"},
		{"another algorithm", with(`"id_token_signed_response_alg":"PS512"`), "invalid_client_metadata"},
		{"no secret for it", with(`"id_token_signed_response_alg":"HS256","token_endpoint_auth_method":"none"`), "invalid_client_metadata"},
		{"encryption", with(`"id_token_encrypted_response_alg":"ECDH-ES"`), "invalid_client_metadata"},
	} {
		if m := f.register(test.body); m.Status != 400 || m.Error != test.code {
			t.Errorf("%s: got %d %s %s", test.name, m.Status, m.Error, m.Description)
		}
	}
	if m := f.register(`{"grant_types":["client_credentials"]}`); m.Status != 201 {
		t.Errorf("a machine: %d %s", m.Status, m.Description)
	}
}

func TestUpdateRefuses(t *testing.T) {
	f := newFlow(t, fast())
	c := f.register(wantsOne)
	other := f.register(wantsOne)
	good := `{"client_id":"` + c.ID + `","redirect_uris":["` + redirectURL + `"]`
	for _, test := range []struct {
		name, token, body string
		status            int
		code              string
	}{
		{"no token", "", good + "}", 401, "invalid_token"},
		{"the token of another client", other.AccessToken, good + "}", 401, "invalid_token"},
		{"no client_id", c.AccessToken, wantsOne, 400, "invalid_request"},
		{"another client_id", c.AccessToken, strings.Replace(good, c.ID, other.ID, 1) + "}", 400, "invalid_request"},
		{"another secret", c.AccessToken, good + `,"client_secret":"` + other.Secret + `"}`, 400, "invalid_request"},
		{"its own token", c.AccessToken, good + `,"registration_access_token":"` + c.AccessToken + `"}`, 400, "invalid_request"},
		{"the time of its secret", c.AccessToken, good + `,"client_secret_expires_at":0}`, 400, "invalid_request"},
		{"no redirect URI", c.AccessToken, `{"client_id":"` + c.ID + `"}`, 400, "invalid_redirect_uri"},
	} {
		if m := f.manage("PUT", c.ClientURI, test.token, test.body); m.Status != test.status || m.Error != test.code {
			t.Errorf("%s: got %d %s %s", test.name, m.Status, m.Error, m.Description)
		}
	}
	if m := f.manage("PUT", c.ClientURI, c.AccessToken, good+`,"client_secret":"`+c.Secret+`"}`); m.Status != 200 || m.Secret != c.Secret {
		t.Errorf("a good one: %d %s", m.Status, m.Description)
	}
	first, _, _ := strings.Cut(c.ClientURI, c.ID)
	if m := f.manage("GET", first+f.id, "", ""); m.Status != 401 {
		t.Errorf("the client that was there from the start can be managed: %+v", m)
	}
}

// TestRegisteredClientsSignIn takes what a client asked for all the way.
func TestRegisteredClientsSignIn(t *testing.T) {
	op := clienttest.New(fast())
	t.Cleanup(func() { op.Close() })
	for _, m := range []client.ClientMetadata{
		{},
		{TokenEndpointAuthMethod: "client_secret_post"},
		{TokenEndpointAuthMethod: "none"},
		{IDTokenSignedResponseAlg: "HS512"},
		{IDTokenSignedResponseAlg: "ES256"},
	} {
		m.RedirectURIs = []string{"https://other.example.com/callback", redirectURL}
		reg, err := client.Register(t.Context(), op.Issuer(), client.RegistrationRequest{Metadata: m, HTTPClient: op.HTTPClient(), Now: op.Now})
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := reg.Config(client.Config{RedirectURL: redirectURL})
		if err != nil {
			t.Fatal(err)
		}
		rp, err := client.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		login, err := rp.Authorize(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		callback, err := op.SignIn(login.URL(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rp.Exchange(t.Context(), login, callback.Query()); err != nil {
			t.Errorf("%+v: %v", m, err)
		}
		if err := reg.Delete(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := op.SignIn(login.URL(), "alice"); err == nil {
			t.Error("the client is gone, and a user can sign in")
		}
	}
}

// TestMetadataLeavesRegistrationsOut: a client that chooses by the metadata must not meet
// the methods of others.
func TestMetadataLeavesRegistrationsOut(t *testing.T) {
	f := newFlow(t, fast())
	f.register(strings.Replace(wantsOne, `{`, `{"token_endpoint_auth_method":"client_secret_post",`, 1))
	if got, _ := f.metadata()["token_endpoint_auth_methods_supported"].([]any); !slices.Equal(got, []any{"client_secret_basic"}) {
		t.Errorf("got %v", got)
	}
}

func TestRegisterNotSupported(t *testing.T) {
	op := clienttest.New(fast())
	t.Cleanup(func() { op.Close() })
	op.SetFaults(clienttest.NoRegistration)
	_, err := client.Register(t.Context(), op.Issuer(), client.RegistrationRequest{HTTPClient: op.HTTPClient()})
	if !errors.Is(err, client.ErrUnsupported) || op.Count("registration") != 0 {
		t.Errorf("got %v", err)
	}
}

// What comes in is bounded where it comes in, for every endpoint that reads it.
func TestBodyOfARegistrationIsBounded(t *testing.T) {
	const most = 1 << 20
	f := newFlow(t, nil)
	whole := wantsOne + strings.Repeat(" ", most-len(wantsOne))
	if m := f.register(whole); m.Status != 201 {
		t.Errorf("got %+v", m)
	}
	if m := f.register(whole + " "); m.Status != 400 || m.Description != "unreadable body" {
		t.Errorf("got %+v", m)
	}
}

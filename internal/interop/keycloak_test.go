package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// keycloak is one Keycloak for all tests, started by the first of them that wants it.
var keycloak struct {
	once   sync.Once
	server *keycloakServer
	err    error
}

// A keycloakServer is a Keycloak with the realm of keycloak/realm.json. As a provider it
// has no controls; what they do for oidc-provider, Keycloak's admin API does.
type keycloakServer struct {
	*provider
	phone *phone
}

func startKeycloak(t *testing.T) *keycloakServer {
	t.Helper()
	keycloak.once.Do(func() { keycloak.server, keycloak.err = launchKeycloak() })
	if keycloak.err != nil {
		t.Fatal(keycloak.err)
	}
	return keycloak.server
}

func stopKeycloak() {
	if keycloak.server != nil {
		keycloak.server.stop()
		keycloak.server.phone.server.Close()
	}
}

func launchKeycloak() (*keycloakServer, error) {
	install := exec.Command("keycloak/install")
	var why bytes.Buffer
	install.Stderr = &why
	places, err := install.Output()
	if err != nil {
		return nil, fmt.Errorf("Keycloak is not installed: %w\n%s", err, &why)
	}
	ph := newPhone()
	arguments := append(strings.Split(strings.TrimSpace(string(places)), "\n"),
		"--spi-ciba-auth-channel--ciba-http-auth-channel--http-authentication-channel-uri="+ph.server.URL)
	p, err := launchAsProvider(exec.Command("keycloak/serve", arguments...))
	if err != nil {
		ph.server.Close()
		return nil, err
	}
	return &keycloakServer{provider: p, phone: ph}, nil
}

// known is a client of realm.json.
func (k *keycloakServer) known(t *testing.T, id string) registration {
	t.Cleanup(func() { k.explain(t, id) })
	return registration{ID: id, Secret: "secret of " + id, redirectURL: callbackURL}
}

// person is somebody whose browser takes this machine for safe, as all of them do but
// Safari: Keycloak's cookies are Secure, though it speaks http here.
func (k *keycloakServer) person(t *testing.T, away string) *person {
	t.Helper()
	p := newPerson(t, away)
	p.http.Jar = loopbackJar{p.http.Jar.(*cookiejar.Jar)}
	return p
}

type loopbackJar struct{ *cookiejar.Jar }

func (j loopbackJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.Jar.SetCookies(overTLS(u), cookies)
}

func (j loopbackJar) Cookies(u *url.URL) []*http.Cookie { return j.Jar.Cookies(overTLS(u)) }

func overTLS(u *url.URL) *url.URL {
	safe := *u
	safe.Scheme = "https"
	return &safe
}

// admin calls Keycloak's admin API on the realm; what is a method and a path.
func (k *keycloakServer) admin(t *testing.T, what string, body, answer any) {
	t.Helper()
	if err := k.callAdmin(t.Context(), what, body, answer); err != nil {
		t.Fatal(err)
	}
}

func (k *keycloakServer) callAdmin(ctx context.Context, what string, body, answer any) error {
	token, err := k.adminToken()
	if err != nil {
		return err
	}
	payload, err := json.Marshal(body)
	if err != nil {
		return err
	}
	method, path, _ := strings.Cut(what, " ")
	req, err := http.NewRequestWithContext(ctx, method, strings.Replace(k.Issuer, "/realms/", "/admin/realms/", 1)+path, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s: %s", what, resp.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// adminToken is that of the client admin, who may do everything in the realm.
func (k *keycloakServer) adminToken() (string, error) {
	resp, err := http.PostForm(k.Issuer+"/protocol/openid-connect/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"admin"}, "client_secret": {"secret of admin"},
	})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	if answer.AccessToken == "" {
		return "", fmt.Errorf("no token for the admin API: %s", answer.Error)
	}
	return answer.AccessToken, nil
}

// change sets attributes of a client, those too that no registration can have.
func (k *keycloakServer) change(t *testing.T, clientID string, attributes map[string]string) {
	t.Helper()
	var found []struct{ ID string }
	k.admin(t, "GET /clients?clientId="+url.QueryEscape(clientID), nil, &found)
	if len(found) != 1 {
		t.Fatalf("%d clients are called %s", len(found), clientID)
	}
	k.admin(t, "PUT /clients/"+found[0].ID, map[string]any{"clientId": clientID, "attributes": attributes}, nil)
}

// happened counts the events of one kind about a client: REFRESH_TOKEN, or
// REFRESH_TOKEN_ERROR for those that were refused.
func (k *keycloakServer) happened(t *testing.T, clientID, kind string) int {
	t.Helper()
	var events []struct{}
	k.admin(t, "GET /events?max=1000&type="+kind+"&client="+url.QueryEscape(clientID), nil, &events)
	return len(events)
}

package interop

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

// machine registers a client without people: it gets access tokens for itself.
func (p *provider) machine(t *testing.T, change metadata) registration {
	t.Helper()
	all := metadata{
		"redirect_uris":  []string{},
		"response_types": []string{},
		"grant_types":    []string{"client_credentials"},
		"scope":          "api:read api:write",
	}
	for name, value := range change {
		all[name] = value
	}
	return p.register(t, "", all)
}

// An api is a resource of the provider: op/resources.mjs says what the fields do.
type api struct {
	URI      string         `json:"uri"`
	Audience string         `json:"audience,omitempty"`
	Format   string         `json:"format,omitempty"`
	Alg      string         `json:"alg,omitempty"`
	Encrypt  map[string]any `json:"encrypt,omitempty"`
}

// accessToken gets an access token for resource with the scope api:read by
// client_credentials, past the library.
func (p *provider) accessToken(t *testing.T, reg registration, resource string) string {
	t.Helper()
	return accessTokenFrom(t, p.http, p.endpoint(t, "token_endpoint"), reg, resource)
}

func accessTokenFrom(t *testing.T, hc *http.Client, endpoint string, reg registration, resource string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {resource}, "scope": {"api:read"}}
	req, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(reg.ID), url.QueryEscape(reg.Secret))
	resp, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.AccessToken == "" {
		t.Fatalf("no access token: %s: %s", resp.Status, body)
	}
	return answer.AccessToken
}

// keys are those of the provider, as an API has them.
func (p *provider) keys(t *testing.T) *jwtverify.RemoteKeys {
	t.Helper()
	return &jwtverify.RemoteKeys{URL: p.endpoint(t, "jwks_uri"), HTTPClient: p.http}
}

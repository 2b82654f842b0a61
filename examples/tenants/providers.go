package main

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
)

// gitHub is the name of the provider that is no tenant's.
const gitHub = "github"

// providers reads the environment. Each has a redirect URL of its own, so that an answer of
// one cannot be taken for that of another, whatever is in it.
func providers(env func(string) string, address string) ([]session.Provider, error) {
	var list []session.Provider
	for _, name := range strings.Fields(env("TENANTS")) {
		prefix := strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_"
		rp, err := client.New(client.Config{
			Issuer:       env(prefix + "ISSUER"),
			ClientID:     env(prefix + "CLIENT_ID"),
			ClientSecret: env(prefix + "CLIENT_SECRET"),
			RedirectURL:  address + "/auth/" + name + "/callback",
			Scopes:       []string{"profile"},
		})
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", name, err)
		}
		list = append(list, session.Provider{Name: name, Label: name, Client: rp})
	}
	if env("GITHUB_CLIENT_ID") == "" {
		return list, nil
	}
	rp, err := newGitHub(env, address)
	if err != nil {
		return nil, err
	}
	return append(list, session.Provider{Name: gitHub, Label: "GitHub", Client: rp}), nil
}

// newGitHub is a client of a provider without OpenID Connect: nothing is discovered or
// signed, and who somebody is, is what its user endpoint says.
func newGitHub(env func(string) string, address string) (*client.Client, error) {
	site, api := cmp.Or(env("GITHUB_URL"), "https://github.com"), cmp.Or(env("GITHUB_API"), "https://api.github.com")
	return client.NewOAuth(client.OAuthConfig{
		Issuer:                site + "/login/oauth",
		AuthorizationEndpoint: site + "/login/oauth/authorize",
		TokenEndpoint:         site + "/login/oauth/access_token",
		UserEndpoint:          api + "/user",
		ClientID:              env("GITHUB_CLIENT_ID"),
		ClientSecret:          env("GITHUB_CLIENT_SECRET"),
		Auth:                  client.SecretPost{},
		RedirectURL:           address + "/auth/" + gitHub + "/callback",
		Scopes:                []string{"read:user"},
	})
}

// tenants are the providers that have pages of their own.
func tenants(list []session.Provider) []session.Provider {
	return slices.DeleteFunc(slices.Clone(list), func(p session.Provider) bool { return p.Name == gitHub })
}

// tenantOf chooses by the first part of the path, so that nobody who asks for a page of a
// tenant has to say whose. Elsewhere people choose.
func tenantOf(list []session.Provider) func(*http.Request) string {
	return func(r *http.Request) string {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		for _, p := range tenants(list) {
			if p.Name == first {
				return first
			}
		}
		return ""
	}
}

package clienttest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func invalidTarget(why string) *endpointError {
	return &endpointError{http.StatusBadRequest, "invalid_target", why}
}

// checkResources refuses what cannot be an API (RFC 8707 section 2).
func checkResources(asked []string) *endpointError {
	for _, resource := range asked {
		if u, err := url.Parse(resource); err != nil || u.Scheme == "" || strings.Contains(resource, "#") {
			return invalidTarget("a resource is an absolute URI without a fragment")
		}
	}
	return nil
}

// resources are the APIs that an access token is to be for: those that the request names,
// else those that the authorization request named (RFC 8707 section 2.2). If that named some, no
// other can be had. It is asked before a refresh token is used up; g is nil for one that is
// not known.
func (p *Provider) resources(g *grant, form url.Values) ([]string, *endpointError) {
	asked := form["resource"]
	if refused := checkResources(asked); refused != nil {
		return nil, refused
	}
	switch {
	case p.has(ResourceIgnored) || g == nil:
		return nil, nil
	case len(asked) == 0:
		return g.resources, nil
	case len(g.resources) > 0 && slices.ContainsFunc(asked, func(r string) bool { return !slices.Contains(g.resources, r) }):
		return nil, invalidTarget("the authorization request did not name this resource")
	}
	return asked, nil
}

// setAudience puts the APIs that a request named into an access token.
func setAudience(claims map[string]any, audience []string) {
	switch len(audience) {
	case 0:
	case 1:
		claims["aud"] = audience[0]
	default:
		claims["aud"] = audience
	}
}

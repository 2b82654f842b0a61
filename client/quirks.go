package client

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/postern-go/postern/internal/strictjson"
)

// A quirk is what a provider documents that the specification has otherwise. One that
// the metadata tells has no place here.
type quirk struct {
	provider string
	source   string // where it is documented

	// What the provider is known by: the host of its issuer, as path.Match matches; or,
	// where customers bring a domain of their own, a member that no other provider's metadata
	// has.
	hosts  []string
	member string

	// tokenEndpointAuthMethod is what a client is registered for where neither the request
	// nor the answer names a method. RFC 7591 2 has client_secret_basic.
	tokenEndpointAuthMethod string

	// errors are the provider's own error codes, and what they stand for (RFC 6749 5.2). They
	// are no other provider's, and are understood from anybody: an installation of a
	// customer's own has a host that is not known here.
	errors map[string]string

	logout *logoutQuirk // nil: RP-Initiated Logout
}

// A logoutQuirk is a way of signing out of a provider's own. It takes the client and where to
// go afterwards, and no ID token, no hint and no state.
type logoutQuirk struct {
	source   string
	path     string // of the endpoint, on the host of the authorization endpoint, where the metadata has none
	fallback bool   // only for metadata without an end_session_endpoint; false: that is what has the quirk
	returnTo string // the parameter for where to go afterwards
	required bool   // an error page is shown without that
}

var quirks = [...]quirk{{
	provider:                "Auth0",
	source:                  "https://auth0.com/docs/get-started/applications/dynamic-client-registration",
	hosts:                   []string{"*.auth0.com"},
	member:                  "mfa_challenge_endpoint",
	tokenEndpointAuthMethod: "client_secret_post",
	logout: &logoutQuirk{ // tenants from before November 2023 have to switch the other one on
		source:   "https://auth0.com/docs/api/authentication/logout/auth-0-logout",
		path:     "/v2/logout",
		fallback: true,
		returnTo: "returnTo",
	},
}, {
	provider: "Cognito",
	source:   "https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html",
	hosts:    []string{"cognito-idp.*.amazonaws.com", "cognito-idp.*.amazonaws.com.cn"},
	logout: &logoutQuirk{
		source:   "https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html",
		path:     "/logout",
		returnTo: "logout_uri",
		required: true,
	},
}, {
	provider:                "GitHub",
	source:                  "https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors",
	hosts:                   []string{"github.com", "*.ghe.com"},
	tokenEndpointAuthMethod: "client_secret_post",
	errors: map[string]string{ // all with status 200
		"bad_verification_code":        "invalid_grant",
		"bad_refresh_token":            "invalid_grant",
		"incorrect_client_credentials": "invalid_client",
	},
}}

// quirkOf returns the quirk of the provider at issuer, whose discovery document may be
// empty. The zero quirk is the specification's.
func quirkOf(issuer, document string) quirk {
	host := ""
	if u, err := url.Parse(issuer); err == nil {
		host = strings.ToLower(u.Hostname())
	}
	metadata, _ := strictjson.Parse(document) // the zero Value has no members
	for _, q := range quirks {
		_, named := metadata.Member(q.member)
		if named && q.member != "" || slices.ContainsFunc(q.hosts, func(pattern string) bool {
			matches, _ := path.Match(pattern, host)
			return matches
		}) {
			return q
		}
	}
	return quirk{}
}

// standardError is what an error code stands for: mostly itself.
func standardError(code string) string {
	for _, q := range quirks {
		if meant, ok := q.errors[code]; ok {
			return meant
		}
	}
	return code
}

// logoutQuirk returns how to sign out at the provider that m describes. Nil: as the
// specification has it.
func (m *Metadata) logoutQuirk() *logoutQuirk {
	q := quirkOf(m.Issuer, m.raw).logout
	if q == nil || q.fallback && m.EndSessionEndpoint != "" {
		return nil
	}
	return q
}

// endpoint is where the browser goes to sign out.
func (q *logoutQuirk) endpoint(m *Metadata) string {
	if m.EndSessionEndpoint != "" {
		return m.EndSessionEndpoint
	}
	u, err := url.Parse(m.AuthorizationEndpoint)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + q.path
}

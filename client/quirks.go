package client

import (
	"net/url"
	"strings"

	"github.com/postern-go/postern/internal/strictjson"
)

// A quirk is what a provider documents that the specification has otherwise. One that
// the metadata tells has no place here.
type quirk struct {
	provider string
	source   string // where it is documented

	// What the provider is known by: hosts of that ending, or, where customers bring a
	// domain of their own, a member that no other provider's metadata has.
	host, member string

	// tokenEndpointAuthMethod is what a client is registered for where neither the request
	// nor the answer names a method. RFC 7591 2 has client_secret_basic.
	tokenEndpointAuthMethod string
}

var quirks = [...]quirk{{
	provider:                "Auth0",
	source:                  "https://auth0.com/docs/get-started/applications/dynamic-client-registration",
	host:                    ".auth0.com",
	member:                  "mfa_challenge_endpoint",
	tokenEndpointAuthMethod: "client_secret_post",
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
		if _, ok := metadata.Member(q.member); ok || strings.HasSuffix(host, q.host) {
			return q
		}
	}
	return quirk{}
}

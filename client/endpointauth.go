package client

import "errors"

// authAt are the ways of client authentication that the provider lists for an endpoint,
// and the algorithms of assertions. Where it lists none for introspection or revocation,
// those of the token endpoint are good (RFC 8414 2 leaves it open).
func (m *Metadata) authAt(name string) (methods, algs []string) {
	methods, algs = m.TokenEndpointAuthMethodsSupported, m.TokenEndpointAuthSigningAlgValuesSupported
	var own, ownAlgs []string
	switch name {
	case "introspection":
		own, ownAlgs = m.IntrospectionEndpointAuthMethodsSupported, m.IntrospectionEndpointAuthSigningAlgValuesSupported
	case "revocation":
		own, ownAlgs = m.RevocationEndpointAuthMethodsSupported, m.RevocationEndpointAuthSigningAlgValuesSupported
	}
	if len(own) > 0 {
		methods = own
	}
	if len(ownAlgs) > 0 {
		algs = ownAlgs
	}
	return methods, algs
}

// authAt is how the client authenticates at an endpoint.
func (s *snapshot) authAt(name string) ClientAuth {
	if auth := s.auths[name]; auth != nil {
		return auth
	}
	return s.auth
}

// authenticates refuses what a public client may not do. what begins the sentence.
func (s *snapshot) authenticates(what string) error {
	if s.auth.method() != (NoAuth{}).method() {
		return nil
	}
	return errors.New("client: " + what + " for a client that authenticates: Config.ClientSecret and Config.Auth are empty")
}

// auths are the ways for endpoints that may have one of their own.
func (cfg *Config) auths(m *Metadata) map[string]ClientAuth {
	auths := map[string]ClientAuth{}
	for _, name := range [...]string{"introspection", "revocation"} {
		methods, _ := m.authAt(name)
		auths[name] = cfg.chooseAuth(methods)
	}
	return auths
}

// signingAlgorithms are those of assertions that the endpoint lists.
func (r *attempt) signingAlgorithms() []string {
	_, algs := r.metadata.authAt(r.to.name)
	return algs
}

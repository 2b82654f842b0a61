package jwtverify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/postern-go/postern/internal/loopback"
)

// wellKnown is where metadata is, between host and path of a resource: RFC 9728 3.1.
const wellKnown = "/.well-known/oauth-protected-resource"

// ResourceMetadata tells clients about an API (RFC 9728 2): where to get tokens for it,
// above all. What is zero is left out. The rest of the document is what the fields of
// Bearer say: resource, how tokens may be sent, and DPoP.
type ResourceMetadata struct {
	AuthorizationServers []string // authorization_servers: issuers
	Scopes               []string // scopes_supported
	Name                 string   // resource_name
	Documentation        string   // resource_documentation, a URL
	Policy               string   // resource_policy_uri
	TermsOfService       string   // resource_tos_uri
	JWKS                 string   // jwks_uri: keys of the API itself, where it signs

	// CertificateBound says that the server asks for client certificates, so that tokens
	// bound to one can be used (tls_client_certificate_bound_access_tokens).
	CertificateBound bool
}

// proofAlgorithms are those of DPoP proofs where DPoP.Algorithms is nil.
const proofAlgorithms = "ES256 ES384 ES512 Ed25519 EdDSA PS256 PS384 PS512 RS256 RS384 RS512"

// setup is what the fields of a Bearer amount to.
type setup struct {
	err          error
	origin       string // of Resource
	metadataPath string
	metadataURL  string // empty: there is no Resource
	metadata     []byte
	algorithms   string // of DPoP proofs, for challenges
}

// ready refuses a Bearer, or a demand, that nobody can mean.
func (b *Bearer) ready(need *demand) error {
	b.prepare()
	if b.setup.err != nil {
		return b.setup.err
	}
	return need.err
}

func (b *Bearer) prepare() {
	b.once.Do(func() {
		b.setup = setup{metadataPath: wellKnown}
		b.setup.err = b.setup.read(b)
	})
}

func (s *setup) read(b *Bearer) error {
	if b.Tokens == nil {
		return errors.New("Bearer.Tokens is nil")
	}
	if strings.ContainsFunc(b.Realm, func(c rune) bool { return c < ' ' || c > '~' }) {
		return fmt.Errorf("Bearer.Realm %s is not printable ASCII", quote(b.Realm))
	}
	if b.DPoP != nil {
		if b.Resource == "" {
			return errors.New("Bearer.Resource is empty, and DPoP needs it")
		}
		if err := b.DPoP.state().err; err != nil {
			return fmt.Errorf("Bearer.DPoP: %w", err)
		}
		s.algorithms = proofAlgorithms
		if b.DPoP.Algorithms != nil {
			s.algorithms = strings.Join(b.DPoP.Algorithms, " ")
		}
	}
	if b.Resource == "" {
		return nil // nothing to say about it, and no DPoP
	}
	if err := s.locate(b.Resource); err != nil {
		return fmt.Errorf("Bearer.Resource %s %w", quote(b.Resource), err)
	}
	var err error
	s.metadata, err = b.document(strings.Fields(s.algorithms))
	return err
}

// locate takes the address of an API apart (RFC 9728 1.2 and 3.1): https, or http on a
// loopback host, without query, and a path that a pattern of http.ServeMux can have.
func (s *setup) locate(resource string) error {
	u, err := url.Parse(resource)
	if err != nil || strings.ContainsFunc(resource, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return errors.New("is not a URL")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback.Host(u.Hostname())) {
		return errors.New("is not https, nor http on a loopback host")
	}
	if u.Hostname() == "" || u.User != nil || strings.ContainsAny(resource, `?#"\`) {
		return errors.New("is not scheme, host and path alone")
	}
	below := strings.TrimSuffix(u.Path, "/")
	if below == "/" || below != "" && path.Clean(below) != below || strings.ContainsAny(u.EscapedPath(), "{}%") {
		return errors.New("has no plain path")
	}
	s.origin = u.Scheme + "://" + u.Host
	if _, ok := proofTarget(s.origin); !ok { // every proof would be refused for it
		return errors.New("has a host that is neither a name nor an address")
	}
	s.metadataPath = wellKnown
	if u.Path != "/" {
		s.metadataPath += u.Path
	}
	s.metadataURL = s.origin + s.metadataPath
	return nil
}

// document is the metadata, RFC 9728 2.
func (b *Bearer) document(algorithms []string) ([]byte, error) {
	methods := []string{"header"}
	if b.FormToken {
		methods = append(methods, "body")
	}
	m := &b.Metadata
	return json.Marshal(struct {
		Resource             string   `json:"resource"`
		AuthorizationServers []string `json:"authorization_servers,omitempty"`
		JWKS                 string   `json:"jwks_uri,omitempty"`
		Scopes               []string `json:"scopes_supported,omitempty"`
		Methods              []string `json:"bearer_methods_supported"`
		Name                 string   `json:"resource_name,omitempty"`
		Documentation        string   `json:"resource_documentation,omitempty"`
		Policy               string   `json:"resource_policy_uri,omitempty"`
		TermsOfService       string   `json:"resource_tos_uri,omitempty"`
		CertificateBound     bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
		Algorithms           []string `json:"dpop_signing_alg_values_supported,omitempty"`
		DPoPRequired         bool     `json:"dpop_bound_access_tokens_required,omitempty"`
	}{
		b.Resource, m.AuthorizationServers, m.JWKS, m.Scopes, methods, m.Name, m.Documentation, m.Policy, m.TermsOfService,
		m.CertificateBound, algorithms, b.DPoP != nil && b.RequireBound && !m.CertificateBound,
	})
}

// Routes registers the metadata at its path. It needs Resource.
func (b *Bearer) Routes(mux *http.ServeMux) {
	pattern := "GET " + b.MetadataPath()
	if strings.HasSuffix(pattern, "/") {
		pattern += "{$}"
	}
	mux.HandleFunc(pattern, b.ServeMetadata)
}

// MetadataPath is where clients look for the metadata (RFC 9728 3.1): for the resource
// https://api.example.com/v1 it is /.well-known/oauth-protected-resource/v1.
func (b *Bearer) MetadataPath() string {
	b.prepare()
	return b.setup.metadataPath
}

// ServeMetadata answers with the metadata (RFC 9728 3.2), which is public: scripts of any
// origin may read it. Without Resource there is nothing to tell, and the answer is a 500.
func (b *Bearer) ServeMetadata(w http.ResponseWriter, r *http.Request) {
	err := b.ready(&demand{})
	if err == nil && b.setup.metadata == nil {
		err = errors.New("Bearer.Resource is empty, and there is no metadata without it")
	}
	if err != nil {
		b.refuse(w, r, b.challenge(&BearerError{Status: http.StatusInternalServerError, Err: err}, nil))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
	w.Write(b.setup.metadata)
}

package client

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// TLSClientAuth authenticates the client by the certificate on its connections
// (tls_client_auth, RFC 8705 2.1): the provider trusts who issued Config.Certificate, and
// knows the subject that stands in it.
type TLSClientAuth struct{}

func (TLSClientAuth) method() string { return "tls_client_auth" }

func (TLSClientAuth) check(cfg *Config) error { return cfg.needsCertificate() }

func (TLSClientAuth) authenticate(_ context.Context, r *attempt) error { return r.byCertificate() }

// SelfSignedTLSClientAuth is TLSClientAuth where the provider knows the certificate itself
// from the client's registration (self_signed_tls_client_auth, RFC 8705 2.2).
type SelfSignedTLSClientAuth struct{}

func (SelfSignedTLSClientAuth) method() string { return "self_signed_tls_client_auth" }

func (SelfSignedTLSClientAuth) check(cfg *Config) error { return cfg.needsCertificate() }

func (SelfSignedTLSClientAuth) authenticate(_ context.Context, r *attempt) error {
	return r.byCertificate()
}

// byCertificate sends the name of the client, which the certificate proves.
func (r *attempt) byCertificate() error {
	if !strings.HasPrefix(r.to.url, "https:") {
		return errors.New("the endpoint is not https, so no certificate can be shown")
	}
	r.form.Set("client_id", r.cfg.ClientID)
	return nil
}

// hasCertificate tells whether connections to the provider's endpoints show one.
func (cfg *Config) hasCertificate() bool {
	return cfg.Certificate != nil || cfg.GetClientCertificate != nil
}

func (cfg *Config) needsCertificate() error {
	if !cfg.hasCertificate() {
		return errors.New("needs Config.Certificate, and it is nil")
	}
	return nil
}

// checkCertificate applies to both fields, and to what has to show the certificate.
func (cfg *Config) checkCertificate() error {
	if !cfg.hasCertificate() {
		return nil
	}
	if cfg.Certificate != nil && cfg.GetClientCertificate != nil {
		return errors.New("Config.Certificate and Config.GetClientCertificate are both set: one of them says which certificate")
	}
	if cfg.Certificate != nil {
		if err := checkKeyPair(cfg.Certificate); err != nil {
			return fmt.Errorf("Config.Certificate %w", err)
		}
	}
	switch t, ok := cfg.baseTransport().(*http.Transport); {
	case !ok:
		return errors.New("Config.Certificate cannot be shown by a Config.HTTPClient.Transport that is no *http.Transport: " +
			"give one, or leave it nil")
	//lint:ignore SA1019 net/http still goes by the old one
	case t.DialTLSContext != nil, t.DialTLS != nil:
		return errors.New("Config.Certificate cannot be shown by a Config.HTTPClient.Transport with a DialTLSContext or DialTLS of its own: " +
			"leave that nil, and set TLSClientConfig and DialContext instead")
	}
	return nil
}

func checkKeyPair(c *tls.Certificate) error {
	if len(c.Certificate) == 0 {
		return errors.New("has no certificate: tls.LoadX509KeyPair reads one")
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return errors.New("is not an X.509 certificate")
	}
	key, ok := c.PrivateKey.(crypto.Signer)
	if !ok {
		return errors.New("has no private key")
	}
	if pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(leaf.PublicKey) {
		return errors.New("has a private key that is not the one of the certificate")
	}
	return nil
}

func (cfg *Config) baseTransport() http.RoundTripper {
	if cfg.HTTPClient == nil || cfg.HTTPClient.Transport == nil {
		return http.DefaultTransport
	}
	return cfg.HTTPClient.Transport
}

// callTransport is what requests with credentials go over. Where there is a certificate,
// that is a copy of the program's transport, so that connections which show it are shared
// with nothing else.
func (cfg *Config) callTransport() http.RoundTripper {
	base, ok := cfg.baseTransport().(*http.Transport)
	if !cfg.hasCertificate() || !ok {
		return cfg.baseTransport()
	}
	t := base.Clone()
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t.TLSClientConfig.GetClientCertificate = cfg.GetClientCertificate
	if cfg.Certificate != nil {
		// With Certificates alone it would stay behind where the server names issuers that it
		// trusts and is not of one of them, as a self-signed one never is.
		certificate := *cfg.Certificate
		t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
	}
	return t
}

// aliases are where the endpoints are for a client that shows a certificate (RFC 8705 5),
// by where they are for others.
func (cfg *Config) aliases(m *Metadata) map[string]string {
	if !cfg.hasCertificate() {
		return nil
	}
	texts, _, _ := m.fields()
	aliases := make(map[string]string, len(m.MTLSEndpointAliases))
	for name, alias := range m.MTLSEndpointAliases {
		if texts[name] != nil && *texts[name] != "" && alias != "" {
			aliases[*texts[name]] = alias
		}
	}
	return aliases
}

// at is where the client finds an endpoint.
func (s *snapshot) at(to endpoint) endpoint {
	if alias := s.aliases[to.url]; alias != "" {
		to.url = alias
	}
	return to
}

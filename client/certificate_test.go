package client

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A tlsOP is a provider on two TLS servers: one for everybody, and one that asks for
// certificates.
type tlsOP struct {
	*op
	plain, mtls *httptest.Server

	mu   sync.Mutex
	seen []string // "server method path: what proves the client"
}

func newTLSOP(t *testing.T) *tlsOP {
	t.Helper()
	p := &tlsOP{op: newOP(t)}
	p.plain, p.mtls = p.server("plain"), p.server("mtls")
	p.plain.StartTLS()
	// It names issuers that it trusts, and the client's certificate is of none of them.
	others := x509.NewCertPool()
	others.AddCert(selfSigned(t, testRSA()))
	p.mtls.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, ClientCAs: others}
	p.mtls.StartTLS()
	t.Cleanup(p.plain.Close)
	t.Cleanup(p.mtls.Close)
	for name, value := range p.metadata {
		if text, ok := value.(string); ok {
			p.metadata[name] = strings.Replace(text, testIssuer, p.plain.URL, 1)
		}
	}
	p.claims["iss"] = p.plain.URL
	p.reply("/introspect", 200, "application/json", `{"active":false}`)
	return p
}

func (p *tlsOP) server(name string) *httptest.Server {
	return httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		text := name + " " + r.Method + " " + r.URL.Path + ":"
		for _, proof := range []string{"client_id", "client_secret", "client_assertion"} {
			if r.PostForm.Has(proof) {
				text += " " + proof
			}
		}
		if r.Header.Get("Authorization") != "" {
			text += " header"
		}
		if len(r.TLS.PeerCertificates) > 0 {
			text += " certificate"
		}
		p.mu.Lock()
		p.seen = append(p.seen, text)
		p.mu.Unlock()
		resp, err := p.handlers[testIssuer+r.URL.Path](r)
		if err != nil {
			p.t.Error(err)
			return
		}
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	}))
}

// aliases publishes where the endpoints are for clients with a certificate.
func (p *tlsOP) publishAliases() {
	aliases := map[string]any{"unknown_endpoint": "http://x.example", "jwks_uri": 1}
	for _, name := range []string{"token_endpoint", "userinfo_endpoint", "revocation_endpoint", "introspection_endpoint"} {
		aliases[name] = strings.Replace(p.metadata[name].(string), p.plain.URL, p.mtls.URL, 1)
	}
	p.metadata["mtls_endpoint_aliases"] = aliases
}

// client trusts both servers.
func (p *tlsOP) client(change func(*Config)) *Client {
	p.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(p.plain.Certificate())
	roots.AddCert(p.mtls.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	c := p.op.client(func(cfg *Config) {
		cfg.Issuer, cfg.ClientSecret, cfg.HTTPClient = p.plain.URL, "", &http.Client{Transport: transport}
		change(cfg)
	})
	p.t.Cleanup(transport.CloseIdleConnections)
	p.t.Cleanup(c.call.CloseIdleConnections)
	return c
}

// everything uses all endpoints, and returns what the servers saw of it.
func (p *tlsOP) everything(c *Client) []string {
	p.t.Helper()
	tokens := p.signIn(c)
	if _, err := c.UserInfo(p.t.Context(), tokens); err != nil {
		p.t.Error(err)
	}
	if _, err := c.Introspect(p.t.Context(), "a"); err != nil {
		p.t.Error(err)
	}
	if err := c.Revoke(p.t.Context(), &Tokens{AccessToken: "a"}); err != nil {
		p.t.Error(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

func clientCertificate(t *testing.T, key crypto.Signer) *tls.Certificate {
	t.Helper()
	return &tls.Certificate{Certificate: [][]byte{selfSigned(t, key).Raw}, PrivateKey: key}
}

func TestCertificate(t *testing.T) {
	certificate := clientCertificate(t, testKey())
	const document, keys = "plain GET /.well-known/openid-configuration:", "plain GET /jwks:"
	for _, test := range []struct {
		name    string
		aliases bool
		change  func(*Config)
		want    []string
	}{
		{"tls_client_auth", true, func(cfg *Config) { cfg.Auth, cfg.Certificate = TLSClientAuth{}, certificate }, []string{
			document, "mtls POST /token: client_id certificate", keys, "mtls GET /userinfo: header certificate",
			"mtls POST /introspect: client_id certificate", "mtls POST /revoke: client_id certificate",
		}},
		{"self_signed_tls_client_auth", true, func(cfg *Config) { cfg.Auth, cfg.Certificate = SelfSignedTLSClientAuth{}, certificate }, []string{
			document, "mtls POST /token: client_id certificate", keys, "mtls GET /userinfo: header certificate",
			"mtls POST /introspect: client_id certificate", "mtls POST /revoke: client_id certificate",
		}},
		{"bound tokens beside private_key_jwt", true, func(cfg *Config) { cfg.Auth, cfg.Certificate = PrivateKeyJWT{Key: testKey()}, certificate }, []string{
			document, "mtls POST /token: client_id client_assertion certificate", keys, "mtls GET /userinfo: header certificate",
			"mtls POST /introspect: client_id client_assertion certificate", "mtls POST /revoke: client_id client_assertion certificate",
		}},
		{"bound tokens of a public client", true, func(cfg *Config) { cfg.Certificate = certificate }, []string{
			document, "mtls POST /token: client_id certificate", keys, "mtls GET /userinfo: header certificate",
			"mtls POST /introspect: client_id certificate", "mtls POST /revoke: client_id certificate",
		}},
		{"renewed certificate", true, func(cfg *Config) {
			cfg.Auth = TLSClientAuth{}
			cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
		}, []string{
			document, "mtls POST /token: client_id certificate", keys, "mtls GET /userinfo: header certificate",
			"mtls POST /introspect: client_id certificate", "mtls POST /revoke: client_id certificate",
		}},
		{"no aliases", false, func(cfg *Config) { cfg.Auth, cfg.Certificate = TLSClientAuth{}, certificate }, []string{
			document, "plain POST /token: client_id", keys, "plain GET /userinfo: header", "plain POST /introspect: client_id", "plain POST /revoke: client_id",
		}},
		{"no certificate", true, func(cfg *Config) { cfg.Auth = PrivateKeyJWT{Key: testKey()} }, []string{
			document, "plain POST /token: client_id client_assertion", keys, "plain GET /userinfo: header",
			"plain POST /introspect: client_id client_assertion", "plain POST /revoke: client_id client_assertion",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newTLSOP(t)
			if test.aliases {
				p.publishAliases()
			}
			if got := p.everything(p.client(test.change)); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// A token that is bound to a DPoP key is shown where everybody shows theirs: it is not bound
// to the certificate.
func TestCertificateBesideDPoP(t *testing.T) {
	p := newTLSOP(t)
	p.publishAliases()
	p.answer["token_type"] = "DPoP"
	got := p.everything(p.client(func(cfg *Config) {
		cfg.Auth, cfg.Certificate, cfg.DPoP = TLSClientAuth{}, clientCertificate(t, testKey()), GenerateDPoPKey()
	}))
	want := []string{
		"plain GET /.well-known/openid-configuration:", "mtls POST /token: client_id certificate", "plain GET /jwks:",
		"plain GET /userinfo: header", "mtls POST /introspect: client_id certificate", "mtls POST /revoke: client_id certificate",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// The transport of the program shows no certificate of the client's.
func TestCertificateStaysOnItsConnections(t *testing.T) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{ServerName: "op.example.com"}}
	c, err := New(changed(func(cfg *Config) {
		cfg.Auth, cfg.ClientSecret, cfg.Certificate = TLSClientAuth{}, "", clientCertificate(t, testKey())
		cfg.HTTPClient = &http.Client{Transport: transport}
	}))
	if err != nil {
		t.Fatal(err)
	}
	if transport.TLSClientConfig.GetClientCertificate != nil || c.fetch.Transport != transport {
		t.Error("the program's transport was changed")
	}
	mine := c.call.Transport.(*http.Transport).TLSClientConfig
	if mine.GetClientCertificate == nil || mine.ServerName != "op.example.com" {
		t.Error("the copy has no certificate, or not the program's settings")
	}
	c, err = New(changed(func(cfg *Config) {
		cfg.Auth, cfg.ClientSecret, cfg.Certificate = TLSClientAuth{}, "", clientCertificate(t, testKey())
	}))
	if err != nil || c.call.Transport == http.DefaultTransport || c.call.Transport.(*http.Transport).Proxy == nil {
		t.Errorf("on the default transport: %v", err)
	}
}

func TestCertificateRejected(t *testing.T) {
	good := clientCertificate(t, testKey())
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no") }
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"empty", func(cfg *Config) { cfg.Certificate = &tls.Certificate{} }, "Config.Certificate has no certificate: tls.LoadX509KeyPair reads one"},
		{"not X.509", func(cfg *Config) {
			cfg.Certificate = &tls.Certificate{Certificate: [][]byte{{1}}, PrivateKey: testKey()}
		}, "Config.Certificate is not an X.509 certificate"},
		{"no key", func(cfg *Config) { cfg.Certificate = &tls.Certificate{Certificate: good.Certificate} }, "Config.Certificate has no private key"},
		{"another key", func(cfg *Config) {
			cfg.Certificate = &tls.Certificate{Certificate: good.Certificate, PrivateKey: testRSA()}
		}, "Config.Certificate has a private key that is not the one of the certificate"},
		{"two", func(cfg *Config) {
			cfg.Certificate = good
			cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return good, nil }
		}, "Config.Certificate and Config.GetClientCertificate are both set: one of them says which certificate"},
		{"a transport of another kind", func(cfg *Config) { cfg.Certificate, cfg.HTTPClient = good, &http.Client{Transport: &op{}} },
			"Config.Certificate cannot be shown by a Config.HTTPClient.Transport that is no *http.Transport: give one, or leave it nil"},
		{"a transport that makes its own TLS", func(cfg *Config) {
			cfg.Certificate, cfg.HTTPClient = good, &http.Client{Transport: &http.Transport{DialTLSContext: dial}}
		}, "Config.Certificate cannot be shown by a Config.HTTPClient.Transport with a DialTLSContext or DialTLS of its own: leave that nil, and set TLSClientConfig and DialContext instead"},
		{"a transport that makes its own TLS in the old way", func(cfg *Config) {
			cfg.Certificate = good
			//lint:ignore SA1019 net/http still goes by it
			cfg.HTTPClient = &http.Client{Transport: &http.Transport{DialTLS: func(string, string) (net.Conn, error) { return nil, errors.New("no") }}}
		}, "Config.Certificate cannot be shown by a Config.HTTPClient.Transport with a DialTLSContext or DialTLS of its own: leave that nil, and set TLSClientConfig and DialContext instead"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := New(changed(test.change))
			if c != nil || err == nil || err.Error() != "client: "+test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// Over http there is no certificate, and so no proof of the client.
func TestCertificateNeedsTLS(t *testing.T) {
	const issuer = "http://localhost:1"
	c, err := New(changed(func(cfg *Config) {
		cfg.Issuer, cfg.ClientSecret, cfg.Auth, cfg.Certificate = issuer, "", TLSClientAuth{}, clientCertificate(t, testKey())
		cfg.Metadata = &Metadata{Issuer: issuer, AuthorizationEndpoint: issuer + "/a", TokenEndpoint: issuer + "/t", JWKSURI: issuer + "/j"}
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Refresh(t.Context(), &Tokens{RefreshToken: "r"})
	const want = "client: token endpoint: client authentication: the endpoint is not https, so no certificate can be shown"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A provider cannot send the certificate's requests to a place without TLS.
func TestAliasesAreEndpoints(t *testing.T) {
	p := newOP(t)
	p.metadata["mtls_endpoint_aliases"] = map[string]any{"token_endpoint": "http://op.example.com/token"}
	_, err := p.client(nil).Metadata(t.Context())
	if !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), "mtls_endpoint_aliases: token_endpoint must be https, as the issuer is") {
		t.Errorf("got %v", err)
	}
}

package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// newCertificate signs its own; the provider and the clients alike are known by it.
func newCertificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost", "op.test", "rp.test"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// writePEM writes a certificate and its key to files, and returns their names.
func writePEM(t *testing.T, c tls.Certificate) (certFile, keyFile string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"cert": {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, "key": {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "cert"), filepath.Join(dir, "key")
}

// A token that the provider bound to the certificate of the client (RFC 8705 3) is good
// on that client's connections alone.
func TestCertificateBoundAccessToken(t *testing.T) {
	const resource = "https://api.example.test/mtls"
	forServer, mine, other := newCertificate(t, "provider"), newCertificate(t, "mine"), newCertificate(t, "other")
	certFile, keyFile := writePEM(t, forServer)
	trusted := x509.NewCertPool()
	trusted.AddCert(forServer.Leaf)
	with := func(certificate tls.Certificate) *http.Client {
		transport := &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs:              trusted, // and the certificate is shown whomever the server names as issuers it wants
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil },
		}}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}

	bound := startProvider(t, "OP_TLS_CERT="+certFile, "OP_TLS_KEY="+keyFile, "OP_MTLS_CA="+certFile)
	bound.http = with(tls.Certificate{})
	bound.control(t, "resource", api{URI: resource})
	reg := bound.machine(t, metadata{"tls_client_certificate_bound_access_tokens": true})
	raw := accessTokenFrom(t, with(mine), bound.MTLS+"/token", reg, resource)
	reg = bound.machine(t, nil)
	unbound := accessTokenFrom(t, with(mine), bound.MTLS+"/token", reg, resource)

	bearer := &jwtverify.Bearer{
		Tokens:       &jwtverify.Verifier{Issuer: bound.Issuer, Audience: resource, Keys: bound.keys(t)},
		RequireBound: true,
		Logger:       slog.New(slog.DiscardHandler),
	}
	server := httptest.NewUnstartedServer(bearer.Require("api:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello")
	})))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{forServer}, ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	address := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)

	for _, c := range []struct {
		name   string
		http   *http.Client
		token  string
		status int
		reason string
	}{
		{"its certificate", with(mine), raw, http.StatusOK, ""},
		{"another certificate", with(other), raw, http.StatusUnauthorized, "bound to another client certificate"},
		{"no certificate", with(tls.Certificate{}), raw, http.StatusUnauthorized, "bound to a client certificate, and there is none"},
		{"a token bound to nothing", with(mine), unbound, http.StatusUnauthorized, "bound neither to a key nor to a certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodGet, address, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+c.token)
			resp, err := c.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			challenge := resp.Header.Get("WWW-Authenticate")
			if resp.StatusCode != c.status || !strings.Contains(challenge, c.reason) || (challenge == "") != (c.reason == "") {
				t.Errorf("status %d, challenge %q, want %d because it is %s", resp.StatusCode, challenge, c.status, c.reason)
			}
		})
	}
}

package interop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
)

// startOverTLS starts a provider over https; its http client trusts it.
func startOverTLS(t *testing.T, env ...string) *provider {
	t.Helper()
	certificate := newCertificate(t, "provider")
	certFile, keyFile := writePEM(t, certificate)
	p := startProvider(t, append(env, "OP_TLS_CERT="+certFile, "OP_TLS_KEY="+keyFile)...)
	roots := x509.NewCertPool()
	roots.AddCert(certificate.Leaf)
	transport := &http.Transport{DialContext: dialTest, TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	p.http = &http.Client{Transport: transport}
	return p
}

// startSecureProvider is for Chromium: a provider at https://op.test, with all cookies as
// on the internet. It reaches nobody at *.test: register an app's loopback address with it.
func startSecureProvider(t *testing.T, env ...string) *provider {
	t.Helper()
	return startOverTLS(t, append(env, "OP_HOST=op.test", "OP_POST_METHODS=1")...)
}

// dialTest takes every *.test for this machine, as Chromium does here.
func dialTest(ctx context.Context, network, address string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".test") {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// Two sites over https, and two people.
func TestSecureSitesInChromium(t *testing.T) {
	p := startSecureProvider(t)
	a := startSecureApp(t, p, nil, nil)
	one, two := newTab(t), newTab(t)
	for b, user := range map[*tab]string{one: "alice", two: "bob"} {
		b.open(a.url + "/who?x=1")
		b.login(p, user, a.url)
		b.arrive(a.url+"/who?x=1", "#who")
		b.awaitText("#who", user)
		cookies := b.cookies("rp.test")
		if len(cookies) == 0 {
			t.Error("no cookies")
		}
		for _, c := range cookies {
			if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HTTPOnly || c.SameSite != network.CookieSameSiteLax {
				t.Errorf("cookie %s: Secure %v, HttpOnly %v, SameSite %q", c.Name, c.Secure, c.HTTPOnly, c.SameSite)
			}
		}
	}
	one.reload()
	one.awaitText("#who", "alice")

	resp, err := http.Get(a.loopback + "/nothing")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("over the loopback address: %s", resp.Status)
	}
}

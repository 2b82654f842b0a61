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

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
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

// The answer is an ID token in a form that the provider's page posts, and the client has
// no secret: Chromium sends the attempt's cookie with it, for it says None.
func TestImplicitFormPostInChromium(t *testing.T) {
	p := startSecureProvider(t)
	a := startSecureApp(t, p, metadata{
		"grant_types": []string{"implicit"}, "response_types": []string{"id_token"}, "token_endpoint_auth_method": "none",
	}, func(cfg *session.Config) {
		cfg.Authorize = func(*http.Request) (*client.AuthorizeOptions, error) {
			return &client.AuthorizeOptions{ResponseType: "id_token"}, nil
		}
	})
	if a.reg.Secret != "" {
		t.Error("the client has a secret")
	}
	b := newTab(t)
	b.open(a.url + "/who?way=implicit")
	b.login(p, "alice", a.url)
	b.arrive(a.url+"/who?way=implicit", "#who")
	b.awaitText("#who", "alice")
	for _, path := range []string{"/token", "/me"} {
		if n := p.requests(t, path); n != 0 {
			t.Errorf("%d requests to %s, want none", n, path)
		}
	}
	if n := p.asks(t, func() { b.reload(); b.awaitText("#who", "alice") }); n != 0 || b.url() != a.url+"/who?way=implicit" {
		t.Errorf("a reload asks %d times, and ends at %s", n, b.url())
	}
	for _, c := range b.cookies("rp.test") {
		if c.SameSite != network.CookieSameSiteLax {
			t.Errorf("cookie %s with SameSite %q outlives the sign-in", c.Name, c.SameSite)
		}
	}
}

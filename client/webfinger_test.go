package client

import (
	"context"
	"errors"

	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestNormalize(t *testing.T) {
	for _, test := range []struct{ typed, resource, host string }{
		{"joe@example.com", "acct:joe@example.com", "example.com"},
		{"https://example.com/joe", "https://example.com/joe", "example.com"},
		{"example.com:8080", "https://example.com:8080/", "example.com:8080"},
		{"acct:juliet%40capulet.example@shopping.example.com", "acct:juliet%40capulet.example@shopping.example.com", "shopping.example.com"},
		{"ACCT:joe@example.com", "acct:joe@example.com", "example.com"},
		{"acct:rp.test@certification.example:8443", "acct:rp.test@certification.example:8443", "certification.example:8443"},
		{"example.com", "https://example.com/", "example.com"},
		{"example.com/joe", "https://example.com/joe", "example.com"},
		{"example.com/joe@work", "https://example.com/joe@work", "example.com"},
		{"example.com?a=b", "https://example.com?a=b", "example.com"},
		{"joe@example.com:8080", "https://joe@example.com:8080/", "example.com:8080"},
		{"joe@example.com/path", "https://joe@example.com/path", "example.com"},
		{"joe@example.com#work", "acct:joe@example.com", "example.com"},
		{"https://example.com/joe#work", "https://example.com/joe", "example.com"},
		{"http://example.com/joe", "http://example.com/joe", "example.com"},
		{"https://example.com", "https://example.com", "example.com"},
		{"[2001:db8::1]:8443", "https://[2001:db8::1]:8443/", "[2001:db8::1]:8443"},
	} {
		resource, host, err := normalize(test.typed)
		if resource != test.resource || host != test.host || err != nil {
			t.Errorf("%s: got %s at %s, %v", test.typed, resource, host, err)
		}
	}
}

func TestWebFingerResourceRejects(t *testing.T) {
	const notOne, noAccount = "is neither an email address nor a host nor a URL", "is not an account at a host"
	const characters = "must have 1 to 512 characters of visible ASCII"
	for typed, want := range map[string]string{
		"": characters, "joe @example.com": characters, "joe\r\n@example.com": characters, "jö@example.com": characters,
		"a@" + strings.Repeat("e", 511): characters,
		"=joe":                          "is an XRI, which nothing says how to look up", "@company": "is an XRI, which nothing says how to look up",
		"!1234":                  "is an XRI, which nothing says how to look up",
		"ftp://example.com":      notOne,
		"javascript://example/a": notOne,
		"https://":               notOne,
		"#":                      notOne,
		"tel:+1-201-555-0123":    notOne,
		"mailto:joe@example.com": "has a password in it",
		"https://a:b@c.example":  "has a password in it",
		"acct:joe":               noAccount, "acct:@example.com": noAccount, "joe@": noAccount,
		"joe@example.com@evil.example":       noAccount,
		"acct:joe@example.com:port":          noAccount,
		"acct:joe@example.com/evil":          noAccount,
		"acct:joe@example.com?evil":          noAccount,
		"acct:joe@evil.example\\example.com": noAccount,
		"acct:joe@evil.example%2fx":          noAccount,
	} {
		issuer, err := WebFinger(context.Background(), typed, &http.Client{Transport: noTransport{t}})
		if issuer != "" || err == nil || err.Error() != "client: WebFinger: resource "+want {
			t.Errorf("%q: got %v, want %s", typed, err, want)
		}
	}
}

// noTransport fails where a request is sent.
type noTransport struct{ t *testing.T }

func (n noTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	n.t.Errorf("a request went to %s", req.URL)
	return nil, errors.New("no request was expected")
}

const webFingerURL = testIssuer + "/.well-known/webfinger"

// finger asks p about joe, which is answered with one answer.
func (p *op) finger(status int, contentType, body string) (string, error) {
	p.t.Helper()
	p.reply("/.well-known/webfinger", status, contentType, body)
	return WebFinger(context.Background(), "joe@op.example.com", &http.Client{Transport: p})
}

const joesLink = `{"rel":"http://openid.net/specs/connect/1.0/issuer","href":"https://op.example.com/tenant"}`

func TestWebFinger(t *testing.T) {
	p := newOP(t)
	for _, body := range []string{
		`{"subject":"acct:joe@op.example.com","links":[` + joesLink + `]}`,
		`{"links":[{"rel":"avatar","href":"https://a.example"},{"rel":"x"},` + joesLink + `,{"rel":"http://openid.net/specs/connect/1.0/issuer","href":"https://second.example"}]}`,
	} {
		for _, contentType := range []string{"application/jrd+json", "application/json; charset=utf-8"} {
			issuer, err := p.finger(200, contentType, body)
			if issuer != "https://op.example.com/tenant" || err != nil {
				t.Errorf("got %s, %v", issuer, err)
			}
		}
	}
	const query = "?rel=http%3A%2F%2Fopenid.net%2Fspecs%2Fconnect%2F1.0%2Fissuer&resource=acct%3Ajoe%40op.example.com"
	sent := sentRequest{"GET", webFingerURL + query, http.Header{"Accept": {"application/jrd+json"}, "User-Agent": {userAgent}}, ""}
	p.wantRequests("/.well-known/webfinger"+query, sent, sent, sent, sent)
}

func TestWebFingerRejects(t *testing.T) {
	const jrd = "application/jrd+json"
	link := func(href string) string {
		return strings.Replace(`{"links":[`+joesLink+`]}`, "https://op.example.com/tenant", href, 1)
	}
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		want                    error
		text                    string
	}{
		{"nobody", jrd, ``, 404, ErrUnsupported, "not supported by the provider: status 404: nobody of this name is known"},
		{"no links", jrd, `{"subject":"a"}`, 200, ErrUnsupported, "not supported by the provider: status 200: it has no links"},
		{"other links", jrd, `{"links":[{"rel":"avatar","href":"https://a.example"}]}`, 200, ErrUnsupported, "not supported by the provider: status 200: it has no link to an issuer"},
		{"down", jrd, ``, 503, ErrUnavailable, "provider unavailable: status 503: no answer about the resource"},
		{"400", jrd, ``, 400, ErrRejected, "rejected: status 400: no answer about the resource"},
		{"HTML", "text/html", `<html>`, 200, ErrRejected, "rejected: status 200: the content type is not application/jrd+json"},
		{"truncated", jrd, `{"links":[`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"array", jrd, `[]`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"links twice", jrd, `{"links":[],"links":[` + joesLink + `]}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"links an object", jrd, `{"links":` + joesLink + `}`, 200, ErrRejected, "rejected: status 200: links is not a list"},
		{"no href", jrd, `{"links":[{"rel":"http://openid.net/specs/connect/1.0/issuer"}]}`, 200, ErrRejected, "rejected: status 200: the issuer is empty"},
		{"href over http", jrd, link("http://op.example.com"), 200, ErrRejected, "rejected: status 200: the issuer must be https (http on a loopback host only)"},
		{"href on this machine", jrd, link("http://localhost:8080"), 200, ErrRejected, "rejected: status 200: the issuer must be https"},
		{"href with a query", jrd, link("https://op.example.com?a"), 200, ErrRejected, "rejected: status 200: the issuer must not have a query"},
		{"href a template", jrd, link("https://op.example.com/{tenantid}"), 200, ErrRejected, "rejected: status 200: the issuer has characters that a URL does not have"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			issuer, err := p.finger(test.status, test.contentType, test.body)
			var e *ResponseError
			if issuer != "" || !errors.Is(err, test.want) || !errors.As(err, &e) || err.Error() != "client: WebFinger endpoint: "+test.text {
				t.Errorf("got %v, want %s", err, test.text)
			}
			if len(p.requests) != 1 {
				t.Errorf("%d requests were sent", len(p.requests))
			}
		})
	}
}

func TestWebFingerEndlessBody(t *testing.T) {
	p := newOP(t)
	p.handle("/.well-known/webfinger", func(*http.Request) (*http.Response, error) {
		resp := textResponse(200, "application/jrd+json", "")
		resp.Body, resp.ContentLength = &endless{text: strings.Repeat("[", 512)}, -1
		return resp, nil
	})
	_, err := WebFinger(context.Background(), "joe@op.example.com", &http.Client{Transport: p})
	if !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), "the answer has more than 1048576 bytes") {
		t.Errorf("got %v", err)
	}
}

// A domain may have others answer for its users (RFC 7033 4.2), but nobody on the way.
func TestWebFingerRedirects(t *testing.T) {
	const good = `{"links":[` + joesLink + `]}`
	for _, test := range []struct{ name, location, want string }{
		{"another host", "https://fingers.example/of?resource=x", ""},
		{"http", "http://fingers.example/of", "rejected: status 302: no answer about the resource"},
		{"http on this machine", "http://localhost/of", "rejected: status 302: no answer about the resource"},
		{"in a circle", webFingerURL, "rejected: status 302: no answer about the resource"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.handle("/.well-known/webfinger", redirectTo(302, test.location))
			p.handlers["https://fingers.example/of"] = func(*http.Request) (*http.Response, error) {
				return textResponse(200, "application/jrd+json", good), nil
			}
			_, err := WebFinger(context.Background(), "joe@op.example.com", &http.Client{Transport: p})
			if test.want == "" && err != nil || test.want != "" && (err == nil || err.Error() != "client: WebFinger endpoint: "+test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if len(p.requests) > maxRedirects+1 {
				t.Errorf("%d requests were sent", len(p.requests))
			}
		})
	}
}

// Without a client of the program's own, what somebody typed reaches nothing inside.
func TestWebFingerReachesThePublicInternetOnly(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.215.14:443": true, "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:443": true,
		"127.0.0.1:443": false, "10.0.0.1:443": false, "172.16.0.1:443": false, "192.168.1.1:443": false, "169.254.169.254:443": false,
		"0.0.0.0:443": false, "0.1.2.3:443": false, "100.64.0.1:443": false, "192.0.0.192:443": false, "198.18.0.1:443": false,
		"224.0.0.1:443": false, "255.255.255.255:443": false, "240.0.0.1:443": false,
		"[::]:443": false, "[::1]:443": false, "[fe80::1]:443": false, "[fe80::1%25eth0]:443": false, "[fc00::1]:443": false, "[ff02::1]:443": false,
		"[::ffff:127.0.0.1]:443": false, "[::ffff:10.0.0.1]:443": false, "[64:ff9b::a00:1]:443": false, "[2002:a00:1::]:443": false,
		"[::10.0.0.1]:443": false, "[::ffff:0:10.0.0.1]:443": false, "[fec0::1]:443": false, "[2001:0:a00:1::]:443": false, "[2001:4860::8888]:443": true,
		"localhost:443": false, "": false,
	} {
		if got := isPublic(address); got != want {
			t.Errorf("%s: got %t", address, got)
		}
	}
	for _, typed := range []string{"joe@127.0.0.1", "https://[::1]:8443/joe"} {
		issuer, err := WebFinger(context.Background(), typed, nil)
		if issuer != "" || !errors.Is(err, ErrUnavailable) || !strings.HasSuffix(err.Error(), "not an address of the public internet") {
			t.Errorf("%s: got %s, %v", typed, issuer, err)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	for _, typed := range []string{"joe@example.com", "example.com:8080", "acct:joe@example.com", "https://example.com/joe#x", "=x", "a@b@c", "a@[::1]"} {
		f.Add(typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		resource, host, err := normalize(typed)
		if (err == nil) != (resource != "" && host != "") {
			t.Fatalf("%q, %q beside %v", resource, host, err)
		}
		if err != nil {
			return
		}
		// The request goes to the host that stands in the resource, and to no other.
		u, err := url.Parse("https://" + host + "/.well-known/webfinger")
		if err != nil || u.Host != host || u.User != nil || !strings.Contains(resource, host) {
			t.Fatalf("%q at %q: %v", resource, host, err)
		}
	})
}

// An answer that drips is given up after the timeout.
func TestWebFingerSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		p.handle("/.well-known/webfinger", func(req *http.Request) (*http.Response, error) {
			resp := textResponse(200, "application/jrd+json", "")
			resp.Body, resp.ContentLength = &endless{text: "[", wait: time.Second, done: req.Context().Done()}, -1
			return resp, nil
		})
		began := time.Now()
		_, err := WebFinger(context.Background(), "joe@op.example.com", &http.Client{Transport: p})
		if !errors.Is(err, ErrUnavailable) || time.Since(began) > httpTimeout {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

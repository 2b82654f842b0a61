package jwtverify_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

// exchange sends the bytes of one HTTP/1 request, which net/http would not write.
func exchange(t *testing.T, addr, request string) int {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestDPoPRequestTarget: a proof is for the path that the client asked for, in whatever
// form, and for no other that handlers or normalization could make of it.
func TestDPoPRequestTarget(t *testing.T) {
	const host = "https://api.example.com"
	for _, tc := range []struct {
		target, htu string
		status      int
		reason      string
	}{
		{"/v1/things", host + "/v1/things", 200, ""},
		{"/v1/things", host + "/things", 401, "htu"},
		{"http://x/v1/things?a=b", host + "/v1/things", 200, ""},
		{"http://x/v1/things?a=b", host + "/things", 401, "htu"},
		{"http://x/v1/a%2Fb", host + "/v1/a%2fb", 200, ""},
		{"http://x/v1/a%2Fb", host + "/v1/a/b", 401, "htu"},
		{"http://x/v1/a%2Fb%", host + "/v1/a/b", 400, ""}, // by net/http
		{`http://x/v1/a%2Fb"`, host + "/v1/a%2Fb%22", 200, ""},
		{`http://x/v1/a%2Fb"`, host + "/v1/a/b%22", 401, "htu"},
		// The prefix is stripped together with the slash: the rest must not become the host.
		{"http://x/v2/.evil.example/things", host + ".evil.example/things", 401, "htu"},
		{"http://x/v2/.evil.example/things", host + "/v2/.evil.example/things", 200, ""},
		{"/v2/.evil.example/things", host + ".evil.example/things", 401, "htu"},
		{"http://x/v2/:8443/things", host + ":8443/things", 401, "htu"},
		{"http://x/v2/@evil.example/things", host + "@evil.example/things", 401, "htu"},
		// "#" does not end what net/http takes for the path.
		{"/v1/things#other", host + "/v1/things", 401, "htu"},
		{"/v1/things#other", host + "/v1/things%23other", 200, ""},
		{"http://x/v1/things#other", host + "/v1/things", 401, "htu"},
		// A ServeMux redirects these only where the dots are not encoded.
		{"/v1/tenants/42/%2e%2e/%2E./things", host + "/v1/things", 400, "dot segments"},
		{"/v1/tenants/42/%2e%2e/%2e%2e/things", host + "/v1/tenants/42/%2e%2e/%2e%2e/things", 400, "dot segments"},
		{"http://x/v1/tenants/42/%2e%2e/%2e%2e/things", host + "/v1/things", 400, "dot segments"},
		{"/v1/tenants/42/%2e", host + "/v1/tenants/42/", 400, "dot segments"},
		{"/v1/tenants/42/..x", host + "/v1/tenants/42/..x", 200, ""},
	} {
		t.Run(tc.target, func(t *testing.T) {
			a := boundAPI(t, &jwtverify.Bearer{})
			guarded := a.Require("read")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			mux := http.NewServeMux()
			mux.Handle("/v1/", http.StripPrefix("/v1", guarded))
			mux.Handle("/v2/", http.StripPrefix("/v2/", guarded))
			mux.Handle("/v1/tenants/{id}/", guarded)
			srv := httptest.NewServer(mux)
			defer srv.Close()
			p := goodProof()
			p.url = tc.htu
			status := exchange(t, srv.Listener.Addr().String(), fmt.Sprintf(
				"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: DPoP bound\r\nDPoP: %s\r\n\r\n", tc.target, p.sign(t)))
			srv.Close() // and the handler is done with a
			if status != tc.status {
				t.Errorf("proof for %s: %d, want %d: %v", tc.htu, status, tc.status, a.refused)
			}
			if tc.reason != "" && (a.refused == nil || !strings.Contains(a.refused.Error(), tc.reason)) {
				t.Errorf("proof for %s: %v, want %q", tc.htu, a.refused, tc.reason)
			}
		})
	}
}

// TestDPoPWithoutPath: what is no path is compared with nothing.
func TestDPoPWithoutPath(t *testing.T) {
	for _, target := range []string{"*", "api.example.com:443", "http:things", ".evil.example/things"} {
		a := boundAPI(t, &jwtverify.Bearer{})
		r := proven(t, goodProof())
		r.RequestURI = target
		resp := a.send(a.Require("read"), r)
		a.wantRefused(resp, 400, "invalid_request", "no proof can be compared with", resp.Header.Values("WWW-Authenticate")...)
	}
	a := boundAPI(t, &jwtverify.Bearer{})
	p := goodProof()
	p.url = "https://api.example.com.evil.example/things"
	r := proven(t, p)
	r.RequestURI, r.URL.Path = "", ".evil.example/things" // made by a program, and stripped
	resp := a.send(a.Require("read"), r)
	a.wantRefused(resp, 400, "invalid_request", "no proof can be compared with", resp.Header.Values("WWW-Authenticate")...)
}

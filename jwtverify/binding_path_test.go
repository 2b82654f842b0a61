package jwtverify_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
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
		// To a ServeMux, the byte that should be encoded makes "%2F" a slash.
		{`/v1/a%2Fb"`, host + "/v1/a%2Fb%22", 400, "read in two ways"},
		{`/v1/a%2Fb"`, host + "/v1/a/b%22", 400, "read in two ways"},
		{`http://x/v1/a%2Fb"`, host + "/v1/a/b%22", 400, "read in two ways"},
		{`/v1/a"[|]`, host + "/v1/a%22%5b|%5D", 200, ""},
		{"/v1/a%2Fb[c]@", host + "/v1/a%2Fb[c]@", 200, ""},
		{"//x/v1/things", host + "/v1/things", 307, ""}, // by the ServeMux
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
	for _, target := range []string{"*", "api.example.com:443", "http:things", ".evil.example/things", "/a b"} {
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

// FuzzProofPath: whatever stands in the request line, the path that a proof has to name is
// the one that handlers see, segment by segment, and is compared as it stands.
func FuzzProofPath(f *testing.F) {
	for _, target := range []string{"/a%2Fb", "http://x/a#b", "/%2e%2e/x", "http://x?y", "//a/b", "*", "/a/..;/b", "http:/x", `/a%5cb\`,
		"https://u@x:99/%41?b", "/[x]|^`{}\"<>", "/\xb6%2F", "x:443", "http:x"} {
		f.Add(target, "left")
	}
	f.Fuzz(func(t *testing.T, target, stripped string) {
		seen, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		path, ok := jwtverify.ProofPath(&http.Request{RequestURI: target, URL: &url.URL{Path: stripped}})
		if !ok {
			return
		}
		named, err := url.ParseRequestURI("https://api.example.com" + path)
		if err != nil || named.Host != "api.example.com" || named.Path != seen.Path {
			t.Fatalf("%q: a proof names %q, handlers see %q", target, path, seen.Path)
		}
		got, want := strings.Split(named.EscapedPath(), "/"), strings.Split(seen.EscapedPath(), "/")
		if !slices.EqualFunc(got, want, func(a, b string) bool {
			a, errA := url.PathUnescape(a)
			b, errB := url.PathUnescape(b)
			return a == b && errA == nil && errB == nil && a != "." && a != ".."
		}) {
			t.Errorf("%q: a proof names %q, handlers see %q", target, got, want)
		}
	})
}

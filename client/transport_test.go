package client

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/postern-go/postern/jwtverify"
)

// A fakeAPI answers by host and path, and remembers what it was sent.
type fakeAPI struct {
	t       *testing.T
	seen    []sentRequest
	answers map[string]func(sentRequest) *http.Response // by URL without query
	closed  int
}

func (a *fakeAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := sentRequest{Method: r.Method, URL: r.URL.String(), Header: r.Header.Clone()}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body.Close()
		sent.Body = string(body)
	}
	a.seen = append(a.seen, sent)
	place, _, _ := strings.Cut(sent.URL, "?")
	if answer := a.answers[place]; answer != nil {
		return answer(sent), nil // without Request, which a RoundTripper need not set
	}
	return textResponse(200, "text/plain", "hello"), nil
}

func (a *fakeAPI) CloseIdleConnections() { a.closed++ }

func (a *fakeAPI) authorizations() (seen []string) {
	for _, r := range a.seen {
		seen = append(seen, r.Header.Get("Authorization"))
	}
	return seen
}

func redirect(location string) func(sentRequest) *http.Response {
	return func(sentRequest) *http.Response {
		resp := textResponse(307, "", "")
		resp.Header.Set("Location", location)
		return resp
	}
}

const apiURL = "https://api.example.com/things"

// caller is an http.Client on the transport, with a token of a type.
func caller(t *testing.T, tokenType string, api *fakeAPI) (*http.Client, *Client) {
	t.Helper()
	c, err := New(changed(func(cfg *Config) {
		cfg.DPoP = GenerateDPoPKey()
		cfg.Now = newOP(t).clock
	}))
	if err != nil {
		t.Fatal(err)
	}
	source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "access-token-CANARY-1", TokenType: tokenType})
	return &http.Client{Transport: c.Transport(api, source)}, c
}

func do(t *testing.T, hc *http.Client, method, address string, body io.Reader) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if len(req.Header) != 0 || resp.Request.Header.Get("Authorization") != "" || resp.Request.Header.Get("DPoP") != "" {
		t.Error("the token stands in a request that the program sees")
	}
	return resp
}

func TestTransportBearer(t *testing.T) {
	for _, tokenType := range []string{"Bearer", "bearer", ""} {
		api := &fakeAPI{t: t}
		hc, _ := caller(t, tokenType, api)
		do(t, hc, "GET", apiURL+"?q=1", nil)
		want := sentRequest{"GET", apiURL + "?q=1", http.Header{"Authorization": {"Bearer access-token-CANARY-1"}}, ""}
		if len(api.seen) != 1 || fmt.Sprint(api.seen[0]) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", api.seen, want)
		}
	}
}

func TestTransportDPoP(t *testing.T) {
	api := &fakeAPI{t: t}
	hc, c := caller(t, "DPoP", api)
	for _, method := range []string{"GET", "POST"} {
		do(t, hc, method, apiURL+"/a%2Fb?q=1#f", nil)
	}
	seen := map[string]bool{}
	for i, method := range []string{"GET", "POST"} {
		r := api.seen[i]
		jti := wantProof(t, c.cfg.DPoP, proofOf(t, r), "ES256", map[string]any{
			"htm": method, "htu": apiURL + "/a%2Fb", "iat": testStart.Unix(), "ath": hashOf("access-token-CANARY-1"),
		})
		if r.Header.Get("Authorization") != "DPoP access-token-CANARY-1" || len(r.Header) != 2 || seen[jti] {
			t.Errorf("got %v", r.Header)
		}
		seen[jti] = true
	}
}

// A request that says no method is a GET, and one that names its host is for that.
func TestTransportProofIsForTheRequest(t *testing.T) {
	api := &fakeAPI{t: t}
	hc, c := caller(t, "DPoP", api)
	resp, err := hc.Transport.RoundTrip(&http.Request{URL: &url.URL{Scheme: "https", Host: "10.0.0.1"}, Host: "api.example.com"})
	if err != nil || resp.Request.URL.Host != "10.0.0.1" {
		t.Fatal(err)
	}
	wantProof(t, c.cfg.DPoP, proofOf(t, api.seen[0]), "ES256", map[string]any{
		"htm": "GET", "htu": "https://api.example.com/", "iat": testStart.Unix(), "ath": hashOf("access-token-CANARY-1"),
	})
}

func wantNonce(nonce string) *http.Response {
	resp := textResponse(401, "", "no")
	resp.Header.Add("WWW-Authenticate", `Bearer realm="x"`)
	resp.Header.Add("WWW-Authenticate", `DPoP error="use_dpop_nonce", algs="ES256"`)
	resp.Header.Set("DPoP-Nonce", nonce)
	return resp
}

func TestTransportNonce(t *testing.T) {
	demand := func(want *string) func(sentRequest) *http.Response {
		return func(r sentRequest) *http.Response {
			if got, _ := readJWT(t, r.Header.Get("DPoP")).claims["nonce"].(string); got != *want {
				return wantNonce(*want)
			}
			return textResponse(200, "text/plain", r.Body)
		}
	}
	for _, test := range []struct {
		name string
		body func() io.Reader
		sent []string // bodies
		end  int
	}{
		{"no body", func() io.Reader { return nil }, []string{"", ""}, 200},
		{"a buffer", func() io.Reader { return bytes.NewReader([]byte("text")) }, []string{"text", "text"}, 200},
		{"a stream", func() io.Reader { return io.MultiReader(strings.NewReader("text")) }, []string{"text"}, 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			nonce := "n1"
			api := &fakeAPI{t: t, answers: map[string]func(sentRequest) *http.Response{apiURL: demand(&nonce)}}
			hc, _ := caller(t, "DPoP", api)
			resp := do(t, hc, "POST", apiURL, test.body())
			var sent []string
			jtis := map[any]bool{}
			for _, r := range api.seen {
				sent = append(sent, r.Body)
				jtis[readJWT(t, r.Header.Get("DPoP")).claims["jti"]] = true
			}
			if resp.StatusCode != test.end || !slices.Equal(sent, test.sent) || len(jtis) != len(sent) {
				t.Errorf("status %d, sent %q with %d proofs", resp.StatusCode, sent, len(jtis))
			}
			api.seen = nil // it is remembered, for this origin
			if resp = do(t, hc, "POST", apiURL, test.body()); resp.StatusCode != 200 || len(api.seen) != 1 {
				t.Errorf("the next: status %d after %d requests", resp.StatusCode, len(api.seen))
			}
			do(t, hc, "GET", "https://other.example.com/", nil)
			if claims := readJWT(t, api.seen[1].Header.Get("DPoP")).claims; claims["nonce"] != nil {
				t.Error("the nonce went to another origin")
			}
		})
	}
}

// Nothing but use_dpop_nonce has a request sent again, and that once.
func TestTransportSendsOnce(t *testing.T) {
	plain := func(status int, change func(http.Header)) func(sentRequest) *http.Response {
		return func(sentRequest) *http.Response {
			resp := textResponse(status, "", "")
			change(resp.Header)
			return resp
		}
	}
	for _, test := range []struct {
		name, tokenType string
		answer          func(sentRequest) *http.Response
		requests        int
	}{
		{"always", "DPoP", func(sentRequest) *http.Response { return wantNonce("n") }, 2},
		{"401", "DPoP", plain(401, func(h http.Header) { h.Set("DPoP-Nonce", "n") }), 1},
		{"another error", "DPoP", plain(401, func(h http.Header) {
			h.Set("DPoP-Nonce", "n")
			h.Set("WWW-Authenticate", `DPoP error="invalid_dpop_proof"`)
		}), 1},
		{"no nonce", "DPoP", plain(401, func(h http.Header) { h.Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`) }), 1},
		{"another status", "DPoP", plain(400, func(h http.Header) { copyHeader(h, wantNonce("n").Header) }), 1},
		{"a bearer token", "Bearer", func(sentRequest) *http.Response { return wantNonce("n") }, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := &fakeAPI{t: t, answers: map[string]func(sentRequest) *http.Response{apiURL: test.answer}}
			hc, _ := caller(t, test.tokenType, api)
			do(t, hc, "GET", apiURL, nil)
			if len(api.seen) != test.requests {
				t.Errorf("%d requests, want %d", len(api.seen), test.requests)
			}
		})
	}
}

func copyHeader(to, from http.Header) {
	for name, values := range from {
		to[name] = values
	}
}

// The token stays with the origin that the program named.
func TestTransportRedirects(t *testing.T) {
	for _, tokenType := range []string{"Bearer", "DPoP"} {
		api := &fakeAPI{t: t, answers: map[string]func(sentRequest) *http.Response{
			"https://api.example.com/within": redirect("/things"),
			"https://api.example.com/leave":  redirect("https://evil.example/1"),
			"https://evil.example/1":         redirect("https://evil.example/2"),
			"https://evil.example/2":         redirect(apiURL),
			"https://api.example.com/port":   redirect("https://api.example.com:8443/"),
		}}
		hc, c := caller(t, tokenType, api)
		const token = "access-token-CANARY-1"
		for path, want := range map[string][]string{
			"/within": {tokenType + " " + token, tokenType + " " + token},
			"/leave":  {tokenType + " " + token, "", "", ""},
			"/port":   {tokenType + " " + token, ""},
		} {
			api.seen = nil
			do(t, hc, "GET", "https://api.example.com"+path, nil)
			if got := api.authorizations(); !slices.Equal(got, want) {
				t.Errorf("%s %s: got %q, want %q", tokenType, path, got, want)
			}
			for _, r := range api.seen {
				if r.Header.Get("Authorization") == "" && r.Header.Get("DPoP") != "" {
					t.Errorf("a proof went to %s", r.URL)
				}
			}
			if path == "/within" && tokenType == "DPoP" {
				wantProof(t, c.cfg.DPoP, proofOf(t, api.seen[1]), "ES256", map[string]any{
					"htm": "GET", "htu": apiURL, "iat": testStart.Unix(), "ath": hashOf(token),
				})
			}
		}
	}
}

func TestTransportKeepsTheTokenBack(t *testing.T) {
	refused := errors.New("no token today")
	for _, test := range []struct {
		name, address string
		source        oauth2.TokenSource
		want          string
	}{
		{"http", "http://api.example.com/", oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "a"}), "client: an access token is not sent over http to another host"},
		{"no source", apiURL, nil, "client: Transport needs a token source"},
		{"the source refuses", apiURL, sourceFunc(func() (*oauth2.Token, error) { return nil, refused }), "no token today"},
		{"another type", apiURL, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "a", TokenType: "MAC"}), `client: an access token of type "MAC" is not understood`},
		{"bound, without a key", apiURL, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "a", TokenType: "dpop"}), "client: the access token is bound to a DPoP key, and Config.DPoP is nil"},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := &fakeAPI{t: t}
			c, err := New(changed(func(*Config) {}))
			if err != nil {
				t.Fatal(err)
			}
			body := &closing{Reader: strings.NewReader("text")}
			req, err := http.NewRequest("POST", test.address, body)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Transport(api, test.source).RoundTrip(req)
			if err == nil || err.Error() != test.want || len(api.seen) != 0 || !body.closed {
				t.Errorf("got %v, want %s; %d requests, body closed: %v", err, test.want, len(api.seen), body.closed)
			}
		})
	}
	api := &fakeAPI{t: t}
	hc, _ := caller(t, "Bearer", api)
	do(t, hc, "GET", "http://localhost:8080/", nil)
	if got := api.authorizations(); !slices.Equal(got, []string{"Bearer access-token-CANARY-1"}) {
		t.Errorf("to a loopback host: %q", got)
	}
}

type sourceFunc func() (*oauth2.Token, error)

func (f sourceFunc) Token() (*oauth2.Token, error) { return f() }

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestTransportLeavesOwnAuthorizationAlone(t *testing.T) {
	api := &fakeAPI{t: t}
	hc, _ := caller(t, "DPoP", api)
	req, err := http.NewRequest("GET", apiURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Basic own")
	if _, err := hc.Do(req); err != nil || api.seen[0].Header.Get("Authorization") != "Basic own" || api.seen[0].Header.Get("DPoP") != "" {
		t.Errorf("%v, sent %v", err, api.seen[0].Header)
	}
	hc.CloseIdleConnections()
	if api.closed != 1 {
		t.Error("CloseIdleConnections does not reach the base")
	}
	if text := renderings(t, hc.Transport); strings.Contains(text, "CANARY") {
		t.Errorf("the transport shows its token: %s", text)
	}
}

// An API of package jwtverify takes what the transport sends, by way of its nonce.
func TestTransportAgainstBearer(t *testing.T) {
	key := GenerateDPoPKey()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	dpop := &jwtverify.DPoP{RequireNonce: true}
	reasons := []string{}
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("DPoP-Nonce", dpop.Nonce())
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		err := dpop.Verify(r.Context(), r.Header.Get("DPoP"), jwtverify.ExpectProof{
			Method: r.Method, URL: server.URL + r.URL.Path, AccessToken: token, JKT: key.Thumbprint(),
		})
		switch {
		case errors.Is(err, jwtverify.ErrNonce):
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(401)
		case err != nil || scheme != "DPoP":
			reasons = append(reasons, fmt.Sprint(scheme, err))
			w.WriteHeader(400)
		}
	})
	transport := server.Client().Transport.(*http.Transport)
	defer transport.CloseIdleConnections()
	c, err := New(changed(func(cfg *Config) { cfg.DPoP, cfg.HTTPClient = key, server.Client() }))
	if err != nil {
		t.Fatal(err)
	}
	hc := &http.Client{Transport: c.Transport(nil, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "a", TokenType: "DPoP"}))}
	for range 3 {
		if resp := do(t, hc, "PUT", server.URL+"/x?y=z", strings.NewReader("text")); resp.StatusCode != 200 {
			t.Errorf("status %d, refused because of %q", resp.StatusCode, reasons)
		}
	}
}

// Tokens that are bound to the certificate need it on the connection to the API.
func TestTransportShowsTheCertificate(t *testing.T) {
	shown := 0
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { shown = len(r.TLS.PeerCertificates) }))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	c, err := New(changed(func(cfg *Config) {
		cfg.Certificate, cfg.HTTPClient = clientCertificate(t, testKey()), server.Client()
	}))
	if err != nil {
		t.Fatal(err)
	}
	hc := &http.Client{Transport: c.Transport(nil, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "a"}))}
	defer hc.CloseIdleConnections()
	do(t, hc, "GET", server.URL, nil)
	if shown != 1 {
		t.Errorf("%d certificates were shown", shown)
	}
}

// An API that redirects does not choose at which other server the client proves itself by
// its certificate.
func TestTransportKeepsTheCertificateBack(t *testing.T) {
	serve := func(h http.HandlerFunc) *httptest.Server {
		server := httptest.NewUnstartedServer(h)
		server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		server.StartTLS()
		t.Cleanup(server.Close)
		return server
	}
	var shown []string
	note := func(name string, r *http.Request) {
		shown = append(shown, fmt.Sprintf("%s %d %q", name, len(r.TLS.PeerCertificates), r.Header.Get("Authorization")))
	}
	var api *httptest.Server
	other := serve(func(w http.ResponseWriter, r *http.Request) {
		note("other", r)
		http.Redirect(w, r, api.URL+"/back", http.StatusTemporaryRedirect)
	})
	api = serve(func(w http.ResponseWriter, r *http.Request) {
		note("api", r)
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		case "/":
			http.Redirect(w, r, "/away", http.StatusTemporaryRedirect)
		}
	})
	c, err := New(changed(func(cfg *Config) {
		cfg.Certificate, cfg.HTTPClient = clientCertificate(t, testKey()), api.Client() // it trusts both: they have one certificate
	}))
	if err != nil {
		t.Fatal(err)
	}
	hc := &http.Client{Transport: c.Transport(nil, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "a"}))}
	defer hc.CloseIdleConnections()
	do(t, hc, "GET", api.URL+"/", nil)
	want := []string{`api 1 "Bearer a"`, `api 1 "Bearer a"`, `other 0 ""`, `api 0 ""`}
	if !slices.Equal(shown, want) {
		t.Errorf("got %q, want %q", shown, want)
	}
}

package jwtverify_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

func hash64(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// A proof is what a DPoP proof for the API under test says, by the key "ed25519".
type proof struct{ method, url, token, nonce, id string }

func (p proof) sign(tb testing.TB) string {
	tb.Helper()
	claims := []member{
		{"jti", `"` + p.id + `"`}, {"htm", `"` + p.method + `"`}, {"htu", `"` + p.url + `"`},
		{"iat", fmt.Sprint(time.Now().Unix())}, {"ath", `"` + hash64(p.token) + `"`},
	}
	if p.nonce != "" {
		claims = append(claims, member{"nonce", `"` + p.nonce + `"`})
	}
	return mint(tb, "ed25519", "EdDSA", `{"typ":"dpop+jwt","alg":"EdDSA","jwk":`+proofJWK(tb)+`}`, object(claims))
}

func proofJWK(tb testing.TB) string {
	x := publicKey(tb, "ed25519").(ed25519.PublicKey)
	return `{"crv":"Ed25519","kty":"OKP","x":"` + b64(string(x)) + `"}`
}

// boundAPI takes "bound", a token that needs a proof, and "good", which is bound to nothing.
func boundAPI(t *testing.T, b *jwtverify.Bearer) *api {
	bound := *aliceToken
	bound.Confirmation.JKT = hash64(proofJWK(t))
	b.Tokens = tokens{"good": aliceToken, "bound": &bound}
	b.Resource = "https://api.example.com/v1"
	if b.DPoP == nil {
		b.DPoP = &jwtverify.DPoP{Algorithms: []string{"EdDSA"}}
	}
	return newAPI(t, b)
}

func goodProof() proof {
	return proof{method: "GET", url: "https://api.example.com/things", token: "bound", id: "1"}
}

// proven is a request with a DPoP proof.
func proven(t *testing.T, p proof) *http.Request {
	r := get("DPoP bound")
	r.Header["Dpop"] = []string{p.sign(t)}
	return r
}

const (
	onlyBearer = `Bearer scope="read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/v1"`
	onlyDPoP   = `DPoP scope="read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/v1"`
	algs       = `, algs="EdDSA"`
)

// withError is a challenge with an error.
func withError(challenge, code, description string) string {
	return challenge + `, error="` + code + `", error_description="` + description + `"`
}

func TestDPoPLetsIn(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"as it is":                        func(*http.Request) {},
		"the scheme in another case":      func(r *http.Request) { r.Header.Set("Authorization", "dpop bound") },
		"another Host":                    func(r *http.Request) { r.Host = "internal:8080" },
		"the path was stripped":           func(r *http.Request) { r.URL.Path = "/" },
		"the absolute form":               func(r *http.Request) { r.RequestURI = "http://x.example/things?page=2" },
		"made by a program, not a server": func(r *http.Request) { r.RequestURI = "" },
	} {
		t.Run(name, func(t *testing.T) {
			a := boundAPI(t, &jwtverify.Bearer{RequireBound: true})
			r := proven(t, goodProof())
			change(r)
			resp := a.send(a.Require("read"), r)
			if a.token == nil || resp.Header.Get("DPoP-Nonce") != "" || resp.Header.Get("Cache-Control") != "" {
				t.Errorf("got %v with %v", a.refused, resp.Header)
			}
		})
	}
}

func TestDPoPRefused(t *testing.T) {
	const notAcceptable = "the DPoP proof is not acceptable"
	for _, tc := range []struct {
		name         string
		proof        func(*proof)
		change       func(*http.Request)
		code, reason string
		text         string
	}{
		{"no proof", nil, func(r *http.Request) { r.Header.Del("DPoP") }, "invalid_dpop_proof", "no DPoP header", "there is no DPoP header"},
		{"two proofs", nil, func(r *http.Request) { r.Header.Add("DPoP", r.Header.Get("DPoP")) }, "invalid_dpop_proof", "more than one DPoP header", "there is more than one DPoP header"},
		{"no JWT", nil, func(r *http.Request) { r.Header.Set("DPoP", "x") }, "invalid_dpop_proof", "", notAcceptable},
		{"another method", func(p *proof) { p.method = "POST" }, nil, "invalid_dpop_proof", "htm", notAcceptable},
		{"another path", func(p *proof) { p.url = "https://api.example.com/other" }, nil, "invalid_dpop_proof", "htu", notAcceptable},
		{"the host of the request", func(p *proof) { p.url = "https://evil.example/things" }, func(r *http.Request) {
			r.Host = "evil.example"
			r.Header.Set("X-Forwarded-Host", "evil.example")
			r.Header.Set("X-Forwarded-Proto", "https")
			r.Header.Set("Forwarded", "host=evil.example;proto=https")
			r.RequestURI = "https://evil.example/things"
			r.URL.Scheme, r.URL.Host = "https", "evil.example"
		}, "invalid_dpop_proof", "htu", notAcceptable},
		{"another token", func(p *proof) { p.token = "good" }, nil, "invalid_dpop_proof", "ath", notAcceptable},
		{"a token that is not bound", func(p *proof) { p.token = "good" }, func(r *http.Request) { r.Header.Set("Authorization", "DPoP good") },
			"invalid_token", "bound to no DPoP key", "the access token is not bound to a DPoP key"},
		{"an unknown token", nil, func(r *http.Request) { r.Header.Set("Authorization", "DPoP unknown") },
			"invalid_token", "unknown token", "the access token is not acceptable"},
		{"no token", nil, func(r *http.Request) { r.Header.Set("Authorization", "DPoP ") },
			"invalid_token", "not a scheme and one token", "the Authorization header is not a scheme and one token"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := boundAPI(t, &jwtverify.Bearer{})
			p := goodProof()
			if tc.proof != nil {
				tc.proof(&p)
			}
			r := proven(t, p)
			if tc.change != nil {
				tc.change(r)
			}
			a.wantRefused(a.send(a.Require("read"), r), 401, tc.code, tc.reason, withError(onlyDPoP, tc.code, tc.text)+algs, onlyBearer)
		})
	}
}

// TestDPoPDowngrade: RFC 9449 7.2, the proof beside it or not.
func TestDPoPDowngrade(t *testing.T) {
	const text = "the access token is bound to a key and has to come by the scheme DPoP"
	for _, withProof := range []bool{false, true} {
		a := boundAPI(t, &jwtverify.Bearer{})
		r := proven(t, goodProof())
		r.Header.Set("Authorization", "Bearer bound")
		if !withProof {
			r.Header.Del("DPoP")
		}
		a.wantRefused(a.send(a.Require("read"), r), 401, "invalid_token", "came by another scheme", withError(onlyBearer, "invalid_token", text), onlyDPoP+algs)
	}
	a := boundAPI(t, &jwtverify.Bearer{})
	a.DPoP = nil
	a.wantRefused(a.send(a.Require("read"), get("Bearer bound")), 401, "invalid_token", "came by another scheme", withError(onlyBearer, "invalid_token", text))
}

func TestRequireBound(t *testing.T) {
	a := boundAPI(t, &jwtverify.Bearer{})
	a.wantAlice(a.send(a.Require("read"), get("Bearer good")))
	a = boundAPI(t, &jwtverify.Bearer{RequireBound: true})
	a.wantRefused(a.send(a.Require("read"), get("Bearer good")), 401, "invalid_token", "bound neither to a key nor to a certificate",
		withError(onlyBearer, "invalid_token", "the access token is bound neither to a key nor to a certificate"), onlyDPoP+algs)
}

// TestDPoPAmbiguous: RFC 9449 7.2, figure 19, with the status of a bad header.
func TestDPoPAmbiguous(t *testing.T) {
	a := boundAPI(t, &jwtverify.Bearer{})
	r := proven(t, goodProof())
	r.Header.Add("Authorization", "Bearer good")
	const text = "there is more than one Authorization header"
	a.wantRefused(a.send(a.Require("read"), r), 401, "invalid_request", "more than one Authorization header",
		withError(onlyBearer, "invalid_request", text), withError(onlyDPoP, "invalid_request", text)+algs)
}

func TestDPoPReplay(t *testing.T) {
	a := boundAPI(t, &jwtverify.Bearer{})
	r := proven(t, goodProof())
	nested := func(next http.Handler) http.Handler { return a.Require()(a.Require("read")(next)) }
	if a.send(nested, r); a.token == nil { // once, for both
		t.Fatal(a.refused)
	}
	a.wantRefused(a.send(a.Require("read"), r), 401, "invalid_dpop_proof", "jti", withError(onlyDPoP, "invalid_dpop_proof", "the DPoP proof is not acceptable")+algs, onlyBearer)
}

type brokenGuard struct{ error }

func (g brokenGuard) Use(context.Context, string, time.Time) (bool, error) { return true, g.error }

// TestDPoPReplayUnknown: where nobody knows, nobody comes in.
func TestDPoPReplayUnknown(t *testing.T) {
	down := errors.New("store is down")
	a := boundAPI(t, &jwtverify.Bearer{DPoP: &jwtverify.DPoP{Algorithms: []string{"EdDSA"}, Replay: brokenGuard{down}}})
	resp := a.send(a.Require("read"), proven(t, goodProof()))
	a.wantRefused(resp, 503, "", "keys unavailable")
	if resp.Header.Get("Retry-After") != "10" {
		t.Errorf("Retry-After: %q", resp.Header.Get("Retry-After"))
	}
}

func TestDPoPNonce(t *testing.T) {
	a := boundAPI(t, &jwtverify.Bearer{DPoP: &jwtverify.DPoP{Algorithms: []string{"EdDSA"}, RequireNonce: true}})
	p := goodProof()
	resp := a.send(a.Require("read"), proven(t, p))
	a.wantRefused(resp, 401, "use_dpop_nonce", "nonce", withError(onlyDPoP, "use_dpop_nonce", "the DPoP proof needs the nonce of this answer")+algs, onlyBearer)
	p.nonce = resp.Header.Get("DPoP-Nonce")
	if p.nonce == "" || !errors.Is(a.refused, jwtverify.ErrNonce) {
		t.Fatalf("nonce %q, %v", p.nonce, a.refused)
	}
	resp = a.send(a.Require("read"), proven(t, p))
	if a.token == nil || resp.Header.Get("DPoP-Nonce") == "" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %v with %v", a.refused, resp.Header)
	}
	// Who has no token yet learns the nonce as well; who uses the other scheme has no use for it.
	if resp := a.send(a.Require("read"), get()); resp.Header.Get("DPoP-Nonce") == "" {
		t.Error("a challenge without a nonce")
	}
	if resp := a.send(a.Require("read"), get("Bearer good")); a.token == nil || resp.Header.Get("DPoP-Nonce") != "" {
		t.Errorf("got %v with %v", a.refused, resp.Header)
	}
}

// TestCertificateBound: RFC 8705 3, alone and beside a key.
func TestCertificateBound(t *testing.T) {
	ours, theirs := &x509.Certificate{Raw: []byte("ours")}, &x509.Certificate{Raw: []byte("theirs")}
	withCert := func(certs ...*x509.Certificate) *tls.ConnectionState {
		return &tls.ConnectionState{PeerCertificates: certs}
	}
	for _, tc := range []struct {
		name   string
		conn   *tls.ConnectionState
		bound  string
		reason string // empty: let in
		text   string
	}{
		{"the certificate", withCert(ours), hash64("ours"), "", ""},
		{"the certificate and its issuer", withCert(ours, theirs), hash64("ours"), "", ""},
		{"another certificate", withCert(theirs), hash64("ours"), "with another one", "the access token is bound to another client certificate"},
		{"as the issuer of another", withCert(theirs, ours), hash64("ours"), "with another one", "the access token is bound to another client certificate"},
		{"no certificate", withCert(), hash64("ours"), "without one", "the access token is bound to a client certificate, and there is none"},
		{"no TLS", nil, hash64("ours"), "without one", "the access token is bound to a client certificate, and there is none"},
		{"the hash with padding", withCert(ours), hash64("ours") + "=", "with another one", "the access token is bound to another client certificate"},
		{"the hash in another case", withCert(ours), strings.ToLower(hash64("ours")), "with another one", "the access token is bound to another client certificate"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bound := *aliceToken
			bound.Confirmation.X5TS256 = tc.bound
			a := newAPI(t, &jwtverify.Bearer{Tokens: tokens{"bound": &bound}, RequireBound: true})
			r := get("Bearer bound")
			r.TLS = tc.conn
			resp := a.send(a.Require("read"), r)
			if tc.reason != "" {
				a.wantRefused(resp, 401, "invalid_token", tc.reason, withError(`Bearer scope="read"`, "invalid_token", tc.text))
			} else if a.token == nil {
				t.Error(a.refused)
			}

			both := boundAPI(t, &jwtverify.Bearer{})
			bound.Confirmation.JKT = hash64(proofJWK(t))
			both.Tokens = tokens{"bound": &bound}
			r = proven(t, goodProof())
			r.TLS = tc.conn
			resp = both.send(both.Require("read"), r)
			if tc.reason != "" {
				both.wantRefused(resp, 401, "invalid_token", tc.reason, withError(onlyDPoP, "invalid_token", tc.text)+algs, onlyBearer)
			} else if both.token == nil {
				t.Error(both.refused)
			}
		})
	}
}

// TestCertificateAndKey: the certificate does not make up for the proof.
func TestCertificateAndKey(t *testing.T) {
	a := boundAPI(t, &jwtverify.Bearer{})
	bound := *aliceToken
	bound.Confirmation = jwtverify.Confirmation{JKT: hash64(proofJWK(t)), X5TS256: hash64("ours")}
	a.Tokens = tokens{"bound": &bound}
	r := get("Bearer bound")
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte("ours")}}}
	resp := a.send(a.Require("read"), r)
	a.wantRefused(resp, 401, "invalid_token", "came by another scheme", resp.Header.Values("WWW-Authenticate")...)
}

// TestCertificateOverTLS: the certificate is the one of the connection.
func TestCertificateOverTLS(t *testing.T) {
	var bound jwtverify.AccessToken
	b := &jwtverify.Bearer{Tokens: verdict{token: &bound}, Logger: slog.New(slog.DiscardHandler)}
	srv := httptest.NewUnstartedServer(b.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	srv.StartTLS()
	defer srv.Close()
	bound.Confirmation.X5TS256 = hash64(string(srv.Certificate().Raw))
	for status, certs := range map[int][]tls.Certificate{200: {srv.TLS.Certificates[0]}, 401: nil} {
		client := srv.Client()
		transport := client.Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = certs
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer bound")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		transport.CloseIdleConnections()
		if resp.StatusCode != status {
			t.Errorf("got %s, want %d", resp.Status, status)
		}
	}
}

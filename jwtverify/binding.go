package jwtverify

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

var (
	errProofMissing = errors.New("no DPoP header")
	errProofTwice   = errors.New("more than one DPoP header")
	errDowngraded   = errors.New("a token that is bound to a DPoP key came by another scheme")
	errUnproven     = errors.New("a token that is bound to no DPoP key came by the scheme DPoP")
	errNoCert       = errors.New("a token that is bound to a certificate came without one")
	errOtherCert    = errors.New("a token that is bound to a certificate came with another one")
	errPath         = errors.New("a path with dot segments, or none, that no proof can be compared with")
	errUnbound      = errors.New("the token is bound neither to a key nor to a certificate")
)

// proofOf gives the one DPoP proof of a request that needs it, RFC 9449 4.3 step 1.
func proofOf(r *http.Request, scheme string) (string, *BearerError) {
	if scheme != schemeDPoP {
		return "", nil
	}
	switch lines := r.Header["Dpop"]; len(lines) {
	case 0:
		return "", badProof(errProofMissing, "there is no DPoP header")
	case 1:
		return lines[0], nil
	default:
		return "", badProof(errProofTwice, "there is more than one DPoP header")
	}
}

// possession checks that the sender has what the token is bound to: all of it.
func (b *Bearer) possession(r *http.Request, t *AccessToken, given credentials, proof string) *BearerError {
	bound := t.Confirmation
	if given.scheme != schemeDPoP && bound.JKT != "" { // RFC 9449 7.2
		return badToken(errDowngraded, "the access token is bound to a key and has to come by the scheme DPoP")
	}
	if given.scheme == schemeDPoP && bound.JKT == "" { // RFC 9449 7.1
		return badToken(errUnproven, "the access token is not bound to a DPoP key")
	}
	if b.RequireBound && bound == (Confirmation{}) {
		return badToken(errUnbound, "the access token is bound neither to a key nor to a certificate")
	}
	if refused := hasCertificate(r, bound.X5TS256); refused != nil {
		return refused
	}
	if given.scheme != schemeDPoP {
		return nil
	}
	path, ok := proofPath(r)
	if !ok {
		return malformedRequest(errPath, "the path of the request is not a plain one")
	}
	return unproven(b.DPoP.Verify(r.Context(), proof, ExpectProof{
		Method:      r.Method,
		URL:         b.setup.origin + path,
		AccessToken: given.raw,
		JKT:         bound.JKT,
	}))
}

// hasCertificate compares the certificate of the connection, RFC 8705 3. That the client
// has its private key was proved when the connection began; who signed it says nothing
// here. Behind a proxy that ends TLS, a handler in front has to fill Request.TLS from
// what the proxy, and nobody else, can send (RFC 9440).
func hasCertificate(r *http.Request, thumbprint string) *BearerError {
	if thumbprint == "" {
		return nil
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return badToken(errNoCert, "the access token is bound to a client certificate, and there is none")
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	if !equal(base64url.EncodeToString(sum[:]), thumbprint) {
		return badToken(errOtherCert, "the access token is bound to another client certificate")
	}
	return nil
}

// unproven tells the client what DPoP.Verify found.
func unproven(err error) *BearerError {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrKeys): // nobody knows whether the proof was used before
		return &BearerError{Status: http.StatusServiceUnavailable, Err: err}
	case errors.Is(err, ErrNonce): // RFC 9449 9
		return &BearerError{Status: http.StatusUnauthorized, Code: codeNonce, detail: "the DPoP proof needs the nonce of this answer", Err: err}
	}
	return badProof(err, "the DPoP proof is not acceptable")
}

// proofPath is the path that a proof for r has to name. "#" is a byte of it like others,
// as it is to net/http. A path with dot segments is none: a proof that names what is
// left without them (RFC 3986 6.2.2.3) would open whatever stands in front of them to
// handlers, for which "%2e%2e" is a name.
func proofPath(r *http.Request) (path string, ok bool) {
	path, ok = normalPath(requestPath(r))
	if !ok || path != "" && path[0] != '/' {
		return "", false
	}
	return path, withoutDots(path) == path
}

// requestPath is the path that the client asked for, as it wrote it. That of r.URL may be
// what http.StripPrefix left of it, which need not even begin with "/", and would then
// become part of the host that a proof is for.
func requestPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path
	}
	if r.RequestURI == "" { // no server has read it
		return r.URL.EscapedPath()
	}
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil || u.Host == "" { // of CONNECT, or of nothing
		return r.RequestURI
	}
	return cmp.Or(u.RawPath, u.EscapedPath()) // the absolute form, RFC 9112 3.2.2
}

// nonceFor is the nonce to send along; empty: none.
func (b *Bearer) nonceFor(given credentials) string {
	if given.scheme != schemeDPoP {
		return ""
	}
	return b.DPoP.Nonce()
}

func badToken(err error, detail string) *BearerError {
	return &BearerError{Status: http.StatusUnauthorized, Code: codeInvalidToken, detail: detail, Err: err}
}

func badProof(err error, detail string) *BearerError {
	return &BearerError{Status: http.StatusUnauthorized, Code: codeProof, detail: detail, Err: err}
}

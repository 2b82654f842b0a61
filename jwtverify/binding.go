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
	errPath         = errors.New("a path with dot segments, or one that can be read in two ways, and no proof can be compared with")
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

// proofPath is the path that a proof for r has to name. It is false where handlers may
// read the path in another way than who compares it with that of a proof, which would
// then open more than it names.
func proofPath(r *http.Request) (path string, ok bool) {
	u, err := r.URL, error(nil)
	written := u.EscapedPath()
	if r.RequestURI != "" { // r.URL may be what http.StripPrefix left, without even a "/" in front
		if u, err = url.ParseRequestURI(r.RequestURI); err != nil || u.Opaque != "" {
			return "", false
		}
		written = cmp.Or(u.RawPath, u.EscapedPath())
	}
	path, _ = normalPath(written)
	// Where a byte should have been encoded, net/http decodes "%2F" too.
	if read, _ := normalPath(u.EscapedPath()); read != path {
		return "", false
	}
	if path != "" && path[0] != '/' {
		return "", false
	}
	// "%2e%2e" is a name for handlers, and nothing in a proof (RFC 3986 6.2.2.3).
	return path, withoutDots(path) == path
}

// requestPath tells requests apart: it is the path that the client asked for, whatever
// http.StripPrefix made of r.URL.
func requestPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return cmp.Or(path, r.URL.EscapedPath()) // the latter where no server has read r
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

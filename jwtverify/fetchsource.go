package jwtverify

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// A SourceFetcher fetches distributed claims (Core 5.6.2), whose address stands in a
// token: it goes to hosts that the program names, and nowhere else. The zero
// SourceFetcher fetches nothing. It may be used concurrently, and must not be changed
// after its first use.
type SourceFetcher struct {
	// Hosts are those that may be asked, and be shown the access token of a source:
	// "claims.example.com", or with a port that is not the scheme's own,
	// "claims.example.com:8443". There are no patterns, and subdomains are hosts of
	// their own. Required. What a name resolves to is not looked at: name none that
	// somebody else could point into your network.
	Hosts []string

	// HTTPClient sends the requests. Nil: the default transport. Redirects are not
	// followed, whatever its CheckRedirect says.
	HTTPClient *http.Client
}

// Fetch returns the JWT of a source for [Verifier.SourceClaims], which decides what it
// is worth: nothing is verified here. Of an aggregated source, that is src.JWT, and
// nothing is sent. Otherwise one GET request goes to src.Endpoint, with
// src.AccessToken, if there is one, in its Authorization header (RFC 6750 2.1). It must
// be https, or http on a loopback host, and on one of Hosts; it takes at most 10
// seconds; the answer must be of a media type such as application/jwt and at most 16 KiB.
//
// An error that wraps ErrInvalid is about the source or its answer, and another try
// would bring it again. Any other means that the claims could not be had just now. No
// error shows the address or a token.
func (f *SourceFetcher) Fetch(ctx context.Context, src ClaimSource) (string, error) {
	jwt, err := f.fetch(ctx, src)
	if err != nil {
		return "", fmt.Errorf("jwtverify: %w", err)
	}
	return jwt, nil
}

func (f *SourceFetcher) fetch(ctx context.Context, src ClaimSource) (string, error) {
	if src.JWT != "" {
		return src.JWT, nil
	}
	u, err := f.address(src.Endpoint)
	if err != nil {
		return "", err
	}
	header := http.Header{"Accept": {"application/jwt"}}
	if src.AccessToken != "" {
		if strings.ContainsFunc(src.AccessToken, func(r rune) bool { return r <= ' ' || '~' < r }) { // RFC 6750 2.1
			return "", invalid("access_token of the claim source has characters that no token has")
		}
		header.Set("Authorization", "Bearer "+src.AccessToken)
	}
	g := getter{what: "the claim source", client: f.HTTPClient, redirect: nowhere, limit: maxToken}
	body, answer, err := g.get(ctx, u.String(), header)
	if err != nil {
		return "", err
	}
	if len(body) > maxToken {
		return "", invalid("answer of the claim source is larger than %d bytes", maxToken)
	}
	if !isJWT(answer.Get("Content-Type")) { // Core 5.6.2
		return "", invalid("answer of the claim source is no JWT, but %s", quote(answer.Get("Content-Type")))
	}
	return strings.TrimSpace(string(body)), nil // many a server ends its answer with a line break
}

// address tells whether an endpoint may be asked. It says which check failed and
// nothing of the endpoint, which may have a secret anywhere in it.
func (f *SourceFetcher) address(endpoint string) (*url.URL, error) {
	if endpoint == "" {
		return nil, invalid("claim source has neither a JWT nor an endpoint")
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, invalid("endpoint of the claim source is no URL")
	}
	if !secure(u) {
		return nil, invalid("endpoint of the claim source is neither https nor http on a loopback host")
	}
	if u.User != nil { // https://claims.example.com@evil.example
		return nil, invalid("endpoint of the claim source has a user name in it")
	}
	host := authority(u.Host, u.Scheme)
	if host == "" || !slices.ContainsFunc(f.Hosts, func(allowed string) bool { return authority(allowed, u.Scheme) == host }) {
		return nil, invalid("endpoint of the claim source is not on one of SourceFetcher.Hosts")
	}
	return u, nil
}

// authority returns host and port in the one form in which they are compared: ASCII,
// in lower case, without the port that the scheme has anyway. It is empty where there
// are other letters, for some become ASCII in lower case, or when the name is resolved.
func authority(host, scheme string) string {
	if strings.ContainsFunc(host, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return ""
	}
	port := ":443"
	if scheme == "http" {
		port = ":80"
	}
	return strings.TrimSuffix(strings.ToLower(host), port)
}

// nowhere follows no redirect: it would take the access token, or the request, to a
// place that the caller did not allow.
func nowhere(*http.Request, []*http.Request) error { return errors.New("redirected") }

// isJWT tells the media types of a JWT: application/jwt (RFC 7519 10.3.1), and those of
// one kind of them, which end in +jwt (RFC 8417 7.2).
func isJWT(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/jwt" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+jwt"))
}

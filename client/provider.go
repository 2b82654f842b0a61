package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/postern-go/postern/internal/strictjson"
	"github.com/postern-go/postern/jwtverify"
)

// newProvider has go-oidc read a document that this package has read and checked.
// Its own reading has no limit, and its errors quote what it read.
func (c *Client) newProvider(document string) (*oidc.Provider, error) {
	place, err := url.Parse(wellKnown(c.cfg.Issuer)) // where that library looks for it
	if err != nil {
		return nil, errors.New("the issuer has no place for a document")
	}
	client := *c.fetch
	client.Transport = &canned{url: place.String(), document: document, next: c.fetch.Transport}
	ctx := oidc.ClientContext(context.Background(), &client)
	provider, err := oidc.NewProvider(ctx, c.cfg.Issuer)
	if err != nil {
		return nil, errors.New("go-oidc does not accept the document")
	}
	return provider, nil
}

// canned answers one URL with a document and leaves all others to next, whose answers it
// bounds: the provider made with it fetches keys later, and reads them to the end.
type canned struct {
	url, document string
	next          http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *canned) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.String() != t.url {
		next := t.next
		if next == nil {
			next = http.DefaultTransport
		}
		resp, err := next.RoundTrip(req)
		if err == nil && resp.Body != nil {
			resp.Body = http.MaxBytesReader(nil, resp.Body, maxBody)
		}
		return resp, err
	}
	return &http.Response{
		Status:        "200 OK",
		StatusCode:    http.StatusOK,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(strings.NewReader(t.document)),
		ContentLength: int64(len(t.document)),
		Request:       req,
	}, nil
}

// KeySet makes keys, such as a *jwtverify.RemoteKeys, a key set of go-oidc: for a
// program that stands on its verifiers and wants keys that survive a storm of
// unknown key IDs.
//
// Its VerifySignature is the bare signature check of a compact JWS by an asymmetric
// algorithm, by the first 32 of the keys that the token's kid names, or of all where
// it has none. It says nothing about issuer, audience or time: those are for the
// verifier of go-oidc that it is given to. Most programs want
// [jwtverify.Verifier] or [Client.Exchange] instead.
func KeySet(keys jwtverify.KeySet) oidc.KeySet { return keySet{keys} }

type keySet struct{ keys jwtverify.KeySet }

const (
	maxToken   = 16 << 10 // bytes, as in jwtverify
	maxTryKeys = 32       // keys tried for a token that names none; one of another type costs nothing
)

var (
	errNotJWS = errors.New("client: not a compact JWS")
	errNoKey  = errors.New("client: no key verifies the signature")
)

// VerifySignature implements oidc.KeySet.
func (s keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") {
		return nil, errNotJWS
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errNotJWS
	}
	var decoded [3][]byte
	for i, part := range parts {
		b, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			return nil, errNotJWS
		}
		decoded[i] = b
	}
	alg, kid, err := jwsHeader(string(decoded[0]))
	if err != nil {
		return nil, err
	}
	keys, err := s.keys.Keys(ctx, kid)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	input := []byte(token[:len(parts[0])+1+len(parts[1])])
	for _, key := range keys[:min(len(keys), maxTryKeys)] {
		if key.VerifySignature(alg, input, decoded[2]) == nil {
			return decoded[1], nil
		}
	}
	return nil, errNoKey
}

// jwsHeader reads what chooses the key (RFC 7515 4.1).
func jwsHeader(header string) (alg, kid string, err error) {
	err = strictjson.Object(header, []string{"alg", "kid", "crit"}, func(name string, v strictjson.Value) error {
		ok := true
		switch name {
		case "alg":
			alg, ok = v.String()
		case "kid":
			kid, ok = v.String()
		case "crit":
			ok = false // 4.1.11: an extension that must be understood
		}
		if !ok {
			return errNotJWS
		}
		return nil
	})
	if err != nil {
		return "", "", errNotJWS
	}
	if !isAsymmetric(alg) {
		return "", "", fmt.Errorf("client: %q does not sign with a private key", cut(alg, quoted))
	}
	return alg, kid, nil
}

package client

import (
	"context"
	"net/url"
	"slices"

	"github.com/postern-go/postern/jwtverify"
)

// answerVerifier returns what decides on signed answers of the provider that m
// describes. Without Config.AuthorizationSignedResponseAlg that is any algorithm with a
// public key which the metadata lists.
func (cfg *Config) answerVerifier(m *Metadata, keys jwtverify.KeySet) *jwtverify.Verifier {
	algs := cfg.Profile.among(m.AuthorizationSigningAlgValuesSupported)
	if len(algs) > 0 {
		algs = slices.DeleteFunc(slices.Clone(algs), func(alg string) bool { return !isAsymmetric(alg) })
	}
	return cfg.signedAuthorization().verifier(cfg, algs, keys)
}

// openResponse verifies an answer that is signed as a whole (JARM 2.4) and returns what is
// in it. Nothing of the protocol may stand beside it: nobody signed that.
func (c *Client) openResponse(ctx context.Context, params url.Values) (url.Values, error) {
	if params.Get("response") == "" {
		return nil, reject("response", "is missing, and a signed answer was asked for")
	}
	for _, name := range single {
		if name != "response" && params.Has(name) {
			return nil, reject(name, "stands beside the signed answer")
		}
	}
	s, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	opened, err := s.answers.AuthorizationResponse(ctx, params.Get("response"))
	if err != nil {
		return nil, tokenError("authorization response", err, ErrRejected)
	}
	return opened, nil
}

// CallbackState returns the state by which a callback names its Login, for a program that
// finds stored Logins by it. A signed answer (JARM) is verified for that, since its state is
// inside. It decides nothing else: [Client.Exchange] looks at everything again.
//
// The error wraps ErrUnavailable where the keys for a signed answer cannot be had at the
// moment, and ErrRejected where there is no one state.
func (c *Client) CallbackState(ctx context.Context, callback url.Values) (string, error) {
	for _, name := range [...]string{"response", "state"} {
		if len(callback[name]) > 1 { // RFC 6749 3.1
			return "", reject(name, "is there more than once")
		}
	}
	if callback.Has("response") {
		var err error
		if callback, err = c.openResponse(ctx, callback); err != nil {
			return "", err
		}
	}
	if callback.Get("state") == "" {
		return "", reject("state", "is missing")
	}
	return callback.Get("state"), nil
}

package jwtverify

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/postern-go/postern/internal/strictjson"
)

// maxIssuers bounds Issuers, because each token, good or bad, costs a look at every pair
// of them: with this many about as long as one signature check with ES256.
const maxIssuers = 100

// Issuers verifies the tokens of several issuers, each with a Verifier of its own, and of
// no others: it is a closed list.
//
// The iss of a token chooses the Verifier before anything of the token is verified, and
// does nothing else. The chosen Verifier then checks all of it, iss again included, as if
// it stood alone: with its own keys, audience and algorithms. For an issuer that is not
// on the list nothing is fetched. A Verifier with Tenants stands for the issuers of all of
// these.
//
// Every token is refused, with an error that names the entries, where the list is empty,
// has more than 100 entries, a nil one or one with Decrypt, where two entries could both be chosen for one
// token, or where two share their keys (one KeySet, or two RemoteKeys of one URL): what
// one issuer signs would then pass for the other's. The entries are compared at each
// call, which no change of them escapes, and which a list of ten does not notice.
//
// An encrypted token does not say who issued it before it is decrypted, and is refused;
// RFC 7519 5.3 lets it repeat iss in its header, where nothing protects it. Give it to
// the Verifier of the issuer that it is expected from.
//
// A program that signs users in knows whom it has asked, and uses the Verifier of that
// issuer alone, or package client: Issuers is for an API that takes tokens of several.
// It may be used concurrently, and must not be changed after its first use.
type Issuers []*Verifier

var _ AccessTokenVerifier = Issuers(nil)

// AccessToken is [Verifier.AccessToken] of the Verifier for the token's issuer.
func (s Issuers) AccessToken(ctx context.Context, raw string) (*AccessToken, error) {
	v, err := s.choose(raw)
	if err != nil {
		return nil, err
	}
	return v.AccessToken(ctx, raw)
}

// IDToken is [Verifier.IDToken] of the Verifier for the token's issuer.
func (s Issuers) IDToken(ctx context.Context, raw string, want Expect) (*IDToken, error) {
	v, err := s.choose(raw)
	if err != nil {
		return nil, err
	}
	return v.IDToken(ctx, raw, want)
}

// LogoutToken is [Verifier.LogoutToken] of the Verifier for the token's issuer.
func (s Issuers) LogoutToken(ctx context.Context, raw string, seen ReplayGuard) (*LogoutToken, error) {
	v, err := s.choose(raw)
	if err != nil {
		return nil, err
	}
	return v.LogoutToken(ctx, raw, seen)
}

// choose returns the one Verifier that a token is for by its own word.
func (s Issuers) choose(raw string) (*Verifier, error) {
	v, err := s.chosen(raw)
	if err != nil {
		return nil, fmt.Errorf("jwtverify: %w", err)
	}
	return v, nil
}

func (s Issuers) chosen(raw string) (*Verifier, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	iss, err := claimedIssuer(raw)
	if err != nil {
		return nil, err
	}
	for _, v := range s {
		if v.speaksFor(iss) {
			return v, nil
		}
	}
	return nil, &ClaimError{Claim: "iss", Reason: "is not an issuer on the list", Got: iss, Err: ErrInvalid}
}

// ready refuses a list in which a token could choose more than one way.
func (s Issuers) ready() error {
	if len(s) == 0 {
		return misconfigured("Issuers is empty")
	}
	if len(s) > maxIssuers {
		return misconfigured("Issuers has %d entries, and may have %d", len(s), maxIssuers)
	}
	for i, v := range s {
		if v == nil {
			return misconfigured("Issuers[%d] is nil", i)
		}
		if v.Decrypt != nil {
			return misconfigured("Issuers[%d] has Decrypt, and no encrypted token can choose it", i)
		}
		for j, w := range s[:i] {
			if v.overlaps(w) {
				return misconfigured("Issuers[%d] and Issuers[%d] are both for %s", j, i, quote(v.Issuer))
			}
			if shared(v.Keys, w.Keys) {
				return misconfigured("Issuers[%d] and Issuers[%d], for %s and %s, share their keys", j, i, quote(w.Issuer), quote(v.Issuer))
			}
		}
	}
	return nil
}

// shared tells whether two key sets are one, as far as can be seen from here.
func shared(a, b KeySet) bool {
	if a == nil {
		return false
	}
	r, isRemote := a.(*RemoteKeys)
	other, both := b.(*RemoteKeys)
	if isRemote && both && r != nil && other != nil {
		return r.URL == other.URL
	}
	// == panics on values of one type that cannot be compared, such as maps.
	return (reflect.TypeOf(a).Kind() == reflect.Pointer || reflect.ValueOf(a).Comparable()) && a == b
}

// claimedIssuer reads iss of a token nothing of which has been verified. What it refuses,
// the Verifier would refuse too.
func claimedIssuer(raw string) (iss string, err error) {
	if err := checkSize(raw); err != nil {
		return "", err
	}
	if strings.Count(raw, ".") == 4 {
		return "", invalidClaim("iss", "is encrypted, and cannot choose the Verifier")
	}
	_, body, _, err := split(raw)
	if err != nil {
		return "", err
	}
	payload, err := decode(body)
	if err != nil {
		return "", invalid("payload is not base64url")
	}
	err = strictjson.Object(payload, claimNames, func(name string, v strictjson.Value) error {
		if name == "iss" {
			return setText(&iss, name, v)
		}
		return nil
	})
	if err != nil {
		return "", unreadable("payload", err)
	}
	if iss == "" {
		return "", invalidClaim("iss", "is missing")
	}
	return iss, nil
}

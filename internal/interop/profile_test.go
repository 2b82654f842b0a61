package interop

import (
	"crypto/elliptic"
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// A financial client is one that a profile takes, in one of the ways that it may be.
type financial struct {
	name       string
	profile    client.Profile
	registered metadata
	change     func(*client.Config)
	opts       *client.AuthorizeOptions
}

// registration is what all of them have in common.
func (f *financial) registration(t *testing.T, key client.PrivateKeyJWT, certificate tls.Certificate) metadata {
	t.Helper()
	all := metadata{
		"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256", "jwks": jwksOf(t, key),
		"id_token_signed_response_alg": "PS256", "authorization_signed_response_alg": "PS256",
		"grant_types": []string{"authorization_code", "refresh_token", "implicit"}, "response_types": []string{"code", "code id_token"},
	}
	if f.profile != client.FAPI2Security {
		all["require_signed_request_object"], all["request_object_signing_alg"] = true, "ES256"
	}
	for name, value := range f.registered {
		all[name] = value
	}
	if all["token_endpoint_auth_method"] == "self_signed_tls_client_auth" {
		delete(all, "token_endpoint_auth_signing_alg")
		all["jwks"] = certificateJWKS(t, certificate)
	}
	return all
}

// The provider checks each profile too: it is run with its own switch for it.
func TestProfiles(t *testing.T) {
	key := client.PrivateKeyJWT{Key: ecdsaKey(t, elliptic.P256())}
	mine := newCertificate(t, "mine")
	dpop := client.GenerateDPoPKey()
	byCertificate := func(cfg *client.Config) { cfg.Certificate = &mine }
	byDPoP := func(cfg *client.Config) { cfg.DPoP = dpop }
	selfSigned := func(cfg *client.Config) { cfg.Certificate, cfg.Auth = &mine, client.SelfSignedTLSClientAuth{} }
	signs := func(change func(*client.Config)) func(*client.Config) {
		return func(cfg *client.Config) {
			change(cfg)
			cfg.RequestObject = &client.RequestObject{Key: key.Key}
		}
	}
	bound := metadata{"tls_client_certificate_bound_access_tokens": true}
	forDPoP := metadata{"dpop_bound_access_tokens": true}
	hybrid := &client.AuthorizeOptions{ResponseType: "code id_token"}
	for profile, cases := range map[string][]financial{
		"2.0": {
			{"assertion and DPoP", client.FAPI2Security, forDPoP, byDPoP, nil},
			{"assertion and certificate", client.FAPI2Security, bound, byCertificate, nil},
			{"certificate", client.FAPI2Security, metadata{
				"token_endpoint_auth_method": "self_signed_tls_client_auth", "tls_client_certificate_bound_access_tokens": true,
			}, selfSigned, nil},
			{"signed messages", client.FAPI2MessageSigning, forDPoP, signs(byDPoP), nil},
			{"signed messages and certificate", client.FAPI2MessageSigning, bound, signs(byCertificate), nil},
		},
		"1.0 Final": {
			{"JARM", client.FAPI1Advanced, bound, signs(byCertificate), nil},
			{"detached signature", client.FAPI1Advanced, bound, signs(byCertificate), hybrid},
			{"pushed", client.FAPI1Advanced, bound, signs(func(cfg *client.Config) {
				byCertificate(cfg)
				cfg.PushedAuthorizationRequests = true
			}), nil},
		},
	} {
		p := startMTLS(t, "OP_FAPI="+profile)
		for _, f := range cases {
			t.Run(f.profile.String()+"/"+f.name, func(t *testing.T) {
				reg := p.register(t, farURL, f.registration(t, key, mine))
				rp := p.client(t, reg, func(cfg *client.Config) {
					cfg.Profile, cfg.Auth, cfg.ClientSecret = f.profile, key, ""
					f.change(cfg)
				})
				p.financialSignIn(t, rp, f.opts)
			})
		}
	}
}

// financialSignIn signs in, refreshes and asks, as any other client does.
func (p *mtlsProvider) financialSignIn(t *testing.T, rp *client.Client, opts *client.AuthorizeOptions) {
	t.Helper()
	if findings := wrong(rp.Check(t.Context())); len(findings) > 0 {
		t.Errorf("the doctor says %v", findings)
	}
	tokens, err := p.farSignIn(t, rp, opts)
	if err != nil {
		t.Fatal(err)
	}
	next := refresh(t, rp, tokens)
	if info, err := rp.UserInfo(t.Context(), next); err != nil || info.Subject != "alice" {
		t.Errorf("userinfo: %v", err)
	}
}

func (p *mtlsProvider) farSignIn(t *testing.T, rp *client.Client, opts *client.AuthorizeOptions) (*client.Tokens, error) {
	t.Helper()
	someone := newPerson(t, farURL)
	someone.http.Transport = p.transport
	login := authorize(t, rp, opts)
	end, _ := someone.open(login.URL()).signIn("alice")
	return rp.Exchange(t.Context(), login, end.callback())
}

// What a provider does that the profile forbids is refused: here the RS256 of a client that
// is registered without an algorithm.
func TestProfileRefusesRS256(t *testing.T) {
	p := startMTLS(t, "OP_FAPI=2.0")
	key, mine := client.PrivateKeyJWT{Key: ecdsaKey(t, elliptic.P256())}, newCertificate(t, "mine")
	f := financial{profile: client.FAPI2Security, registered: metadata{"id_token_signed_response_alg": "RS256", "dpop_bound_access_tokens": true}}
	reg := p.register(t, farURL, f.registration(t, key, mine))
	rp := p.client(t, reg, func(cfg *client.Config) {
		cfg.Profile, cfg.Auth, cfg.ClientSecret, cfg.DPoP = f.profile, key, "", client.GenerateDPoPKey()
	})
	_, err := p.farSignIn(t, rp, nil)
	if !errors.Is(err, client.ErrRejected) || !errors.Is(err, jwtverify.ErrInvalid) || !strings.Contains(err.Error(), "alg") {
		t.Errorf("got %v, want the algorithm refused", err)
	}
}

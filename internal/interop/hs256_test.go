package interop

import (
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

func TestSharedSecretAlgorithms(t *testing.T) {
	for _, algorithm := range []string{"HS256", "HS384", "HS512"} {
		t.Run(algorithm, func(t *testing.T) {
			reg := op.register(t, callbackURL, metadata{"id_token_signed_response_alg": algorithm})
			rp := op.client(t, reg, func(cfg *client.Config) { cfg.IDTokenSignedResponseAlg = algorithm })
			tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
			raw := tokens.IDToken.Raw()
			if got := algorithmOf(t, raw); got != algorithm {
				t.Errorf("the provider signed with %s", got)
			}
			refresh(t, rp, tokens)

			verifier := jwtverify.Verifier{
				Issuer: op.Issuer, Audience: reg.ID, Algorithms: []string{algorithm}, Keys: jwtverify.SharedSecret(reg.Secret),
			}
			expect := jwtverify.Expect{Nonce: tokens.IDToken.Nonce}
			if _, err := verifier.IDToken(t.Context(), raw, expect); err != nil {
				t.Error(err)
			}
			verifier.Keys = jwtverify.SharedSecret(reg.Secret[1:] + "x")
			_, err := verifier.IDToken(t.Context(), raw, expect)
			wantReason(t, err, "signature")
			verifier.Keys = op.keys(t)
			_, err = verifier.IDToken(t.Context(), raw, expect)
			wantReason(t, err, "key")
		})
	}
}

// Who expects a signature by the secret takes none by a key, whatever the provider
// signs with, and none by another hash.
func TestSharedSecretAlone(t *testing.T) {
	for _, signed := range []string{"RS256", "ES256", "HS512"} {
		t.Run(signed, func(t *testing.T) {
			reg := op.register(t, callbackURL, metadata{"id_token_signed_response_alg": signed})
			refused(t, op.client(t, reg, func(cfg *client.Config) { cfg.IDTokenSignedResponseAlg = "HS256" }), "alg")
		})
	}
}

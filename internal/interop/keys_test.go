package interop

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
)

// algorithmOf reads the header of a compact token.
func algorithmOf(t *testing.T, raw string) string {
	t.Helper()
	first, _, _ := strings.Cut(raw, ".")
	data, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		t.Fatal(err)
	}
	var header struct {
		Alg string `json:"alg"`
	}
	if err := json.Unmarshal(data, &header); err != nil {
		t.Fatal(err)
	}
	return header.Alg
}

func TestSigningAlgorithms(t *testing.T) {
	for _, algorithm := range []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
	} {
		t.Run(algorithm, func(t *testing.T) {
			reg := op.register(t, callbackURL, metadata{"id_token_signed_response_alg": algorithm})
			rp := op.client(t, reg, nil)
			tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
			if got := algorithmOf(t, tokens.IDToken.Raw()); got != algorithm {
				t.Errorf("the provider signed with %s", got)
			}
			refresh(t, rp, tokens)
		})
	}
}

// A signature made with the client secret is refused, though this provider offers it.
func TestSymmetricSignature(t *testing.T) {
	reg := op.register(t, callbackURL, metadata{"id_token_signed_response_alg": "HS256"})
	rp := op.client(t, reg, nil)
	login := authorize(t, rp, nil)
	end, _ := newPerson(t, callbackURL).open(login.URL()).signIn("alice")
	if _, err := rp.Exchange(t.Context(), login, end.callback()); err == nil || !strings.Contains(err.Error(), "alg") {
		t.Errorf("got %v, want alg refused", err)
	}
}

// The configuration may narrow what the metadata offers.
func TestAlgorithmNotAllowed(t *testing.T) {
	reg := op.register(t, callbackURL, nil)
	rp := op.client(t, reg, func(cfg *client.Config) { cfg.Algorithms = []string{"ES256"} })
	login := authorize(t, rp, nil)
	end, _ := newPerson(t, callbackURL).open(login.URL()).signIn("alice")
	if _, err := rp.Exchange(t.Context(), login, end.callback()); err == nil || !strings.Contains(err.Error(), "alg") {
		t.Errorf("got %v, want alg refused", err)
	}
}

// The provider changes all its keys and forgets the old ones. The next person
// signs in as if nothing had happened, and the keys are fetched once for it.
func TestKeyRotation(t *testing.T) {
	rotating := startProvider(t)
	rp := rotating.client(t, rotating.register(t, callbackURL, nil), nil)
	newPerson(t, callbackURL).signIn(rp, "alice", nil)
	newPerson(t, callbackURL).signIn(rp, "bob", nil)
	if n := rotating.requests(t, "/jwks"); n != 1 {
		t.Errorf("the keys were fetched %d times for two people, want once", n)
	}
	rotating.control(t, "rotate", struct{}{})
	tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
	if n := rotating.requests(t, "/jwks"); n != 2 {
		t.Errorf("the keys were fetched %d times in all, want twice", n)
	}
	refresh(t, rp, tokens)
}

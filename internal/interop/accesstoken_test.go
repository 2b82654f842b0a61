package interop

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// wantRefused fails unless err is ErrInvalid because of one claim or header parameter.
func wantRefused(t *testing.T, err error, claim string) {
	t.Helper()
	var refusal *jwtverify.ClaimError
	if !errors.Is(err, jwtverify.ErrInvalid) || !errors.As(err, &refusal) || refusal.Claim != claim {
		t.Errorf("got %v, want ErrInvalid because of %s", err, claim)
	}
}

// wantReason fails unless err is ErrInvalid and its text has the reason.
func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	if !errors.Is(err, jwtverify.ErrInvalid) || !strings.Contains(err.Error(), reason) {
		t.Errorf("got %v, want ErrInvalid because of %s", err, reason)
	}
}

func TestAccessTokens(t *testing.T) {
	keys := op.keys(t)
	reg := op.machine(t, nil)
	for _, algorithm := range []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
	} {
		t.Run(algorithm, func(t *testing.T) {
			resource := "https://api.example.test/" + algorithm
			op.control(t, "resource", api{URI: resource, Alg: algorithm})
			raw := op.accessToken(t, reg, resource)
			if got := algorithmOf(t, raw); got != algorithm {
				t.Errorf("the provider signed with %s", got)
			}
			verifier := jwtverify.Verifier{Issuer: op.Issuer, Audience: resource, Keys: keys, Algorithms: []string{algorithm}}
			token, err := verifier.AccessToken(t.Context(), raw)
			if err != nil {
				t.Fatal(err)
			}
			if token.Issuer != op.Issuer || token.ClientID != reg.ID || token.Subject != reg.ID || token.ID == "" ||
				!slices.Equal(token.Audience, []string{resource}) || !slices.Equal(token.Scope, []string{"api:read"}) {
				t.Errorf("issuer %q, client %q, subject %q, id %q, audience %q, scope %q",
					token.Issuer, token.ClientID, token.Subject, token.ID, token.Audience, token.Scope)
			}
			if life := token.Expiry.Sub(token.IssuedAt); life != 10*time.Minute {
				t.Errorf("lives for %v, want 10m", life)
			}
			if token.Confirmation != (jwtverify.Confirmation{}) {
				t.Errorf("bound to %+v, want to nothing", token.Confirmation)
			}
			var claims struct {
				Extra string `json:"urn:op:test"`
			}
			if err := token.Claims(&claims); err != nil || claims.Extra != "extra" {
				t.Errorf("claims %+v, %v", claims, err)
			}

			other := verifier
			other.Audience = "https://api.example.test/other"
			_, err = other.AccessToken(t.Context(), raw)
			wantRefused(t, err, "aud")
			other = verifier
			other.Issuer = "https://op.example.test"
			_, err = other.AccessToken(t.Context(), raw)
			wantRefused(t, err, "iss")
			other = verifier
			other.Algorithms = []string{"ES256"}
			if algorithm == "ES256" {
				other.Algorithms = []string{"RS256"}
			}
			_, err = other.AccessToken(t.Context(), raw)
			wantRefused(t, err, "alg")
		})
	}
}

// An API takes access tokens of its audience, and an ID token of the same client for
// nothing at all, by whatever way it comes.
func TestBearer(t *testing.T) {
	reg := op.register(t, callbackURL, nil)
	rp := op.client(t, reg, func(cfg *client.Config) { cfg.Scopes = []string{"api:read"} })
	resource := serveAPI(t, func(string) *jwtverify.Bearer {
		return &jwtverify.Bearer{
			Tokens: &jwtverify.Verifier{Issuer: op.Issuer, Audience: reg.ID, Keys: op.keys(t), AccessTokenTypes: []string{"at+jwt", "JWT", ""}},
			Logger: slog.New(slog.DiscardHandler),
		}
	})
	op.control(t, "resource", api{URI: resource, Audience: reg.ID})
	tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", &client.AuthorizeOptions{Resource: []string{resource}})
	for _, c := range []struct {
		name, door, token, challenge string
		status                       int
	}{
		{"access token", "/read", tokens.AccessToken, "", http.StatusOK},
		{"access token without the scope", "/write", tokens.AccessToken, `error="insufficient_scope"`, http.StatusForbidden},
		{"ID token", "/read", tokens.IDToken.Raw(), `error="invalid_token"`, http.StatusUnauthorized},
		{"refresh token", "/read", tokens.RefreshToken, `error="invalid_token"`, http.StatusUnauthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp := call(t, resource+c.door, c.token)
			if got := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != c.status || !strings.Contains(got, c.challenge) || (got == "") != (c.challenge == "") {
				t.Errorf("status %d, challenge %q, want %d and %s", resp.StatusCode, got, c.status, c.challenge)
			}
		})
	}
}

package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// serveAPI is an API of two doors: /read and /write, under the address it returns.
func serveAPI(t *testing.T, bearer func(resource string) *jwtverify.Bearer) (resource string) {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	resource = server.URL + "/api"
	b := bearer(resource)
	b.Routes(mux)
	who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello, "+jwtverify.AccessTokenFrom(r.Context()).ClientID)
	})
	mux.Handle("/api/read", b.Require("api:read")(who))
	mux.Handle("/api/write", b.Require("api:write")(who))
	return resource
}

// An answer of the API, as rp/call.mjs has it.
type answer struct {
	Status     int         `json:"status"`
	Challenges []challenge `json:"challenges"`
	Nonce      bool        `json:"nonce"`
	Body       string      `json:"body"`
}

// A challenge is one of WWW-Authenticate; its scheme is in small letters.
type challenge struct {
	Scheme     string            `json:"scheme"`
	Parameters map[string]string `json:"parameters"`
}

// String is the status, and the error of the challenge that has one.
func (a answer) String() string {
	if a.Status == http.StatusOK {
		return "200"
	}
	text := fmt.Sprint(a.Status)
	for _, c := range a.Challenges {
		if code := c.Parameters["error"]; code != "" {
			text += " " + c.Scheme + " " + code
		}
	}
	return text
}

// callAPI runs rp/call.mjs against an API.
func callAPI(t *testing.T, resource string, reg registration) map[string][]answer {
	t.Helper()
	input, err := json.Marshal(map[string]string{"api": resource, "id": reg.ID, "secret": reg.Secret})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "call.mjs")
	cmd.Dir = "rp"
	cmd.Stdin = bytes.NewReader(input)
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var all map[string][]answer
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// What openid-client did, step by step of rp/call.mjs, and what the API is to answer it.
var steps = []struct {
	name    string
	answers []string
	reason  string // of the last refusal
}{
	{"no token", []string{"401"}, "no access token"},
	{"nonce round trip", []string{"401 dpop use_dpop_nonce", "200"}, "nonce is missing"},
	{"nonce remembered", []string{"200"}, ""},
	{"query and body", []string{"200"}, ""},
	{"scheme in small letters", []string{"200"}, ""},
	{"scope missing", []string{"403 dpop insufficient_scope"}, `lacks the scope "api:write"`},
	{"scope there", []string{"200"}, ""},

	{"unbound token", []string{"401 bearer invalid_token"}, "bound neither to a key nor to a certificate"},
	{"unbound token with a proof", []string{"401 dpop invalid_token"}, "bound to no DPoP key"},
	{"bound token as Bearer", []string{"401 bearer invalid_token"}, "by another scheme"},
	{"bound token as Bearer with its proof", []string{"401 bearer invalid_token"}, "by another scheme"},
	{"token changed", []string{"401 dpop invalid_token"}, "token invalid"},
	{"token in the query", []string{"400 dpop invalid_request"}, "access_token in the query"},

	{"no proof", []string{"401 dpop invalid_dpop_proof"}, "no DPoP header"},
	{"two proofs in one line", []string{"401 dpop invalid_dpop_proof"}, "not a JWT in compact form"},
	{"proof again", []string{"200", "401 dpop invalid_dpop_proof"}, "jti was used before"},
	{"proof for another token", []string{"401 dpop invalid_dpop_proof"}, "ath is not of the access token"},
	{"key of somebody else", []string{"401 dpop invalid_dpop_proof"}, "jwk is not the key that the access token is bound to"},
	{"method of another request", []string{"401 dpop invalid_dpop_proof"}, "htm is another method"},
	{"path of another request", []string{"401 dpop invalid_dpop_proof"}, "htu is another URL"},
	{"host of another request", []string{"401 dpop invalid_dpop_proof"}, "htu is another URL"},
	{"no hash of the token", []string{"401 dpop invalid_dpop_proof"}, "ath is missing"},
	{"hash of another token", []string{"401 dpop invalid_dpop_proof"}, "ath is not of the access token"},
	{"proof of yesterday", []string{"401 dpop invalid_dpop_proof"}, "iat is too long ago"},
	{"proof of tomorrow", []string{"401 dpop invalid_dpop_proof"}, "iat is in the future"},
	{"typ of another token", []string{"401 dpop invalid_dpop_proof"}, "typ is that of another kind of token"},
	{"nonce of somebody else", []string{"401 dpop use_dpop_nonce", "401 dpop use_dpop_nonce"}, "nonce is unknown"},

	{"proof by ES256", []string{"401 dpop use_dpop_nonce", "200"}, "nonce is missing"},
	{"proof by RS256", []string{"401 dpop use_dpop_nonce", "200"}, "nonce is missing"},
	{"proof by PS256", []string{"401 dpop use_dpop_nonce", "200"}, "nonce is missing"},
	{"proof by Ed25519", []string{"401 dpop use_dpop_nonce", "200"}, "nonce is missing"},
	{"proof by EdDSA", []string{"401 dpop use_dpop_nonce", "200"}, "nonce is missing"},
}

// openid-client finds the provider from the API's address alone, gets tokens bound to
// its key there, and calls the API with them: as it should, and in all the ways that
// it should not.
func TestDPoP(t *testing.T) {
	reg := op.machine(t, metadata{"x_dpop_nonce": true})
	var ahead time.Duration
	for _, c := range []struct {
		format string
		tokens func(t *testing.T, resource string) jwtverify.AccessTokenVerifier
	}{
		{"jwt", func(t *testing.T, resource string) jwtverify.AccessTokenVerifier {
			return &jwtverify.Verifier{Issuer: op.Issuer, Audience: resource, Keys: op.keys(t)}
		}},
		{"opaque", func(t *testing.T, resource string) jwtverify.AccessTokenVerifier {
			return op.introspector(t, resource, &ahead)
		}},
	} {
		t.Run(c.format, func(t *testing.T) {
			t.Parallel()
			log := &lockedBuffer{}
			var reasons refusals
			resource := serveAPI(t, func(resource string) *jwtverify.Bearer {
				return &jwtverify.Bearer{
					Tokens: c.tokens(t, resource), Resource: resource, DPoP: &jwtverify.DPoP{RequireNonce: true}, RequireBound: true,
					Metadata: jwtverify.ResourceMetadata{AuthorizationServers: []string{op.Issuer}},
					OnError:  reasons.answer,
					Logger:   slog.New(slog.NewTextHandler(log, nil)),
				}
			})
			op.control(t, "resource", api{URI: resource, Format: c.format})
			all := callAPI(t, resource, reg)
			for _, step := range steps {
				t.Run(step.name, func(t *testing.T) {
					checkAnswers(t, all[step.name], step.answers, reg)
					if err := reasons.last(step.name); (err == nil) != (step.reason == "") || err != nil && !strings.Contains(err.Error(), step.reason) {
						t.Errorf("refused because of %v, want %q", err, step.reason)
					}
				})
			}
			if len(all) != len(steps) {
				t.Errorf("%d steps were gone, want %d", len(all), len(steps))
			}
			if text := log.String(); text == "" || strings.Contains(text, "eyJ") {
				t.Errorf("nothing was logged, or a token was:\n%s", text)
			}
		})
	}
}

// refusals are why an API refused requests, by the step they belong to.
type refusals struct{ sync.Map }

func (all *refusals) answer(w http.ResponseWriter, r *http.Request, err *jwtverify.BearerError) {
	all.Store(r.Header.Get("X-Step"), err)
	w.WriteHeader(err.Status)
}

func (all *refusals) last(step string) error {
	err, ok := all.Load(step)
	if !ok {
		return nil
	}
	return err.(error)
}

func checkAnswers(t *testing.T, got []answer, want []string, reg registration) {
	t.Helper()
	var texts []string
	for _, a := range got {
		texts = append(texts, a.String())
		switch {
		case a.Status == http.StatusOK && a.Body != "hello, "+reg.ID:
			t.Errorf("the API took the client for another: %s", a.Body)
		case a.Status != http.StatusOK && strings.Contains(a.Body, "hello"):
			t.Errorf("the handler was reached, with status %d", a.Status)
		case strings.Contains(a.String(), "use_dpop_nonce") && !a.Nonce:
			t.Error("a nonce is wanted and none is given")
		}
		if a.Status == http.StatusUnauthorized && !slices.ContainsFunc(a.Challenges, func(c challenge) bool { return c.Scheme == "dpop" }) {
			t.Errorf("no challenge tells of DPoP: %v", a.Challenges)
		}
		for _, c := range a.Challenges {
			if c.Scheme == "dpop" && !slices.Contains(strings.Fields(c.Parameters["algs"]), "ES256") {
				t.Errorf("the challenge names the algorithms %q", c.Parameters["algs"])
			}
			if c.Parameters["error"] == "insufficient_scope" && c.Parameters["scope"] != "api:write" {
				t.Errorf("the challenge asks for the scope %q, want api:write", c.Parameters["scope"])
			}
		}
	}
	if !slices.Equal(texts, want) {
		t.Errorf("the API answered %q, want %q", texts, want)
	}
}

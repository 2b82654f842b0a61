package clienttest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

const dpopRedirect = "https://app.example.com/callback"

func dpopClient(t *testing.T, op *clienttest.Provider, key *client.DPoPKey) *client.Client {
	t.Helper()
	cfg := op.Config(dpopRedirect)
	cfg.DPoP = key
	rp, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rp
}

// A client with a key goes the whole road, and each request is sent once, but for the
// first where a nonce is wanted. The last one is of the client that registers itself, which
// has no key.
func TestDPoPRoad(t *testing.T) {
	for name, want := range map[string]int{"": 3, "nonce": 4} {
		t.Run(name, func(t *testing.T) {
			op := clienttest.New(&clienttest.Options{DPoPNonce: name == "nonce"})
			defer op.Close()
			if err := road(t.Context(), dpopClient(t, op, client.GenerateDPoPKey()), op); err != nil {
				t.Fatal(err)
			}
			if n := op.Count("token"); n != want {
				t.Errorf("%d token requests, want %d", n, want)
			}
			if n := op.Count("userinfo"); n != 1 {
				t.Errorf("%d userinfo requests, want 1", n)
			}
		})
	}
}

func dpopSignIn(t *testing.T, op *clienttest.Provider, begin, end *client.Client) (*client.Tokens, error) {
	t.Helper()
	login, err := begin.Authorize(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	callback, err := op.SignIn(login.URL(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	return end.Exchange(t.Context(), login, callback.Query())
}

// What is bound to one key is no good with another, or with none.
func TestDPoPBinds(t *testing.T) {
	op := clienttest.New(nil)
	defer op.Close()
	mine, other := dpopClient(t, op, client.GenerateDPoPKey()), dpopClient(t, op, client.GenerateDPoPKey())
	if _, err := dpopSignIn(t, op, mine, other); !errors.Is(err, client.ErrInvalidGrant) || !strings.Contains(err.Error(), "bound to another DPoP key") {
		t.Errorf("a code with another key: %v", err)
	}
	tokens, err := dpopSignIn(t, op, mine, mine)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.UserInfo(t.Context(), tokens); err == nil || !strings.Contains(err.Error(), "invalid_dpop_proof") {
		t.Errorf("userinfo with another key: %v", err)
	}
	bearer := *tokens
	bearer.TokenType = "Bearer"
	if _, err := mine.UserInfo(t.Context(), &bearer); err == nil || !strings.Contains(err.Error(), "invalid_token") {
		t.Errorf("userinfo without a proof: %v", err)
	}
	if _, err := other.Refresh(t.Context(), tokens); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("a refresh token with another key: %v", err)
	}
}

// A proof is for one request, once.
func TestDPoPProofIsChecked(t *testing.T) {
	op := clienttest.New(nil)
	defer op.Close()
	rp := dpopClient(t, op, client.GenerateDPoPKey())
	tokens, err := dpopSignIn(t, op, rp, rp)
	if err != nil {
		t.Fatal(err)
	}
	base := op.HTTPClient().Transport
	seen := &capture{base: base}
	api := &http.Client{Transport: rp.Transport(seen, rp.TokenSource(tokens, func(context.Context, *client.Tokens) error { return nil }))}
	get := func(hc http.RoundTripper, change func(*http.Request)) string {
		req, err := http.NewRequest(http.MethodGet, op.Issuer()+"/userinfo", nil)
		if err != nil {
			t.Fatal(err)
		}
		change(req)
		resp, err := hc.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.Status[:3] + " " + resp.Header.Get("WWW-Authenticate")
	}
	if got := get(api.Transport, func(*http.Request) {}); got != "200 " {
		t.Fatalf("got %s", got)
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   string
	}{
		"again":       {func(r *http.Request) { r.Header = seen.header.Clone() }, `401 DPoP error="invalid_dpop_proof"`},
		"as a bearer": {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tokens.AccessToken) }, `401 Bearer error="invalid_token"`},
		"no proof":    {func(r *http.Request) { r.Header.Set("Authorization", "DPoP "+tokens.AccessToken) }, `401 DPoP error="invalid_dpop_proof"`},
		"two proofs": {func(r *http.Request) {
			r.Header = seen.header.Clone()
			r.Header.Add("DPoP", "x")
		}, `401 DPoP error="invalid_dpop_proof"`},
		"not a proof": {func(r *http.Request) {
			r.Header = seen.header.Clone()
			r.Header.Set("DPoP", tokens.IDToken.Raw())
		}, `401 DPoP error="invalid_dpop_proof"`},
	} {
		if got := get(base, c.change); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// A capture keeps what was sent last.
type capture struct {
	base   http.RoundTripper
	header http.Header
}

func (c *capture) RoundTrip(r *http.Request) (*http.Response, error) {
	c.header = r.Header.Clone()
	return c.base.RoundTrip(r)
}

package interop

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// introspector asks about tokens for audience, as a client of its own. Its clock is
// ahead by what ahead has.
func (p *provider) introspector(t *testing.T, audience string, ahead *time.Duration) *client.Introspector {
	t.Helper()
	asker := p.machine(t, nil)
	return &client.Introspector{
		Client: p.client(t, asker, func(cfg *client.Config) {
			cfg.Now = func() time.Time { return time.Now().Add(*ahead) }
		}),
		Audience: audience,
		MaxAge:   time.Minute,
	}
}

// call shows an access token to an API.
func call(t *testing.T, target, accessToken string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

func TestIntrospection(t *testing.T) {
	const resource = "https://api.example.test/opaque"
	op.control(t, "resource", api{URI: resource, Format: "opaque"})
	reg := op.machine(t, nil)
	raw := op.accessToken(t, reg, resource)
	var ahead time.Duration
	introspector := op.introspector(t, resource, &ahead)
	bearer := &jwtverify.Bearer{Tokens: introspector, Logger: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(bearer.Require("api:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := jwtverify.AccessTokenFrom(r.Context()).ClientID; got != reg.ID {
			t.Errorf("client %q, want %q", got, reg.ID)
		}
	})))
	defer server.Close()
	want := func(status int, questions int, what string) {
		t.Helper()
		before := op.requests(t, "/token/introspection")
		if got := call(t, server.URL, raw).StatusCode; got != status {
			t.Errorf("%s: status %d, want %d", what, got, status)
		}
		if got := op.requests(t, "/token/introspection") - before; got != questions {
			t.Errorf("%s: the provider was asked %d times, want %d", what, got, questions)
		}
	}
	want(http.StatusOK, 1, "a new token")
	want(http.StatusOK, 0, "a token that is known")
	ahead = 61 * time.Second
	want(http.StatusOK, 1, "a token last asked about a minute ago")

	machine := op.client(t, reg, nil)
	if err := machine.Revoke(t.Context(), &client.Tokens{AccessToken: raw}); err != nil {
		t.Fatal(err)
	}
	want(http.StatusOK, 0, "a token revoked just now")
	ahead = 122 * time.Second
	want(http.StatusUnauthorized, 1, "a token revoked a minute ago")
	want(http.StatusUnauthorized, 1, "a refused token again")

	if got := call(t, server.URL, "made.up/by=nobody").StatusCode; got != http.StatusUnauthorized {
		t.Errorf("a token that nobody issued: status %d, want 401", got)
	}
}

// What is not for this API is refused, though the provider says that it is active.
func TestIntrospectionOfOtherTokens(t *testing.T) {
	const resource, other = "https://api.example.test/mine", "https://api.example.test/yours"
	op.control(t, "resource", api{URI: resource, Format: "opaque"})
	op.control(t, "resource", api{URI: other, Format: "opaque"})
	var ahead time.Duration
	introspector := op.introspector(t, resource, &ahead)
	machine := op.machine(t, nil)
	if _, err := introspector.AccessToken(t.Context(), op.accessToken(t, machine, resource)); err != nil {
		t.Fatal(err)
	}
	_, err := introspector.AccessToken(t.Context(), op.accessToken(t, machine, other))
	wantRefused(t, err, "aud")

	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
	for name, raw := range map[string]string{"access token for userinfo": tokens.AccessToken, "refresh token": tokens.RefreshToken} {
		if _, err := introspector.AccessToken(t.Context(), raw); !errors.Is(err, jwtverify.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	// This provider answers no question about a JWT, which says that it is none of its
	// opaque tokens.
	if _, err = introspector.AccessToken(t.Context(), tokens.IDToken.Raw()); !errors.Is(err, jwtverify.ErrInvalid) {
		t.Errorf("ID token: got %v, want ErrInvalid", err)
	}
}

// Who may not ask learns nothing: neither that the token is good nor that it is bad.
func TestIntrospectionByNobody(t *testing.T) {
	const resource = "https://api.example.test/nobody"
	op.control(t, "resource", api{URI: resource, Format: "opaque"})
	reg := op.machine(t, nil)
	raw := op.accessToken(t, reg, resource)
	reg.Secret = "another secret, which the provider does not know"
	introspector := &client.Introspector{Client: op.client(t, reg, nil), Audience: resource}
	_, err := introspector.AccessToken(t.Context(), raw)
	var refusal *client.ResponseError
	if !errors.Is(err, jwtverify.ErrKeys) || !errors.As(err, &refusal) || refusal.Code != "invalid_client" {
		t.Errorf("got %v, want ErrKeys for invalid_client", err)
	}
	server := httptest.NewServer((&jwtverify.Bearer{Tokens: introspector, Logger: slog.New(slog.DiscardHandler)}).Require()(http.NotFoundHandler()))
	defer server.Close()
	if got := call(t, server.URL, raw).StatusCode; got != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", got)
	}
}

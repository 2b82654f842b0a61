package interop

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

const (
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	cibaGrant   = "urn:openid:params:grant-type:ciba"
)

// A machine's token is for the API that was asked for, and asked for once.
func TestClientCredentials(t *testing.T) {
	const resource = "https://api.example.test/machines"
	op.control(t, "resource", api{URI: resource})
	reg := op.machine(t, nil)
	rp := op.client(t, reg, nil)
	opts := &client.GrantOptions{Scopes: []string{"api:read"}, Resource: []string{resource}}
	tokens, err := rp.ClientCredentials(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	verifier := &jwtverify.Verifier{Issuer: op.Issuer, Audience: resource, Keys: op.keys(t)}
	verified, err := verifier.AccessToken(t.Context(), tokens.AccessToken)
	if err != nil || verified.ClientID != reg.ID || !slices.Equal(verified.Scope, []string{"api:read"}) {
		t.Errorf("got %v", err)
	}
	if tokens.IDToken != nil || tokens.RefreshToken != "" || tokens.Expiry.IsZero() || !slices.Equal(tokens.Scope, []string{"api:read"}) {
		t.Errorf("got scope %q until %v", tokens.Scope, tokens.Expiry)
	}

	source := rp.ClientCredentialsSource(opts)
	first, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if again, err := source.Token(); err != nil || again.AccessToken != first.AccessToken {
			t.Errorf("another token, or %v", err)
		}
	}
	if n := op.count(t, reg.ID, "grant.success", "client_credentials"); n != 2 {
		t.Errorf("%d tokens were issued, want one of the call and one of the source", n)
	}
	if _, err := rp.ClientCredentials(t.Context(), &client.GrantOptions{Scopes: []string{"api:read"}, Resource: []string{"https://unknown.example"}}); !refusedWith(err, "invalid_target") {
		t.Errorf("an unknown API: %v", err)
	}
	if _, err := rp.Device(t.Context(), nil); !errors.Is(err, client.ErrRejected) {
		t.Errorf("a grant that is not the client's: %v", err)
	}
}

func refusedWith(err error, code string) bool {
	var e *client.ResponseError
	return errors.As(err, &e) && e.Code == code
}

// device registers a client of the device flow.
func device(t *testing.T) *client.Client {
	t.Helper()
	reg := op.register(t, callbackURL, metadata{
		"grant_types": []string{deviceGrant, "refresh_token"}, "redirect_uris": []string{}, "response_types": []string{},
	})
	return op.client(t, reg, func(cfg *client.Config) { cfg.Scopes = []string{"profile", "offline_access"} })
}

// approve goes through the provider's pages with the code on the screen.
func approve(t *testing.T, page string, fields ...string) string {
	t.Helper()
	pg := newPerson(t, "").open(page)
	pg = pg.submit()          // the code, which the page has from its address
	pg = pg.submit(fields...) // is it the one on the screen?
	end, _ := pg.signIn("alice")
	return end.body
}

func TestDevice(t *testing.T) {
	rp := device(t)
	login, err := rp.Device(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(login.VerificationURI, op.Issuer) || !strings.Contains(login.VerificationURIComplete, url.QueryEscape(login.UserCode)) {
		t.Errorf("the pages are %q and %q", login.VerificationURI, login.VerificationURIComplete)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := rp.WaitDevice(ctx, login); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before anybody signed in: %v", err)
	}
	if body := approve(t, login.VerificationURIComplete, "confirm", "yes"); !strings.Contains(body, "Success") {
		t.Fatalf("the last page:\n%s", body)
	}
	tokens, err := rp.WaitDevice(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	if tokens.IDToken.Subject != "alice" || tokens.RefreshToken == "" || !slices.Contains(tokens.Scope, "profile") {
		t.Errorf("%s, scope %q", tokens.IDToken.Subject, tokens.Scope)
	}
	if tokens, err = rp.Refresh(t.Context(), tokens); err != nil || tokens.IDToken.Subject != "alice" {
		t.Errorf("refresh: %v", err)
	}
	if _, err := rp.WaitDevice(t.Context(), login); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("the same code again: %v", err)
	}
}

func TestDeviceDenied(t *testing.T) {
	rp := device(t)
	login, err := rp.Device(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	approve(t, login.VerificationURIComplete, "abort", "yes")
	_, err = rp.WaitDevice(t.Context(), login)
	var e *client.AuthError
	if !errors.As(err, &e) || e.Code != "access_denied" {
		t.Errorf("got %v", err)
	}
}

func ciba(t *testing.T, p *provider, change metadata) *client.Client {
	t.Helper()
	all := metadata{
		"grant_types": []string{cibaGrant, "refresh_token"}, "redirect_uris": []string{}, "response_types": []string{},
		"backchannel_token_delivery_mode": "poll",
	}
	for name, value := range change {
		all[name] = value
	}
	return p.client(t, p.register(t, callbackURL, all), nil)
}

func TestCIBA(t *testing.T) {
	rp := ciba(t, op, metadata{"backchannel_user_code_parameter": true})
	request := client.CIBARequest{LoginHint: "alice", BindingMessage: "W4SCT", UserCode: "1234", ACRValues: []string{"urn:op:2fa"}, RequestedExpiry: time.Minute}
	login, err := rp.CIBA(t.Context(), request, nil)
	if err != nil {
		t.Fatal(err)
	}
	if life := time.Until(login.Expires()); life < 50*time.Second || life > time.Minute {
		t.Errorf("it lasts %v", life)
	}
	op.control(t, "ciba", map[string]any{"id": login.AuthReqID()})
	tokens, err := rp.WaitCIBA(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	if tokens.IDToken.Subject != "alice" || tokens.IDToken.ACR != "urn:op:2fa" {
		t.Errorf("%s, %s", tokens.IDToken.Subject, tokens.IDToken.ACR)
	}

	// The next one is named by the ID token; the user says no.
	login, err = rp.CIBA(t.Context(), client.CIBARequest{IDTokenHint: tokens.IDToken, UserCode: "1234"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	op.control(t, "ciba", map[string]any{"id": login.AuthReqID(), "deny": true})
	_, err = rp.WaitCIBA(t.Context(), login)
	var e *client.AuthError
	if !errors.As(err, &e) || e.Code != "access_denied" {
		t.Errorf("denied: %v", err)
	}
	if _, err := rp.CIBA(t.Context(), client.CIBARequest{LoginHint: "alice", UserCode: "wrong"}, nil); !refusedWith(err, "invalid_user_code") {
		t.Errorf("another user code: %v", err)
	}
}

// The provider says by itself when the user has decided.
func TestCIBAPing(t *testing.T) {
	certificate := newCertificate(t, "relying party")
	certFile, _ := writePEM(t, certificate)
	pinging := startProvider(t, "NODE_EXTRA_CA_CERTS="+certFile)
	var begun []byte // in the database of the relying party
	pinged := make(chan *client.CIBALogin, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, err := client.CIBAPing(r, func(context.Context, string) (*client.CIBALogin, error) {
			found := new(client.CIBALogin)
			return found, found.UnmarshalBinary(begun)
		})
		if err != nil {
			t.Error(err)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		pinged <- login
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	defer server.Close()

	rp := ciba(t, pinging, metadata{
		"backchannel_token_delivery_mode":          "ping",
		"backchannel_client_notification_endpoint": strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/ping",
	})
	login, err := rp.CIBA(t.Context(), client.CIBARequest{LoginHint: "bob", Ping: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if begun, err = login.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	pinging.control(t, "ciba", map[string]any{"id": login.AuthReqID()})
	select {
	case login = <-pinged:
	case <-time.After(startTimeout):
		t.Fatal("no ping came")
	}
	start := time.Now()
	tokens, err := rp.WaitCIBA(t.Context(), login)
	if err != nil || tokens.IDToken.Subject != "bob" {
		t.Fatal(err)
	}
	if waited := time.Since(start); waited > 4*time.Second { // the interval is five
		t.Errorf("it waited %v after the ping", waited)
	}
}

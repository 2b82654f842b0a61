package clienttest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

// TestIssuers: wherever the issuer is, the endpoints are below it.
func TestIssuers(t *testing.T) {
	for _, issuer := range []string{"https://login.example.com", "https://login.example.com/", "https://login.example.com/tenant/v2", "http://localhost:8443/t/"} {
		t.Run(issuer, func(t *testing.T) {
			f := newFlow(t, &clienttest.Options{Issuer: issuer, Algorithm: "ES256"})
			if got := f.metadata()["issuer"]; got != issuer {
				t.Errorf("the metadata names %v", got)
			}
			for _, name := range []string{"token_endpoint", "jwks_uri"} {
				address := f.endpoint(name)
				if !strings.HasPrefix(address, issuer) || strings.Contains(address[8:], "//") {
					t.Errorf("%s is %s", name, address)
				}
			}
			response := f.get(f.endpoint("jwks_uri"))
			if text := body(t, response); response.StatusCode != 200 {
				t.Errorf("%s %s", response.Status, text)
			}
			if !strings.HasSuffix(issuer, "/") {
				return
			}
			f.op.SetFaults(clienttest.DiscoverySlashIssuer)
			if got := f.metadata()["issuer"]; got != strings.TrimSuffix(issuer, "/") {
				t.Errorf("with the fault the metadata names %v", got)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for want, opts := range map[string]*clienttest.Options{
		`unknown algorithm "HS256"`:        {Algorithm: "HS256"},
		"an issuer is an absolute URL":     {Issuer: "/op"},
		"needs an ID":                      {Clients: []clienttest.Client{{Secret: "s"}}},
		`the authentication method "none"`: {Clients: []clienttest.Client{{ID: "web", Secret: "s", AuthMethod: "none"}}},
		`"client_secret_post"`:             {Clients: []clienttest.Client{{ID: "web", AuthMethod: "client_secret_post"}}},
		`"tls_client_auth"`:                {Clients: []clienttest.Client{{ID: "web", Secret: "s", AuthMethod: "tls_client_auth"}}},
		"a subject has 1 to 255 bytes":     {Users: []clienttest.User{{}}},
	} {
		if got := panics(func() { clienttest.New(opts) }); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	op := clienttest.New(nil)
	if got := panics(func() { op.SetFaults("wrong-weather") }); !strings.Contains(got, `unknown fault "wrong-weather"`) {
		t.Errorf("an unknown fault: %q", got)
	}
	if got := panics(func() { op.Count("tokens") }); !strings.Contains(got, `unknown endpoint "tokens"`) {
		t.Errorf("an unknown endpoint: %q", got)
	}
}

func panics(do func()) (message string) {
	defer func() { message = fmt.Sprint(recover()) }()
	do()
	return ""
}

func TestConfig(t *testing.T) {
	start := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	op := clienttest.New(&clienttest.Options{Now: func() time.Time { return start }})
	cfg := op.Config(redirectURL)
	if cfg.Issuer != "https://op.example.com" || cfg.ClientID != "web" || cfg.ClientSecret == "" ||
		cfg.RedirectURL != redirectURL || cfg.HTTPClient == nil || cfg.Auth != nil {
		t.Errorf("got issuer %q, client %q, redirect URL %q", cfg.Issuer, cfg.ClientID, cfg.RedirectURL)
	}
	op.Advance(time.Hour)
	if now := cfg.Now(); !now.Equal(start.Add(time.Hour)) || !now.Equal(op.Now()) {
		t.Errorf("the clock says %v", now)
	}
	if other := clienttest.New(nil).Config(redirectURL); other.ClientSecret == cfg.ClientSecret {
		t.Error("two providers have one secret")
	}
}

// TestRequests: what was sent is there to be asserted.
func TestRequests(t *testing.T) {
	f := newFlow(t, fast())
	f.tokens()
	body(t, f.get("https://op.example.com/nowhere"))
	response, err := f.http.Get("https://op.example.com/token")
	if err != nil {
		t.Fatal(err)
	}
	body(t, response)
	seen := f.op.Requests()
	var short []string
	for _, r := range seen {
		short = append(short, r.String())
	}
	want := []string{
		"authorization GET /authorize 303", "token POST /token 200",
		"unknown GET /nowhere 404", "token GET /token 405",
	}
	if fmt.Sprint(short) != fmt.Sprint(want) {
		t.Fatalf("got %q", short)
	}
	if seen[0].Form.Get("nonce") != f.nonce || seen[1].Form.Get("code_verifier") != string(f.verifier) ||
		seen[1].Header.Get("Authorization") == "" {
		t.Error("the record lacks what was sent")
	}
	if f.op.Count("token") != 2 || f.op.Count("userinfo") != 0 {
		t.Errorf("counted %d and %d", f.op.Count("token"), f.op.Count("userinfo"))
	}
}

func TestRecordIsBounded(t *testing.T) {
	op := clienttest.New(fast())
	for range 10_001 {
		op.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/somewhere", nil))
	}
	op.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/.well-known/openid-configuration", nil))
	seen := op.Requests()
	if len(seen) != 10_000 || seen[9_999].Endpoint != "discovery" || op.Count("unknown") != 10_001 {
		t.Errorf("%d requests kept, %d counted", len(seen), op.Count("unknown"))
	}
}

func TestOversizedRequest(t *testing.T) {
	f := newFlow(t, fast())
	response, err := f.post("/token", url.Values{"code": {strings.Repeat("x", 1<<20)}})
	if err != nil {
		t.Fatal(err)
	}
	if text := body(t, response); response.StatusCode != 400 || !strings.Contains(text, "unreadable") {
		t.Errorf("got %s", response.Status)
	}
}

// TestJWKSIsHostile: a client that takes the first key, or gives up at one it does not know,
// fails here.
func TestJWKSIsHostile(t *testing.T) {
	f := newFlow(t, nil)
	var set struct{ Keys []map[string]string }
	response := f.get(f.endpoint("jwks_uri"))
	if at := response.Header.Get("Content-Type"); at != "application/jwk-set+json" {
		t.Errorf("the type is %s", at)
	}
	decode(t, response, &set)
	var kinds []string
	for _, key := range set.Keys {
		kinds = append(kinds, key["kty"]+" "+key["crv"]+" "+key["use"])
	}
	want := []string{"RSA  enc", "EC secp256k1 sig", "AKP  sig", "EC P-256 sig", "EC P-256 sig", "RSA  sig"}
	if fmt.Sprintf("%q", kinds) != fmt.Sprintf("%q", want) {
		t.Errorf("got %q", kinds)
	}
	header, _ := parts(t, f.tokens().IDToken)
	if last := set.Keys[len(set.Keys)-1]; header["kid"] != last["kid"] {
		t.Errorf("the signing key is not the last one")
	}
}

func TestRedaction(t *testing.T) {
	const secret = "canary-of-the-client"
	f := newFlow(t, &clienttest.Options{Algorithm: "ES256", Clients: []clienttest.Client{{ID: "web", Secret: secret}}})
	got := f.tokens()
	values := []any{
		clienttest.Client{ID: "web", Secret: secret},
		[]clienttest.Client{{ID: "web", Secret: secret}},
		clienttest.Options{Clients: []clienttest.Client{{ID: "web", Secret: secret}}},
		f.op.Requests(),
		f.op.Requests()[0],
		f.op,
	}
	canaries := []string{secret, got.AccessToken, got.RefreshToken, got.IDToken, string(f.verifier), f.op.Requests()[1].Form.Get("code")}
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&out, verb, value)
		}
		log.Info("value", "value", value)
		if text, err := json.Marshal(value); err == nil { // Options has a func, and no JSON
			out.Write(text)
		}
	}
	for _, canary := range canaries {
		if strings.Contains(out.String(), canary) || strings.Contains(out.String(), fmt.Sprintf("%x", canary)) {
			t.Errorf("a secret of %d bytes is printed", len(canary))
		}
	}
	if text := fmt.Sprintf("%+v", f.op.NewBrowser()); text != "clienttest.Browser(https://op.example.com)" {
		t.Errorf("a browser prints as %s", text)
	}
	if !strings.Contains(out.String(), "clienttest.Provider(https://op.example.com)") || !strings.Contains(out.String(), "/token") {
		t.Error("nothing is printed at all")
	}
}

// TestConcurrentUse is for the race detector: sign-ins, refreshes, faults and rotations at
// once.
func TestConcurrentUse(t *testing.T) {
	f := newFlow(t, fast())
	address := f.authorizationURL()
	const workers = 8
	done := make(chan struct{})
	for i := range workers {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 10 {
				if i == 0 {
					f.op.SetFaults(clienttest.TokenTypeCase)
					f.op.RotateKeys()
					f.op.Advance(time.Millisecond)
					f.op.SetUser(clienttest.User{Subject: "alice"})
					f.op.Requests()
				}
				at, err := f.op.SignIn(address, "alice")
				if err != nil {
					t.Error(err)
					return
				}
				response, err := f.post("/token", f.exchangeForm(at.Query().Get("code")))
				if err != nil {
					t.Error(err)
					return
				}
				if response.Body.Close(); response.StatusCode != http.StatusOK {
					t.Errorf("got %s", response.Status)
				}
			}
		}()
	}
	for range workers {
		<-done
	}
	if f.op.Count("token") != workers*10 {
		t.Errorf("%d token requests", f.op.Count("token"))
	}
}

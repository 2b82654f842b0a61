package client

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/postern-go/postern/jwtverify"
)

const discoveryPath = "/.well-known/openid-configuration"

func TestDiscovery(t *testing.T) {
	p := newOP(t)
	p.metadata["scopes_supported"] = []string{"openid"}
	p.metadata["authorization_response_iss_parameter_supported"] = true
	p.metadata["userinfo_endpoint"] = nil
	p.metadata["grant_types_supported"] = []string{"authorization_code"}
	c := p.client(nil)
	if len(p.requests) != 0 {
		t.Fatal("New sent a request")
	}
	m, err := c.Metadata(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if m.TokenEndpoint != testIssuer+"/token" || m.ScopesSupported[0] != "openid" || !m.AuthorizationResponseIssParameterSupported || m.UserInfoEndpoint != "" {
		t.Errorf("got %+v", m)
	}
	var claims struct {
		Grants []string `json:"grant_types_supported"`
	}
	if err := m.Claims(&claims); err != nil || len(claims.Grants) != 1 {
		t.Errorf("got %+v, %v", claims, err)
	}
	p.wantRequests(discoveryPath, sentRequest{"GET", testIssuer + discoveryPath, http.Header{
		"Accept": {"application/json"}, "User-Agent": {userAgent},
	}, ""})
}

func TestDiscoveryURL(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://op.example.com":      "https://op.example.com/.well-known/openid-configuration",
		"https://op.example.com/":     "https://op.example.com/.well-known/openid-configuration",
		"https://op.example.com/a/b":  "https://op.example.com/a/b/.well-known/openid-configuration",
		"https://op.example.com/a/b/": "https://op.example.com/a/b/.well-known/openid-configuration",
	} {
		if got := wellKnown(issuer); got != want {
			t.Errorf("%s: got %s, want %s", issuer, got, want)
		}
	}
}

func TestDiscoveryAge(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	for _, test := range []struct {
		wait time.Duration
		want int
	}{{0, 1}, {time.Hour - 1, 1}, {1, 2}, {time.Hour, 3}} {
		p.advance(test.wait)
		if _, err := c.Metadata(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := len(p.seen(discoveryPath)); got != test.want {
			t.Errorf("%d requests, want %d", got, test.want)
		}
	}
}

func TestDiscoveryRejects(t *testing.T) {
	const slash = ": only the slash at the end differs; configure the issuer as the provider writes it"
	for _, test := range []struct {
		name   string
		change func(*op)
		want   string // after the status
	}{
		{"other issuer", func(p *op) { p.metadata["issuer"] = "https://evil.example" }, `issuer is "https://evil.example", configured is "https://op.example.com"`},
		{"issuer with a slash", func(p *op) { p.metadata["issuer"] = testIssuer + "/" }, `issuer is "https://op.example.com/", configured is "https://op.example.com"` + slash},
		{"issuer in capitals", func(p *op) { p.metadata["issuer"] = "https://OP.example.com" }, `issuer is "https://OP.example.com", configured is "https://op.example.com"`},
		{"no issuer", func(p *op) { delete(p.metadata, "issuer") }, `issuer is "", configured is "https://op.example.com"`},
		{"issuer a number", func(p *op) { p.metadata["issuer"] = 1 }, "issuer has the wrong type"},
		{"long issuer", func(p *op) { p.metadata["issuer"] = strings.Repeat("i", 300) }, `issuer is "` + strings.Repeat("i", 256) + `", configured is "https://op.example.com"`},
		{"no authorization_endpoint", func(p *op) { delete(p.metadata, "authorization_endpoint") }, "authorization_endpoint is empty"},
		{"no token_endpoint", func(p *op) { delete(p.metadata, "token_endpoint") }, "token_endpoint is empty"},
		{"no jwks_uri", func(p *op) { p.metadata["jwks_uri"] = nil }, "jwks_uri is empty"},
		{"token_endpoint over http", func(p *op) { p.metadata["token_endpoint"] = "http://op.example.com/token" }, "token_endpoint must be https, as the issuer is"},
		{"token_endpoint over http on loopback", func(p *op) { p.metadata["token_endpoint"] = "http://127.0.0.1/token" }, "token_endpoint must be https, as the issuer is"},
		{"token_endpoint relative", func(p *op) { p.metadata["token_endpoint"] = "/token" }, "token_endpoint is not an absolute URL"},
		{"jwks_uri a file", func(p *op) { p.metadata["jwks_uri"] = "file:///etc/passwd" }, "jwks_uri must be https, as the issuer is"},
		{"userinfo_endpoint with a user", func(p *op) { p.metadata["userinfo_endpoint"] = "https://a:b@op.example.com/" }, "userinfo_endpoint must not have a user name or password"},
		{"end_session_endpoint with a fragment", func(p *op) { p.metadata["end_session_endpoint"] = "https://op.example.com/#a" }, "end_session_endpoint must not have a fragment"},
		{"introspection_endpoint a script", func(p *op) { p.metadata["introspection_endpoint"] = "javascript:alert(1)" }, "introspection_endpoint must be https, as the issuer is"},
		{"revocation_endpoint a script", func(p *op) { p.metadata["revocation_endpoint"] = "javascript:alert(1)" }, "revocation_endpoint must be https, as the issuer is"},
		{"authorization_endpoint with our parameter", func(p *op) { p.metadata["authorization_endpoint"] = testIssuer + "/authorize?scope=admin" }, `authorization_endpoint has the parameter "scope" in its own query`},
		{"authorization_endpoint with a broken query", func(p *op) { p.metadata["authorization_endpoint"] = testIssuer + "/authorize?a;b" }, "authorization_endpoint has a malformed query"},
		{"algorithms a string", func(p *op) { p.metadata["id_token_signing_alg_values_supported"] = "RS256" }, "id_token_signing_alg_values_supported has the wrong type"},
		{"algorithms symmetric", func(p *op) { p.metadata["id_token_signing_alg_values_supported"] = []string{"HS256"} }, "id_token_signing_alg_values_supported has no asymmetric algorithm: see Config.IDTokenSignedResponseAlg"},
		{"promise a string", func(p *op) { p.metadata["authorization_response_iss_parameter_supported"] = "true" }, "authorization_response_iss_parameter_supported has the wrong type"},
		{"member in another case", func(p *op) { p.metadata["Token_Endpoint"] = "https://evil.example/token" }, `member "Token_Endpoint" is not "token_endpoint"`},
		{"what go-oidc reads too", func(p *op) { p.metadata["device_authorization_endpoint"] = 1 }, "device_authorization_endpoint has the wrong type"},
		{"member twice", func(p *op) {
			p.reply(discoveryPath, 200, "application/json", `{"issuer":"https://op.example.com","issuer":"https://op.example.com"}`)
		}, `duplicate member "issuer"`},
		{"HTML", func(p *op) { p.reply(discoveryPath, 200, "text/html", `<html>`) }, "not a JSON object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			test.change(p)
			_, err := p.client(nil).Metadata(context.Background())
			want := "client: discovery endpoint: rejected: status 200: " + test.want
			if !errors.Is(err, ErrRejected) || err.Error() != want {
				t.Errorf("got %v\nwant %s", err, want)
			}
			if len(p.requests) != 1 {
				t.Errorf("%d requests", len(p.requests))
			}
		})
	}
}

func TestDiscoveryOnLoopback(t *testing.T) {
	m := handConfig().Metadata
	cfg := handConfig()
	cfg.Issuer, m.Issuer = "http://localhost:9000", "http://localhost:9000"
	m.TokenEndpoint = "http://127.0.0.1:9000/token"
	cfg.Metadata = m
	if _, err := New(cfg); err != nil {
		t.Error(err)
	}
	m.TokenEndpoint = "http://op.example.com/token"
	_, err := New(cfg)
	if want := "client: Config.Metadata: token_endpoint must be https (http on a loopback host only)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDiscoveryStatus(t *testing.T) {
	for status, want := range map[int]error{404: ErrRejected, 403: ErrRejected, 429: ErrUnavailable, 500: ErrUnavailable, 503: ErrUnavailable} {
		p := newOP(t)
		p.reply(discoveryPath, status, "text/html", "<html>")
		_, err := p.client(nil).Metadata(context.Background())
		var e *ResponseError
		if !errors.Is(err, want) || !errors.As(err, &e) || e.Status != status || !strings.HasSuffix(err.Error(), "no metadata at "+testIssuer+discoveryPath) {
			t.Errorf("%d: got %v, want %v", status, err, want)
		}
	}
}

// One attempt serves all callers, and the one who hangs up fails nobody else.
func TestDiscoverySingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		p.handle(discoveryPath, func(*http.Request) (*http.Response, error) {
			<-time.After(time.Second)
			return jsonResponse(200, p.metadata), nil
		})
		c := p.client(nil)
		first, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.Metadata(first)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v, want canceled", err)
			}
		})
		synctest.Wait() // the first caller leads
		for range 1000 {
			wg.Go(func() {
				if _, err := c.Metadata(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		if n := len(p.seen(discoveryPath)); n != 1 {
			t.Errorf("%d requests, want one", n)
		}
	})
}

// Each failure doubles the rest, up to a minute, and no call in it sends anything.
func TestDiscoveryBackoff(t *testing.T) {
	p := newOP(t)
	p.reply(discoveryPath, 503, "", "")
	c := p.client(nil)
	requests := 0
	for _, rest := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		requests++
		for _, wait := range []time.Duration{0, 0, rest*time.Second - 1} {
			p.advance(wait)
			if _, err := c.Metadata(context.Background()); !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v, want unavailable", err)
			}
		}
		if n := len(p.seen(discoveryPath)); n != requests {
			t.Fatalf("%d requests, want %d", n, requests)
		}
		p.advance(1)
	}
	p.handle(discoveryPath, func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.metadata), nil })
	if _, err := c.Metadata(context.Background()); err != nil {
		t.Error(err)
	}
	p.reply(discoveryPath, 503, "", "")
	p.advance(time.Hour)
	c.Metadata(context.Background())
	p.advance(firstBackoff)
	c.Metadata(context.Background())
	landed(c)
	if n := len(p.seen(discoveryPath)); n != requests+3 {
		t.Errorf("%d requests, want %d: success did not reset the backoff", n, requests+3)
	}
}

// landed waits for the attempt under way, if there is one.
func landed(c *Client) {
	c.discovery.mu.Lock()
	f := c.discovery.flight
	c.discovery.mu.Unlock()
	if f != nil {
		<-f.done
	}
}

func TestDiscoveryStaleWhileDown(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	p.authorize(c, nil)
	wantOld := func(ok bool) {
		t.Helper()
		m, err := c.Metadata(context.Background())
		if ok && (err != nil || m.TokenEndpoint != testIssuer+"/token") || !ok && !errors.Is(err, ErrRejected) {
			t.Errorf("got %v, want the old metadata: %t", err, ok)
		}
		landed(c)
	}
	down := func(*http.Request) (*http.Response, error) { return nil, errors.New("down") }
	refused := func(*http.Request) (*http.Response, error) {
		return jsonResponse(200, map[string]any{"issuer": "https://evil.example"}), nil
	}
	p.handle(discoveryPath, refused)
	p.advance(metadataMaxAge + maxRefused - maxBackoff)
	wantOld(true)
	p.advance(maxBackoff)
	wantOld(false) // another issuer for a day: that is no blip
	p.handle(discoveryPath, down)
	p.advance(24 * time.Hour)
	wantOld(true)
	p.handle(discoveryPath, refused)
	p.advance(time.Hour)
	wantOld(true) // it did not wait for the attempt
	wantOld(false)
	if n := len(p.seen(discoveryPath)); n != 5 {
		t.Errorf("%d requests, want 5", n)
	}
	p.handle(discoveryPath, func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.metadata), nil })
	p.advance(time.Hour)
	wantOld(true)
}

// A provider that hangs costs one timeout in all, not one for each sign-in.
func TestDiscoveryDoesNotWaitTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		c := p.client(func(cfg *Config) { cfg.Now = nil })
		if _, err := c.Metadata(context.Background()); err != nil {
			t.Fatal(err)
		}
		p.handle(discoveryPath, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		time.Sleep(metadataMaxAge)
		for i := range 10 {
			start := time.Now()
			_, err := c.Metadata(context.Background())
			if d := time.Since(start); err != nil || i > 0 && d > 0 {
				t.Errorf("call %d: %v after %v", i, err, d)
			}
			time.Sleep(maxBackoff)
		}
		if n := len(p.seen(discoveryPath)); n < 5 {
			t.Errorf("%d requests: the attempts ended", n)
		}
		p.handle(discoveryPath, func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.metadata), nil })
		time.Sleep(maxBackoff)
		c.Metadata(context.Background())
		landed(c)
		if c.discovery.failure != nil {
			t.Error(c.discovery.failure)
		}
	})
}

// What the program hands in may panic, and the client goes on to work.
func TestDiscoveryOutlivesPanics(t *testing.T) {
	good := func(p *op) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.metadata), nil }
	}
	recovers := func(f func()) (panicked bool) {
		defer func() { panicked = recover() != nil }()
		f()
		return
	}
	works := func(t *testing.T, p *op, c *Client) {
		t.Helper()
		p.handle(discoveryPath, good(p))
		p.advance(maxBackoff)
		done := make(chan error, 1)
		go func() { _, err := c.Metadata(context.Background()); done <- err }()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the client hangs")
		}
	}
	t.Run("nil context", func(t *testing.T) {
		p := newOP(t)
		c := p.client(nil)
		var none context.Context
		if !recovers(func() { c.Metadata(none) }) {
			t.Error("no panic")
		}
		works(t, p, c)
	})
	for call := 1; call <= 3; call++ { // of the caller, after the answer, and at the end
		t.Run("clock", func(t *testing.T) {
			p := newOP(t)
			calls := 0
			c := p.client(func(cfg *Config) {
				cfg.Now = func() time.Time {
					if calls++; calls == call {
						panic("clock-CANARY")
					}
					return p.clock()
				}
			})
			var err error
			panicked := recovers(func() { _, err = c.Metadata(context.Background()) })
			if panicked != (call == 1) || !panicked && !errors.Is(err, ErrUnavailable) {
				t.Errorf("panicked: %t, %v", panicked, err)
			}
			works(t, p, c)
		})
	}
	for want, fault := range map[string]func(){
		"panic of type string":                   func() { panic("CANARY") },
		"the HTTP transport ended the goroutine": func() { runtime.Goexit() },
	} {
		t.Run(want, func(t *testing.T) {
			p := newOP(t)
			c := p.client(func(cfg *Config) { cfg.HTTPClient.Timeout = time.Second }) // so long net/http's timer outlives the panic
			p.handle(discoveryPath, func(*http.Request) (*http.Response, error) { fault(); return nil, nil })
			_, err := c.Metadata(context.Background())
			if text := "client: discovery endpoint: provider unavailable: " + want; !errors.Is(err, ErrUnavailable) || err.Error() != text {
				t.Errorf("got %v, want %s", err, text)
			}
			works(t, p, c)
		})
	}
}

func TestKeysSurviveNewMetadata(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	p.signIn(c)
	before := c.discovery.current.keys
	p.advance(time.Hour) // metadata is due
	p.signIn(c)
	if c.discovery.current.keys != before || len(p.seen(discoveryPath)) != 2 {
		t.Error("the keys did not survive new metadata")
	}
	p.metadata["jwks_uri"] = testIssuer + "/jwks2"
	p.handle("/jwks2", func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.jwks()), nil })
	p.advance(time.Hour)
	p.signIn(c)
	if len(p.seen("/jwks2")) != 1 {
		t.Error("the keys of another place were not fetched")
	}
}

func TestDiscoveryFollowsRedirectsOnItsHost(t *testing.T) {
	p := newOP(t)
	p.handle(discoveryPath, redirectTo(302, "/elsewhere"))
	p.handle("/elsewhere", func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.metadata), nil })
	if _, err := p.client(nil).Metadata(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestDiscoveryRefusesRedirects(t *testing.T) {
	for name, location := range map[string]string{
		"other host":   "https://evil.example" + discoveryPath,
		"other port":   "https://op.example.com:8443" + discoveryPath,
		"without TLS":  "http://op.example.com" + discoveryPath,
		"metadata":     "http://169.254.169.254/latest/meta-data/",
		"file":         "file:///etc/passwd",
		"in a circle":  discoveryPath,
		"other scheme": "gopher://op.example.com/",
	} {
		p := newOP(t)
		p.handle(discoveryPath, redirectTo(302, location))
		_, err := p.client(nil).Metadata(context.Background())
		var e *ResponseError
		if !errors.Is(err, ErrRejected) || !errors.As(err, &e) || e.Status != 302 {
			t.Errorf("%s: got %v, want status 302", name, err)
		}
		want := 1
		if name == "in a circle" {
			want = 1 + maxRedirects
		}
		if len(p.requests) != want {
			t.Errorf("%s: %d requests, want %d", name, len(p.requests), want)
		}
	}
}

// go-oidc's own verifier works with the provider we give out, and with our keys.
func TestProviderOfGoOIDC(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	provider, err := c.Provider(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	p.claims["exp"] = time.Now().Add(time.Hour).Unix()
	cfg := &oidc.Config{ClientID: testClientID}
	for name, verifier := range map[string]*oidc.IDTokenVerifier{
		"its keys": provider.Verifier(cfg),
		"our keys": oidc.NewVerifier(testIssuer, KeySet(c.discovery.current.keys), &oidc.Config{ClientID: testClientID, SupportedSigningAlgs: []string{"ES256"}}),
	} {
		id, err := verifier.Verify(context.Background(), p.idToken())
		if err != nil || id.Subject != "alice" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// go-oidc reads to the end whatever it is given.
func TestProviderOfGoOIDCReadsWithinBounds(t *testing.T) {
	p := newOP(t)
	set, err := json.Marshal(p.jwks())
	if err != nil {
		t.Fatal(err)
	}
	c := p.client(nil)
	provider, err := c.Provider(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	p.claims["exp"] = time.Now().Add(time.Hour).Unix()
	fits := string(set) + strings.Repeat(" ", maxBody-len(set))
	for body, want := range map[string]bool{fits: true, fits + " ": false} {
		p.reply("/jwks", 200, "application/json", body)
		_, err := provider.Verifier(&oidc.Config{ClientID: testClientID}).Verify(context.Background(), p.idToken())
		if (err == nil) != want {
			t.Errorf("%d bytes: got %v", len(body), err)
		}
		if provider, err = p.client(nil).Provider(context.Background()); err != nil { // that has no keys yet
			t.Fatal(err)
		}
	}
}

// A transport of the program that leaves the body out: net/http knows what to do.
func TestProviderOfGoOIDCWithoutABody(t *testing.T) {
	p := newOP(t)
	p.handle("/jwks", func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 500}, nil })
	provider, err := p.client(nil).Provider(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: testClientID}).Verify(context.Background(), p.idToken()); err == nil || !strings.Contains(err.Error(), "get keys failed") {
		t.Errorf("got %v", err)
	}
}

func TestKeySetRejects(t *testing.T) {
	p := newOP(t)
	keys := jwtverify.StaticKeys(jwtverify.Key{ID: "k1", Algorithm: "ES256", Public: &p.key.PublicKey})
	good := p.idToken()
	parts := strings.Split(good, ".")
	claims := map[string]any{"sub": "alice"}
	for _, test := range []struct{ name, token, want string }{
		{"good", good, ""},
		{"two parts", parts[0] + "." + parts[1], "client: not a compact JWS"},
		{"four parts", good + ".", "client: not a compact JWS"},
		{"line break", parts[0] + "\n." + parts[1] + "." + parts[2], "client: not a compact JWS"},
		{"padding", parts[0] + "=." + parts[1] + "." + parts[2], "client: not a compact JWS"},
		{"padding of the signature", good + "=", "client: not a compact JWS"},
		{"too long", good + strings.Repeat("A", maxToken), "client: not a compact JWS"},
		{"header not JSON", "AAAA." + parts[1] + "." + parts[2], "client: not a compact JWS"},
		{"alg twice", "eyJhbGciOiJFUzI1NiIsImFsZyI6IkVTMjU2In0." + parts[1] + "." + parts[2], "client: not a compact JWS"},
		{"crit", sign(p.key, map[string]any{"alg": "ES256", "crit": []string{"b64"}, "b64": false}, claims), "client: not a compact JWS"},
		{"kid a number", sign(p.key, map[string]any{"alg": "ES256", "kid": 1}, claims), "client: not a compact JWS"},
		{"no alg", sign(p.key, map[string]any{"kid": "k1"}, claims), `client: "" does not sign with a private key`},
		{"none", sign(p.key, map[string]any{"alg": "none"}, claims), `client: "none" does not sign with a private key`},
		{"HS256", sign(p.key, map[string]any{"alg": "HS256"}, claims), `client: "HS256" does not sign with a private key`},
		{"unknown kid", sign(p.key, map[string]any{"alg": "ES256", "kid": "k2"}, claims), "client: no key verifies the signature"},
		{"other algorithm", sign(p.key, map[string]any{"alg": "ES384", "kid": "k1"}, claims), "client: no key verifies the signature"},
		{"other payload", parts[0] + ".e30." + parts[2], "client: no key verifies the signature"},
	} {
		t.Run(test.name, func(t *testing.T) {
			payload, err := KeySet(keys).VerifySignature(context.Background(), test.token)
			if test.want == "" {
				if err != nil || !strings.Contains(string(payload), `"alice"`) {
					t.Errorf("got %s, %v", payload, err)
				}
				return
			}
			if payload != nil || err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// Keys of other types before the right one do not hide it.
func TestKeySetTriesEnough(t *testing.T) {
	p := newOP(t)
	keys := make([]jwtverify.Key, maxTryKeys-1, maxTryKeys)
	for i := range keys {
		keys[i].Public = ed25519.PublicKey(make([]byte, ed25519.PublicKeySize))
	}
	keys = append(keys, jwtverify.Key{Public: &p.key.PublicKey})
	if _, err := KeySet(jwtverify.StaticKeys(keys...)).VerifySignature(context.Background(), p.idToken()); err != nil || len(keys) != 32 {
		t.Errorf("%d keys: %v", len(keys), err)
	}
}

func TestKeySetKeysUnavailable(t *testing.T) {
	p := newOP(t)
	p.reply("/jwks", 503, "", "")
	keys := &jwtverify.RemoteKeys{URL: testIssuer + "/jwks", HTTPClient: &http.Client{Transport: p}}
	if _, err := KeySet(keys).VerifySignature(context.Background(), p.idToken()); !errors.Is(err, jwtverify.ErrKeys) {
		t.Errorf("got %v, want the keys unavailable", err)
	}
}

func TestUnsupportedEndpoints(t *testing.T) {
	p := newOP(t)
	tokens := p.signIn(p.client(nil))
	for _, test := range []struct {
		member string
		call   func(*Client) error
	}{
		{"userinfo_endpoint", func(c *Client) error { _, err := c.UserInfo(context.Background(), tokens); return err }},
		{"revocation_endpoint", func(c *Client) error { return c.Revoke(context.Background(), tokens) }},
		{"introspection_endpoint", func(c *Client) error { _, err := c.Introspect(context.Background(), "a"); return err }},
		{"end_session_endpoint", func(c *Client) error {
			_, err := c.LogoutURL(context.Background(), LogoutOptions{})
			return err
		}},
	} {
		for _, absent := range []any{nil, ""} {
			p := newOP(t)
			p.metadata[test.member] = absent
			err := test.call(p.client(nil))
			want := "client: not supported by the provider: its metadata has no " + test.member
			if !errors.Is(err, ErrUnsupported) || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
}

// Every method needs the metadata first.
func TestProviderDown(t *testing.T) {
	p := newOP(t)
	tokens := p.signIn(p.client(nil))
	p.reply("/.well-known/openid-configuration", 503, "", "")
	c := p.client(nil)
	ctx := context.Background()
	for name, call := range map[string]func() error{
		"Metadata":   func() error { _, err := c.Metadata(ctx); return err },
		"Provider":   func() error { _, err := c.Provider(ctx); return err },
		"Authorize":  func() error { _, err := c.Authorize(ctx, nil); return err },
		"Refresh":    func() error { _, err := c.Refresh(ctx, tokens); return err },
		"UserInfo":   func() error { _, err := c.UserInfo(ctx, tokens); return err },
		"Revoke":     func() error { return c.Revoke(ctx, tokens) },
		"Introspect": func() error { _, err := c.Introspect(ctx, "a"); return err },
		"LogoutURL":  func() error { _, err := c.LogoutURL(ctx, LogoutOptions{}); return err },
	} {
		if err := call(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: got %v, want unavailable", name, err)
		}
	}
}

package client

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

var testRSA = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func ecKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// selfSigned is a certificate of key.
func selfSigned(t *testing.T, key crypto.Signer) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: testStart.AddDate(-1, 0, 0), NotAfter: testStart.AddDate(10, 0, 0),
		BasicConstraintsValid: true, IsCA: true, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// A sentJWT is one that the client made.
type sentJWT struct {
	header, claims map[string]any
	input, sig     []byte
}

func readJWT(t *testing.T, token string) sentJWT {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a compact JWS: %q", token)
	}
	var j sentJWT
	for i, v := range []any{&j.header, &j.claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, v); err != nil {
			t.Fatal(err)
		}
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	j.input, j.sig = []byte(parts[0]+"."+parts[1]), sig
	return j
}

// want compares header and claims, but for jti, which it returns.
func (j sentJWT) want(t *testing.T, header, claims map[string]any) (jti string) {
	t.Helper()
	jti, _ = j.claims["jti"].(string)
	rest := maps.Clone(j.claims)
	delete(rest, "jti")
	got, _ := json.Marshal([]any{j.header, rest})
	want, _ := json.Marshal([]any{header, claims})
	if string(got) != string(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	return jti
}

// tokenForm is the body of the last request to a path.
func (p *op) lastForm(path string) url.Values {
	p.t.Helper()
	seen := p.seen(path)
	if len(seen) == 0 {
		p.t.Fatalf("no request to %s", path)
	}
	form, err := url.ParseQuery(seen[len(seen)-1].Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return form
}

// wantAssertion checks what goes over the wire beside the assertion, and that nothing
// else does; it returns the assertion.
func (p *op) wantAssertion(path string, rest url.Values) string {
	p.t.Helper()
	form := p.lastForm(path)
	assertion := form.Get("client_assertion")
	if len(form["client_assertion"]) != 1 {
		p.t.Fatalf("%d assertions", len(form["client_assertion"]))
	}
	form.Del("client_assertion")
	want := url.Values{"client_id": {testClientID}, "client_assertion_type": {assertionType}}
	maps.Copy(want, rest)
	if form.Encode() != want.Encode() {
		p.t.Errorf("got  %s\nwant %s", form.Encode(), want.Encode())
	}
	seen := p.seen(path)
	header := seen[len(seen)-1].Header
	if len(header) != 3 || header.Get("Accept") == "" || header.Get("Content-Type") == "" || header.Get("User-Agent") == "" {
		p.t.Errorf("got the header %v", header)
	}
	return assertion
}

var refreshForm = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"r"}}

// refreshWith sends one token request.
func (p *op) refreshWith(change func(*Config)) error {
	p.t.Helper()
	_, err := p.client(change).Refresh(p.t.Context(), &Tokens{RefreshToken: "r"})
	return err
}

func assertionOf(aud string) map[string]any {
	return map[string]any{"iss": testClientID, "sub": testClientID, "aud": aud, "iat": testStart.Unix(), "exp": testStart.Unix() + 60}
}

func TestPrivateKeyJWT(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, p384, p521 := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384()), ecKey(t, elliptic.P521())
	certificate := selfSigned(t, p256)
	thumb, thumb256 := sha1.Sum(certificate.Raw), sha256.Sum256(certificate.Raw)
	const typ = "client-authentication+jwt"
	for _, test := range []struct {
		name      string
		auth      PrivateKeyJWT
		supported []string
		header    map[string]any
		aud       string
	}{
		{"RSA", PrivateKeyJWT{Key: testRSA()}, nil, map[string]any{"alg": "RS256", "typ": typ}, testIssuer},
		{"RSA, PS256 listed", PrivateKeyJWT{Key: testRSA()}, []string{"ES256", "PS256"}, map[string]any{"alg": "PS256", "typ": typ}, testIssuer},
		{"RSA, both listed", PrivateKeyJWT{Key: testRSA()}, []string{"PS256", "RS256"}, map[string]any{"alg": "RS256", "typ": typ}, testIssuer},
		{"RSA, PS512 configured and not listed", PrivateKeyJWT{Key: testRSA(), Algorithm: "PS512"}, []string{"RS256"}, map[string]any{"alg": "PS512", "typ": typ}, testIssuer},
		{"P-256", PrivateKeyJWT{Key: p256, KeyID: "k"}, nil, map[string]any{"alg": "ES256", "typ": typ, "kid": "k"}, testIssuer},
		{"P-384", PrivateKeyJWT{Key: p384}, nil, map[string]any{"alg": "ES384", "typ": typ}, testIssuer},
		{"P-521", PrivateKeyJWT{Key: p521}, nil, map[string]any{"alg": "ES512", "typ": typ}, testIssuer},
		{"Ed25519", PrivateKeyJWT{Key: ed}, nil, map[string]any{"alg": "EdDSA", "typ": typ}, testIssuer},
		{"Ed25519 by its new name", PrivateKeyJWT{Key: ed}, []string{"Ed25519"}, map[string]any{"alg": "Ed25519", "typ": typ}, testIssuer},
		{"certificate", PrivateKeyJWT{Key: p256, Certificate: certificate}, nil, map[string]any{
			"alg": "ES256", "typ": typ,
			"x5t": base64.RawURLEncoding.EncodeToString(thumb[:]), "x5t#S256": base64.RawURLEncoding.EncodeToString(thumb256[:]),
		}, testIssuer},
		{"audience", PrivateKeyJWT{Key: p256, Audience: testIssuer + "/token"}, nil, map[string]any{"alg": "ES256", "typ": typ}, testIssuer + "/token"},
		{"type", PrivateKeyJWT{Key: p256, Type: "JWT"}, nil, map[string]any{"alg": "ES256", "typ": "JWT"}, testIssuer},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			if test.supported != nil {
				p.metadata["token_endpoint_auth_signing_alg_values_supported"] = test.supported
			}
			if err := p.refreshWith(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = test.auth, "" }); err != nil {
				t.Fatal(err)
			}
			sent := readJWT(t, p.wantAssertion("/token", refreshForm))
			if jti := sent.want(t, test.header, assertionOf(test.aud)); len(jti) < 26 { // of base32: 130 bits
				t.Errorf("jti %q", jti)
			}
			key := jwtverify.Key{Public: test.auth.Key.Public()}
			if err := key.VerifySignature(test.header["alg"].(string), sent.input, sent.sig); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSecretJWT(t *testing.T) {
	for _, test := range []struct {
		name      string
		auth      SecretJWT
		size      int
		supported []string
		alg       string
		hash      func() hash.Hash
	}{
		{"nothing listed", SecretJWT{}, 64, nil, "HS256", sha256.New},
		{"all listed", SecretJWT{}, 64, []string{"HS512", "HS384", "HS256"}, "HS256", sha256.New},
		{"HS384 listed", SecretJWT{}, 48, []string{"RS256", "HS384"}, "HS384", sha512.New384},
		{"HS512 listed", SecretJWT{}, 64, []string{"HS512"}, "HS512", sha512.New},
		{"HS512 configured", SecretJWT{Algorithm: "HS512"}, 64, []string{"HS256"}, "HS512", sha512.New},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			if test.supported != nil {
				p.metadata["token_endpoint_auth_signing_alg_values_supported"] = test.supported
			}
			secret := secretOf(test.size)
			if err := p.refreshWith(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = test.auth, secret }); err != nil {
				t.Fatal(err)
			}
			sent := readJWT(t, p.wantAssertion("/token", refreshForm))
			sent.want(t, map[string]any{"alg": test.alg, "typ": "client-authentication+jwt"}, assertionOf(testIssuer))
			mac := hmac.New(test.hash, []byte(secret))
			mac.Write(sent.input)
			if !hmac.Equal(mac.Sum(nil), sent.sig) {
				t.Error("it is not under the secret")
			}
		})
	}
}

// What the metadata rules out is not sent.
func TestAssertionUnsupported(t *testing.T) {
	for name, test := range map[string]struct {
		auth   ClientAuth
		listed []string
		want   string
	}{
		"no algorithm of the key": {PrivateKeyJWT{Key: testRSA()}, []string{"ES256", "HS256"},
			"token_endpoint_auth_signing_alg_values_supported: not supported by the provider: none of these is one that the key signs with"},
		"no HMAC": {SecretJWT{}, []string{"ES256"},
			"not supported by the provider: its token_endpoint_auth_signing_alg_values_supported has no HMAC that the secret is long enough for: if it takes one, name it in SecretJWT.Algorithm"},
		"a longer HMAC": {SecretJWT{}, []string{"HS512"},
			"not supported by the provider: its token_endpoint_auth_signing_alg_values_supported has no HMAC that the secret is long enough for: if it takes one, name it in SecretJWT.Algorithm"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newOP(t)
			p.metadata["token_endpoint_auth_signing_alg_values_supported"] = test.listed
			err := p.refreshWith(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = test.auth, secretOf(63) })
			if !errors.Is(err, ErrUnsupported) || err.Error() != "client: token endpoint: client authentication: "+test.want {
				t.Errorf("got %v", err)
			}
			if len(p.seen("/token")) != 0 {
				t.Error("a request was sent")
			}
		})
	}
}

// Every request has an assertion of its own, whatever the endpoint.
func TestAssertionIsMadeAnew(t *testing.T) {
	p := newOP(t)
	p.reply("/introspect", 200, "application/json", `{"active":false}`)
	c := p.client(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = PrivateKeyJWT{Key: testKey()}, "" })
	tokens := p.signIn(c)
	for range 2 {
		if _, err := c.Refresh(t.Context(), tokens); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Revoke(t.Context(), tokens); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Introspect(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	seen := map[any]bool{}
	for path, n := range map[string]int{"/token": 3, "/revoke": 2, "/introspect": 1} {
		requests := p.seen(path)
		if len(requests) != n {
			t.Fatalf("%d requests to %s, want %d", len(requests), path, n)
		}
		for _, r := range requests {
			form, err := url.ParseQuery(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			sent := readJWT(t, form.Get("client_assertion"))
			if sent.claims["aud"] != testIssuer || seen[sent.claims["jti"]] {
				t.Errorf("%s: aud %v, jti %v", path, sent.claims["aud"], sent.claims["jti"])
			}
			seen[sent.claims["jti"]] = true
		}
	}
}

// A signer elsewhere may fail.
type brokenSigner struct{ crypto.Signer }

func (brokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the vault is closed")
}

func TestAssertionFails(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) AssertionFile {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return AssertionFile(name)
	}
	closed := errors.New("no identity today")
	for name, test := range map[string]struct {
		auth ClientAuth
		want string
	}{
		"signer":             {PrivateKeyJWT{Key: brokenSigner{testKey()}}, "signing with ES256: the vault is closed"},
		"function":           {AssertionFunc(func(context.Context) (string, error) { return "", closed }), "no identity today"},
		"empty assertion":    {AssertionFunc(func(context.Context) (string, error) { return "", nil }), "the assertion is empty"},
		"assertion in lines": {AssertionFunc(func(context.Context) (string, error) { return "a\nb", nil }), "the assertion has characters other than visible ASCII"},
		"empty file":         {write("empty", "\n"), "the assertion is empty"},
		"large file":         {write("large", strings.Repeat("a", maxToken+1)), "the assertion has more than 16384 bytes"},
		"huge file":          {write("huge", strings.Repeat("a", 1<<20)), "the assertion has more than 16384 bytes"},
		"file of two":        {write("two", "a b"), "the assertion has characters other than visible ASCII"},
		"no file":            {AssertionFile(filepath.Join(dir, "none")), "open " + filepath.Join(dir, "none") + ": no such file or directory"},
		"secret function":    {SecretFunc(func(context.Context) (string, error) { return "", closed }), "no identity today"},
		"empty secret":       {SecretFunc(func(context.Context) (string, error) { return "", nil }), "the secret is empty"},
		"secret with a line": {SecretFunc(func(context.Context) (string, error) { return "a\n", nil }), "the secret has characters other than printable ASCII"},
		"large secret":       {SecretFunc(func(context.Context) (string, error) { return strings.Repeat("a", maxToken+1), nil }), "the secret has more than 16384 bytes"},
		"Apple's signer":     {AppleSecret{TeamID: "t", KeyID: "k", Key: brokenSigner{testKey()}}, "signing with ES256: the vault is closed"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newOP(t)
			err := p.refreshWith(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = test.auth, "" })
			if err == nil || err.Error() != "client: token endpoint: client authentication: "+test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if strings.HasSuffix(name, "function") && !errors.Is(err, closed) {
				t.Error("the cause is not in the chain")
			}
			if errors.Is(err, ErrInvalidGrant) || len(p.seen("/token")) != 0 {
				t.Error("a request was sent, or the grant passes for dead")
			}
		})
	}
}

// The platform renews the file, and a callback may give another assertion each time.
func TestWorkloadIdentity(t *testing.T) {
	name := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := newOP(t)
	c := p.client(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = AssertionFile(name), "" })
	largest := strings.Repeat("a", maxToken)
	for _, text := range []string{"first.CANARY", "second.CANARY\n", largest + "\r\n"} {
		write(text)
		if _, err := c.Refresh(t.Context(), &Tokens{RefreshToken: "r"}); err != nil {
			t.Fatal(err)
		}
		if got := p.wantAssertion("/token", refreshForm); got != strings.TrimSpace(text) {
			t.Errorf("got %d bytes of %q", len(got), cut(got, 32))
		}
	}
	calls := 0
	c = p.client(func(cfg *Config) {
		cfg.ClientSecret = ""
		cfg.Auth = AssertionFunc(func(context.Context) (string, error) { calls++; return "called.CANARY", nil })
	})
	for range 2 {
		if _, err := c.Refresh(t.Context(), &Tokens{RefreshToken: "r"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.wantAssertion("/token", refreshForm); got != "called.CANARY" || calls != 2 {
		t.Errorf("got %q after %d calls", got, calls)
	}
}

func TestJWKS(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crypto.Signer{testRSA(), ed, ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384()), ecKey(t, elliptic.P521())} {
		document, err := (PrivateKeyJWT{Key: key, KeyID: "k"}).JWKS()
		if err != nil {
			t.Fatal(err)
		}
		keys, err := jwtverify.ParseJWKS(document)
		if err != nil || len(keys) != 1 || keys[0].ID != "k" || !key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(keys[0].Public) {
			t.Errorf("%T: %v from %s", key, err, document)
		}
		var set struct{ Keys []map[string]string }
		if err := json.Unmarshal(document, &set); err != nil || set.Keys[0]["use"] != "sig" || set.Keys[0]["d"] != "" {
			t.Errorf("got %s", document)
		}
	}
	if _, err := (PrivateKeyJWT{}).JWKS(); err == nil || err.Error() != "client: there is no key" {
		t.Errorf("got %v", err)
	}
	certificate := selfSigned(t, testRSA())
	named, err := (PrivateKeyJWT{Key: testRSA(), Algorithm: "PS256", Certificate: certificate}).JWKS()
	x5c := `"x5c":["` + base64.StdEncoding.EncodeToString(certificate.Raw) + `"]`
	if err != nil || !strings.Contains(string(named), `"alg":"PS256"`) || !strings.Contains(string(named), x5c) {
		t.Errorf("got %s, %v", named, err)
	}
}

// Apple's documentation has this secret: a JWT of the team about the client.
func TestAppleSecret(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	p := newOP(t)
	auth := AppleSecret{TeamID: "DEF123GHIJ", KeyID: "ABC123DEFG", Key: key}
	if err := p.refreshWith(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = auth, "" }); err != nil {
		t.Fatal(err)
	}
	form := p.lastForm("/token")
	sent := readJWT(t, form.Get("client_secret"))
	sent.want(t, map[string]any{"alg": "ES256", "kid": "ABC123DEFG"}, map[string]any{
		"iss": "DEF123GHIJ", "sub": testClientID, "aud": "https://appleid.apple.com", "iat": testStart.Unix(), "exp": testStart.Unix() + 60,
	})
	if err := (jwtverify.Key{Public: key.Public()}).VerifySignature("ES256", sent.input, sent.sig); err != nil {
		t.Error(err)
	}
	form.Del("client_secret")
	if want := "client_id=web&grant_type=refresh_token&refresh_token=r"; form.Encode() != want {
		t.Errorf("got %s, want %s", form.Encode(), want)
	}
}

func TestSecretFunc(t *testing.T) {
	p := newOP(t)
	calls := 0
	c := p.client(func(cfg *Config) {
		cfg.ClientSecret = ""
		cfg.Auth = SecretFunc(func(context.Context) (string, error) { calls++; return "s+" + strings.Repeat(" x", calls), nil })
	})
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {userAgent}}
	var want []sentRequest
	for _, secret := range []string{"s%2B+x", "s%2B+x+x"} {
		if _, err := c.Refresh(t.Context(), &Tokens{RefreshToken: "r"}); err != nil {
			t.Fatal(err)
		}
		want = append(want, sentRequest{"POST", testIssuer + "/token", header, "client_id=web&client_secret=" + secret + "&grant_type=refresh_token&refresh_token=r"})
	}
	p.wantRequests("/token", want...)
}

func TestAuthRejected(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p256 := ecKey(t, elliptic.P256())
	identity := AssertionFunc(func(context.Context) (string, error) { return "a", nil })
	for _, test := range []struct {
		name   string
		auth   ClientAuth
		secret string
		want   string
	}{
		{"secret JWT without a secret", SecretJWT{}, "", "client_secret_jwt needs Config.ClientSecret, and it is empty"},
		{"secret JWT with a short secret", SecretJWT{}, secretOf(31), "client_secret_jwt needs a Config.ClientSecret of at least 32 bytes"},
		{"HS384 with a short secret", SecretJWT{Algorithm: "HS384"}, secretOf(47), "client_secret_jwt needs a Config.ClientSecret of at least 48 bytes"},
		{"HS512 with a short secret", &SecretJWT{Algorithm: "HS512"}, secretOf(63), "client_secret_jwt needs a Config.ClientSecret of at least 64 bytes"},
		{"secret JWT by RS256", SecretJWT{Algorithm: "RS256"}, secretOf(64), `client_secret_jwt has the Algorithm "RS256", which is not one of HS256, HS384, HS512`},
		{"no key", PrivateKeyJWT{}, "", "private_key_jwt cannot sign: there is no key"},
		{"weak key", PrivateKeyJWT{Key: weak}, "", "private_key_jwt cannot sign: RSA key has fewer than 2048 bits"},
		{"P-224", PrivateKeyJWT{Key: ecKey(t, elliptic.P224())}, "", "private_key_jwt cannot sign: key is on a curve that no algorithm has"},
		{"algorithm of another key", PrivateKeyJWT{Key: p256, Algorithm: "RS256"}, "", `private_key_jwt cannot sign: the key signs with ES256, and not with "RS256"`},
		{"algorithm none", PrivateKeyJWT{Key: p256, Algorithm: "none"}, "", `private_key_jwt cannot sign: the key signs with ES256, and not with "none"`},
		{"certificate of another key", PrivateKeyJWT{Key: p256, Certificate: selfSigned(t, testKey())}, "", "private_key_jwt has a Certificate that is not of its Key"},
		{"no function", AssertionFunc(nil), "", "private_key_jwt needs an AssertionFunc, and it is nil"},
		{"function and secret", identity, testSecret, "private_key_jwt is for a client without Config.ClientSecret, and it is set"},
		{"no file name", AssertionFile(""), "", "private_key_jwt needs the name of an AssertionFile, and it is empty: is the environment variable set?"},
		{"file and secret", AssertionFile("a"), testSecret, "private_key_jwt is for a client without Config.ClientSecret, and it is set"},
		{"no secret function", SecretFunc(nil), "", "client_secret_post needs a SecretFunc, and it is nil"},
		{"secret function and secret", SecretFunc(identity), testSecret, "client_secret_post is for a client without Config.ClientSecret, and it is set"},
		{"Apple without a team", AppleSecret{KeyID: "k", Key: p256}, "", "client_secret_post needs TeamID, KeyID and Key of the AppleSecret"},
		{"Apple without a key ID", AppleSecret{TeamID: "t", Key: p256}, "", "client_secret_post needs TeamID, KeyID and Key of the AppleSecret"},
		{"Apple without a key", AppleSecret{TeamID: "t", KeyID: "k"}, "", "client_secret_post needs TeamID, KeyID and Key of the AppleSecret"},
		{"Apple with RSA", AppleSecret{TeamID: "t", KeyID: "k", Key: testRSA()}, "", "client_secret_post needs a Key on the curve P-256 in the AppleSecret"},
		{"Apple with P-384", AppleSecret{TeamID: "t", KeyID: "k", Key: ecKey(t, elliptic.P384())}, "", "client_secret_post needs a Key on the curve P-256 in the AppleSecret"},
		{"Apple and secret", AppleSecret{TeamID: "t", KeyID: "k", Key: p256}, testSecret, "client_secret_post is for a client without Config.ClientSecret, and it is set"},
		{"no certificate", TLSClientAuth{}, "", "tls_client_auth needs Config.Certificate, and it is nil"},
		{"no self-signed certificate", SelfSignedTLSClientAuth{}, "", "self_signed_tls_client_auth needs Config.Certificate, and it is nil"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := New(changed(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = test.auth, test.secret }))
			if c != nil || err == nil || err.Error() != "client: Config.Auth: "+test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// Any client with credentials of its own is no public one.
func TestPrivateUseSchemeIsForPublicClients(t *testing.T) {
	for _, auth := range []ClientAuth{PrivateKeyJWT{Key: testKey()}, AssertionFile("a"), AppleSecret{TeamID: "t", KeyID: "k", Key: testKey()}} {
		_, err := New(changed(func(cfg *Config) { cfg.Auth, cfg.ClientSecret, cfg.RedirectURL = auth, "", "com.example.app:/cb" }))
		if err == nil || !strings.Contains(err.Error(), "only a public client may have one") {
			t.Errorf("%T: got %v", auth, err)
		}
	}
}

// What one way adds is not shown by the error of a provider that repeats it.
func TestNoAssertionInErrors(t *testing.T) {
	secret := func(context.Context) (string, error) { return "computed-CANARY", nil }
	for name, auth := range map[string]ClientAuth{
		"private_key_jwt": PrivateKeyJWT{Key: testKey()}, "assertion": AssertionFunc(secret), "secret": SecretFunc(secret),
		"Apple": AppleSecret{TeamID: "t", KeyID: "k", Key: testKey()},
	} {
		p := newOP(t)
		p.handle("/token", func(r *http.Request) (*http.Response, error) {
			body, _ := r.GetBody()
			text, _ := io.ReadAll(body)
			form, _ := url.ParseQuery(string(text))
			said := form.Get("client_assertion") + form.Get("client_secret")
			return jsonResponse(401, map[string]any{"error": "invalid_client", "error_description": said, "error_uri": string(text)}), nil
		})
		err := p.refreshWith(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = auth, "" })
		var e *ResponseError
		if !errors.As(err, &e) || !strings.Contains(e.Description, redacted) {
			t.Fatalf("%s: %v", name, err)
		}
		if shown := e.Description + e.URI; strings.Contains(shown, "CANARY") || strings.Contains(shown, "eyJ") {
			t.Errorf("%s: the error shows %s", name, shown)
		}
	}
}

func TestKeysAreRedacted(t *testing.T) {
	key := testKey()
	d, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	private := PrivateKeyJWT{Key: key, KeyID: "kid-CANARY"}
	apple := AppleSecret{TeamID: "t", KeyID: "kid-CANARY", Key: key}
	for _, v := range []any{private, &private, apple, &apple, Config{Auth: private}, Config{Auth: apple}} {
		text := renderings(t, v)
		if strings.Contains(text, "CANARY") || strings.Contains(text, new(big.Int).SetBytes(d).String()) || !strings.Contains(text, redacted) {
			t.Errorf("%T shows its key:\n%s", v, text)
		}
	}
}

func TestAssertionHints(t *testing.T) {
	for _, test := range []struct {
		auth    ClientAuth
		secret  string
		methods []string
		want    string
	}{
		{PrivateKeyJWT{Key: testKey()}, "", nil, "private_key_jwt was refused; does the provider have the public key, want another audience than its issuer, or have another time?"},
		{SecretJWT{}, secretOf(32), nil, "client_secret_jwt was refused; if the secret is right, try Config.Auth: client.SecretBasic{}"},
		{SecretJWT{}, secretOf(32), []string{"client_secret_jwt"}, ""},
		{AppleSecret{TeamID: "t", KeyID: "k", Key: testKey()}, "", []string{"client_secret_post"}, ""},
	} {
		p := newOP(t)
		if test.methods != nil {
			p.metadata["token_endpoint_auth_methods_supported"] = test.methods
		}
		p.reply("/token", 401, "application/json", `{"error":"invalid_client"}`)
		err := p.refreshWith(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = test.auth, test.secret })
		var e *ResponseError
		if !errors.As(err, &e) || e.Hint != test.want || len(p.seen("/token")) != 1 {
			t.Errorf("%T: got %v, want the hint %q, and one request", test.auth, err, test.want)
		}
	}
}

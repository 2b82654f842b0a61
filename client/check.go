package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// A Severity says how bad a Finding is.
type Severity string

// What a Finding means.
const (
	SeverityError   Severity = "error"   // people cannot sign in, or what is configured does not work
	SeverityWarning Severity = "warning" // it may fail with this provider, or is weaker than it could be
	SeverityNote    Severity = "note"    // all is well; worth knowing
)

// A Finding is one thing that [Client.Check] has to say, in sentences for whoever
// configures the program. It holds no secrets. What is quoted in it is foreign, and cut.
type Finding struct {
	Severity Severity `json:"severity"`
	Field    string   `json:"field"`   // of Config, which it is about: Config.RedirectURL
	Problem  string   `json:"problem"` // what is the matter
	Fix      string   `json:"fix"`     // what to do
}

// String returns the finding in one line.
func (f Finding) String() string {
	return string(f.Severity) + ": " + f.Field + ": " + f.Problem + " " + f.Fix
}

// Check compares the configuration with what the provider says of itself at this moment,
// and says what to fix: call it from a command of the program, or at its start with the
// findings in the log. It sends two GET requests, for the metadata (unless Config.Metadata
// is set) and for the keys, both past every cache and without credentials; a provider that
// cannot be reached is a finding too. No findings mean that nothing is known to be wrong:
// what the provider has registered for the client is visible to the provider alone. Of a
// client of NewOAuth it looks at the configuration alone, and sends nothing.
//
// The order is that of the questions, and always the same.
func (c *Client) Check(ctx context.Context) []Finding {
	v := &visit{cfg: &c.cfg, leeway: c.leeway()}
	v.checkRedirectURL()
	v.checkSecrets(c.Now())
	if c.oauth != nil {
		return v.findings // the provider says nothing of itself
	}
	if v.m = c.examineMetadata(ctx, v); v.m == nil {
		return v.findings
	}
	for _, check := range visitChecks {
		check(v)
	}
	c.examineKeys(ctx, v)
	return v.findings
}

// A visit collects what is found.
type visit struct {
	cfg      *Config
	m        *Metadata
	leeway   time.Duration
	clock    bool // has been compared
	findings []Finding
}

// visitChecks compare the configuration with the metadata.
var visitChecks = [...]func(*visit){
	(*visit).checkProfile,
	(*visit).checkScopes,
	(*visit).checkOffline,
	(*visit).checkAuth,
	(*visit).checkAssertion,
	(*visit).checkResponses,
	(*visit).checkPKCE,
	(*visit).checkIss,
	(*visit).checkPushing,
	(*visit).checkRequestObject,
	(*visit).checkSignedAnswers,
	(*visit).checkDPoP,
	(*visit).checkCertificate,
	(*visit).checkAlgorithms,
	(*visit).checkLogout,
}

func (v *visit) found(severity Severity, field, fix, problem string, args ...any) {
	v.findings = append(v.findings, Finding{severity, "Config." + field, fmt.Sprintf(problem, args...), fix})
}

// examineMetadata returns the metadata, or nil and says why.
func (c *Client) examineMetadata(ctx context.Context, v *visit) *Metadata {
	if given := c.givenMetadata(); given != nil {
		return given
	}
	before, place := c.Now(), c.cfg.metadataURL()
	a, err := c.fetchDocument(ctx)
	if err != nil {
		v.found(SeverityError, "Issuer", "Open the address in a browser: it must answer with JSON, from this machine too.",
			"The metadata at %s cannot be had: %s.", place, bare(err))
		return nil
	}
	v.checkClock(before, c.Now(), a.header)
	m, err := c.readMetadata(a.body)
	if err != nil {
		v.found(SeverityError, "Issuer", "The issuer must be written as the provider writes it, byte for byte, and all its endpoints must be its own https addresses.",
			"The metadata at %s is refused: %s.", place, err)
		return nil
	}
	return m
}

// readMetadata is what a sign-in would go by, but for the demands of a profile.
func (c *Client) readMetadata(body string) (*Metadata, error) {
	document, err := c.cfg.MetadataOverride.over(body)
	if err != nil {
		return nil, err
	}
	m, err := parseMetadata(document, c.cfg.Issuer)
	if err != nil {
		return nil, err
	}
	_, err = c.newProvider(document)
	return m, err
}

// givenMetadata is what Config.Metadata was; nil: it is discovered.
func (c *Client) givenMetadata() *Metadata {
	d := &c.discovery
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == nil || !d.current.until.IsZero() {
		return nil
	}
	return d.current.metadata
}

// bare is the text of an error without the name of this package.
func bare(err error) string { return strings.TrimPrefix(err.Error(), "client: ") }

// examineKeys looks for a key that may verify ID tokens.
func (c *Client) examineKeys(ctx context.Context, v *visit) {
	const fix = "Without its keys no ID token can be verified. Open the address in a browser, and look at what the provider signs with."
	before := c.Now()
	a, err := send(ctx, c.fetch, endpoint{name: "jwks", url: v.m.JWKSURI}, message{method: http.MethodGet})
	if err != nil {
		v.found(SeverityError, "Issuer", fix, "The keys at %s cannot be had: %s.", cut(v.m.JWKSURI, maxDescription), bare(err))
		return
	}
	v.checkClock(before, c.Now(), a.header)
	if a.status != http.StatusOK {
		v.found(SeverityError, "Issuer", fix, "The keys at %s cannot be had: status %d.", cut(v.m.JWKSURI, maxDescription), a.status)
		return
	}
	keys, err := jwtverify.ParseJWKS([]byte(a.body))
	if err != nil {
		v.found(SeverityError, "Issuer", fix, "What is at %s is no set of keys.", cut(v.m.JWKSURI, maxDescription))
		return
	}
	algs := v.accepted()
	usable := func(key jwtverify.Key) bool {
		return slices.ContainsFunc(algs, func(alg string) bool { return verifies(key, alg) })
	}
	if len(algs) > 0 && !slices.ContainsFunc(keys, usable) {
		v.found(SeverityError, "Issuer", fix, "Of the keys at %s none verifies %s.", cut(v.m.JWKSURI, maxDescription), strings.Join(algs, " or "))
	}
}

// accepted are the algorithms by which a public key may verify ID tokens here; none: they
// are authenticated with the client's secret, or by nothing, which was found before.
func (v *visit) accepted() []string {
	offered := v.m.IDTokenSigningAlgValuesSupported
	algs, err := v.cfg.signingAlgorithms(offered)
	switch {
	case err != nil || macBytes(v.cfg.IDTokenSignedResponseAlg) > 0:
		return nil
	case algs == nil:
		return algorithms[:]
	case !shares(offered, algs):
		return nil
	}
	return algs
}

// verifies tells whether key is one for alg (RFC 7518 3.1, RFC 8037 3.1).
func verifies(key jwtverify.Key, alg string) bool {
	isEd := strings.HasPrefix(alg, "Ed")
	if key.Algorithm != "" && key.Algorithm != alg && !(isEd && strings.HasPrefix(key.Algorithm, "Ed")) {
		return false
	}
	switch public := key.Public.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	case *ecdsa.PublicKey:
		return map[string]int{"ES256": 256, "ES384": 384, "ES512": 521}[alg] == public.Curve.Params().BitSize
	case ed25519.PublicKey:
		return isEd
	}
	return false
}

// checkClock compares the Date of an answer (RFC 9110 6.6.1), once. Whoever kept the
// answer for others says for how long (RFC 9111 5.1).
func (v *visit) checkClock(before, after time.Time, header http.Header) {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil || v.clock {
		return
	}
	v.clock = true
	if age, err := strconv.Atoi(header.Get("Age")); err == nil && age > 0 && age < int(maxRefused/time.Second) {
		date = date.Add(time.Duration(age) * time.Second)
	}
	const fix = "Set it, and keep it set by NTP: tokens are refused as expired, or as from the future."
	bound := v.leeway + time.Second // the Date has no fractions
	if ahead := before.Sub(date); ahead > bound {
		v.found(SeverityError, "Now", fix, "The clock is %v ahead of the provider's.", ahead.Truncate(time.Second))
	}
	if behind := date.Sub(after); behind > bound {
		v.found(SeverityError, "Now", fix, "The clock is %v behind the provider's.", behind.Truncate(time.Second))
	}
}

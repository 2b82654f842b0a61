package client

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/jwtpack"
)

// A Registration is a client as the provider registered it, with its credentials. It
// prints as issuer and client ID; MarshalBinary, versioned, is the one door to storage.
// The methods do not change it, and it may be used concurrently.
//
// One that was written down elsewhere can be put together by hand: Config needs Issuer
// and ClientID, and Read, Update and Delete need RegistrationAccessToken and
// RegistrationClientURI too.
type Registration struct {
	Issuer       string
	ClientID     string
	ClientSecret string // empty: none

	ClientIDIssuedAt      time.Time // zero: the provider did not say
	ClientSecretExpiresAt time.Time // zero: never. Config refuses one that is past

	// RegistrationAccessToken and RegistrationClientURI are for Read, Update and Delete.
	// Empty: the provider lets nobody manage the client (RFC 7592 is optional).
	//
	// The URI is https, or http on a loopback host where the issuer is that too. It may be
	// on another host than the issuer, as every endpoint of a provider may: it came in the
	// same answer as the token, so that whoever chose the place knows the token already. The
	// token is sent nowhere else, and no redirect is followed.
	RegistrationAccessToken string
	RegistrationClientURI   string

	// Metadata is what the provider says it registered, which counts over what it was
	// asked for. A provider that does not say all of it has it as it was asked for, or as
	// its documentation says.
	Metadata ClientMetadata

	// HTTPClient is used as Config.HTTPClient is, and handed on by Config. Neither it nor
	// Now is stored. Now is the clock; nil: time.Now.
	HTTPClient *http.Client
	Now        func() time.Time

	asked         ClientMetadata // by the last Register or Update
	defaultMethod string         // of authentication, where neither names one; empty: that of RFC 7591
}

func (r *Registration) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// Read asks for the registration as it is now (RFC 7592 2.1). Store what it returns: the
// provider may have changed the secret and the token, and then those of r are no good any
// more.
//
// The error of Read, Update and Delete wraps ErrUnsupported where the registration cannot
// be managed, and is a [*ResponseError] for an answer that was not accepted: Status 401
// means that the token is not good any more, or that there is no such client.
func (r *Registration) Read(ctx context.Context) (*Registration, error) {
	a, err := r.manage(ctx, http.MethodGet, "")
	if err != nil {
		return nil, err
	}
	return r.next(a)
}

// Update replaces the metadata by m (RFC 7592 2.2): what m does not have the provider
// takes for deleted. So m is r.Metadata, changed. Store what Update returns, as with
// Read, before anything else: where the answer of an Update is lost, so is the token that
// a provider gave in it.
func (r *Registration) Update(ctx context.Context, m ClientMetadata) (*Registration, error) {
	members, err := m.members()
	if err != nil {
		return nil, fmt.Errorf("client: ClientMetadata.%w", err)
	}
	members["client_id"] = r.ClientID
	if r.ClientSecret != "" { // that it has now: IBM Verify Access wants it, nobody lets it be chosen
		members["client_secret"] = r.ClientSecret
	}
	body, err := json.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("client: ClientMetadata: %w", err)
	}
	a, err := r.manage(ctx, http.MethodPut, string(body))
	if err != nil {
		return nil, err
	}
	n := *r
	n.asked = m.clone()
	return n.next(a)
}

// Delete ends the client at the provider, with its secret and its tokens (RFC 7592 2.3).
func (r *Registration) Delete(ctx context.Context) error {
	a, err := r.manage(ctx, http.MethodDelete, "")
	if err != nil {
		return err
	}
	if a.status != http.StatusNoContent && a.status != http.StatusOK {
		return a.oauthError()
	}
	return nil
}

// manage sends a request to the client configuration endpoint.
func (r *Registration) manage(ctx context.Context, method, body string) (*answer, error) {
	if r.RegistrationClientURI == "" || r.RegistrationAccessToken == "" {
		return nil, fmt.Errorf("client: %w: the registration came without registration_client_uri or registration_access_token", ErrUnsupported)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("client: Registration: %w", err)
	}
	m := message{method: method, header: http.Header{}, body: body, secrets: []string{r.RegistrationAccessToken, r.ClientSecret}}
	m.header.Set("Authorization", "Bearer "+r.RegistrationAccessToken)
	if body != "" {
		m.header.Set("Content-Type", "application/json")
	}
	call, _ := httpClients(r.HTTPClient)
	a, err := send(ctx, call, endpoint{name: "client configuration", url: r.RegistrationClientURI}, m)
	if err == nil && a.status == http.StatusMethodNotAllowed { // RFC 7592 2.2 and 2.3
		e := a.oauthError()
		e.Err = ErrUnsupported
		return nil, e
	}
	return a, err
}

// Config turns the registration into a configuration for [New]. base has what a
// registration does not: Scopes, the keys of the client (Auth, Decrypt, DPoP), a
// RedirectURL where several are registered. The rest is filled in: Issuer, ClientID,
// ClientSecret, RedirectURL where one is registered, IDTokenSignedResponseAlg, and Auth
// for a client that has a secret or nothing to authenticate with. HTTPClient and Now are
// those of r where base has none.
//
// The method of authentication is what the provider answered, else what it was asked for,
// else what its documentation says, else client_secret_basic (RFC 7591 2); a client that
// got no secret, and about which nobody said anything, is public. Nothing is tried out.
//
// It is an error for base to contradict the registration, for the secret to have
// expired, and for a key to be missing that the client is registered to have.
func (r *Registration) Config(base Config) (Config, error) {
	cfg := base
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = r.HTTPClient
	}
	if cfg.Now == nil {
		cfg.Now = r.Now
	}
	for _, take := range []func(*Config) error{r.identify, r.algorithm, r.authentication, r.keys, r.redirect} {
		if err := take(&cfg); err != nil {
			return Config{}, fmt.Errorf("client: registration: %w", err)
		}
	}
	return cfg, nil
}

func (r *Registration) identify(cfg *Config) error {
	for _, same := range [...]struct {
		name  string
		field *string
		value string
	}{
		{"Issuer", &cfg.Issuer, r.Issuer},
		{"ClientID", &cfg.ClientID, r.ClientID},
	} {
		if *same.field != "" && *same.field != same.value {
			return fmt.Errorf("Config.%s is set, and it is another one than the client has", same.name)
		}
		*same.field = same.value
	}
	if cfg.ClientSecret != "" {
		return errors.New("Config.ClientSecret is set, and it is for the registration to say")
	}
	return nil
}

// algorithm takes over how ID tokens are signed. Where nobody said it, the metadata
// decides as for every other client.
func (r *Registration) algorithm(cfg *Config) error {
	alg := cmp.Or(r.Metadata.IDTokenSignedResponseAlg, r.asked.IDTokenSignedResponseAlg)
	if alg == "" {
		return nil
	}
	if cfg.IDTokenSignedResponseAlg != "" && cfg.IDTokenSignedResponseAlg != alg {
		return fmt.Errorf("Config.IDTokenSignedResponseAlg is %q, and the client is registered for %q",
			cut(cfg.IDTokenSignedResponseAlg, quoted), cut(alg, quoted))
	}
	cfg.IDTokenSignedResponseAlg = alg
	return nil
}

func (r *Registration) authentication(cfg *Config) error {
	said := cmp.Or(r.Metadata.TokenEndpointAuthMethod, r.asked.TokenEndpointAuthMethod)
	method := cmp.Or(said, r.defaultMethod, SecretBasic{}.method())
	switch {
	case cfg.Auth != nil && said != "" && cfg.Auth.method() != said:
		return fmt.Errorf("Config.Auth is %s, and the client is registered for %q", cfg.Auth.method(), cut(said, quoted))
	case cfg.Auth != nil:
		method = cfg.Auth.method()
	case said == "" && r.ClientSecret == "":
		method = NoAuth{}.method()
	}
	// A secret that is used for nothing stays here: Auth0 gives one to public clients.
	if !strings.HasPrefix(method, "client_secret_") && macBytes(cfg.IDTokenSignedResponseAlg) == 0 {
		return r.authenticateBy(cfg, method)
	}
	if at := r.ClientSecretExpiresAt; r.ClientSecret != "" && !at.IsZero() && !r.clock(cfg).Before(at) {
		return fmt.Errorf("the client secret expired at %s: Read or Update may give another one, or register again", at.UTC().Format(time.RFC3339))
	}
	if r.ClientSecret == "" && cfg.Auth == nil {
		return fmt.Errorf("the client is registered for %s, and got no secret", cut(method, quoted))
	}
	cfg.ClientSecret = r.ClientSecret
	return r.authenticateBy(cfg, method)
}

// authenticateBy chooses the way that needs nothing which base would have to bring.
func (r *Registration) authenticateBy(cfg *Config, method string) error {
	if cfg.Auth != nil {
		return nil
	}
	for _, auth := range [...]ClientAuth{NoAuth{}, SecretBasic{}, SecretPost{}} {
		if auth.method() == method {
			cfg.Auth = auth
			return nil
		}
	}
	return fmt.Errorf("the client is registered for %q: Config.Auth must bring what that needs", cut(method, quoted))
}

func (r *Registration) clock(cfg *Config) time.Time {
	if cfg.Now == nil {
		return time.Now()
	}
	return cfg.Now()
}

// keys are the caller's.
func (r *Registration) keys(cfg *Config) error {
	if cmp.Or(r.Metadata.IDTokenEncryptedResponseAlg, r.asked.IDTokenEncryptedResponseAlg) != "" && len(cfg.Decrypt) == 0 {
		return errors.New("the client is registered for encrypted ID tokens: Config.Decrypt must have the key")
	}
	if (r.Metadata.DPoPBoundAccessTokens || r.asked.DPoPBoundAccessTokens) && cfg.DPoP == nil {
		return errors.New("the client is registered with dpop_bound_access_tokens: Config.DPoP must have the key")
	}
	return nil
}

// redirect takes the redirect URL that is registered. A client without one signs nobody in.
func (r *Registration) redirect(cfg *Config) error {
	registered := r.Metadata.RedirectURIs
	if registered == nil {
		registered = r.asked.RedirectURIs
	}
	if cfg.RedirectURL == "" {
		if len(registered) > 1 {
			return fmt.Errorf("%d redirect URIs are registered: choose one in Config.RedirectURL", len(registered))
		}
		cfg.RedirectURL = strings.Join(registered, "")
		return nil
	}
	if registered == nil { // put together by hand: the provider has the last word
		return nil
	}
	for _, uri := range registered {
		if cfg.RedirectURL == uri || onAnotherPort(cfg.RedirectURL, uri) {
			return nil
		}
	}
	return fmt.Errorf("Config.RedirectURL is none of the %d that are registered", len(registered))
}

// onAnotherPort tells whether two URLs are one but for the port of a loopback address,
// which a native app may choose anew every time (RFC 8252 7.3).
func onAnotherPort(a, b string) bool {
	one, err := parseURL(a)
	if err != nil {
		return false
	}
	other, err := parseURL(b)
	if err != nil || one.Scheme != "http" || checkSecure(one) != nil {
		return false
	}
	one.Host, other.Host = one.Hostname(), other.Hostname()
	return one.String() == other.String()
}

const registrationVersion = 1

var errRegistrationData = errors.New("client: not the data of a Registration")

// MarshalBinary returns the registration for storage, but for HTTPClient and Now. The
// credentials in it are in the clear: keep it as a key is kept. The form is versioned,
// and later versions of this package read it.
func (r *Registration) MarshalBinary() ([]byte, error) {
	metadata, err := json.Marshal(r.Metadata)
	if err != nil {
		return nil, fmt.Errorf("client: Registration.Metadata: %w", err)
	}
	asked, err := json.Marshal(r.asked)
	if err != nil {
		return nil, fmt.Errorf("client: registration: %w", err)
	}
	b := []byte{registrationVersion}
	b = binary.AppendVarint(b, unixOrZero(r.ClientIDIssuedAt))
	b = binary.AppendVarint(b, unixOrZero(r.ClientSecretExpiresAt))
	for _, s := range [...]string{
		r.Issuer, r.ClientID, r.ClientSecret, r.RegistrationAccessToken, r.RegistrationClientURI,
		string(metadata), string(asked), r.defaultMethod,
	} {
		b = jwtpack.Append(b, s)
	}
	return b, nil
}

// UnmarshalBinary restores what MarshalBinary wrote, and refuses all else. It leaves
// HTTPClient and Now as they are.
func (r *Registration) UnmarshalBinary(data []byte) error {
	in := reader{data: data}
	if in.byte() != registrationVersion {
		return errRegistrationData
	}
	n := Registration{HTTPClient: r.HTTPClient, Now: r.Now}
	n.ClientIDIssuedAt, n.ClientSecretExpiresAt = timeOrZero(in.varint()), timeOrZero(in.varint())
	n.Issuer, n.ClientID, n.ClientSecret = in.text(), in.text(), in.text()
	n.RegistrationAccessToken, n.RegistrationClientURI = in.text(), in.text()
	metadata, asked := in.text(), in.text()
	n.defaultMethod = in.text()
	if in.failed || len(in.data) > 0 ||
		n.Metadata.UnmarshalJSON([]byte(metadata)) != nil || n.asked.UnmarshalJSON([]byte(asked)) != nil {
		return errRegistrationData
	}
	*r = n
	return nil
}

// Format prints issuer and client ID, whatever the verb.
func (r Registration) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{Issuer:%s ClientID:%s}", r.Issuer, r.ClientID)
}

// LogValue logs issuer and client ID.
func (r Registration) LogValue() slog.Value {
	return slog.GroupValue(slog.String("issuer", r.Issuer), slog.String("client_id", r.ClientID))
}

// MarshalJSON encodes "[redacted]".
func (r Registration) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

// Format prints [redacted], whatever the verb.
func (r RegistrationRequest) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (r RegistrationRequest) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (r RegistrationRequest) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

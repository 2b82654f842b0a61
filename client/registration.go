package client

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
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

// httpClients are those that a Client has.
func (r *Registration) httpClients() (call, fetch *http.Client) {
	return (&Config{HTTPClient: r.HTTPClient}).httpClients()
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
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	members := m.members()
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
	m := message{method: method, header: http.Header{}, body: body, secrets: []string{r.RegistrationAccessToken, r.ClientSecret, inJSON(r.ClientSecret)}}
	m.header.Set("Authorization", "Bearer "+r.RegistrationAccessToken)
	if body != "" {
		m.header.Set("Content-Type", "application/json")
	}
	call, _ := r.httpClients()
	a, err := send(ctx, call, endpoint{name: "client configuration", url: r.RegistrationClientURI}, m)
	if err == nil && a.status == http.StatusMethodNotAllowed { // RFC 7592 2.2 and 2.3
		e := a.oauthError()
		e.Err = ErrUnsupported
		return nil, e
	}
	return a, err
}

// inJSON is secret as the body of an Update has it, which a provider may repeat.
func inJSON(secret string) string {
	text, _ := json.Marshal(secret) // a text does not fail
	return string(text[1 : len(text)-1])
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

package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
)

// A RegistrationRequest is what [Register] asks for. The zero request leaves everything
// to the provider, which most refuse: they want RedirectURIs at least. It prints as
// [redacted].
type RegistrationRequest struct {
	Metadata ClientMetadata

	// InitialAccessToken is the provider's permission to register clients (RFC 7591 3).
	// Empty: the provider lets everybody.
	InitialAccessToken string

	// SoftwareStatement is a JWT in which somebody whom the provider trusts says what the
	// software is (RFC 7591 2.3). It is not looked at here. Empty: none.
	SoftwareStatement string

	// Endpoint is the registration endpoint: https, or http on a loopback host where the
	// issuer is that too. Empty: registration_endpoint of the provider's metadata, which is
	// discovered as a [Client] does it.
	Endpoint string

	HTTPClient *http.Client     // as Config.HTTPClient
	Now        func() time.Time // nil: time.Now
}

// Register makes a new client at the provider issuer (RFC 7591, OpenID Connect Dynamic
// Client Registration 1.0). Every call makes another one: keep the [Registration], see
// its MarshalBinary, and make a Client of it with [Registration.Config]. One request is
// sent, and no redirect is followed; where its answer is lost, there may be a client that
// nobody knows of.
//
// The provider may register other metadata than it was asked for: look at
// Registration.Metadata, which counts.
//
// The error wraps ErrUnsupported where the metadata has no registration_endpoint, and is
// a [*ResponseError] for an answer that was not accepted. Its Code is what the provider
// says (RFC 7591 3.2.2): invalid_redirect_uri, invalid_client_metadata,
// invalid_software_statement, unapproved_software_statement; invalid_token, with Status
// 401, for the InitialAccessToken.
func Register(ctx context.Context, issuer string, req RegistrationRequest) (*Registration, error) {
	body, err := req.body(issuer)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	reg := &Registration{Issuer: issuer, HTTPClient: req.HTTPClient, Now: req.Now, asked: req.Metadata.clone()}
	to := endpoint{name: "registration", url: req.Endpoint}
	document := ""
	if to.url == "" {
		s, err := reg.discoverer().provider(ctx)
		if err != nil {
			return nil, err
		}
		if to.url = s.metadata.RegistrationEndpoint; to.url == "" {
			return nil, unsupported("registration_endpoint")
		}
		document = s.metadata.raw
	}
	reg.defaultMethod = quirkOf(issuer, document).tokenEndpointAuthMethod

	m := message{method: http.MethodPost, header: http.Header{}, body: string(body), secrets: []string{req.InitialAccessToken, req.SoftwareStatement}}
	m.header.Set("Content-Type", "application/json")
	if req.InitialAccessToken != "" {
		m.header.Set("Authorization", "Bearer "+req.InitialAccessToken)
	}
	call, _ := reg.httpClients()
	a, err := send(ctx, call, to, m)
	if err != nil {
		return nil, err
	}
	return reg.next(a)
}

// body checks the request, and is what to send.
func (req *RegistrationRequest) body(issuer string) ([]byte, error) {
	if err := checkIssuer(issuer); err != nil {
		return nil, fmt.Errorf("the issuer %w", err)
	}
	if req.Endpoint != "" {
		if err := checkEndpoint(req.Endpoint, strings.HasPrefix(issuer, "http:")); err != nil {
			return nil, fmt.Errorf("RegistrationRequest.Endpoint %w", err)
		}
	}
	if !isVisible(req.InitialAccessToken) {
		return nil, errors.New("RegistrationRequest.InitialAccessToken has characters that no token has")
	}
	if !isVisible(req.SoftwareStatement) {
		return nil, errors.New("RegistrationRequest.SoftwareStatement has characters that no JWT has")
	}
	if err := req.Metadata.check(); err != nil {
		return nil, err
	}
	members := req.Metadata.members()
	if req.SoftwareStatement != "" {
		members["software_statement"] = req.SoftwareStatement
	}
	return json.Marshal(members)
}

// clone copies what the caller may change later.
func (m *ClientMetadata) clone() ClientMetadata {
	n := *m
	for _, field := range n.fields() {
		if list, ok := field.(*[]string); ok {
			*list = slices.Clone(*list)
		}
	}
	n.JWKS = slices.Clone(n.JWKS)
	n.Extra = maps.Clone(n.Extra)
	return n
}

// discoverer is a Client that knows nothing but where the provider is. It says which
// algorithms it takes, so that the metadata need not have one: a provider that knows
// HS256 alone registers clients too.
func (r *Registration) discoverer() *Client {
	c := &Client{cfg: Config{Issuer: r.Issuer, Algorithms: algorithms[:], Now: r.now}}
	c.call, c.fetch = r.httpClients()
	return c
}

// next is the registration after an answer: what the answer does not say of credentials
// is as it was (RFC 7592 3). Metadata is what it says and nothing else.
func (r *Registration) next(a *answer) (*Registration, error) {
	// RFC 7591 3.2.1 has 201. Glewlwyd and Auth0's API reference have 200, and RFC 7592 3 too.
	if a.status != http.StatusCreated && a.status != http.StatusOK {
		return nil, a.oauthError()
	}
	if a.mediaType() != "application/json" {
		return nil, a.refuse(a.notJSON())
	}
	n, failed, err := r.parse(a.body)
	if err != nil {
		return nil, a.refuse(err.Error())
	}
	if failed {
		return nil, a.oauthError()
	}
	if r.ClientID != "" && n.ClientID != r.ClientID {
		return nil, a.refuse("client_id is not the one of the registration")
	}
	if err := n.check(); err != nil {
		return nil, a.refuse(err.Error())
	}
	return n, nil
}

// parse reads an answer (RFC 7591 3.2.1, RFC 7592 3). Its errors quote nothing of body.
func (r *Registration) parse(body string) (n *Registration, failed bool, err error) {
	var id, secret, accessToken, uri string
	var issued, expires time.Time
	texts := map[string]*string{
		"client_id": &id, "client_secret": &secret, "registration_access_token": &accessToken, "registration_client_uri": &uri,
	}
	times := map[string]*time.Time{"client_id_issued_at": &issued, "client_secret_expires_at": &expires}
	var metadata ClientMetadata
	fields := metadata.fields()
	registered := slices.Concat(slices.Collect(maps.Keys(fields)), registrationMembers[:], []string{"error"})
	err = members(body, registered, func(name string, v strictjson.Value) error {
		ok := true
		switch text, at := texts[name], times[name]; {
		case v.IsNull(), name == "software_statement":
		case name == "error":
			failed = true
		case text != nil:
			*text, ok = v.String()
		case at != nil:
			*at, ok = unixTime(v)
		default:
			return metadata.read(fields, name, v)
		}
		if !ok {
			return fmt.Errorf("%s has the wrong type", name)
		}
		return nil
	})
	if err != nil || failed {
		return nil, failed, err
	}
	if id == "" {
		return nil, false, errors.New("client_id is missing")
	}
	next := *r
	next.ClientID = id
	next.Metadata = metadata
	next.ClientSecret = cmp.Or(secret, r.ClientSecret)
	next.RegistrationAccessToken = cmp.Or(accessToken, r.RegistrationAccessToken)
	next.RegistrationClientURI = cmp.Or(uri, r.RegistrationClientURI)
	if !issued.IsZero() {
		next.ClientIDIssuedAt = issued
	}
	// client_secret_expires_at is required beside a secret, and missing or null at
	// Doorkeeper, INDIGO IAM and WSO2, whose secrets do not expire.
	if secret != "" || !expires.IsZero() {
		next.ClientSecretExpiresAt = expires
	}
	return &next, false, nil
}

// unixTime reads seconds since 1970. 0 is the zero time.
func unixTime(v strictjson.Value) (time.Time, bool) {
	seconds, ok := wholeSeconds(v)
	return timeOrZero(seconds), ok
}

// wholeSeconds reads a number of seconds that is not negative. More than time.Time can
// print in JSON is taken for that.
func wholeSeconds(v strictjson.Value) (int64, bool) {
	const year9999 = 253402300799
	n, ok := v.Number()
	seconds, _ := strconv.ParseFloat(n, 64) // too large is infinite
	return int64(min(seconds, year9999)), ok && seconds >= 0
}

// check refuses credentials that no request can carry, or that one would carry to where
// everybody reads it.
func (r *Registration) check() error {
	if err := checkIssuer(r.Issuer); err != nil {
		return fmt.Errorf("the issuer %w", err)
	}
	if !isVSChar(r.ClientID) { // RFC 6749 appendix A.1
		return errors.New("client_id has characters that none has")
	}
	if !isVisible(r.RegistrationAccessToken) {
		return errors.New("registration_access_token has characters that none has")
	}
	if r.RegistrationClientURI == "" {
		return nil
	}
	if err := checkEndpoint(r.RegistrationClientURI, strings.HasPrefix(r.Issuer, "http:")); err != nil {
		return fmt.Errorf("registration_client_uri %w", err)
	}
	return nil
}

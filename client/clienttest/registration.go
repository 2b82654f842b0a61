package clienttest

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/client"
)

// A registration is what a client that registered itself has beside a Client.
type registration struct {
	metadata client.ClientMetadata
	token    string // for the client configuration endpoint
	issued   time.Time
}

func invalidMetadata(why string) *endpointError {
	return &endpointError{http.StatusBadRequest, "invalid_client_metadata", why}
}

// serveRegistration lets everybody register a client (RFC 7591 section 3).
func (p *Provider) serveRegistration(w http.ResponseWriter, r *http.Request) {
	if p.registrationFault(w, r) {
		return
	}
	m, refused := p.readMetadata(r)
	if refused == nil {
		for _, name := range credentialMembers {
			if _, ok := m.Extra[name]; ok {
				refused = invalidMetadata(name + " is not for the client to choose")
			}
		}
	}
	if refused != nil {
		refused.write(w)
		return
	}
	c := &registered{Client: Client{ID: "dynamic-" + rand.Text()}, registration: &registration{issued: p.Now(), token: rand.Text()}}
	c.become(m)
	p.mu.Lock()
	p.clients = append(p.clients, c)
	answer := p.describe(c)
	p.mu.Unlock()
	p.writeRegistration(w, http.StatusCreated, answer)
}

// serveClientConfiguration reads, replaces and deletes a client (RFC 7592 section 2).
// Replacing changes the token.
func (p *Provider) serveClientConfiguration(w http.ResponseWriter, r *http.Request) {
	if p.registrationFault(w, r) {
		return
	}
	var m *client.ClientMetadata
	if r.Method == http.MethodPut {
		var refused *endpointError
		if m, refused = p.readMetadata(r); refused != nil {
			refused.write(w)
			return
		}
	}
	p.mu.Lock()
	answer, refused := p.configure(r, m)
	p.mu.Unlock()
	switch {
	case refused != nil:
		refused.write(w)
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		p.writeRegistration(w, http.StatusOK, answer)
	}
}

// registrationFault answers in place of the endpoint, if a fault says so.
func (p *Provider) registrationFault(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case p.has(NoRegistration):
		http.NotFound(w, r)
	case p.has(Registration500):
		serverError(w)
	case p.has(RegistrationRedirect):
		redirectElsewhere(w)
	default:
		return false
	}
	return true
}

// credentialMembers stand beside the metadata in an answer. In Extra they are what a
// request has of them.
var credentialMembers = [...]string{
	"client_id", "client_secret", "client_id_issued_at", "client_secret_expires_at", "registration_access_token", "registration_client_uri",
}

// readMetadata reads what a client asks for, and fills in what it did not say.
func (p *Provider) readMetadata(r *http.Request) (*client.ClientMetadata, *endpointError) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, invalidRequest("unreadable body")
	}
	m := &client.ClientMetadata{}
	if err := m.UnmarshalJSON(body); err != nil {
		return nil, invalidMetadata(err.Error())
	}
	if m.GrantTypes == nil {
		m.GrantTypes = []string{"authorization_code"}
	}
	if m.ResponseTypes == nil && slices.Contains(m.GrantTypes, "authorization_code") {
		m.ResponseTypes = []string{"code"}
	}
	m.TokenEndpointAuthMethod = orDefault(m.TokenEndpointAuthMethod, secretBasic)
	if p.has(RegistrationSecretPost) {
		m.TokenEndpointAuthMethod = secretPost
	}
	return m, p.judgeMetadata(m)
}

func (p *Provider) judgeMetadata(m *client.ClientMetadata) *endpointError {
	if slices.Contains(m.GrantTypes, "authorization_code") && len(m.RedirectURIs) == 0 {
		return &endpointError{http.StatusBadRequest, "invalid_redirect_uri", "the grant authorization_code needs one"}
	}
	for _, uri := range m.RedirectURIs {
		if u, err := url.Parse(uri); err != nil || u.Scheme == "" || strings.Contains(uri, "#") {
			return &endpointError{http.StatusBadRequest, "invalid_redirect_uri", "a redirect URI is an absolute URL without a fragment"}
		}
	}
	if !slices.Contains([]string{secretBasic, secretPost, authNone}, m.TokenEndpointAuthMethod) {
		return invalidMetadata("token_endpoint_auth_method is one of client_secret_basic, client_secret_post and none")
	}
	alg := m.IDTokenSignedResponseAlg
	if macBytes(alg) > 0 && m.TokenEndpointAuthMethod == authNone || alg != "" && macBytes(alg) == 0 && alg != p.algorithm {
		return invalidMetadata("id_token_signed_response_alg is one that this client cannot have")
	}
	if m.IDTokenEncryptedResponseAlg != "" {
		return invalidMetadata("nobody who registers gets encrypted ID tokens here")
	}
	return nil
}

// become makes the client what m says.
func (c *registered) become(m *client.ClientMetadata) {
	for _, name := range credentialMembers {
		delete(m.Extra, name)
	}
	c.registration.metadata = *m
	c.AuthMethod = m.TokenEndpointAuthMethod
	c.RedirectURLs = slices.Clone(m.RedirectURIs)
	c.PostLogoutRedirectURLs = slices.Clone(m.PostLogoutRedirectURIs)
	c.BackChannelLogoutURI, c.BackChannelLogoutSessionRequired = m.BackchannelLogoutURI, m.BackchannelLogoutSessionRequired
	c.FrontChannelLogoutURI, c.FrontChannelLogoutSessionRequired = m.FrontchannelLogoutURI, m.FrontchannelLogoutSessionRequired
	c.IDTokenSignedResponseAlg = ""
	if macBytes(m.IDTokenSignedResponseAlg) > 0 {
		c.IDTokenSignedResponseAlg = m.IDTokenSignedResponseAlg
	}
	switch {
	case c.AuthMethod == authNone:
		c.Secret = ""
	case c.Secret == "":
		c.Secret = rand.Text() + rand.Text() + rand.Text() // as long as HS512 wants it
	}
}

// configure does what r asks of a client; p.mu is held. A client that is gone has no answer.
func (p *Provider) configure(r *http.Request, m *client.ClientMetadata) (map[string]any, *endpointError) {
	id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	i := slices.IndexFunc(p.clients, func(c *registered) bool {
		return c.ID == id && c.registration != nil && subtle.ConstantTimeCompare([]byte(c.registration.token), []byte(token)) == 1
	})
	if i < 0 { // RFC 7592 section 2: nobody learns which clients there are
		return nil, &endpointError{http.StatusUnauthorized, "invalid_token", "not the registration access token of this client"}
	}
	c := p.clients[i]
	switch r.Method {
	case http.MethodDelete:
		p.clients = slices.Delete(p.clients, i, i+1)
		return nil, nil
	case http.MethodPut:
		if refused := c.mayBecome(m); refused != nil {
			return nil, refused
		}
		c.become(m)
		c.registration.token = rand.Text()
	}
	return p.describe(c), nil
}

// mayBecome applies RFC 7592 section 2.2 to what stands beside the metadata.
func (c *registered) mayBecome(m *client.ClientMetadata) *endpointError {
	is := func(name, value string) bool { return string(m.Extra[name]) == string(mustJSON(value)) }
	if !is("client_id", c.ID) {
		return invalidRequest("client_id is not the one of the client")
	}
	if _, ok := m.Extra["client_secret"]; ok && !is("client_secret", c.Secret) {
		return invalidRequest("client_secret is not the one of the client")
	}
	for _, name := range credentialMembers[2:] {
		if _, ok := m.Extra[name]; ok {
			return invalidRequest(name + " has no place in an update")
		}
	}
	return nil
}

// describe is the client information response (RFC 7591 section 3.2.1, RFC 7592
// section 3); p.mu is held.
func (p *Provider) describe(c *registered) map[string]any {
	answer := map[string]any{}
	_ = json.Unmarshal(mustJSON(c.registration.metadata), &answer) // what was marshaled a moment ago
	answer["client_id"] = c.ID
	answer["client_id_issued_at"] = c.registration.issued.Unix()
	answer["registration_access_token"] = c.registration.token
	answer["registration_client_uri"] = strings.TrimSuffix(p.issuer, "/") + pathRegister + "/" + c.ID
	if c.Secret != "" {
		answer["client_secret"] = c.Secret
		answer["client_secret_expires_at"] = 0
	}
	return answer
}

func (p *Provider) writeRegistration(w http.ResponseWriter, status int, answer map[string]any) {
	if p.has(RegistrationNoMethod) {
		delete(answer, "token_endpoint_auth_method")
	}
	if p.has(RegistrationExpiredSecret) {
		answer["client_secret_expires_at"] = p.Now().Add(-time.Hour).Unix()
	}
	writeJSON(w, status, answer)
}

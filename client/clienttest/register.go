package clienttest

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The client authentication methods of OpenID Connect Core section 9 that the
// provider knows.
const (
	secretBasic = "client_secret_basic"
	secretPost  = "client_secret_post"
	authNone    = "none"
)

// registered is a Client with its defaults filled in.
type registered struct {
	Client
	open         bool          // has no list of redirect URLs: Config adds to it
	proved       string        // of the request at hand: the thumbprint of the key of its DPoP proof
	registration *registration // nil: it was there from the start
}

// register checks clients, with how those that do not say authenticate with a secret.
func register(clients []Client, usual string) []*registered {
	if len(clients) == 0 {
		clients = []Client{{ID: "web", Secret: rand.Text()}}
	}
	var all []*registered
	for _, c := range clients {
		if c.AuthMethod == "" && c.Secret != "" {
			c.AuthMethod = usual
		}
		c.AuthMethod = orDefault(c.AuthMethod, authNone)
		if c.ID == "" {
			panic("clienttest: a client needs an ID")
		}
		if (c.AuthMethod == authNone) != (c.Secret == "") ||
			!slices.Contains([]string{secretBasic, secretPost, authNone}, c.AuthMethod) {
			panic(fmt.Sprintf("clienttest: client %q cannot have the authentication method %q", c.ID, c.AuthMethod))
		}
		if size := macBytes(c.IDTokenSignedResponseAlg); c.IDTokenSignedResponseAlg != "" && (size == 0 || len(c.Secret) < size) {
			panic(fmt.Sprintf("clienttest: client %q cannot have ID tokens with %q: its secret is too short, or that is none of HS256, HS384 and HS512",
				c.ID, c.IDTokenSignedResponseAlg))
		}
		if c.IDTokenEncryptionKey != nil {
			encryptTo(c.IDTokenEncryptionKey, nil, nil) // panics for a key that is no good
		}
		c.RedirectURLs = slices.Clone(c.RedirectURLs)
		all = append(all, &registered{Client: c, open: len(c.RedirectURLs) == 0})
	}
	return all
}

// client finds a registered client; nil: there is none of that ID. The copy stays as it
// is while Config adds to the original.
func (p *Provider) client(id string) *registered {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.clients {
		if c.ID == id {
			found := *c
			return &found
		}
	}
	return nil
}

// registeredClients returns copies of all clients.
func (p *Provider) registeredClients() []*registered {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*registered
	for _, c := range p.clients {
		found := *c
		all = append(all, &found)
	}
	return all
}

// authMethods are those of the clients that were there from the start, and no other, so
// that a client that chooses by the metadata is put to the test. Who registers is told.
func (p *Provider) authMethods() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var methods []string
	for _, c := range p.clients {
		if c.registration == nil {
			methods = append(methods, c.AuthMethod)
		}
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

// mayReturnTo says whether to send a browser to target after a logout.
func (c *registered) mayReturnTo(target string) bool {
	if len(c.PostLogoutRedirectURLs) > 0 {
		return slices.Contains(c.PostLogoutRedirectURLs, target)
	}
	return slices.ContainsFunc(c.RedirectURLs, func(redirect string) bool {
		return origin(redirect) != "" && origin(redirect) == origin(target)
	})
}

func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return ""
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}

// authenticate finds the client that sent r, which must prove itself exactly as it
// is registered (RFC 6749 section 2.3).
func (p *Provider) authenticate(r *http.Request) (*registered, *endpointError) {
	id, secret, method, refused := credentials(r)
	if refused != nil {
		return nil, refused
	}
	c := p.client(id)
	if c == nil {
		return nil, invalidClient("unknown client")
	}
	if c.AuthMethod != method {
		return nil, invalidClient("the client is registered for " + c.AuthMethod)
	}
	if subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) != 1 {
		return nil, invalidClient("wrong client secret")
	}
	return c, nil
}

// credentials reads what r authenticates with. Both halves of Basic are
// form-encoded (RFC 6749 section 2.3.1).
func credentials(r *http.Request) (id, secret, method string, refused *endpointError) {
	form := r.PostForm
	if r.Header.Get("Authorization") == "" {
		method = authNone
		if form.Has("client_secret") {
			method = secretPost
		}
		return form.Get("client_id"), form.Get("client_secret"), method, nil
	}
	if form.Has("client_secret") {
		return "", "", "", invalidRequest("more than one client authentication")
	}
	user, password, ok := r.BasicAuth()
	if !ok {
		return "", "", "", invalidClient("unreadable Authorization header")
	}
	id, err := url.QueryUnescape(user)
	if err != nil {
		return "", "", "", invalidClient("the client ID is not form-encoded")
	}
	secret, err = url.QueryUnescape(password)
	if err != nil {
		return "", "", "", invalidClient("the client secret is not form-encoded")
	}
	if form.Has("client_id") && form.Get("client_id") != id {
		return "", "", "", invalidRequest("two client IDs")
	}
	return id, secret, secretBasic, nil
}

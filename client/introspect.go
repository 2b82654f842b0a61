package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/postern-go/postern/internal/strictjson"
)

// An Introspection is what the provider says of a token (RFC 7662 2.2).
type Introspection struct {
	// Active says that the token is one of the provider's and good at this moment. It
	// does not say that it is an access token, or for whom: [Introspector] asks for that.
	Active bool

	tokenType, clientID string
	audience            bool // there is an aud that names somebody
	answer              string
}

// inactive is the least that an answer says of a token that is not one.
const inactive = `{"active":false}`

// Claims decodes the whole answer into v, as encoding/json does. No two members have
// names that differ only in case.
func (i *Introspection) Claims(v any) error {
	if err := json.Unmarshal([]byte(i.answer), v); err != nil {
		return fmt.Errorf("client: introspection: %w", err)
	}
	return nil
}

// Introspect asks the provider about a token (RFC 7662), every time anew, with the
// client's authentication. What cannot be a token (an empty text, one over 16 KiB, one
// with characters that no token has) is not active, and nobody is asked.
//
// Most programs want [Introspector], which also checks that the answer is about an
// access token of this provider for this API.
//
// With Config.IntrospectionSignedResponseAlg the answer is a JWT (RFC 9701), which
// [jwtverify.Verifier.IntrospectionJWT] checks, and what it says of the token is the result.
//
// The error wraps ErrUnsupported where the provider has no such endpoint or answers with a
// JWT that nobody registered for, and is a [*ResponseError] for an answer that was not
// accepted: nothing is then known of the token.
func (c *Client) Introspect(ctx context.Context, token string) (*Introspection, error) {
	if token == "" || len(token) > maxToken || !isVSChar(token) {
		return &Introspection{answer: inactive}, nil
	}
	s, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	to := endpoint{name: "introspection", url: s.metadata.IntrospectionEndpoint}
	if to.url == "" {
		return nil, unsupported("introspection_endpoint")
	}
	if s.about != nil {
		to.accept = introspectionJWT // RFC 9701 4
	}
	a, err := c.postForm(ctx, s, to, url.Values{"token": {token}, "token_type_hint": {"access_token"}})
	if err != nil {
		return nil, err
	}
	return s.introspection(ctx, a)
}

// introspectionJWT is the media type of an answer that is one.
const introspectionJWT = "application/token-introspection+jwt"

// introspection judges the form of an answer.
func (s *snapshot) introspection(ctx context.Context, a *answer) (*Introspection, error) {
	if a.status != http.StatusOK {
		err := s.oauthError(a)
		var e *ResponseError
		if errors.As(err, &e) && e.Code == "unsupported_token_type" {
			// oidc-provider, of a JWT: none of the tokens that this endpoint knows.
			return &Introspection{answer: inactive}, nil
		}
		return nil, err
	}
	body, isJWT := a.body, a.mediaType() == introspectionJWT
	switch {
	case s.about != nil && !isJWT:
		return nil, a.refuseUnsigned("IntrospectionSignedResponseAlg")
	case s.about != nil:
		claims, err := s.about.IntrospectionJWT(ctx, a.body)
		if err != nil {
			return nil, a.refuseJWT(err)
		}
		body = string(claims)
	case isJWT:
		e := a.refuse("the answer is a JWT (introspection_signed_response_alg of the client's registration)")
		e.Err = ErrUnsupported
		return nil, e
	case a.mediaType() != "application/json":
		return nil, a.refuse(a.notJSON())
	}
	i, err := parseIntrospection(body)
	if err != nil {
		return nil, a.refuse(err.Error())
	}
	return i, nil
}

// registeredIntrospection are the members of RFC 7662 2.2, RFC 8705 3.2 and RFC 9470 6.2.
var registeredIntrospection = []string{
	"active", "scope", "client_id", "username", "token_type", "exp", "iat", "nbf", "sub", "aud", "iss", "jti",
	"cnf", "acr", "auth_time",
}

func parseIntrospection(body string) (*Introspection, error) {
	i := &Introspection{answer: body}
	isBool := false
	err := members(body, registeredIntrospection, func(name string, v strictjson.Value) error {
		ok := true
		switch {
		case name == "active":
			i.Active, isBool = v.Bool()
		case v.IsNull():
		case name == "aud":
			i.audience = v.Raw() != `""` && v.Raw() != "[]"
		case name == "client_id":
			i.clientID, ok = v.String()
		case name == "token_type":
			i.tokenType, ok = v.String()
		}
		if !ok {
			return fmt.Errorf("%s has the wrong type", name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !isBool {
		return nil, errors.New("active is not a boolean")
	}
	return i, nil
}

package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/postern-go/postern/internal/strictjson"
)

// maxRequestURI bounds the request_uri of a provider in bytes, which travels in an
// address. Those in use have under 200.
const maxRequestURI = 2 << 10

// pushes tells whether requests go to the provider itself, before the browser does.
func (c *Client) pushes(m *Metadata) bool {
	return c.cfg.PushedAuthorizationRequests || c.cfg.Profile.in(inFAPI2) || m.RequirePushedAuthorizationRequests
}

// push sends the parameters of a request, which compose makes for each attempt, to the
// provider, with the client's authentication, and returns what is left for the browser
// (RFC 9126 2, 4).
func (c *Client) push(ctx context.Context, s *snapshot, compose func() (url.Values, error)) (url.Values, error) {
	to := endpoint{name: "pushed authorization request", url: s.metadata.PushedAuthorizationRequestEndpoint, bound: true}
	if to.url == "" {
		return nil, unsupported("pushed_authorization_request_endpoint")
	}
	a, err := c.post(ctx, s, to, compose)
	if err != nil {
		return nil, err
	}
	switch {
	case a.status == http.StatusCreated: // 2.2
	case a.status/100 == 2:
		return nil, a.refuse("the status is not 201")
	default:
		return nil, s.oauthError(a)
	}
	if a.mediaType() != "application/json" {
		return nil, a.refuse(a.notJSON())
	}
	requestURI, err := parsePushed(a.body)
	if err != nil {
		return nil, a.refuse(err.Error())
	}
	return url.Values{"request_uri": {requestURI}}, nil
}

// parsePushed reads RFC 9126 2.2. Its errors quote nothing of body. expires_in must be
// there and is not kept: the browser goes at once.
func parsePushed(body string) (requestURI string, err error) {
	lives := false
	err = members(body, []string{"request_uri", "expires_in"}, func(name string, v strictjson.Value) error {
		ok := true
		switch name {
		case "request_uri":
			requestURI, ok = v.String()
		case "expires_in":
			number, _ := v.Number()
			seconds, err := strconv.ParseInt(number, 10, 64)
			ok, lives = err == nil && seconds > 0, true
		}
		if !ok {
			return fmt.Errorf("%s has the wrong type", name)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if !isRequestURI(requestURI) {
		return "", errors.New("request_uri is not an absolute URI")
	}
	if !lives {
		return "", errors.New("expires_in is missing")
	}
	return strings.Clone(requestURI), nil
}

func isRequestURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && isVisible(s) && len(s) <= maxRequestURI
}

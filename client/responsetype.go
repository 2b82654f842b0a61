package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A responseType is the set of what an authorization request asks for (OAuth 2.0
// Multiple Response Types 3 and 5). The zero one is of no request.
type responseType byte

const (
	asksCode responseType = 1 << iota
	asksIDToken
	asksToken
)

// A responseWord is one of the words of a response type.
type responseWord struct {
	asks  responseType
	name  string
	param string // of the answer
}

// responseWords are in the order in which they are written (Core 3).
var responseWords = [...]responseWord{
	{asksCode, "code", "code"},
	{asksIDToken, "id_token", "id_token"},
	{asksToken, "token", "access_token"},
}

func (t responseType) has(what responseType) bool { return t&what == what }

// String is the response_type parameter.
func (t responseType) String() string {
	if t == asksCode {
		return "code"
	}
	var names []string
	for _, w := range responseWords {
		if t.has(w.asks) {
			names = append(names, w.name)
		}
	}
	return strings.Join(names, " ")
}

// parseResponseType reads a response type; the order of its words has no meaning
// (RFC 6749 3.1.1). Empty is code.
func parseResponseType(s string) (responseType, error) {
	if s == "" {
		return asksCode, nil
	}
	var t responseType
	for name := range strings.SplitSeq(s, " ") {
		i := slices.IndexFunc(responseWords[:], func(w responseWord) bool { return w.name == name })
		if i < 0 || t.has(responseWords[i].asks) {
			return 0, fmt.Errorf("%q is none of those of OpenID Connect", cut(s, quoted))
		}
		t |= responseWords[i].asks
	}
	if t == asksToken {
		return 0, errors.New("token alone is the implicit grant, which RFC 9700 2.1.2 advises against: use code")
	}
	return t, nil
}

// The response modes (OAuth 2.0 Multiple Response Types 2.1, Form Post Response Mode 2,
// JARM 2.3), as Login.ResponseMode gives them.
const (
	modeQuery    = "query"
	modeFragment = "fragment"
	modeFormPost = "form_post"
	modeSigned   = ".jwt" // behind each of them
)

// responseMode returns how the answer to a request comes that names mode, and what to
// send for it. An ID token or an access token never comes in a query, where servers and
// proxies log it; nor does it by default come in a fragment, as the specification has it,
// because that never reaches a server.
func (t responseType) responseMode(mode string) (sent, effective string, err error) {
	switch {
	case mode == "" && t == asksCode:
		return "", modeQuery, nil
	case mode == "":
		return modeFormPost, modeFormPost, nil
	case mode == "jwt" && t == asksCode: // JARM 2.3.4
		return mode, modeQuery + modeSigned, nil
	case mode == "jwt":
		return mode, modeFragment + modeSigned, nil
	}
	switch bare := strings.TrimSuffix(mode, modeSigned); {
	case bare == modeQuery && t != asksCode: // Multiple Response Types 5
		return "", "", fmt.Errorf("%s does not go with the response type %s, whose tokens must not be in a query", mode, t)
	case bare == modeQuery, bare == modeFragment, bare == modeFormPost:
		return mode, mode, nil
	}
	return "", "", fmt.Errorf("%q is none of query, fragment, form_post, jwt, query.jwt, fragment.jwt, form_post.jwt", cut(mode, quoted))
}

// checkOffered keeps what the provider says that it does not offer from being asked of
// it. Metadata that lists nothing says nothing, and every provider has code and query.
func (t responseType) checkOffered(m *Metadata, mode string) error {
	if t != asksCode && len(m.ResponseTypesSupported) > 0 && !slices.ContainsFunc(m.ResponseTypesSupported, t.is) {
		return notOffered("response_types_supported", t.String())
	}
	if mode != "" && mode != modeQuery && len(m.ResponseModesSupported) > 0 && !slices.Contains(m.ResponseModesSupported, mode) {
		return notOffered("response_modes_supported", mode)
	}
	return nil
}

func (t responseType) is(name string) bool {
	other, err := parseResponseType(name)
	return err == nil && name != "" && other == t
}

// notOffered is the error for a value that a list of the metadata does not have.
func notOffered(member, value string) error {
	return fmt.Errorf("client: %w: %s of its metadata has no %q", ErrUnsupported, member, cut(value, quoted))
}

package jwtverify

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// maxForm bounds a form that may have a token in it: the body of a request by somebody
// who has not shown any token yet.
const maxForm = 1 << 20

// Schemes of the Authorization header, as challenges spell them.
const (
	schemeBearer = "Bearer" // RFC 6750
	schemeDPoP   = "DPoP"   // RFC 9449 7.1
)

// credentials are what a request brought. The token has the form of one, and that is
// all that is known of it.
type credentials struct {
	scheme string // schemeBearer or schemeDPoP
	raw    string
}

var (
	errNoToken   = errors.New("no access token")
	errScheme    = errors.New("the scheme of the Authorization header is not one of ours")
	errMalformed = errors.New("the Authorization header is not a scheme and one token")
	errTwice     = errors.New("more than one Authorization header")
	errQuery     = errors.New("access_token in the query")
	errBoth      = errors.New("a token in the header and one in the form")
	errFormTwice = errors.New("access_token twice in the form, or no token at all")
)

// credentialsOf finds the one token of a request. It looks no further than the header
// where there is one, good or bad.
func (b *Bearer) credentialsOf(r *http.Request) (credentials, *BearerError) {
	// RFC 6750 2.3, RFC 9700 4.3.2: it is in logs and histories by now, so that even a
	// good header beside it does not make the request a good one.
	if inQuery(r.URL.RawQuery) {
		return credentials{}, malformedRequest(errQuery, "access tokens are not taken from the query")
	}
	lines := r.Header["Authorization"]
	if len(lines) > 1 {
		return credentials{}, &BearerError{Status: http.StatusUnauthorized, Code: codeInvalidRequest, detail: "there is more than one Authorization header", Err: errTwice}
	}
	var given credentials
	if len(lines) == 1 {
		var refused *BearerError
		if given, refused = b.authorization(lines[0]); refused != nil {
			return credentials{}, refused
		}
	}
	if b.FormToken {
		return withForm(r, given)
	}
	if given.raw == "" {
		return credentials{}, &BearerError{Status: http.StatusUnauthorized, detail: "an access token is needed", Err: errNoToken}
	}
	return given, nil
}

// authorization reads the value of an Authorization header: a scheme in any case, spaces,
// and a token (RFC 6750 2.1, RFC 9449 7.1).
func (b *Bearer) authorization(value string) (credentials, *BearerError) {
	name, rest, _ := strings.Cut(value, " ")
	scheme := schemeBearer
	if b.DPoP != nil && strings.EqualFold(name, schemeDPoP) {
		scheme = schemeDPoP
	} else if !strings.EqualFold(name, schemeBearer) {
		// RFC 6750 3.1: who uses another method is told of ours, and of no error.
		return credentials{}, &BearerError{Status: http.StatusUnauthorized, detail: "an access token is needed", Err: errScheme}
	}
	raw := strings.TrimLeft(rest, " ")
	if !isToken(raw) {
		refused := &BearerError{Status: http.StatusUnauthorized, Code: codeInvalidToken, detail: "the Authorization header is not a scheme and one token", Err: errMalformed}
		return credentials{}, refused.by(credentials{scheme: scheme})
	}
	return credentials{scheme, raw}, nil
}

// isToken tells whether s is a b64token (RFC 6750 2.1) of a size that may be parsed.
func isToken(s string) bool {
	body := strings.TrimRight(s, "=")
	if body == "" || len(s) > maxEncrypted {
		return false
	}
	for i := range len(body) {
		switch c := body[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}
	return true
}

const tokenField = "access_token"

// inQuery tells whether a query has the parameter access_token, however it is written.
func inQuery(query string) bool {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, _, _ := strings.Cut(pair, "=")
		if strings.Contains(name, "%") {
			name, _ = url.QueryUnescape(name)
		}
		if name == tokenField {
			return true
		}
	}
	return false
}

// withForm looks for a token in the form too, RFC 6750 2.2.
func withForm(r *http.Request, given credentials) (credentials, *BearerError) {
	values, err := formTokens(r)
	switch {
	case err != nil:
		return credentials{}, malformedRequest(err, "the form cannot be read")
	case given.raw != "" && len(values) > 0:
		return credentials{}, malformedRequest(errBoth, "there is more than one access token")
	case given.raw != "":
		return given, nil
	case len(values) == 0:
		return credentials{}, &BearerError{Status: http.StatusUnauthorized, detail: "an access token is needed", Err: errNoToken}
	case len(values) > 1 || !isToken(values[0]):
		return credentials{}, malformedRequest(errFormTwice, "the form has not one access token")
	}
	return credentials{schemeBearer, values[0]}, nil
}

// formTokens reads the form of a request, if that is what its body is.
func formTokens(r *http.Request) ([]string, error) {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
	default:
		return nil, nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || r.Body == nil {
		return nil, nil
	}
	body := r.Body
	r.Body = http.MaxBytesReader(nil, body, maxForm)
	err = r.ParseForm()
	r.Body = body
	if err != nil {
		return nil, errors.New("unreadable form") // url's errors quote what they read
	}
	return r.PostForm[tokenField], nil
}

func malformedRequest(err error, detail string) *BearerError {
	return &BearerError{Status: http.StatusBadRequest, Code: codeInvalidRequest, detail: detail, Err: err}
}

package client

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/oauth2"

	"github.com/postern-go/postern/jwtverify"
)

// What a caller does about a failure.
//
// Where an ID token was refused, the error of package jwtverify is in the chain
// too, with its ClaimError.
var (
	// ErrRejected: a callback or an answer did not pass a check, and nothing of it was used. Start again.
	ErrRejected = errors.New("rejected")
	// ErrInvalidGrant: the code or the refresh token is not good any more. Sign in again.
	ErrInvalidGrant = errors.New("grant no longer valid")
	// ErrUnavailable: the provider could not be reached or is in trouble. Try later; tokens you hold are still good.
	ErrUnavailable = errors.New("provider unavailable")
	// ErrUnsupported: the provider's metadata does not offer it, or it has no OpenID Connect.
	ErrUnsupported = errors.New("not supported by the provider")
)

// How much of foreign text an error shows, in bytes.
const (
	quoted         = 64
	maxDescription = 256
)

// An AuthError is the provider's refusal, as the callback brought it (RFC 6749
// 4.1.2.1, Core 3.1.2.6): access_denied where the user said no, login_required
// where prompt=none found nobody signed in. State and issuer of the callback have
// been checked before it is given out. Where nothing comes back through the browser
// ([Client.WaitDevice], [Client.WaitCIBA]) it is access_denied, from the token endpoint.
//
// Its text is foreign: cut, and of the characters RFC 6749 allows, which are not
// safe in HTML without escaping.
type AuthError struct {
	Code        string // error, at most 64 bytes
	Description string // error_description, at most 256 bytes
	URI         string // error_uri, at most 256 bytes
}

func (e *AuthError) Error() string {
	return "client: the provider refused: " + quoteError(e.Code, e.Description)
}

// A CallbackError says which check of a callback failed. It wraps ErrRejected.
type CallbackError struct {
	Param  string // the parameter, or "login" for the Login that was handed in
	Reason string // completes a sentence that begins with Param
}

func (e *CallbackError) Error() string {
	return "client: callback rejected: " + e.Param + " " + e.Reason
}

// Unwrap returns ErrRejected.
func (e *CallbackError) Unwrap() error { return ErrRejected }

// A ResponseError is an answer of an endpoint that is not the expected one, or no
// answer at all. It wraps one of ErrInvalidGrant, ErrUnavailable, ErrRejected and
// ErrUnsupported, and where no answer came its cause, such as
// context.DeadlineExceeded. It never holds a body; Code, Description and URI are
// cut and cleaned as in [AuthError], and what was secret in the request is taken
// out of them.
//
// errors.As also finds an [oauth2.RetrieveError] in it, whose Body is empty.
type ResponseError struct {
	Endpoint    string // "discovery", "WebFinger", "token", "userinfo", "user", "revocation", "introspection", "registration", "client configuration", "device authorization" or "backchannel authentication"
	Status      int    // of HTTP; 0: no answer
	Code        string // error (RFC 6749 5.2); empty: none was found
	Description string // error_description
	URI         string // error_uri
	Hint        string // what to try, such as the other way of authentication; empty: nothing
	Err         error

	reason string // what was wrong with an answer that is not an error by its own word
}

func (e *ResponseError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "client: %s endpoint: %v", e.Endpoint, e.Err)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	if e.Code != "" {
		b.WriteString(": " + quoteError(e.Code, e.Description))
	}
	if e.reason != "" {
		b.WriteString(": " + e.reason)
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap returns e.Err.
func (e *ResponseError) Unwrap() error { return e.Err }

// As makes errors.As find an *oauth2.RetrieveError.
func (e *ResponseError) As(target any) bool {
	t, ok := target.(**oauth2.RetrieveError)
	if !ok || e.Status == 0 {
		return false
	}
	*t = &oauth2.RetrieveError{
		Response: &http.Response{
			Status:     fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status)),
			StatusCode: e.Status,
			Header:     http.Header{},
			Body:       http.NoBody,
		},
		ErrorCode:        e.Code,
		ErrorDescription: e.Description,
		ErrorURI:         e.URI,
	}
	return true
}

func quoteError(code, description string) string {
	if description == "" {
		return fmt.Sprintf("%q", code)
	}
	return fmt.Sprintf("%q %q", code, description)
}

// clean brings foreign text into the characters of RFC 6749 4.1.2.1 and 5.2, with
// ? for any other, and cuts it. The secrets are taken out first.
func clean(s string, limit int, secrets []string) string {
	s = cut(scrub(s, secrets), limit)
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, s)
}

// scrub takes secrets out of foreign text: there are providers that repeat what
// they were sent.
func scrub(s string, secrets []string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, redacted)
		}
	}
	return s
}

// leastPart is how many bytes of a secret in a row are taken for a part of it.
const leastPart = 12

// scrubQuoted takes secrets, and parts of them, out of what an error of package jwtverify
// quotes: that is foreign, and was cut. Its own words stay, whatever a secret is.
func scrubQuoted(s string, secrets []string) string {
	var b strings.Builder
	for {
		words, rest, found := strings.Cut(s, `"`)
		b.WriteString(words)
		if !found {
			return b.String()
		}
		end := closingQuote(rest)
		b.WriteString(`"` + scrubParts(rest[:end], secrets))
		if end == len(rest) {
			return b.String()
		}
		b.WriteByte('"')
		s = rest[end+1:]
	}
}

// closingQuote is where the text ends that %q began to write; the end of s, where that was
// cut.
func closingQuote(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(s)
}

func scrubParts(s string, secrets []string) string {
	for _, secret := range secrets {
		escaped := strconv.Quote(secret)
		escaped = escaped[1 : len(escaped)-1]
		s = scrubPart(scrub(s, []string{escaped}), escaped)
	}
	return s
}

func scrubPart(s, secret string) string {
	for i := 0; i+leastPart <= len(secret); {
		at := strings.Index(s, secret[i:i+leastPart])
		if at < 0 {
			i++
			continue
		}
		end := leastPart
		for i+end < len(secret) && at+end < len(s) && secret[i+end] == s[at+end] {
			end++
		}
		s = s[:at] + redacted + s[at+end:]
	}
	return s
}

// A verdict is an error of package jwtverify about what an endpoint answered. It shows
// nothing of what was secret in the request, which the answer may repeat.
type verdict struct {
	cause error
	text  string
}

func newVerdict(cause error, secrets []string) error {
	return &verdict{cause, scrubQuoted(cause.Error(), secrets)}
}

func (e *verdict) Error() string { return e.text }

func (e *verdict) Unwrap() error { return e.cause }

func cut(s string, limit int) string {
	if len(s) > limit {
		return s[:limit]
	}
	return s
}

// A borrowedError is the error of a function of the program that makes the client's
// credentials. Where that asks a provider by itself, what was said there is no verdict
// on our request: a grant must not pass for dead, or a person's no for given, because the
// credentials could not be had. So errors.Is and errors.As find in it whatever there is, but
// for what the errors of this package mean by themselves.
type borrowedError struct{ cause error }

func (e *borrowedError) Error() string { return e.cause.Error() }

// Is looks into the cause.
func (e *borrowedError) Is(target error) bool {
	switch target {
	case ErrRejected, ErrInvalidGrant, ErrUnavailable, ErrUnsupported, jwtverify.ErrInvalid, jwtverify.ErrExpired, jwtverify.ErrKeys:
		return false
	}
	return errors.Is(e.cause, target)
}

// As looks into the cause.
func (e *borrowedError) As(target any) bool {
	switch target.(type) {
	case **ResponseError, **AuthError, **CallbackError, **jwtverify.ClaimError, **oauth2.RetrieveError:
		return false
	}
	return errors.As(e.cause, target)
}

package jwtverify

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Error codes of challenges.
const (
	codeInvalidRequest = "invalid_request"                  // RFC 6750 3.1
	codeInvalidToken   = "invalid_token"                    // RFC 6750 3.1
	codeScope          = "insufficient_scope"               // RFC 6750 3.1
	codeStepUp         = "insufficient_user_authentication" // RFC 9470 3
	codeProof          = "invalid_dpop_proof"               // RFC 9449 7.1
	codeNonce          = "use_dpop_nonce"                   // RFC 9449 9
)

// retryAfter is what we ask for while keys are unavailable: by then RemoteKeys may fetch
// again.
const retryAfter = defaultCooldown

// A BearerError is why a request was refused. The client is told Status, Header and a
// sentence of ours; the log gets the cause.
type BearerError struct {
	// Status is 401, 403 or 400; 503 where what would decide could not be had just now;
	// 500 where the Bearer or a rule is wrong.
	Status int
	// Code is the error of the challenge: invalid_request, invalid_token,
	// insufficient_scope, insufficient_user_authentication, invalid_dpop_proof or
	// use_dpop_nonce. Empty: the request had no credentials of ours, a rule of yours
	// refused it, or the fault is not the client's.
	Code string
	// Header is what the answer needs: WWW-Authenticate, Cache-Control, DPoP-Nonce,
	// Retry-After.
	Header http.Header
	Err    error // the cause, for the log; its text is not for the client

	detail string   // for the client: a sentence of ours
	scheme string   // by which the client tried; empty: none, or more than one
	scope  []string // that was missing
	stepUp *stepUp
}

// Error has no token in it, and foreign text only as its cause quotes it.
func (e *BearerError) Error() string {
	text := fmt.Sprintf("jwtverify: request refused with %d", e.Status)
	if e.Code != "" {
		text += " " + e.Code
	}
	if e.Err != nil {
		text += ": " + strings.TrimPrefix(e.Err.Error(), "jwtverify: ")
	}
	return text
}

// Unwrap returns e.Err.
func (e *BearerError) Unwrap() error { return e.Err }

// by notes the scheme whose challenge is to have the error.
func (e *BearerError) by(given credentials) *BearerError {
	e.scheme = given.scheme
	return e
}

// challenge adds the headers that the answer needs. scope is what is asked for anyway.
func (b *Bearer) challenge(e *BearerError, scope []string) *BearerError {
	h := http.Header{"Cache-Control": {"no-store"}}
	e.Header = h
	switch e.Status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		return e
	case http.StatusInternalServerError:
		return e
	case http.StatusForbidden:
		// No other scheme would help, and where no scope is missing no other token.
		if e.Code != "" {
			h.Add("WWW-Authenticate", b.challengeOf(e.scheme, e, union(scope, e.scope)))
		}
		return e
	}
	for _, scheme := range b.schemes(e) {
		h.Add("WWW-Authenticate", b.challengeOf(scheme, e, scope))
	}
	if b.DPoP == nil {
		return e
	}
	if nonce := b.DPoP.Nonce(); nonce != "" {
		h.Set("DPoP-Nonce", nonce)
	}
	return e
}

// union is what is in one of two lists, in their order.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// schemes are those to tell a client of: the one it tried first, then what else there is.
func (b *Bearer) schemes(e *BearerError) []string {
	var schemes []string
	if e.scheme != "" {
		schemes = append(schemes, e.scheme)
	}
	// Where tokens must be bound, Bearer is for those bound to a certificate: who has
	// one knows, and who asks is better told of DPoP alone.
	if e.scheme != schemeBearer && (b.DPoP == nil || !b.RequireBound) {
		schemes = append(schemes, schemeBearer)
	}
	if e.scheme != schemeDPoP && b.DPoP != nil {
		schemes = append(schemes, schemeDPoP)
	}
	return schemes
}

// challengeOf writes the challenge of one scheme (RFC 9110 11.6.1). The error stands in
// that of the scheme the client used or, where that is ambiguous, in all (RFC 9449 7.2).
func (b *Bearer) challengeOf(scheme string, e *BearerError, scope []string) string {
	c := challenge(scheme)
	c.param("realm", b.Realm)
	c.param("scope", strings.Join(scope, " "))
	c.param("resource_metadata", b.setup.metadataURL) // RFC 9728 5.1
	if e.Code != "" && (e.scheme == scheme || e.scheme == "") {
		c.param("error", e.Code)
		c.param("error_description", e.detail)
		c.stepUp(e.stepUp)
	}
	if scheme == schemeDPoP {
		c.param("algs", b.setup.algorithms)
	}
	return string(c)
}

// A challenge is the text of one, as far as it is written. Its parameters have values of
// printable ASCII, which setup and checkWords see to.
type challenge string

func (c *challenge) param(name, value string) {
	if value == "" {
		return
	}
	separator := ", "
	if !strings.Contains(string(*c), " ") {
		separator = " "
	}
	*c += challenge(separator + name + `="` + escapeQuoted(value) + `"`)
}

// stepUp names what would have been enough, RFC 9470 3.
func (c *challenge) stepUp(missing *stepUp) {
	if missing == nil {
		return
	}
	c.param("acr_values", strings.Join(missing.acr, " "))
	if missing.maxAge != nil {
		c.param("max_age", strconv.FormatInt(int64(missing.maxAge.Seconds()), 10))
	}
}

// escapeQuoted makes a text the inside of a quoted-string, RFC 9110 5.6.4.
func escapeQuoted(s string) string {
	if !strings.ContainsAny(s, `"\`) {
		return s
	}
	return strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s)
}

// refuse logs e and answers with it.
func (b *Bearer) refuse(w http.ResponseWriter, r *http.Request, e *BearerError) {
	b.log(r, e)
	h := w.Header()
	for name, values := range e.Header {
		h[name] = values
	}
	if b.OnError != nil {
		b.OnError(w, r, e)
		return
	}
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Error  string `json:"error,omitempty"`
	}{"about:blank", http.StatusText(e.Status), e.Status, e.sentence(), e.Code})
	if err != nil {
		b.log(r, &BearerError{Status: http.StatusInternalServerError, Err: err})
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(e.Status)
	w.Write(body)
}

func (e *BearerError) sentence() string {
	switch e.Status {
	case http.StatusServiceUnavailable:
		return "access tokens cannot be checked just now"
	case http.StatusInternalServerError:
		return "access tokens cannot be checked here"
	}
	return e.detail
}

// log writes a line about a request that was refused. The path is without its query,
// which may hold anything.
func (b *Bearer) log(r *http.Request, e *BearerError) {
	logger := cmp.Or(b.Logger, slog.Default())
	level := e.level()
	if e.Status == http.StatusServiceUnavailable && r.Context().Err() != nil {
		level = slog.LevelDebug // the client did not wait, which nobody has to look at
	}
	logger.LogAttrs(r.Context(), level, "jwtverify: request refused",
		slog.Int("status", e.Status), slog.String("code", e.Code), slog.String("error", e.Err.Error()),
		slog.String("method", cut(r.Method)), slog.String("path", cut(r.URL.Path)))
}

// level: what the operator should look at is an error; that clients have no token yet,
// or one that has expired, is how it should be.
func (e *BearerError) level() slog.Level {
	switch {
	case e.Status == http.StatusServiceUnavailable: // which a made-up kid can cause
		return slog.LevelWarn
	case e.Status >= http.StatusInternalServerError:
		return slog.LevelError
	case e.Status == http.StatusUnauthorized && e.Code == "", e.Code == codeNonce, errors.Is(e.Err, ErrExpired):
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

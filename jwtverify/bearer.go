package jwtverify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
)

// Bearer protects an API with access tokens: it is the resource server of OAuth.
//
//	api := &jwtverify.Bearer{Tokens: verifier, Resource: "https://api.example.com"}
//	api.Routes(mux)
//	mux.Handle("GET /orders", api.Require("orders.read")(orders))
//
// A token comes in the Authorization header, by the scheme Bearer (RFC 6750 2.1) or DPoP
// (RFC 9449 7.1), and from nowhere else unless FormToken says so: a header that is wrong
// is a 401, whatever cookies, form fields or query parameters stand beside it. One that
// is bound to a key or a certificate is taken only from whoever proves to have it (RFC
// 9449 7, RFC 8705 3): a certificate has to be the first of Request.TLS.PeerCertificates.
// Who signed it is for the TLS server to care about, and behind a proxy that ends TLS, a
// handler in front has to put there what the proxy, and nobody else, can send (RFC 9440).
// What is refused is told why by WWW-Authenticate, in words of this package and of no token.
//
// It does not know whether a token was revoked since it was issued (what asks the
// introspection endpoint does), nor whose the record is that a request is about: that is
// for the handler to compare with Subject, or for a Rule.
//
// A request that is refused is answered with a JSON problem (RFC 9457), which is not
// stored by caches, and logged. HEAD and OPTIONS are requests like others: a CORS
// preflight has no token, so the handler for CORS stands in front. It is also the one to
// expose WWW-Authenticate and DPoP-Nonce to scripts, where these have to read them.
//
// The zero Bearer refuses every request, with 500, and so does one whose fields
// contradict each other; the log says why. A Bearer may be used concurrently, by pointer.
// Do not copy or change it after its first use.
type Bearer struct {
	// Tokens decides on access tokens: a *Verifier, Issuers, a *Cache, or a
	// *client.Introspector for those that are no JWTs. Required.
	Tokens AccessTokenVerifier

	// Resource is the address of the API as its clients know it (RFC 9728 1.2), such as
	// https://api.example.com or https://api.example.com/v1; http only on a loopback
	// host. It is never taken from a request: whoever holds a proof made for another
	// host would send that host along. Empty: the challenges name no metadata.
	// Required for DPoP.
	//
	// A proof is compared with the origin of Resource and the path of the request as it
	// arrived here, whatever http.StripPrefix did to it later; one with dot segments, which
	// handlers and proofs may read in two ways, is refused. Behind a proxy that changes
	// paths, a handler in front must first put back Request.RequestURI.
	Resource string

	// DPoP checks the proofs of tokens that are bound to a key. nil: such tokens are
	// refused, and the scheme DPoP with them.
	DPoP *DPoP

	// RequireBound refuses tokens that whoever has stolen them could use: those bound
	// neither to a key nor to a certificate.
	RequireBound bool

	// FormToken also takes a token from the field access_token of a form (RFC 6750 2.2)
	// that was sent by POST, PUT or PATCH and has at most 1 MiB. Handlers then find the
	// form in Request.PostForm, and the body read. Tokens bound to a DPoP key come in
	// the header all the same.
	FormToken bool

	// Realm is shown in challenges, in printable ASCII. Empty: none.
	Realm string

	// Metadata is what ServeMetadata tells about the API, beside Resource.
	Metadata ResourceMetadata

	// OnError answers instead of the JSON problem. The headers that the answer needs
	// are set; the status is not. nil: the problem.
	OnError func(http.ResponseWriter, *http.Request, *BearerError)

	Logger *slog.Logger // nil: slog.Default()

	once  sync.Once
	setup setup
}

// Format keeps the secrets of Tokens and DPoP out of every kind of printing.
func (*Bearer) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue keeps the secrets of Tokens and DPoP out of logs.
func (*Bearer) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON keeps the secrets of Tokens and DPoP out of JSON.
func (*Bearer) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// demand is what one Require or Guard asks for.
type demand struct {
	scope []string // told to who has no good token yet
	rules []Rule
	err   error // it cannot be met by anybody, for it is a mistake
}

// Require lets requests pass that have a good access token with every scope given, which
// AccessTokenFrom gives to the handler; without a scope, any good token will do. A scope
// is one name: "read write" is a mistake, and every request is answered 500.
func (b *Bearer) Require(scope ...string) func(http.Handler) http.Handler {
	if len(scope) == 0 {
		return b.guard(demand{})
	}
	need := demand{scope: slices.Clone(scope), rules: []Rule{HasScope(scope...)}}
	if err := checkWords("scope", scope); err != nil {
		need = demand{err: err}
	}
	return b.guard(need)
}

// Guard is Require with rules, all of which must hold. The first that does not decides
// on the answer: 403, or for HasACR and AuthenticatedWithin the 401 of a step-up
// challenge (RFC 9470), which is sent only where no rule refuses for another reason and
// names all that these two found missing.
//
// Guard and Require may stand within one another: the request is authenticated once.
// Put Require outside, and who has no token yet learns which scope to ask for:
//
//	api.Require("transfer")(api.Guard(jwtverify.HasACR("mfa"))(handler))
func (b *Bearer) Guard(rules ...Rule) func(http.Handler) http.Handler {
	return b.guard(demandOf(slices.Clone(rules)))
}

func demandOf(rules []Rule) demand {
	for _, rule := range rules {
		if rule == nil {
			return demand{err: errors.New("a Rule is nil")}
		}
	}
	return demand{rules: rules}
}

func (b *Bearer) guard(need demand) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a, refused := b.admit(r, &need)
			if refused != nil {
				b.refuse(w, r, refused)
				return
			}
			if nonce := b.nonceFor(a.credentials); nonce != "" {
				w.Header().Set("DPoP-Nonce", nonce)
				w.Header().Set("Cache-Control", "no-store") // RFC 9449 8.2: a stored nonce is an old one
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), admissionKey{}, a)))
		})
	}
}

// Authenticate is Guard for programs that have a router or a gateway with another idea of
// middleware. It returns the token, or an error that is a *BearerError and has what to
// answer. Where DPoP.RequireNonce is set, the answer to a good request wants the header
// DPoP-Nonce too, from DPoP.Nonce. A proof is good for one call.
func (b *Bearer) Authenticate(r *http.Request, rules ...Rule) (*AccessToken, error) {
	need := demandOf(rules)
	a, refused := b.admit(r, &need)
	if refused != nil {
		return nil, refused
	}
	return a.token, nil
}

// admission is one request that was let in.
type admission struct {
	credentials
	b            *Bearer
	token        *AccessToken
	method, path string
	scope        []string // that was asked for
}

type admissionKey struct{}

// Format keeps the token out of whatever prints the context.
func (*admission) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// AccessTokenFrom gives the token of a request, from the context that Require and Guard
// make. Outside of these it is nil.
func AccessTokenFrom(ctx context.Context) *AccessToken {
	a, ok := ctx.Value(admissionKey{}).(*admission)
	if !ok {
		return nil
	}
	return a.token
}

// admit authenticates a request and asks the rules.
func (b *Bearer) admit(r *http.Request, need *demand) (*admission, *BearerError) {
	if err := b.ready(need); err != nil {
		return nil, b.challenge(&BearerError{Status: http.StatusInternalServerError, Err: err}, nil)
	}
	given, refused := b.credentialsOf(r)
	if refused != nil {
		return nil, b.challenge(refused, need.scope)
	}
	a := b.admitted(r, given, need)
	if a == nil {
		if a, refused = b.verify(r, given, need); refused != nil {
			return nil, b.challenge(refused.by(given), need.scope)
		}
	}
	if refused = need.ask(r, a.token); refused != nil {
		return nil, b.challenge(refused.by(given), a.scope)
	}
	return a, nil
}

// admitted copies what an outer handler has let in, if it was this very request: its
// proof was used up by that. Requests that a handler makes up within the context of
// another one, as those of a batch, are judged anew.
func (b *Bearer) admitted(r *http.Request, given credentials, need *demand) *admission {
	a, ok := r.Context().Value(admissionKey{}).(*admission)
	if !ok || a.b != b || a.method != r.Method || a.path != requestPath(r) {
		return nil
	}
	if a.scheme != given.scheme || !equal(a.raw, given.raw) {
		return nil
	}
	again := *a
	again.scope = union(a.scope, need.scope)
	return &again
}

// verify decides on the token and on who sent it.
func (b *Bearer) verify(r *http.Request, given credentials, need *demand) (*admission, *BearerError) {
	proof, refused := proofOf(r, given.scheme)
	if refused != nil {
		return nil, refused
	}
	t, err := b.Tokens.AccessToken(r.Context(), given.raw)
	if err != nil {
		return nil, unverified(err)
	}
	if t == nil {
		return nil, &BearerError{Status: http.StatusInternalServerError, Err: errors.New("Bearer.Tokens returned neither a token nor an error")}
	}
	if refused := b.possession(r, t, given, proof); refused != nil {
		return nil, refused
	}
	return &admission{credentials: given, b: b, token: t, method: r.Method, path: requestPath(r), scope: need.scope}, nil
}

// unverified tells the client what an AccessTokenVerifier found.
func unverified(err error) *BearerError {
	var config *configError
	switch {
	case errors.As(err, &config): // no client has a better token than this one
		return &BearerError{Status: http.StatusInternalServerError, Err: err}
	case errors.Is(err, ErrKeys):
		return &BearerError{Status: http.StatusServiceUnavailable, Err: err}
	case errors.Is(err, ErrExpired):
		return &BearerError{Status: http.StatusUnauthorized, Code: codeInvalidToken, detail: "the access token has expired", Err: err}
	case errors.Is(err, ErrInvalid):
		return &BearerError{Status: http.StatusUnauthorized, Code: codeInvalidToken, detail: "the access token is not acceptable", Err: err}
	}
	// Against its contract: a 401 would make clients throw away what may be good.
	return &BearerError{Status: http.StatusInternalServerError, Err: err}
}

// ask asks the rules, in order.
func (need *demand) ask(r *http.Request, t *AccessToken) *BearerError {
	var missing *stepUp
	for _, rule := range need.rules {
		err := rule(r, t)
		var more *stepUp
		switch {
		case err == nil:
		case errors.As(err, &more):
			missing = missing.and(more)
		default:
			return forbidden(err)
		}
	}
	if missing == nil {
		return nil
	}
	return &BearerError{Status: http.StatusUnauthorized, Code: codeStepUp, detail: missing.detail(), stepUp: missing, Err: missing}
}

func forbidden(err error) *BearerError {
	var mistake *misuse
	if errors.As(err, &mistake) {
		return &BearerError{Status: http.StatusInternalServerError, Err: err}
	}
	refused := &BearerError{Status: http.StatusForbidden, detail: "the access token does not allow this", Err: err}
	var scope *scopeMissing
	if errors.As(err, &scope) {
		refused.Code, refused.detail, refused.scope = codeScope, "the access token lacks a scope", scope.want
	}
	return refused
}

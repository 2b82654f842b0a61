package session

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// A Rule decides about a request of somebody who is signed in: nil lets it pass, an error
// refuses it with 403, and its text is for the log. A rule reads the session, which has the
// verified ID token and claims of the userinfo endpoint; it should not read an access
// token, which is not for us to understand.
//
// Where the error is or wraps a *[Demand], a new sign-in may help: see [Manager.StepUp].
// Rules of one's own may ask those of this package, and return their errors:
//
//	func deleteTakesMFA(r *http.Request, s *session.Session) error {
//		if r.Method != http.MethodDelete {
//			return nil
//		}
//		return session.HasACR("mfa")(r, s)
//	}
type Rule func(*http.Request, *Session) error

// AuthenticatedWithin demands that the user authenticated at the provider no longer ago
// than d, which counts in whole seconds, and jwtverify.DefaultLeeway more for clocks that
// differ (OpenID Connect Core 3.1.2.1, max_age). An ID token without auth_time does not say.
// Who was not has to do it again, and the new sign-in is refused if the provider did not see
// to that. Less than zero is a mistake, answered 500.
func AuthenticatedWithin(d time.Duration) Rule {
	if d < 0 {
		return mistaken(errors.New("AuthenticatedWithin: less than zero"))
	}
	d = d.Truncate(time.Second)
	return func(_ *http.Request, s *Session) error {
		if id := s.IDToken(); id != nil && !id.AuthTime.IsZero() {
			ago := s.m.cfg.Now().Sub(id.AuthTime)
			if -jwtverify.DefaultLeeway <= ago && ago-jwtverify.DefaultLeeway <= d {
				return nil
			}
		}
		return &Demand{MaxAge: &d, Reason: ReasonMaxAge}
	}
}

// HasACR demands that the user was authenticated in one of the ways given, the best first:
// that acr of the ID token is one of them. Who was not is asked to do it again in such a
// way, by acr_values, and a sign-in whose ID token says otherwise is refused. Without a
// value it is a mistake, answered 500.
func HasACR(acr ...string) Rule {
	want := slices.Clone(acr)
	if err := checkWords("acr", want); err != nil {
		return mistaken(err)
	}
	return func(_ *http.Request, s *Session) error {
		if id := s.IDToken(); id != nil && slices.Contains(want, id.ACR) {
			return nil
		}
		return &Demand{ACR: want, Reason: ReasonACR}
	}
}

// HasAMR demands that the user authenticated by every method given (RFC 8176): that amr of
// the ID token has them. There is no parameter to ask a provider for a method: who lacks
// one has to authenticate anew, once, and may choose another way. Where the provider has an
// acr for it, HasACR is better. Without a value it is a mistake, answered 500.
func HasAMR(amr ...string) Rule {
	want := slices.Clone(amr)
	if err := checkWords("amr", want); err != nil {
		return mistaken(err)
	}
	return func(_ *http.Request, s *Session) error {
		id := s.IDToken()
		for _, method := range want {
			if id == nil || !slices.Contains(id.AMR, method) {
				now := time.Duration(0)
				return &Demand{MaxAge: &now, Reason: ReasonACR}
			}
		}
		return nil
	}
}

// HasScope demands every scope given: that the provider granted it to the session. Who
// lacks one is sent to the provider to grant it, beside what the session has; if that is in
// vain, the answer is a 403. Without a value it is a mistake, answered 500.
//
// A provider that does not say what it granted has granted what it was asked for (RFC 6749
// 5.1), and the request goes through the browser, where a user can take a scope out. So this
// is for what an API will check in the access token; for rights in the app itself there are
// HasClaim and HasACR, which read what the provider says of the user.
func HasScope(scope ...string) Rule {
	want := slices.Clone(scope)
	if err := checkWords("scope", want); err != nil {
		return mistaken(err)
	}
	return func(_ *http.Request, s *Session) error {
		if !s.SignedIn() {
			return ErrSignIn
		}
		granted := s.tokens().Scope
		for _, one := range want {
			if !slices.Contains(granted, one) {
				return &Demand{Scopes: want}
			}
		}
		return nil
	}
}

// HasClaim demands that the claim at path, which Session.Texts reads, is one of the texts
// given or an array with one of them in it: a group, or a role. The refusal is a 403, for
// another sign-in changes nothing about it. Without a path or a value, or with an empty one,
// it is a mistake, answered 500.
//
//	session.HasClaim([]string{"realm_access", "roles"}, "admin", "owner") // Keycloak: either
func HasClaim(path []string, values ...string) Rule {
	where, want := slices.Clone(path), slices.Clone(values)
	if len(where) == 0 || len(want) == 0 || slices.Contains(want, "") {
		return mistaken(errors.New("HasClaim: no path or no value"))
	}
	return func(_ *http.Request, s *Session) error {
		list, _ := s.Texts(where...)
		if slices.ContainsFunc(list, func(text string) bool { return slices.Contains(want, text) }) {
			return nil
		}
		return fmt.Errorf("session: claim %q has none of %q", cut(strings.Join(where, " ")), cut(strings.Join(want, " ")))
	}
}

// FromProvider demands that the session is with the provider of that name, one of
// Config.Providers: a tenant whose people have their own. Who is signed in elsewhere is sent
// there, and the new session takes the place of the old one. A name that no provider has is
// a mistake, answered 500.
func FromProvider(name string) Rule {
	return func(_ *http.Request, s *Session) error {
		if s.Provider() == name {
			return nil
		}
		return &Demand{Provider: name}
	}
}

// mistaken is a rule that cannot be met by anybody, and was not meant so.
func mistaken(err error) Rule {
	return func(*http.Request, *Session) error {
		return &Error{Status: http.StatusInternalServerError, Reason: ReasonInternal, Err: err}
	}
}

// checkWords takes what can stand in a list separated by spaces (RFC 6749 3.3).
func checkWords(what string, words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("no %s is demanded", what)
	}
	for _, word := range words {
		if word == "" || strings.ContainsFunc(word, func(c rune) bool { return c <= ' ' || c == '"' || c == '\\' || c > '~' }) {
			return fmt.Errorf("%q is not one %s", cut(word), what)
		}
	}
	return nil
}

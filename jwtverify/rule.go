package jwtverify

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Rule decides about a request with a good access token: nil lets it pass, an error
// refuses it with 403, and its text is for the log. A rule decides and does nothing else:
// it may be asked although another one has refused already. Rules of one's own may ask
// those of this package, and return their errors:
//
//	func deleteTakesMFA(r *http.Request, t *jwtverify.AccessToken) error {
//		if r.Method != http.MethodDelete {
//			return nil
//		}
//		return jwtverify.HasACR("mfa")(r, t)
//	}
type Rule func(*http.Request, *AccessToken) error

// HasScope demands every scope given. Who lacks one is told of all of them, with 403 and
// insufficient_scope (RFC 6750 3.1). Without a scope it is a mistake, answered 500, and
// so it is with one that is not one name.
func HasScope(scope ...string) Rule {
	want := slices.Clone(scope)
	if err := checkWords("scope", want); err != nil {
		return mistaken(err)
	}
	return func(_ *http.Request, t *AccessToken) error {
		for _, s := range want {
			if !slices.Contains(t.Scope, s) {
				return &scopeMissing{want: want, first: s}
			}
		}
		return nil
	}
}

// HasACR demands that the user was authenticated in one of the ways given, the best
// first: that acr is one of them. A token without acr does not say, and is refused. The
// refusal is a step-up challenge, 401 with acr_values (RFC 9470 3). Without a value it
// is a mistake, answered 500.
func HasACR(acr ...string) Rule {
	want := slices.Clone(acr)
	if err := checkWords("acr", want); err != nil {
		return mistaken(err)
	}
	return func(_ *http.Request, t *AccessToken) error {
		if t.ACR != "" && slices.Contains(want, t.ACR) {
			return nil
		}
		return &stepUp{acr: want}
	}
}

// AuthenticatedWithin demands that the user was authenticated no longer ago than d, which
// counts in whole seconds, and DefaultLeeway more for clocks that differ. A token without
// auth_time does not say, and is refused. The refusal is a step-up challenge, 401 with
// max_age (RFC 9470 3). Less than zero is a mistake, answered 500.
func AuthenticatedWithin(d time.Duration) Rule {
	if d < 0 {
		return mistaken(errors.New("AuthenticatedWithin: less than zero"))
	}
	d = d.Truncate(time.Second)
	return func(_ *http.Request, t *AccessToken) error {
		ago := time.Since(t.AuthTime)
		if !t.AuthTime.IsZero() && -DefaultLeeway <= ago && ago-DefaultLeeway <= d {
			return nil
		}
		return &stepUp{maxAge: &d}
	}
}

// HasClaim demands that the claim at path, which AccessToken.Texts reads, is one of the
// texts given or an array with one of them in it. The refusal is a 403. Without a path or a
// value, or with an empty one, it is a mistake, answered 500.
//
//	jwtverify.HasClaim([]string{"realm_access", "roles"}, "admin", "owner") // Keycloak: either
func HasClaim(path []string, values ...string) Rule {
	where, want := slices.Clone(path), slices.Clone(values)
	if len(where) == 0 || len(want) == 0 || slices.Contains(want, "") {
		return mistaken(errors.New("HasClaim: no path or no value"))
	}
	return func(_ *http.Request, t *AccessToken) error {
		list, _ := t.Texts(where...)
		if slices.ContainsFunc(list, func(s string) bool { return slices.Contains(want, s) }) {
			return nil
		}
		return fmt.Errorf("claim %s has none of %s", quote(strings.Join(where, " ")), show(want))
	}
}

// scopeMissing is what HasScope found.
type scopeMissing struct {
	want  []string
	first string
}

func (e *scopeMissing) Error() string { return "the token lacks the scope " + quote(e.first) }

// stepUp is what HasACR and AuthenticatedWithin found missing.
type stepUp struct {
	acr    []string
	maxAge *time.Duration
}

func (e *stepUp) Error() string { return e.detail() }

func (e *stepUp) detail() string {
	switch {
	case e.maxAge == nil:
		return "a different authentication level is required"
	case e.acr == nil:
		return "more recent authentication is required"
	}
	return "a different authentication level and more recent authentication are required"
}

// and puts two demands into one. Of two lists or ages the first stands: the client meets
// the other one at its next request.
func (e *stepUp) and(more *stepUp) *stepUp {
	if e == nil {
		return more
	}
	both := *e
	if both.acr == nil {
		both.acr = more.acr
	}
	if both.maxAge == nil {
		both.maxAge = more.maxAge
	}
	return &both
}

// misuse is a rule that cannot be met by anybody, and was not meant so.
type misuse struct{ err error }

func (e *misuse) Error() string { return e.err.Error() }

// mistaken is the rule that an impossible demand becomes: it lets nobody pass, and says
// why in the log.
func mistaken(err error) Rule {
	return func(*http.Request, *AccessToken) error { return &misuse{err} }
}

// checkWords refuses what cannot stand in a list with spaces between: a scope-token is
// printable ASCII without space, quotation mark and backslash (RFC 6749 3.3), and so is
// an acr that can be asked for. An empty list is a mistake: whoever writes one down means
// to demand something.
func checkWords(what string, words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("no %s is demanded", what)
	}
	for _, word := range words {
		if word == "" || strings.ContainsFunc(word, func(c rune) bool { return c <= ' ' || c == '"' || c == '\\' || c > '~' }) {
			return fmt.Errorf("%s is not one %s", quote(word), what)
		}
	}
	return nil
}

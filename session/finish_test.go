package session

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// What the browser is told of a failed exchange depends on whose fault it is.
func TestExchangeError(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		status int
		reason string
	}{
		"no such acr":        {&jwtverify.ClaimError{Claim: "acr", Err: jwtverify.ErrInvalid}, http.StatusForbidden, ReasonACR},
		"not fresh":          {&jwtverify.ClaimError{Claim: "auth_time", Err: jwtverify.ErrInvalid}, http.StatusForbidden, ReasonMaxAge},
		"another claim":      {&jwtverify.ClaimError{Claim: "aud", Err: jwtverify.ErrInvalid}, http.StatusBadRequest, ReasonCallbackRejected},
		"unmet":              {&client.AuthError{Code: "unmet_authentication_requirements"}, http.StatusForbidden, ReasonACR},
		"the user says no":   {&client.AuthError{Code: "access_denied"}, http.StatusForbidden, ReasonProviderRefused},
		"trouble":            {&client.AuthError{Code: "server_error"}, http.StatusServiceUnavailable, ReasonProviderRefused},
		"a moment's trouble": {&client.AuthError{Code: "temporarily_unavailable"}, http.StatusServiceUnavailable, ReasonProviderRefused},
		"a bad request":      {&client.AuthError{Code: "invalid_scope"}, http.StatusBadRequest, ReasonProviderRefused},
		"no network":         {client.ErrUnavailable, http.StatusServiceUnavailable, ReasonUnavailable},
		"no keys":            {jwtverify.ErrKeys, http.StatusServiceUnavailable, ReasonUnavailable},
		"a used code":        {client.ErrInvalidGrant, http.StatusBadRequest, ReasonCodeRefused},
		"a wrong secret":     {&client.ResponseError{Endpoint: "token", Status: 401}, http.StatusBadGateway, ReasonTokenRefused},
		"no userinfo":        {&client.ResponseError{Endpoint: "userinfo", Status: 401}, http.StatusBadRequest, ReasonCallbackRejected},
		"anything else":      {errors.New("boom"), http.StatusBadRequest, ReasonCallbackRejected},
	} {
		e := exchangeError(fmt.Errorf("wrapped: %w", tt.err))
		if e.Status != tt.status || e.Reason != tt.reason || !errors.Is(e, tt.err) {
			t.Errorf("%s: %d %s %v, want %d %s", name, e.Status, e.Reason, e.Err, tt.status, tt.reason)
		}
	}
}

// Who asks whether somebody is signed in takes a no, and nothing else, for an answer.
func TestOutcomeWrong(t *testing.T) {
	no, denied := &Error{Err: &client.AuthError{Code: "login_required"}}, &Error{Err: &client.AuthError{Code: "access_denied"}}
	for mode, takesNo := range map[loginMode]bool{modePage: false, modePopup: false, modeSilent: true, modeFrame: true} {
		if err := (&outcome{mode: mode}).wrong(); err != nil {
			t.Errorf("mode %v: nothing is wrong: %v", mode, err)
		}
		if err := (&outcome{mode: mode, err: no}).wrong(); (err == nil) != takesNo {
			t.Errorf("mode %v: a no is %v", mode, err)
		}
		for _, other := range []*Error{denied, {Err: client.ErrUnavailable}} {
			if err := (&outcome{mode: mode, err: other}).wrong(); err != error(other) {
				t.Errorf("mode %v: %v is %v", mode, other.Err, err)
			}
		}
	}
}

// A session goes on in the hands of the same user, from the same provider: two that share an
// issuer are two.
func TestGoesOnWithTheSameProvider(t *testing.T) {
	a, red, _ := newTwo(t)
	b := a.browser()
	a.wantRedirect(b.signInAt(red, "red", "alice"), "/from/red")
	r := b.request("GET", "/")
	for provider, want := range map[string]string{"red": "", "blue": ReasonOtherUser} {
		rec := *a.m.present(r)
		rec.provider = provider
		got := ""
		if e := a.m.goesOn(r, &attempt{mode: modeFrame}, &outcome{}, &rec); e != nil {
			got = e.Reason
		}
		if got != want {
			t.Errorf("at %s: %q, want %q", provider, got, want)
		}
	}
}

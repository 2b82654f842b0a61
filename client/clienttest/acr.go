package clienttest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// defaultACR is the acr of a sign-in for which none was asked, where the user has no other.
const defaultACR = "1"

// strongAMR is how a user signed in who was asked for another acr than their own (RFC 8176).
func strongAMR() []string { return []string{"pwd", "otp", "mfa"} }

// usualACR is how a user signs in when nobody asks for more.
func (p *Provider) usualACR(subject string) (acr string, amr []string) {
	claims := p.claims(subject)
	acr, _ = claims["acr"].(string)
	amr, _ = claims["amr"].([]string)
	if amr == nil {
		amr = []string{"pwd"}
	}
	return orDefault(acr, defaultACR), amr
}

// askACR reads the acr that a request asks for, by acr_values or by its claims (OpenID
// Connect Core section 5.5.1.1). What the provider does not have is left out, or an error
// where it is essential (OpenID Connect Unmet Authentication Requirements).
func (p *Provider) askACR(a *authorization, q url.Values) *endpointError {
	a.acr = strings.Fields(q.Get("acr_values"))
	essential := false
	if q.Has("claims") {
		var claims struct {
			IDToken struct {
				ACR *struct {
					Essential bool
					Value     string
					Values    []string
				}
			} `json:"id_token"`
		}
		if err := json.Unmarshal([]byte(q.Get("claims")), &claims); err != nil {
			return invalidRequest("the claims cannot be read")
		}
		if acr := claims.IDToken.ACR; acr != nil {
			essential = acr.Essential
			a.acr = acr.Values
			if acr.Value != "" {
				a.acr = []string{acr.Value}
			}
		}
	}
	wanted := len(a.acr) > 0
	a.acr = slices.DeleteFunc(a.acr, func(acr string) bool { return p.acrValues != nil && !slices.Contains(p.acrValues, acr) })
	if essential && wanted && len(a.acr) == 0 {
		return &endpointError{http.StatusBadRequest, "unmet_authentication_requirements", "there is no such acr"}
	}
	return nil
}

// ignore drops what the active faults do not listen to.
func (p *Provider) ignore(a *authorization) {
	if p.has(ACRIgnored) {
		a.acr = nil
	}
	if p.has(MaxAgeIgnored) {
		a.maxAge = nil
		a.prompt = slices.DeleteFunc(a.prompt, func(prompt string) bool { return prompt == "login" })
	}
}

package client

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/loopback"
)

const scopeOffline = "offline_access" // Core 11

// asRegistered is why the spelling of a redirect URL matters.
const asRegistered = "Providers compare it with the registered one byte for byte: register exactly this, or change it to what is registered."

func (v *visit) checkRedirectURL() {
	u, err := url.Parse(v.cfg.RedirectURL)
	if err != nil || !v.cfg.signsIn() {
		return
	}
	v.checkLoopback(u)
	if host := u.Host; host != strings.ToLower(host) {
		v.found(SeverityWarning, "RedirectURL", asRegistered, "It has a host in capitals, which browsers write in lower case.")
	}
	if port := u.Port(); port == "443" && u.Scheme == "https" || port == "80" && u.Scheme == "http" {
		v.found(SeverityWarning, "RedirectURL", asRegistered, "It names the port %s, which browsers leave out.", port)
	}
	switch path := u.EscapedPath(); {
	case path == "" && u.Opaque == "":
		v.found(SeverityWarning, "RedirectURL", asRegistered, "It has no path, and browsers add a slash.")
	case path != "/" && strings.HasSuffix(path, "/"):
		v.found(SeverityNote, "RedirectURL", asRegistered, "It ends with a slash.")
	}
	if u.RawQuery != "" || u.ForceQuery {
		v.found(SeverityNote, "RedirectURL", asRegistered, "It has a query, which some providers drop or do not take.")
	}
}

// checkLoopback: http is for the browser of this very machine.
func (v *visit) checkLoopback(u *url.URL) {
	if u.Scheme != "http" && u.Scheme != "https" || !loopback.Host(u.Hostname()) {
		return
	}
	issuer, err := url.Parse(v.cfg.Issuer)
	switch {
	case err != nil || loopback.Host(issuer.Hostname()):
	case !v.cfg.public():
		v.found(SeverityWarning, "RedirectURL", "Configure the https address that people open, once the program is not on your own machine.",
			"It is on %s, which a browser finds on its own machine only.", u.Hostname())
	case strings.EqualFold(u.Hostname(), "localhost"):
		v.found(SeverityWarning, "RedirectURL", "Use http://127.0.0.1 or http://[::1], and register that (RFC 8252 8.3).",
			"It is on localhost, a name that may resolve to somebody else.")
	}
}

// checkSecrets looks at what the program has brought, without the provider.
func (v *visit) checkSecrets(now time.Time) {
	if secret := v.cfg.ClientSecret; secret != strings.TrimSpace(secret) {
		v.found(SeverityWarning, "ClientSecret", "Read it without the line break at the end of a file.", "It begins or ends with white space.")
	}
	if v.cfg.Certificate == nil {
		return
	}
	leaf, err := x509.ParseCertificate(v.cfg.Certificate.Certificate[0])
	if err != nil {
		return
	}
	if now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		v.found(SeverityError, "Certificate", "Renew it, and set Config.GetClientCertificate to have it renewed while the program runs.",
			"It is good from %s to %s only.", leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly))
	}
}

func (v *visit) checkProfile() {
	for _, breach := range v.cfg.profileBreaches(v.m) {
		v.found(SeverityError, "Profile", "Ask the provider for it, or sign in without this profile.", "The provider's metadata %s.", breach)
	}
}

func (v *visit) checkScopes() {
	for _, scope := range splitScopes(joinScopes(v.cfg.Scopes)) {
		if v.cfg.signsIn() && scope != scopeOffline && lacks(v.m.ScopesSupported, scope) {
			v.found(SeverityWarning, "Scopes", "See whether it is misspelled. A provider need not list all that it has, such as those of its APIs.",
				"The provider does not list %s in scopes_supported.", scope)
		}
	}
}

func (v *visit) checkOffline() {
	asked, listed := slices.Contains(v.cfg.Scopes, scopeOffline), slices.Contains(v.m.ScopesSupported, scopeOffline)
	switch {
	case !v.cfg.signsIn():
	case asked && lacks(v.m.GrantTypesSupported, "refresh_token"):
		v.found(SeverityWarning, "Scopes", "Leave the scope out.", "%s asks for a refresh token, and the provider does not list refresh_token in grant_types_supported.", scopeOffline)
	case asked && lacks(v.m.ScopesSupported, scopeOffline):
		v.found(SeverityWarning, "Scopes", "See what the provider wants instead; Google wants access_type=offline in AuthorizeOptions.Extra.",
			"The provider does not list %s in scopes_supported, so that there may be no refresh token.", scopeOffline)
	case !asked && listed:
		v.found(SeverityNote, "Scopes", "Add it to have access tokens renewed.", "%s is not among them, so that there may be no refresh token.", scopeOffline)
	}
}

func (v *visit) checkAuth() {
	offered := v.m.TokenEndpointAuthMethodsSupported
	auth := v.cfg.chooseAuth(offered)
	switch method := auth.method(); {
	case len(offered) == 0 && method != SecretBasic{}.method() && v.cfg.Auth != nil:
		v.found(SeverityNote, "Auth", "Try without it, if the provider answers invalid_client.",
			"The provider does not say how clients authenticate, which means client_secret_basic, and this is %s.", method)
	case !lacks(offered, method):
	case method == NoAuth{}.method():
		v.found(SeverityWarning, "ClientSecret", "Set it, if the client is registered with one.",
			"It is empty, and the provider does not list none, for public clients, in token_endpoint_auth_methods_supported, but %s.", quotedList(offered))
	case v.cfg.Auth == nil:
		v.found(SeverityError, "Auth", "Set one of these, as the client is registered.",
			"It is nil, which means %s, and the provider takes %s.", method, quotedList(offered))
	default:
		v.found(SeverityError, "Auth", "Set one of these, as the client is registered.",
			"It is %s, and the provider takes %s.", method, quotedList(offered))
	}
}

// quotedList shows a list of foreign texts.
func quotedList(texts []string) string {
	const most = 12
	var shown []string
	for _, text := range texts[:min(len(texts), most)] {
		shown = append(shown, fmt.Sprintf("%q", cut(text, quoted)))
	}
	if len(texts) > most {
		shown = append(shown, "others")
	}
	return strings.Join(shown, ", ")
}

// checkAssertion is about the algorithm of a client that signs, as far as it is known
// without signing.
func (v *visit) checkAssertion() {
	const member = "token_endpoint_auth_signing_alg_values_supported"
	const fix = "Use a key, or name an Algorithm, that the provider takes."
	offered := v.m.TokenEndpointAuthSigningAlgValuesSupported
	alg, err := "", error(nil)
	switch auth := v.cfg.Auth.(type) {
	case PrivateKeyJWT:
		alg, err = signAlgorithm(auth.Key, auth.Algorithm, v.cfg.Profile.among(offered))
	case *PrivateKeyJWT:
		alg, err = signAlgorithm(auth.Key, auth.Algorithm, v.cfg.Profile.among(offered))
	case SecretJWT:
		alg, err = auth.algorithm(&attempt{cfg: v.cfg, metadata: v.m})
	case *SecretJWT:
		alg, err = auth.algorithm(&attempt{cfg: v.cfg, metadata: v.m})
	default:
		return
	}
	switch {
	case err != nil:
		v.found(SeverityError, "Auth", fix, "The provider lists %s in %s, and none is one to sign with here.", quotedList(offered), member)
	case lacks(offered, alg):
		v.found(SeverityWarning, "Auth", fix, "It signs with %s, and the provider lists %s in %s.", alg, quotedList(offered), member)
	}
}

func (v *visit) checkResponses() {
	if !v.cfg.signsIn() {
		return
	}
	types := v.m.ResponseTypesSupported
	if len(types) > 0 && !slices.ContainsFunc(types, asksCode.is) {
		v.found(SeverityWarning, "RedirectURL", "Set AuthorizeOptions.ResponseType to one of these.",
			"The provider does not list code, which is asked for by default, in response_types_supported, but %s.", quotedList(types))
	}
	if lacks(v.m.GrantTypesSupported, "authorization_code") {
		v.found(SeverityWarning, "RedirectURL", "See whether this is the provider for people.",
			"The provider does not list authorization_code in grant_types_supported, but %s.", quotedList(v.m.GrantTypesSupported))
	}
}

func (v *visit) checkLogout() {
	if v.cfg.signsIn() && v.m.EndSessionEndpoint == "" && v.m.logoutQuirk() == nil {
		v.found(SeverityWarning, "Issuer", "Tell people so, or link the provider's own page. At some it is a switch (Auth0: RP-Initiated Logout End Session Endpoint Discovery).",
			"The provider has no end_session_endpoint: signing out ends the session here, and not the one there.")
	}
	if v.m.RevocationEndpoint == "" {
		v.found(SeverityNote, "Issuer", "Keep the life of tokens short there.",
			"The provider has no revocation_endpoint: tokens are good until they expire, after signing out too.")
	}
}

package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/postern-go/postern/client"
)

// A page is what our few pages differ in. They are without script and load
// nothing; an app that wants its own has Config.OnError and Config.SignedOut.
type page struct {
	Title  string
	Text   string
	Quote  string // foreign text, shown as such
	Reason string
	Next   string // go on to this local address by itself
	Link   string // ... or by this link; empty: none
	Action string // or by this form
	Label  string // of link or button

	Choices []choice // or by one of these links
}

// A choice is one of several links.
type choice struct{ Link, Label string }

const pageStyle = `body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem;color:#222;background:#fff}` +
	`h1{font-size:1.5rem}blockquote{margin:0;padding-left:1rem;border-left:.2rem solid #bbb}small{color:#666}` +
	`button{font:inherit;padding:.4rem 1.2rem}`

// pagePolicy allows the style above, by its hash, and nothing else. There is no
// form-action: browsers apply it to the redirect that follows a form too, and
// signing out goes on to the provider.
const pagePolicy = `default-src 'none'; style-src 'sha256-` + pageStyleHash + `'; base-uri 'none'; frame-ancestors 'none'`

const pageStyleHash = `qb+KJOVRLaduRwWpMmgvdA/6jk0KplnioXcg4LWoqyA=`

func pageTemplate() *template.Template {
	return template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{{if .Next}}<meta http-equiv="refresh" content="0;url={{.Next}}">
{{end}}<title>{{.Title}}</title>
<style>` + pageStyle + `</style>
</head>
<body>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
{{if .Quote}}<p>The sign-in service says:</p>
<blockquote>{{.Quote}}</blockquote>
{{end}}{{if .Action}}<form method="post" action="{{.Action}}"><button>{{.Label}}</button></form>
{{else if .Choices}}<ul>
{{range .Choices}}<li><a href="{{.Link}}">{{.Label}}</a></li>
{{end}}</ul>
{{else if .Link}}<p><a href="{{.Link}}">{{.Label}}</a></p>
{{end}}{{if .Reason}}<p><small>{{.Reason}}</small></p>
{{end}}</body>
</html>
`))
}

func (m *Manager) writePage(w http.ResponseWriter, r *http.Request, status int, p page) {
	var b bytes.Buffer
	if err := m.page.Execute(&b, p); err != nil {
		m.log(r, slog.LevelError, "session: page not written", slog.String("reason", ReasonInternal), causeAttr(err))
	}
	h := w.Header()
	forbidStoring(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if p.Action != "" { // else a browser would send the form with "Origin: null"
		h.Set("Referrer-Policy", "same-origin")
	}
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// writeErrorPage says what a person can do about e. The provider's own words are
// shown only where they came with an attempt of this browser: a *client.AuthError
// is made after state and issuer were checked.
func (m *Manager) writeErrorPage(w http.ResponseWriter, r *http.Request, e *Error) {
	p := page{Title: title(e), Text: sentence(e), Reason: e.Reason, Link: e.StartAgain, Label: "Start again"}
	var refused *client.AuthError
	if errors.As(e.Err, &refused) {
		p.Quote = refused.Description
	}
	m.writePage(w, r, e.Status, p)
}

// cancelled: at most providers the user has pressed a button that says so.
func cancelled(e *Error) bool {
	var refused *client.AuthError
	return errors.As(e.Err, &refused) && refused.Code == "access_denied"
}

func title(e *Error) string {
	if cancelled(e) {
		return "Sign-in cancelled"
	}
	switch e.Status {
	case http.StatusForbidden:
		return "Not allowed"
	case http.StatusServiceUnavailable, http.StatusBadGateway:
		return "Sign-in is not possible just now"
	case http.StatusMethodNotAllowed, http.StatusInternalServerError:
		return "Something went wrong"
	}
	return "Sign-in did not succeed"
}

// sentence is ours: nothing in it comes from a request or a provider.
func sentence(e *Error) string {
	switch e.Reason {
	case ReasonAttemptMissing, ReasonAttemptExpired:
		return "This sign-in is over, or it was begun in another browser or window. Please start again."
	case ReasonRevoked:
		return "You have been signed out. Please sign in again."
	case ReasonCallbackInvalid, ReasonCallbackRejected, ReasonCodeRefused:
		return "The answer of the sign-in service could not be accepted. Please start again."
	case ReasonProviderRefused:
		if cancelled(e) {
			return "You were not signed in."
		}
		return "The sign-in service has refused the sign-in."
	case ReasonUnavailable:
		return "The sign-in service cannot be reached. Please try again in a moment."
	case ReasonStoreDown:
		return "It cannot be found out just now whether you are signed in. Please try again in a moment."
	case ReasonTokenRefused:
		return "The sign-in service did not accept this application. Please tell its operator."
	case ReasonLoginRefused:
		return "You are known to the sign-in service, but may not sign in here."
	case ReasonACR:
		if e.Status == http.StatusForbidden {
			return "You are not signed in in the way that this page needs."
		}
		return "Sign in again, in the way that this page needs."
	case ReasonMaxAge:
		if e.Status == http.StatusForbidden {
			return "The sign-in service did not ask you to sign in again, which this page needs."
		}
		return "Sign in again: it is too long ago for this page."
	case ReasonStepUpInvalid:
		return "This link is too old, or not for this application."
	case ReasonRule:
		if e.Status == http.StatusUnauthorized {
			return "Sign in again, in the way that this page needs."
		}
		return "You are signed in, but may not see this page."
	case ReasonCrossOrigin:
		return "This request came from another site."
	case ReasonNotNavigation:
		return "Please open this page directly."
	case ReasonHeaderMissing:
		return "This address is for the scripts of this site."
	case ReasonProxyPath:
		return "This address is not one that can be passed on."
	case ReasonBody:
		return "What was sent has not arrived as a whole, or is too large."
	case ReasonUpgrade:
		return "Connections of this kind are not passed on."
	case ReasonTokenRejected:
		if e.Status == http.StatusUnauthorized {
			return "Sign in again: the service behind this page does not accept this sign-in any more."
		}
		return "The service behind this page does not accept this application. Please tell its operator."
	case ReasonAPIUnavailable:
		return "The service behind this page does not answer. Please try again in a moment."
	case ReasonMethod:
		return "This page cannot be used in this way."
	case ReasonTooLarge:
		return "Your sign-in data is too large for this application. Please tell the operator of this application."
	}
	if e.Status == http.StatusUnauthorized {
		return "Sign in first."
	}
	return "Please tell the operator of this application, if it happens again."
}

// writeProblem answers a script (RFC 9457). The challenge is required with a 401
// (RFC 9110 section 15.5.2), and of a scheme no browser asks a password for.
func (m *Manager) writeProblem(w http.ResponseWriter, r *http.Request, e *Error) {
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Reason string `json:"reason"`
		Login  string `json:"login,omitempty"`
	}{"about:blank", http.StatusText(e.Status), e.Status, sentence(e), e.Reason, e.StartAgain})
	if err != nil {
		m.log(r, slog.LevelError, "session: problem not written", slog.String("reason", ReasonInternal), causeAttr(err))
	}
	h := w.Header()
	if e.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Session")
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(e.Status)
	w.Write(body)
}

package clienttest

import (
	"crypto/rand"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const maxSubject = 255 // bytes; OpenID Connect Core section 2

//go:embed page.html
var pageText string

// A page is what page.html shows.
type page struct {
	Title, Text string
	Problem     bool
	Nonce       string // of the Content-Security-Policy

	Action  string     // where the forms post to
	Fields  url.Values // hidden, in every form
	Choice  *choice    // of the sign-in page
	Confirm string     // the label of a single button; empty: none
	Auto    bool       // press it as soon as the page is there, where scripts run
	Ask     string     // the label of a field for a user code; empty: none

	Frames []string     // the addresses of iframes that nobody sees
	Next   template.URL // where to go when they have been loaded, or some time later; empty: nowhere
}

// A choice is who can sign in.
type choice struct {
	Client string
	Users  []userButton
	Typed  string // the login_hint, where it is not one of Users
}

type userButton struct {
	Subject, Name, Email, Initial string
	Hinted                        bool
}

// write sends a page. Its policy names no form-action, because browsers apply that to redirects after a
// form too, and those go to the application.
func (c page) write(w http.ResponseWriter, status int) {
	c.Nonce = rand.Text()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+c.Nonce+
		"'; script-src 'nonce-"+c.Nonce+"'; base-uri 'none'; frame-ancestors 'none'"+c.frameSources())
	w.WriteHeader(status)
	if err := template.Must(template.New("page").Parse(pageText)).Execute(w, c); err != nil {
		return // the browser has gone
	}
}

// frameSources lets the iframes of the page be loaded.
func (c page) frameSources() string {
	if len(c.Frames) == 0 {
		return ""
	}
	sources := "; frame-src"
	for _, frame := range c.Frames {
		sources += " " + origin(frame)
	}
	return sources
}

func writeErrorPage(w http.ResponseWriter, problem string) {
	page{Title: "This did not work", Text: problem, Problem: true}.write(w, http.StatusBadRequest)
}

// writeSignedOutPage loads the front-channel logout URIs, and goes on to an address that is
// registered, whatever its scheme.
func writeSignedOutPage(w http.ResponseWriter, frames []string, target string) {
	page{
		Title:  "Signed out",
		Text:   "You are signed out at this provider.",
		Frames: frames,
		Next:   template.URL(target),
	}.write(w, http.StatusOK)
}

// writePostPage posts an answer to the application (OAuth 2.0 Form Post Response Mode).
func writePostPage(w http.ResponseWriter, redirectURL string, values url.Values) {
	page{
		Title:   "One moment",
		Text:    "You are signed in. Back to the application:",
		Action:  redirectURL,
		Fields:  values,
		Confirm: "Continue",
		Auto:    true,
	}.write(w, http.StatusOK)
}

func (p *Provider) writeLogoutPage(w http.ResponseWriter, q url.Values) {
	page{
		Title:  "Sign out?",
		Text:   "Sign out at this provider, too?",
		Action: p.endpoint(pathLogout),
		Fields: url.Values{
			"confirm":                  {"yes"},
			"client_id":                q["client_id"],
			"post_logout_redirect_uri": q["post_logout_redirect_uri"],
			"state":                    q["state"],
		},
		Confirm: "Sign out",
	}.write(w, http.StatusOK)
}

// writeSignInPage asks who the user is. The request goes through the form as it came, and is
// checked again when it returns.
func (p *Provider) writeSignInPage(w http.ResponseWriter, q url.Values, a *authorization, s *session) {
	title := "Sign in"
	switch {
	case slices.Contains(a.prompt, "select_account"):
		title = "Choose an account"
	case s != nil:
		title = "Sign in again"
	}
	page{
		Title:  title,
		Action: p.endpoint(pathSignIn),
		Fields: url.Values{"request": {q.Encode()}},
		Choice: p.choice(a),
	}.write(w, http.StatusOK)
}

func (p *Provider) choice(a *authorization) *choice {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &choice{Client: a.client.ID, Typed: a.loginHint}
	for _, u := range p.users {
		b := userButton{Subject: u.Subject, Name: u.Subject}
		if name, ok := u.Claims["name"].(string); ok && name != "" {
			b.Name = name
		}
		b.Email, _ = u.Claims["email"].(string)
		b.Initial = strings.ToUpper(string([]rune(b.Name)[:1]))
		b.Hinted = a.loginHint != "" && (a.loginHint == b.Subject || a.loginHint == b.Email)
		if b.Hinted {
			c.Typed = ""
		}
		c.Users = append(c.Users, b)
	}
	return c
}

// serveSignIn takes the form of the sign-in page: a user who was chosen or typed in, or who
// cancelled.
func (p *Provider) serveSignIn(w http.ResponseWriter, r *http.Request) {
	if !sameOrigin(r) {
		http.Error(w, "the form was sent from another site", http.StatusForbidden)
		return
	}
	request, err := url.ParseQuery(r.PostForm.Get("request"))
	if err != nil {
		writeErrorPage(w, "The request is unreadable.")
		return
	}
	a, refused := p.parseAuthorization(request)
	if a == nil {
		writeErrorPage(w, refused.description)
		return
	}
	subject := strings.TrimSpace(r.PostForm.Get("subject"))
	cancelled := r.PostForm.Has("cancel")
	if refused == nil && !cancelled && (subject == "" || len(subject) > maxSubject) {
		p.writeSignInPage(w, request, a, p.browserSession(r))
		return
	}
	if refused == nil && cancelled {
		refused = accessDenied()
	}
	if refused == nil {
		refused = p.refusal()
	}
	if refused != nil {
		p.respond(w, a, p.outcome(a, nil, refused))
		return
	}
	s := p.signedIn(a, subject, p.browserSession(r))
	p.setBrowserSession(w, s)
	p.respond(w, a, p.grantCode(a, s))
}

// sameOrigin refuses a form that another site's page sent, which would sign the user
// in as somebody else, or out.
func sameOrigin(r *http.Request) bool {
	return http.NewCrossOriginProtection().Check(r) == nil
}

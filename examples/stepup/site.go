package main

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/postern-go/postern/jwtverify"
	"github.com/postern-go/postern/session"
)

// newSite has four pages, which ask for more and more.
func newSite(auth *session.Manager, apiAddress, acr string) http.Handler {
	mux := http.NewServeMux()
	auth.Routes(mux)
	show := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { page(w, r, text) })
	}
	fresh := auth.Guard(session.AuthenticatedWithin(5 * time.Minute))
	strong := auth.Guard(session.HasACR(acr))

	mux.Handle("GET /{$}", auth.Require(show("Your balance is 42.")))
	mux.Handle("GET /address", fresh(show("Change your address.")))
	mux.Handle("GET /transfer", strong(show("Transfer all of it.")))
	mux.Handle("GET /statement", auth.Require(&statement{auth, apiAddress}))
	return mux
}

// A statement is a page whose text an API has. What that wants of the user, the site need not
// know.
type statement struct {
	auth *session.Manager
	api  string
}

func (s *statement) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, s.api+"/statement", nil)
	if err != nil {
		s.sorry(w, r, err)
		return
	}
	resp, err := session.From(r.Context()).HTTPClient().Do(req)
	if errors.Is(err, session.ErrSignIn) { // the access token is over, and cannot be refreshed
		s.auth.Login(w, r, nil)
		return
	}
	if err != nil {
		s.sorry(w, r, err)
		return
	}
	defer resp.Body.Close()
	if demand := session.Challenge(resp); demand != nil {
		s.auth.StepUp(w, r, demand)
		return
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil || resp.StatusCode != http.StatusOK {
		s.sorry(w, r, errors.Join(err, fmt.Errorf("the API answers %s", resp.Status)))
		return
	}
	page(w, r, string(text))
}

func (s *statement) sorry(w http.ResponseWriter, r *http.Request, err error) {
	slog.WarnContext(r.Context(), "calling the API", "error", err)
	http.Error(w, "The statement cannot be had just now.", http.StatusBadGateway)
}

func page(w http.ResponseWriter, r *http.Request, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	err := pages.Execute(w, struct {
		Text string
		ID   *jwtverify.IDToken
	}{text, session.From(r.Context()).IDToken()})
	if err != nil {
		slog.ErrorContext(r.Context(), "page", "error", err)
	}
}

var pages = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>The bank</title>
<p>{{.Text}}</p>
<p>{{.ID.Subject}} signed in at {{.ID.AuthTime.Format "15:04:05"}}, acr {{.ID.ACR}}.</p>
<ul>
<li><a href="/">who you are will do</a></li>
<li><a href="/address">signed in within five minutes</a></li>
<li><a href="/transfer">with a second factor</a></li>
<li><a href="/statement">what an API asks for</a></li>
</ul>
</html>
`))

package main

import (
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
)

type site struct {
	rp      *client.Client
	auth    *session.Manager
	process int
}

func (s *site) handler() http.Handler {
	mux := http.NewServeMux()
	s.auth.Routes(mux) // with /auth/backchannel-logout, which only the provider has business with
	mux.Handle("GET /{$}", s.auth.Load(http.HandlerFunc(s.home)))
	// Signing out everywhere is what a stranger's page must not do in somebody's name.
	forms := http.NewCrossOriginProtection()
	mux.Handle("POST /everywhere", forms.Handler(s.auth.Require(http.HandlerFunc(s.everywhere))))
	return mux
}

// everywhere ends all sessions of whoever asks, in each browser and each process. At the
// provider they stay signed in. After a change of password, or where an account is closed,
// call it the same way.
func (s *site) everywhere(w http.ResponseWriter, r *http.Request) {
	who := session.From(r.Context())
	if err := s.auth.RevokeUser(r.Context(), who.Issuer(), who.Subject()); err != nil {
		slog.ErrorContext(r.Context(), "sign out everywhere", "error", err)
		http.Error(w, "You are not signed out everywhere. Please try again.", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// home says who is there, and in which session.
func (s *site) home(w http.ResponseWriter, r *http.Request) {
	who := session.From(r.Context())
	p := page{Process: s.process, Who: who}
	if who.SignedIn() {
		p.SessionID = who.IDToken().SessionID
		p.Since = who.Created().UTC().Format(time.RFC3339)
		if metadata, err := s.rp.Metadata(r.Context()); err == nil {
			p.Provider = metadata.EndSessionEndpoint
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := pages.Execute(w, p); err != nil {
		slog.ErrorContext(r.Context(), "page", "error", err)
	}
}

type page struct {
	Process   int
	Who       *session.Session
	SessionID string // what the provider calls the session
	Since     string
	Provider  string // where people sign out at the provider; empty: nobody knows
}

var pages = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sessions</title>
<h1>Process {{.Process}}</h1>
{{if .Who.SignedIn}}
<p>You are <b>{{.Who.Subject}}</b> in session <code>{{.SessionID}}</code> of the provider, since {{.Since}}.</p>
<form method="post" action="/auth/logout"><button>Sign out</button></form>
<form method="post" action="/everywhere"><button>Sign out everywhere</button></form>
{{with .Provider}}<p><a href="{{.}}">Sign out at the provider</a>, then reload this page.</p>{{end}}
{{else}}
<p>Nobody is signed in ({{.Who.Reason}}).</p>
<p><a href="/auth/login">Sign in</a></p>
{{end}}
</html>
`))

package main

import (
	"html/template"
	"log/slog"
	"net/http"

	"github.com/postern-go/postern/session"
)

type site struct{ providers []session.Provider }

// page says who is there. One subject can be two people at two providers: who somebody is, is
// issuer and subject together.
func (s *site) page(w http.ResponseWriter, r *http.Request) {
	who := session.From(r.Context())
	var claims struct{ Name string }
	if who.SignedIn() {
		if err := who.Claims(&claims); err != nil {
			slog.WarnContext(r.Context(), "claims", "error", err)
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	err := pages.Execute(w, struct {
		Path, Name string
		Who        *session.Session
		Tenants    []session.Provider
	}{r.URL.Path, claims.Name, who, tenants(s.providers)})
	if err != nil {
		slog.ErrorContext(r.Context(), "page", "error", err)
	}
}

var pages = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{{.Path}}</title>
<h1>{{.Path}}</h1>
{{with .Who}}{{if .SignedIn}}
<p>You are {{or $.Name .Subject}}: <code>{{.Subject}}</code> at <code>{{.Issuer}}</code>, which is {{.Provider}} here.</p>
<p><a href="/auth/switch?return_to={{$.Path}}">Use another account</a></p>
<form method="post" action="/auth/logout"><button>Sign out</button></form>
{{else}}
<p>Nobody is signed in.</p>
{{end}}{{end}}
<ul>
<li><a href="/all/">for all, wherever they sign in</a></li>
{{range .Tenants}}<li><a href="/{{.Name}}/">for people of {{.Label}}</a></li>
{{end}}</ul>
</html>
`))

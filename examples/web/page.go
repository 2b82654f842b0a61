package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"html/template"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/session"
)

//go:embed page.html
var pageHTML string

//go:embed style.css
var styleCSS []byte

var pages = template.Must(template.New("page").Parse(pageHTML))

// page is what the template shows.
type page struct {
	Status  int // zero: 200
	Title   string
	Session *session.Session
	Name    string // of who is signed in
	Asked   string // the address that was asked for
	Claims  []row
	Failed  string
}

type row struct{ Name, Value, Note string }

// render writes a page for whoever is signed in.
func render(w http.ResponseWriter, r *http.Request, p *page) {
	p.Session = session.From(r.Context())
	if p.Session.SignedIn() {
		p.Name = name(p.Session)
	}
	var b bytes.Buffer
	if err := pages.Execute(&b, p); err != nil {
		slog.ErrorContext(r.Context(), "page", "error", err)
		http.Error(w, "This page is broken.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(cmp.Or(p.Status, http.StatusOK))
	w.Write(b.Bytes())
}

// name is what to call somebody. Only issuer and subject identify: a name or an
// address is what people choose, and may change.
func name(s *session.Session) string {
	var claims struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	}
	if err := s.Claims(&claims); err != nil {
		return s.Subject()
	}
	for _, name := range []string{claims.Name, claims.Email} {
		if name != "" {
			return name
		}
	}
	return s.Subject()
}

// rows sorts claims by name and adds what the numbers mean.
func rows(claims map[string]json.RawMessage) []row {
	var rows []row
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		r := row{Name: name, Value: string(claims[name])}
		var s string
		if json.Unmarshal(claims[name], &s) == nil {
			r.Value = s
		}
		var seconds float64
		if strings.Contains(" exp iat nbf auth_time updated_at ", " "+name+" ") && json.Unmarshal(claims[name], &seconds) == nil {
			r.Note = time.Unix(int64(seconds), 0).UTC().Format("2 January 2006, 15:04:05 MST")
		}
		rows = append(rows, r)
	}
	return rows
}

func stylesheet(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Write(styleCSS)
}

// secure sets what a page of a site with sessions should say. There is no
// form-action: signing out is a form that ends at the provider by redirect, and
// browsers hold the whole road against it.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

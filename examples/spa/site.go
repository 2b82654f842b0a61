package main

import (
	"embed"
	"net/http"

	"github.com/postern-go/postern/session"
)

//go:embed page.html app.js style.css
var files embed.FS

// handler is the whole server: a page, its script, and the two things that the script asks for.
func handler(auth *session.Manager, apiURL string) (http.Handler, error) {
	// With the access token of who is signed in, and only for the scripts of this page.
	api, err := auth.Proxy(session.Proxy{Target: apiURL})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	auth.Routes(mux) // sign in, its callback, sign out, and /auth/session for the script
	mux.Handle("/api/", http.StripPrefix("/api", http.MaxBytesHandler(api, 1<<20)))

	// Load, so that opening the page counts as being at work.
	mux.Handle("GET /{$}", auth.Load(file("page.html")))
	mux.Handle("GET /app.js", file("app.js"))
	mux.Handle("GET /style.css", file("style.css"))
	return secure(mux), nil
}

func file(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, no-cache")
		http.ServeFileFS(w, r, files, name)
	})
}

// secure allows the page one script and one style, both files of this site, and calls of this
// site. There is no form-action: signing out is a form that ends at the provider by redirect,
// and browsers hold the whole road against it.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
)

// site is the application: a page for everybody and two for those signed in.
type site struct {
	rp   *client.Client
	auth *session.Manager
}

func (s *site) handler() http.Handler {
	mux := http.NewServeMux()
	s.auth.Routes(mux) // sign in, its callback, sign out
	mux.Handle("GET /{$}", s.auth.Load(http.HandlerFunc(s.home)))
	mux.Handle("GET /me", s.auth.Require(http.HandlerFunc(s.me)))
	mux.Handle("GET /api", s.auth.Require(http.HandlerFunc(s.api)))
	mux.HandleFunc("GET /style.css", stylesheet)
	return secure(mux)
}

// home greets anybody.
func (s *site) home(w http.ResponseWriter, r *http.Request) {
	render(w, r, &page{Title: "Postern"})
}

// me shows what the provider said about who is signed in.
func (s *site) me(w http.ResponseWriter, r *http.Request) {
	var claims map[string]json.RawMessage
	if err := session.From(r.Context()).Claims(&claims); err != nil {
		http.Error(w, "The session has no claims.", http.StatusInternalServerError)
		return
	}
	render(w, r, &page{Title: "Who you are", Asked: r.URL.RequestURI(), Claims: rows(claims)})
}

// api calls somebody else's API in the user's name. The API that every provider
// has is userinfo; yours is called in the same way.
func (s *site) api(w http.ResponseWriter, r *http.Request) {
	answer, err := s.call(r)
	if err != nil {
		slog.WarnContext(r.Context(), "calling the API", "error", err)
		render(w, r, &page{Status: http.StatusBadGateway, Title: "The API", Failed: "The API could not be called. Its reason is in the log."})
		return
	}
	render(w, r, &page{Title: "The API", Claims: rows(answer)})
}

func (s *site) call(r *http.Request) (map[string]json.RawMessage, error) {
	metadata, err := s.rp.Metadata(r.Context())
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, metadata.UserInfoEndpoint, nil)
	if err != nil {
		return nil, err
	}
	// The client of the session sends the access token with each request, a
	// fresh one if it has run out. So it is for one API only, never for
	// addresses that come from elsewhere.
	resp, err := session.From(r.Context()).HTTPClient().Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the API answers %s", resp.Status)
	}
	var answer map[string]json.RawMessage
	err = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&answer)
	return answer, err
}

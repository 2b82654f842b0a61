package interop

import (
	"html/template"
	"net/http"
	"net/url"
)

// hydraPages are what a person sees of Hydra: sign-in, consent, logout. Their fields are
// those of oidc-provider's pages. Any name is a user, with any password.
type hydraPages struct{ *hydraServer }

func (p hydraPages) routes(mux *http.ServeMux) {
	for _, kind := range []string{"login", "consent", "logout"} {
		mux.HandleFunc("GET /interaction/"+kind, func(w http.ResponseWriter, r *http.Request) { p.ask(w, r, kind) })
		mux.HandleFunc("POST /interaction/"+kind, func(w http.ResponseWriter, r *http.Request) { p.answer(w, r, kind) })
	}
	mux.HandleFunc("GET /interaction/goodbye", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`<!doctype html><title>Signed out</title><p id="signed-out">You are signed out.</p>`))
	})
}

var hydraPage = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><title>{{.Kind}}</title>
<form method="post" action="{{.Kind}}"><input type="hidden" name="prompt" value="{{.Kind}}"><input type="hidden" name="challenge" value="{{.Challenge}}">
{{if eq .Kind "login"}}<input required name="login" value="{{.Hint}}"><input required type="password" name="password">{{end}}
<button id="ok" name="logout" value="yes">Continue</button></form>`))

// A hydraRequest is what Hydra knows about a challenge, of whichever kind.
type hydraRequest struct {
	Skip     bool     `json:"skip"` // the person is known, or has consented before
	Subject  string   `json:"subject"`
	Scopes   []string `json:"requested_scope"`
	Audience []string `json:"requested_access_token_audience"`
	Context  struct {
		ACRValues []string `json:"acr_values"`
		Hint      string   `json:"login_hint"`
	} `json:"oidc_context"`
}

func (p hydraPages) ask(w http.ResponseWriter, r *http.Request, kind string) {
	challenge := r.FormValue(kind + "_challenge")
	var req hydraRequest
	if err := p.call(http.MethodGet, "requests/"+kind+"?"+kind+"_challenge="+url.QueryEscape(challenge), nil, &req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if req.Skip {
		p.accept(w, r, kind, challenge, req.accepted(kind, req.Subject))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	hydraPage.Execute(w, struct{ Kind, Challenge, Hint string }{kind, challenge, req.Context.Hint})
}

func (p hydraPages) answer(w http.ResponseWriter, r *http.Request, kind string) {
	challenge := r.PostFormValue("challenge")
	var req hydraRequest
	if err := p.call(http.MethodGet, "requests/"+kind+"?"+kind+"_challenge="+url.QueryEscape(challenge), nil, &req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.accept(w, r, kind, challenge, req.accepted(kind, r.PostFormValue("login")))
}

func (req hydraRequest) accepted(kind, subject string) map[string]any {
	switch kind {
	case "login":
		accepted := map[string]any{"subject": subject, "remember": true, "remember_for": 3600}
		if len(req.Context.ACRValues) > 0 {
			accepted["acr"] = req.Context.ACRValues[0]
		}
		return accepted
	case "consent":
		return map[string]any{
			"grant_scope": req.Scopes, "grant_access_token_audience": req.Audience, "remember": true, "remember_for": 3600,
			"session": map[string]any{"id_token": map[string]any{"name": req.Subject, "email": req.Subject + "@example.com"}},
		}
	}
	return nil
}

func (p hydraPages) accept(w http.ResponseWriter, r *http.Request, kind, challenge string, accepted map[string]any) {
	var next struct {
		To string `json:"redirect_to"`
	}
	if err := p.call(http.MethodPut, "requests/"+kind+"/accept?"+kind+"_challenge="+url.QueryEscape(challenge), accepted, &next); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, next.To, http.StatusSeeOther)
}

package clienttest

import (
	"net/http"
	"net/url"
)

// serveLogout signs the user out at the provider and sends the browser back
// (RP-Initiated Logout section 2). Without an ID token that says who asks, the user is
// asked; with one, that session ends.
func (p *Provider) serveLogout(w http.ResponseWriter, r *http.Request) {
	switch {
	case p.has(NoEndSession):
		http.NotFound(w, r)
		return
	case p.has(EndSession500):
		serverError(w)
		return
	}
	hinted, target, problem := p.parseLogout(r.Form)
	confirmed := r.Method == http.MethodPost && r.PostForm.Has("confirm") && sameOrigin(r)
	switch {
	case problem != "":
		writeErrorPage(w, problem)
		return
	case hinted == nil && !confirmed:
		p.writeLogoutPage(w, r.Form)
		return
	case hinted != nil:
		p.endSession(hinted.session.id)
	}
	p.endBrowserSession(w, r, hinted)
	if target == "" {
		writeSignedOutPage(w)
		return
	}
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}

// parseLogout checks a request, and answers with the grant of its ID token, where to send the browser
// afterwards (empty: nowhere), and what is wrong with it.
func (p *Provider) parseLogout(q url.Values) (hinted *grant, target, problem string) {
	if q.Has("id_token_hint") {
		if hinted = p.hinted(q.Get("id_token_hint")); hinted == nil {
			return nil, "", "The ID token was not issued here."
		}
	}
	clientID := q.Get("client_id")
	if hinted != nil && clientID != "" && clientID != hinted.client {
		return nil, "", "The ID token was issued to another client."
	}
	if hinted != nil {
		clientID = hinted.client
	}
	target = q.Get("post_logout_redirect_uri")
	if target == "" {
		return hinted, "", ""
	}
	c := p.client(clientID)
	if c == nil || !c.mayReturnTo(target) {
		return nil, "", "The URL to return to is not registered for this client."
	}
	back := url.Values{}
	if q.Has("state") {
		back.Set("state", q.Get("state"))
	}
	return hinted, withQuery(target, back), ""
}

// endBrowserSession ends the session of the browser, unless the ID token is of another
// one.
func (p *Provider) endBrowserSession(w http.ResponseWriter, r *http.Request, hinted *grant) {
	s := p.browserSession(r)
	if s != nil && hinted != nil {
		return
	}
	if s != nil {
		p.endSession(s.id)
	}
	p.clearBrowserSession(w)
}

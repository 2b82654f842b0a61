package clienttest

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
)

// serveLogout signs the user out at the provider and sends the browser back
// (RP-Initiated Logout section 2). Without an ID token that says who asks, the user is
// asked; with one, that session ends. Clients hear of it before the browser: by a logout
// token, and then by an iframe in a page on the way.
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
	}
	ended := p.signOut(hinted, p.browserSession(r))
	if p.browserSession(r) == nil {
		p.clearBrowserSession(w)
	}
	p.notify(ended, false)
	frames := p.frames(ended)
	if target == "" || len(frames) > 0 {
		writeSignedOutPage(w, frames, target)
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
	if p.has(LogoutWrongState) {
		back.Set("state", rand.Text())
	}
	if p.has(LogoutMissingState) {
		back.Del("state")
	}
	return hinted, withQuery(target, back), ""
}

// signOut ends the session that an ID token is of, or without one that of the browser.
func (p *Provider) signOut(hinted *grant, s *session) []endedSession {
	sid := ""
	switch {
	case hinted != nil:
		sid = hinted.session.id
	case s != nil:
		sid = s.id
	}
	return p.end(func(s *session) bool { return s.id == sid })
}

// frames are the front-channel logout URIs of the clients that sessions were used for
// (Front-Channel Logout section 3).
func (p *Provider) frames(ended []endedSession) []string {
	if p.has(NoFrontChannelLogout) {
		return nil
	}
	var all []string
	for _, c := range p.registeredClients() {
		for _, s := range ended {
			if c.FrontChannelLogoutURI == "" || !slices.Contains(s.clients, c.ID) {
				continue
			}
			values := url.Values{}
			if c.FrontChannelLogoutSessionRequired {
				values.Set("iss", p.Issuer())
				values.Set("sid", s.id)
			}
			all = append(all, withQuery(c.FrontChannelLogoutURI, values))
		}
	}
	return all
}

package clienttest

import (
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

//go:embed checksession.html
var checkSessionText string

// sessionState computes the session_state of a client whose pages are of an origin (OpenID
// Connect Session Management sections 2 and 3.2).
func sessionState(client, origin, browserState, salt string) string {
	sum := sha256.Sum256([]byte(client + " " + origin + " " + browserState + " " + salt))
	return hex.EncodeToString(sum[:]) + "." + salt
}

// newSessionState is the session_state of an answer; empty: the application has no origin,
// as one with a scheme of its own.
func (p *Provider) newSessionState(a *authorization, s *session) string {
	at := pageOrigin(a.redirectURL)
	if at == "" || p.oauthOnly || p.has(NoCheckSession) || p.has(MissingSessionState) {
		return ""
	}
	state := s.state
	if p.has(WrongSessionState) {
		state = rand.Text()
	}
	return sessionState(a.client.ID, at, state, rand.Text())
}

// pageOrigin is the origin of the pages of an application as a browser writes it: without
// a port that goes without saying.
func pageOrigin(address string) string {
	at := origin(address)
	u, err := url.Parse(at)
	if err != nil {
		return ""
	}
	switch u.Scheme + ":" + u.Port() {
	case "https:443", "http:80":
		return strings.TrimSuffix(at, ":"+u.Port())
	case "http:" + u.Port(), "https:" + u.Port():
		return at
	}
	return ""
}

// checkSession does what the script of checksession.html does.
func checkSession(origin, message, browserState string) string {
	space := strings.LastIndexByte(message, ' ')
	dot := strings.LastIndexByte(message, '.')
	if space < 1 || dot < space {
		return "error"
	}
	if sessionState(message[:space], origin, browserState, message[dot+1:]) == message[space+1:] {
		return "unchanged"
	}
	return "changed"
}

// serveCheckSession is the page at check_session_iframe (OpenID Connect Session Management
// section 3.3), which any site may frame. The state is a cookie that its script can read. Where a
// session was ended without its browser, the cookie goes when the page is loaded.
func (p *Provider) serveCheckSession(w http.ResponseWriter, r *http.Request) {
	if p.has(NoCheckSession) {
		http.NotFound(w, r)
		return
	}
	if p.browserSession(r) == nil {
		p.clearBrowserSession(w)
	}
	page := struct{ Nonce, Cookie string }{rand.Text(), p.stateCookieName()}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+page.Nonce+"'; base-uri 'none'")
	w.WriteHeader(http.StatusOK)
	if err := template.Must(template.New("check").Parse(checkSessionText)).Execute(w, page); err != nil {
		return // the browser has gone
	}
}

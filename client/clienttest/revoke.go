package clienttest

import "net/http"

// serveRevoke ends a token or a grant (RFC 7009 section 2).
func (p *Provider) serveRevoke(w http.ResponseWriter, r *http.Request) {
	switch {
	case p.has(NoRevocation):
		http.NotFound(w, r)
		return
	case p.has(Revocation500):
		serverError(w)
		return
	}
	c, refused := p.authenticate(r)
	if refused == nil && r.PostForm.Get("token") == "" {
		refused = invalidRequest("no token")
	}
	if refused == nil {
		refused = p.revoke(r.PostForm.Get("token"), c.ID)
	}
	if refused != nil {
		refused.write(w)
		return
	}
	w.WriteHeader(http.StatusOK)
}

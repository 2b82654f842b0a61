package clienttest

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	deviceTTL      = 10 * time.Minute
	deviceInterval = 1 // seconds: a demo should not take long
)

// A device is a sign-in that waits for somebody to type its user code.
type device struct {
	client   *registered
	userCode string
	scope    []string
	expires  time.Time
	session  *session // who signed in; nil: nobody yet
	refused  bool
	used     bool
}

// serveDevice begins a sign-in (RFC 8628 section 3.1).
func (p *Provider) serveDevice(w http.ResponseWriter, r *http.Request) {
	c, refused := p.authenticate(r)
	if refused != nil {
		refused.write(w)
		return
	}
	d := &device{
		client:   c,
		userCode: rand.Text()[:4] + "-" + rand.Text()[:4],
		scope:    strings.Fields(r.PostForm.Get("scope")),
		expires:  p.Now().Add(deviceTTL),
	}
	code, page := rand.Text(), p.endpoint(pathDevicePage)
	p.mu.Lock()
	p.devices[code] = d
	p.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{
		"device_code":               code,
		"user_code":                 d.userCode,
		"verification_uri":          page,
		"verification_uri_complete": page + "?user_code=" + d.userCode,
		"expires_in":                int(deviceTTL.Seconds()),
		"interval":                  deviceInterval,
	})
}

// SignInDevice plays a user who types the code that a device shows, and signs in. An empty
// subject is a user who refuses. An error means that there is no such code, or that it
// has been decided on or has expired.
func (p *Provider) SignInDevice(userCode, subject string) error {
	if subject != "" {
		return p.decide(userCode, p.newSession(subject, nil))
	}
	return p.decide(userCode, nil)
}

var errUserCode = errors.New("clienttest: nothing waits for this user code")

// decide ends the wait of a device; nil is a user who refuses.
func (p *Provider) decide(userCode string, s *session) error {
	d := p.waiting(userCode)
	if d == nil {
		return errUserCode
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	d.session, d.refused = s, s == nil
	return nil
}

// waiting finds the device of a user code, in any case and with or without its hyphen.
func (p *Provider) waiting(userCode string) *device {
	plain := func(code string) string { return strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(code), "-", "")) }
	now := p.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.devices {
		if plain(d.userCode) == plain(userCode) && d.session == nil && !d.refused && now.Before(d.expires) {
			return d
		}
	}
	return nil
}

// deviceTokens answers a device that asks whether somebody has signed in (RFC 8628
// section 3.4). It never says slow_down.
func (p *Provider) deviceTokens(r *http.Request, c *registered) (map[string]any, *endpointError) {
	d, refused := p.collect(r.PostForm.Get("device_code"), c.ID)
	if refused != nil {
		return nil, refused
	}
	g := &grant{client: c.ID, scope: d.scope, session: *d.session}
	answer := p.tokens(g, g.session.subject, "", g.scope)
	if !g.has("openid") {
		delete(answer, "id_token")
	}
	if g.has(scopeOffline) {
		answer["refresh_token"] = p.newRefreshToken(g)
	}
	return answer, nil
}

// collect uses a device code up, if somebody has decided.
func (p *Provider) collect(code, client string) (*device, *endpointError) {
	now := p.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.devices[code]
	switch {
	case d == nil || d.client.ID != client || d.used:
		return nil, invalidGrant("unknown device code")
	case d.refused:
		return nil, &endpointError{http.StatusBadRequest, "access_denied", "the user refused"}
	case !now.Before(d.expires):
		return nil, &endpointError{http.StatusBadRequest, "expired_token", "nobody signed in in time"}
	case d.session == nil:
		return nil, &endpointError{http.StatusBadRequest, "authorization_pending", "nobody has signed in yet"}
	}
	d.used = true
	return d, nil
}

// serveDevicePage asks for a user code, and then who the user is.
func (p *Provider) serveDevicePage(w http.ResponseWriter, r *http.Request) {
	if !sameOrigin(r) {
		http.Error(w, "the form was sent from another site", http.StatusForbidden)
		return
	}
	userCode, subject := r.Form.Get("user_code"), strings.TrimSpace(r.PostForm.Get("subject"))
	d := p.waiting(userCode)
	ask := page{Title: "Sign in on a device", Action: p.endpoint(pathDevicePage)}
	switch {
	case d == nil:
		ask.Ask = "the code that the device shows"
		ask.Problem = userCode != ""
		if ask.Problem {
			ask.Text = "No device waits for this code."
		}
		ask.write(w, http.StatusOK)
	case r.Method == http.MethodPost && (r.PostForm.Has("cancel") || subject != "" && len(subject) <= maxSubject):
		p.finishDevice(w, userCode, subject, r.PostForm.Has("cancel"))
	default:
		ask.Text = "The device shows " + d.userCode + "."
		ask.Fields = url.Values{"user_code": {d.userCode}}
		ask.Choice = p.choice(&authorization{client: d.client})
		ask.write(w, http.StatusOK)
	}
}

func (p *Provider) finishDevice(w http.ResponseWriter, userCode, subject string, cancelled bool) {
	done := page{Title: "You are signed in", Text: "Go back to the device."}
	if cancelled {
		subject, done.Title = "", "You refused"
	}
	if err := p.SignInDevice(userCode, subject); err != nil { // it came twice
		writeErrorPage(w, "No device waits for this code.")
		return
	}
	done.write(w, http.StatusOK)
}

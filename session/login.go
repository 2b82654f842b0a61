package session

import (
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// LoginOptions are for one sign-in.
type LoginOptions struct {
	// ReturnTo is the local address to come back to: a path, with a query or
	// without, of at most 1,024 bytes. What is not local or too long becomes "/".
	// Zero: the page asked for, if it was by GET or HEAD, else "/". A handler that does
	// nothing but call Login must set it, or the user comes back to it and is sent
	// to the provider again.
	ReturnTo string
	// Provider is the name of one of Config.Providers. Zero: see Config.ChooseProvider.
	Provider string
	// Authorize is instead of what Config.Authorize says. nil: that.
	Authorize *client.AuthorizeOptions
	// Data is the app's own. It travels sealed in the cookie of the attempt, so
	// keep it to some hundred bytes; Config.OnLogin has it by Session.LoginData.
	Data []byte
}

// LoginHandler starts a sign-in and comes back to the local address in the query
// parameter return_to, or to "/". Beside it, it takes what StepUp has sealed, and looks at
// no other parameter: what goes to the provider is for Config.Authorize to say.
//
// It answers 303 to the provider; 503 while that is down; 403 to what says it is a
// prefetch, a frame or a script, for only a page load can sign in.
func (m *Manager) LoginHandler() http.Handler {
	return m.allow(m.serveLogin, http.MethodGet, http.MethodHead)
}

func (m *Manager) serveLogin(w http.ResponseWriter, r *http.Request) {
	if embedded(r) {
		m.fail(w, r, &Error{Status: http.StatusForbidden, Reason: ReasonNotNavigation})
		return
	}
	opts, query := LoginOptions{ReturnTo: wantedReturn(r), Provider: r.PathValue("provider")}, r.URL.Query()
	if opts.Provider != "" && m.provider(opts.Provider) == nil {
		m.fail(w, r, &Error{Status: http.StatusNotFound, Reason: ReasonUnknownProvider, StartAgain: m.loginAddress(opts.ReturnTo)})
		return
	}
	var why loginPurpose
	if query.Has(stepUpField) {
		var err error
		if why.demand, err = m.readStepUp(query.Get(stepUpField)); err != nil {
			m.fail(w, r, &Error{Status: http.StatusBadRequest, Reason: ReasonStepUpInvalid, Err: err, StartAgain: m.loginAddress(opts.ReturnTo)})
			return
		}
		opts.Provider, why.session = why.demand.Provider, m.sessionOf(r)
	}
	if p, err := m.providerFor(r, opts.Provider); p == nil && err == nil {
		m.writeChooser(w, r, opts.ReturnTo)
		return
	}
	m.begin(w, r, &opts, why)
}

// writeChooser lets a person choose the provider.
func (m *Manager) writeChooser(w http.ResponseWriter, r *http.Request, returnTo string) {
	p := page{Title: "Sign in", Text: "How do you want to sign in?"}
	for _, one := range m.providers {
		link := m.cfg.LoginPath + "/" + one.name + "?return_to=" + url.QueryEscape(m.returnAddress(r, returnTo))
		p.Choices = append(p.Choices, choice{Link: link, Label: one.label})
	}
	m.writePage(w, r, http.StatusOK, p)
}

// Login starts a sign-in from a handler of the app, with parameters of its own;
// nil options are the zero ones. It answers the request: with 303 to the provider,
// or an error page. An existing session goes on until the sign-in has succeeded.
// A sign-in that fails leaves it alone, except that a refusal by Config.OnLogin
// ends it.
func (m *Manager) Login(w http.ResponseWriter, r *http.Request, opts *LoginOptions) {
	if opts == nil {
		opts = &LoginOptions{}
	}
	m.begin(w, r, opts, loginPurpose{})
}

// A loginPurpose is what a sign-in is for, beside its options.
type loginPurpose struct {
	demand    *Demand            // nil: none
	session   *Session           // what it is about; it may have nobody who is signed in; nil: none
	mode      loginMode          // zero: modePage
	prompt    string             // empty: none
	idToken   *jwtverify.IDToken // whose user it is about; nil: anybody
	loginHint string
}

// begin answers with 303 to the provider, or to where people choose one, or with an
// error page.
func (m *Manager) begin(w http.ResponseWriter, r *http.Request, opts *LoginOptions, why loginPurpose) {
	p, err := m.providerFor(r, opts.Provider)
	if err != nil {
		m.fail(w, r, startError(err))
		return
	}
	if p == nil {
		m.sendToChooser(w, r, opts)
		return
	}
	a, err := m.newAttempt(r, p, opts, why)
	if err == nil {
		err = m.writeAttempt(w, r, a)
	}
	if err != nil {
		m.fail(w, r, startError(err))
		return
	}
	m.sendTo(w, a.login.URL())
}

// sendTo sends the browser to the provider.
func (m *Manager) sendTo(w http.ResponseWriter, address string) {
	forbidStoring(w.Header())
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}

// sendToChooser keeps the address to come back to, and nothing else: what else the options
// have is for a provider that is known.
func (m *Manager) sendToChooser(w http.ResponseWriter, r *http.Request, opts *LoginOptions) {
	forbidStoring(w.Header())
	w.Header().Set("Location", m.loginAddress(m.returnAddress(r, opts.ReturnTo)))
	w.WriteHeader(http.StatusSeeOther)
}

// writeAttempt gives up the return address rather than the sign-in, where a large
// session leaves no room for both.
func (m *Manager) writeAttempt(w http.ResponseWriter, r *http.Request, a *attempt) error {
	post := byPost(a.login)
	err := m.cookies.writeAttempt(w.Header(), r, a, post)
	var tooLarge *TooLargeError
	if a.returnTo == "/" || !errors.As(err, &tooLarge) {
		return err
	}
	m.log(r, slog.LevelInfo, "session: return address not taken", slog.String("reason", ReasonTooLarge), causeAttr(err))
	a.returnTo = "/"
	return m.cookies.writeAttempt(w.Header(), r, a, post)
}

func (m *Manager) newAttempt(r *http.Request, p *provider, opts *LoginOptions, why loginPurpose) (a *attempt, err error) {
	ctx, done := m.observe(r.Context(), "login")
	defer func() { done(err) }()
	authorize := new(client.AuthorizeOptions)
	if given := opts.Authorize; given != nil {
		*authorize = *given
	} else if m.cfg.Authorize != nil {
		given, err := m.cfg.Authorize(r)
		if err != nil {
			return nil, err
		}
		if given != nil {
			*authorize = *given
		}
	}
	var tried demandKey
	scopes := why.session.scopesAt(p)
	if why.demand != nil {
		why.demand.put(authorize)
		scopes = append(scopes, why.demand.Scopes...)
		tried = why.demand.triedIn(why.session, m.cfg.Now())
	}
	askScopes(authorize, p.rp.Scopes(), scopes)
	if why.prompt != "" {
		authorize.Prompt = []string{why.prompt}
	}
	authorize.LoginHint = or(why.loginHint, authorize.LoginHint)
	if why.mode == modeFrame {
		authorize.ResponseMode = modeOfFrame(authorize)
	}
	if why.idToken != nil && why.idToken.Raw() != "" {
		authorize.Extra = maps.Clone(authorize.Extra)
		if authorize.Extra == nil {
			authorize.Extra = url.Values{}
		}
		authorize.Extra.Set("id_token_hint", why.idToken.Raw())
	}
	login, err := p.rp.Authorize(ctx, authorize)
	if err != nil {
		return nil, err
	}
	return &attempt{
		login:    login,
		returnTo: m.returnAddress(r, opts.ReturnTo),
		data:     opts.Data,
		expires:  m.cfg.Now().Add(m.cfg.AttemptLifetime),
		began:    presenceOf(m.present(r)),
		provider: p.name,
		tried:    tried,
		mode:     why.mode,
	}, nil
}

// present is the session that a request came with, good or not; nil: none that opens.
func (m *Manager) present(r *http.Request) *record {
	rec, err := m.cookies.readSession(r)
	if err != nil {
		return nil
	}
	return rec
}

// returnAddress checks where to come back to; what does not pass is "/", and the
// log says why.
func (m *Manager) returnAddress(r *http.Request, wanted string) string {
	if wanted == "" {
		wanted = pageAddress(r)
	}
	address, ok := localAddress(wanted)
	if !ok {
		m.log(r, slog.LevelInfo, "session: return address not taken", slog.String("reason", ReasonReturnAddress),
			slog.Bool("too_long", len(wanted) > maxAddress))
	}
	return address
}

// pageAddress is the address of the page asked for, as the browser wrote it:
// r.URL may have lost a prefix to http.StripPrefix.
func pageAddress(r *http.Request) string {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return "/"
	}
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// byPost says whether the provider will answer by a form that posts itself to us
// (OAuth 2.0 Form Post Response Mode): a cross-site POST, to which browsers add
// no Lax cookie.
func byPost(login *client.Login) bool {
	return strings.TrimSuffix(login.ResponseMode(), ".jwt") == "form_post"
}

func startError(err error) *Error {
	var tooLarge *TooLargeError
	switch {
	case errors.Is(err, client.ErrUnavailable):
		return &Error{Status: http.StatusServiceUnavailable, Reason: ReasonUnavailable, Err: err}
	case errors.As(err, &tooLarge):
		return &Error{Status: http.StatusInternalServerError, Reason: ReasonTooLarge, Err: err}
	}
	return &Error{Status: http.StatusInternalServerError, Reason: ReasonInternal, Err: err}
}

// scopesAt are the scopes of a session that a sign-in at p will take the place of, which it
// is not to lose.
func (s *Session) scopesAt(p *provider) []string {
	if s == nil || !s.SignedIn() || s.presented.provider != p.name {
		return nil
	}
	// A provider may call anything a scope, and need not take it back.
	return slices.DeleteFunc(slices.Clone(s.tokens().Scope), func(scope string) bool {
		return checkWords("scope", []string{scope}) != nil
	})
}

// askScopes asks for more, each once, beside what opts asks for, or else for scopes.
func askScopes(opts *client.AuthorizeOptions, scopes, more []string) {
	if opts.Scopes != nil {
		scopes = opts.Scopes
	}
	opts.Scopes = slices.Clone(scopes)
	for _, one := range more {
		if !slices.Contains(opts.Scopes, one) {
			opts.Scopes = append(opts.Scopes, one)
		}
	}
}

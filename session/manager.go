package session

import (
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/internal/origin"
)

// A Manager signs the users of one app in and out, and keeps their sessions. It
// is safe for concurrent use. Make one with [New].
type Manager struct {
	providers   []*provider // at least one
	cfg         Config      // without Secrets
	origin      *url.URL    // whose origin is that of all redirect URLs
	cookies     *cookies
	crossOrigin *http.CrossOriginProtection

	shared     *shared // nil: there is no Store
	refresher  *refresher
	callbacks  *callbacks
	ended      *memory[ending]     // by session: what the cookies of old must not undo
	replaced   *memory[[]presence] // by session: the ones before and after it, see besides
	revoked    *memory[revocation]
	unanswered *memory[time.Time] // by session: since when the Store fails for it
	told       *memory[struct{}]  // by session: that it is over
	values     *memory[values]    // by session: what Set wrote and the browser may not have yet
	logouts    *memory[struct{}]  // logout tokens that have done their work

	page *template.Template
}

// Bounds of what a Manager remembers. At most it holds some 100 MB, and only
// where tens of thousands of sessions change in a short time.
const (
	maxEnded  = 100_000
	maxValues = 1_000
	// maxLogouts: a replay of one that was forgotten does no harm.
	maxLogouts = 10_000
)

// New makes a Manager of a client and a configuration. It checks both and sends
// nothing to the provider. With Config.Providers, rp is nil.
//
// The client's redirect URL must be https, or http on a loopback host, with a
// path of its own: it decides where the callback is, what the cookies are named and
// whether they are Secure. Nothing is ever taken from the Host or X-Forwarded
// headers of a request, so a proxy in front that ends TLS needs no care.
func New(rp *client.Client, cfg Config) (*Manager, error) {
	m, err := newManager(rp, cfg)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	if len(cfg.Secrets) == 0 {
		m.cfg.Logger.Warn("session: Config.Secrets is empty: a random secret is used, and everybody is signed out when this process ends")
	}
	return m, nil
}

func newManager(rp *client.Client, cfg Config) (*Manager, error) {
	secrets := cfg.Secrets
	now := time.Now
	if rp != nil {
		now = rp.Now
	} else if len(cfg.Providers) > 0 && cfg.Providers[0].Client != nil {
		now = cfg.Providers[0].Client.Now
	}
	cfg, err := cfg.withDefaults(now)
	if err != nil {
		return nil, err
	}
	providers, err := cfg.newProviders(rp)
	if err != nil {
		return nil, err
	}
	redirect := providers[0].redirect
	sealer, err := newSealer(secrets, cfg.Name)
	if err != nil {
		return nil, err
	}
	cookies, err := newCookies(sealer, cookieConfig{
		app: cfg.Name, redirect: redirect, sameSite: cfg.SameSite, budget: cfg.CookieBudget, now: cfg.Now,
	})
	if err != nil {
		return nil, err
	}
	crossOrigin := http.NewCrossOriginProtection()
	// Behind a proxy the Host header need not be what the browser asked for.
	if err := crossOrigin.AddTrustedOrigin(origin.Of(redirect)); err != nil {
		return nil, err
	}
	cfg.Secrets = nil // the sealer has what was derived of them
	m := &Manager{
		providers: providers, cfg: cfg, origin: redirect, cookies: cookies, crossOrigin: crossOrigin,
		callbacks:  newCallbacks(cfg.Now),
		ended:      newMemory[ending](maxEnded),
		replaced:   newMemory[[]presence](2 * maxValues),
		revoked:    newMemory[revocation](maxEnded),
		unanswered: newMemory[time.Time](maxEnded),
		told:       newMemory[struct{}](maxEnded),
		values:     newMemory[values](maxValues),
		logouts:    newMemory[struct{}](maxLogouts),
		page:       pageTemplate(),
	}
	m.shared, m.refresher = m.newShared(), newRefresher(m)
	return m, nil
}

// Routes registers the handlers: login, switch, popup, logout, session and check-session under
// [Config].Prefix, and the callback at the path of the client's redirect URL, whatever that
// is. With several providers, each has a login route of its name. For providers that tell of
// a logout there are Prefix + "/backchannel-logout", with several of them also with a slash
// and the name of one, and Prefix + "/frontchannel-logout"; that is what to register as
// backchannel_logout_uri and frontchannel_logout_uri.
//
// The patterns have methods, so that they stand beside a "/" as well as beside a
// "GET /" of the app. A router of another kind takes the handlers one by one.
func (m *Manager) Routes(mux *http.ServeMux) {
	login, callback, logout := m.LoginHandler(), m.CallbackHandler(), m.LogoutHandler()
	mux.Handle("GET "+m.cfg.LoginPath, login)
	if len(m.providers) > 1 {
		mux.Handle("GET "+m.cfg.LoginPath+"/{provider}", login)
	}
	mux.Handle("GET "+m.cfg.route(routeSwitch), m.SwitchAccountHandler())
	mux.Handle("GET "+m.cfg.route(routePopup), m.PopupHandler())
	check := m.CheckSessionHandler()
	mux.Handle("GET "+m.cfg.route(routeCheckSession), check)
	mux.Handle("POST "+m.cfg.route(routeCheckSession), check)
	for _, callbackPath := range m.callbackPaths() {
		if strings.HasSuffix(callbackPath, "/") {
			callbackPath += "{$}"
		}
		mux.Handle("GET "+callbackPath, callback)
		mux.Handle("POST "+callbackPath, callback)
	}
	mux.Handle("GET "+m.cfg.LogoutPath, logout)
	mux.Handle("POST "+m.cfg.LogoutPath, logout)
	backChannel := m.cfg.route(routeBackChannel)
	mux.Handle("POST "+backChannel, m.BackChannelLogoutHandler())
	if len(m.providers) > 1 {
		mux.Handle("POST "+backChannel+"/{provider}", m.BackChannelLogoutHandler())
	}
	mux.Handle("GET "+m.cfg.route(routeFrontChannel), m.FrontChannelLogoutHandler())
	mux.Handle("GET "+m.cfg.route(routeSession), m.StatusHandler())
}

// Format prints the app's name, whatever the verb: a Manager remembers tokens.
func (m *Manager) Format(f fmt.State, _ rune) { io.WriteString(f, "session.Manager{"+m.cfg.Name+"}") }

// LogValue logs the app's name.
func (m *Manager) LogValue() slog.Value { return slog.StringValue(m.cfg.Name) }

package interop

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/postern-go/postern/client"
)

func TestHydraSignIn(t *testing.T) {
	h := startHydra(t)
	reg := h.register(t, callbackURL, nil)
	rp := h.client(t, reg, func(cfg *client.Config) { cfg.Scopes = append(cfg.Scopes, "offline_access") })
	person := newPerson(t, callbackURL)
	tokens, asked := person.signIn(rp, "alice", nil)
	if asked != 1 || tokens.IDToken.Subject != "alice" || tokens.IDToken.SessionID == "" {
		t.Errorf("asked %d times, subject %q, sid %q", asked, tokens.IDToken.Subject, tokens.IDToken.SessionID)
	}
	next := refresh(t, rp, tokens)
	if next.RefreshToken == tokens.RefreshToken {
		t.Error("the refresh token did not rotate")
	}
	if _, asked := person.signIn(rp, "alice", nil); asked != 0 {
		t.Errorf("asked %d times with a session", asked)
	}
	h.endUser(t, "alice")
	if _, asked := person.signIn(rp, "alice", nil); asked != 1 {
		t.Errorf("asked %d times without a session", asked)
	}
}

// Its logout tokens have no exp, which OpenID Connect Back-Channel Logout 1.0 2.4 requires:
// they are refused, though all else is right with them.
func TestHydraBackChannelLacksExpiry(t *testing.T) {
	h := startHydra(t)
	mail := startMailbox(t)
	reg := h.register(t, callbackURL, metadata{
		"backchannel_logout_uri": mail.url, "backchannel_logout_session_required": true,
		"post_logout_redirect_uris": []string{goodbyeURL},
	})
	rp := h.client(t, reg, nil)
	person := newPerson(t, "http://127.0.0.1:9/")
	tokens, _ := person.signIn(rp, "alice", nil)
	end := signOut(t, person, rp, tokens)
	if got := end.url.String(); got != goodbyeURL+"?state=state-of-the-logout" {
		t.Errorf("came back to %s:\n%s", got, end.body)
	}
	_, err := h.logoutToken(t, reg, mail.next(t))
	wantRefused(t, err, "exp")
}

// signOut goes to the provider's end_session endpoint and says yes there.
func signOut(t *testing.T, person *person, rp *client.Client, tokens *client.Tokens) *page {
	t.Helper()
	address, err := rp.LogoutURL(t.Context(), client.LogoutOptions{IDToken: tokens.IDToken, PostLogoutRedirectURL: goodbyeURL, State: "state-of-the-logout"})
	if err != nil {
		t.Fatal(err)
	}
	return person.open(address).submit("logout", "yes")
}

// The page at the end of a logout frames each client, with iss and sid (OpenID Connect
// Front-Channel Logout 1.0 3), and goes on when all frames are there.
func TestHydraFrontChannel(t *testing.T) {
	h := startHydra(t)
	frames := make(chan *http.Request, 4)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/frame":
			frames <- r
		case "/start": // leaves the cookies that the frame would need
			for _, c := range []http.Cookie{{Name: "lax", SameSite: http.SameSiteLaxMode}, {Name: "none", SameSite: http.SameSiteNoneMode, Secure: true}} {
				c.Value = "1"
				http.SetCookie(w, &c)
			}
		}
		w.Write([]byte(`<!doctype html><p id="here">here</p>`))
	}))
	defer site.Close()
	reg := h.register(t, site.URL+"/callback", metadata{
		"frontchannel_logout_uri": site.URL + "/frame?mine=1", "frontchannel_logout_session_required": true,
		"post_logout_redirect_uris": []string{site.URL + "/goodbye"},
	})
	rp := h.client(t, reg, nil)

	for name, c := range map[string]struct {
		open    func(*testing.T) *tab
		cookies int
	}{
		"third-party cookies are blocked": {newTab, 0},
		"third-party cookies are allowed": {newPermissiveTab, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := c.open(t)
			b.open(site.URL + "/start")
			login := authorize(t, rp, nil)
			b.open(login.URL())
			b.login(h.provider, "alice", site.URL)
			tokens := exchange(t, rp, login, b.query())
			address, err := rp.LogoutURL(t.Context(), client.LogoutOptions{IDToken: tokens.IDToken, PostLogoutRedirectURL: site.URL + "/goodbye"})
			if err != nil {
				t.Fatal(err)
			}
			b.open(address)
			b.arrive(h.address()+"/interaction/logout", "#ok")
			b.do(chromedp.Click(chromedp.CSS("#ok")))
			b.arrive(site.URL+"/goodbye", "#here")
			if len(frames) != 1 {
				t.Fatalf("%d frames, want 1", len(frames))
			}
			frame := <-frames
			if q := frame.URL.Query(); q.Get("iss") != h.Issuer || q.Get("sid") != tokens.IDToken.SessionID || q.Get("mine") != "1" {
				t.Errorf("framed as %s, want iss %s and sid %s", frame.URL, h.Issuer, tokens.IDToken.SessionID)
			}
			if got := frame.Header.Get("Sec-Fetch-Dest"); got != "iframe" {
				t.Errorf("Sec-Fetch-Dest %q", got)
			}
			if got := len(frame.Cookies()); got != c.cookies {
				t.Errorf("%d cookies came into the frame, want %d", got, c.cookies)
			}
		})
	}
}

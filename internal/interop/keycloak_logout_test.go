package interop

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// One user, two browsers. Keycloak ends one session, or both; each logout token says whose
// session, and which where the client wants to know.
func TestKeycloakBackChannel(t *testing.T) {
	k := startKeycloak(t)
	for name, required := range map[string]string{"with the session": "true", "with the user alone": "false"} {
		t.Run(name, func(t *testing.T) {
			mail := startMailbox(t)
			reg := k.site(t, "http://127.0.0.1:9", map[string]string{
				"backchannel.logout.url": mail.url, "backchannel.logout.session.required": required,
			})
			rp := k.client(t, reg, nil)
			user := k.user(t)
			var sub string
			var sids []string
			for range 3 {
				tokens, _ := k.person(t, callbackURL).signIn(rp, user, nil)
				sub = tokens.IDToken.Subject
				sids = append(sids, tokens.IDToken.SessionID)
			}
			if n := k.sessions(t, user); n != 3 {
				t.Fatalf("%d sessions, want 3", n)
			}
			known := func(sid string) string {
				if required == "false" {
					return ""
				}
				return sid
			}

			k.endSession(t, sids[0])
			k.wantLogoutToken(t, reg, mail.next(t), sub, known(sids[0]))
			mail.wantEmpty(t)

			k.endUser(t, user)
			told := map[string]bool{}
			for range 2 {
				token, err := k.logoutToken(t, reg, mail.next(t))
				if err != nil {
					t.Fatal(err)
				}
				if token.Subject != sub {
					t.Errorf("told about %q, want %q", token.Subject, sub)
				}
				told[token.SessionID] = true
			}
			if !told[known(sids[1])] || !told[known(sids[2])] || told[sids[0]] {
				t.Errorf("told about the sessions %v, want those of %q without the first", told, sids)
			}
			mail.wantEmpty(t)
		})
	}
}

// Signing out by the end_session endpoint tells the client too, before the browser is sent back.
func TestKeycloakBackChannelAtSignOut(t *testing.T) {
	k := startKeycloak(t)
	mail := startMailbox(t)
	reg := k.site(t, "http://127.0.0.1:9", map[string]string{
		"backchannel.logout.url": mail.url, "backchannel.logout.session.required": "true",
	})
	rp := k.client(t, reg, nil)
	person := k.person(t, "http://127.0.0.1:9/")
	tokens, _ := person.signIn(rp, k.user(t), nil)
	address, err := rp.LogoutURL(t.Context(), client.LogoutOptions{IDToken: tokens.IDToken, PostLogoutRedirectURL: goodbyeURL, State: "state"})
	if err != nil {
		t.Fatal(err)
	}
	if got := person.open(address).url.String(); got != goodbyeURL+"?state=state" {
		t.Errorf("came back to %s", got)
	}
	if len(mail.sent) != 1 {
		t.Fatalf("%d logout tokens came before the browser did, want 1", len(mail.sent))
	}
	raw := mail.next(t)
	k.wantLogoutToken(t, reg, raw, tokens.IDToken.Subject, tokens.IDToken.SessionID)

	v := jwtverify.Verifier{Issuer: k.Issuer, Audience: reg.ID, Keys: k.keys(t)}
	seen := &jwtverify.ReplayCache{}
	if _, err := v.LogoutToken(t.Context(), raw, seen); err != nil {
		t.Fatal(err)
	}
	_, err = v.LogoutToken(t.Context(), raw, seen)
	wantRefused(t, err, "jti")
}

// A framedSite is a relying party's side of what happens in frames: it remembers who framed
// /frame, and shows Keycloak's check_session_iframe at /watch. At /changed it is a provider's
// check_session_iframe that says so all the time, and at /slow one that is slow.
type framedSite struct {
	*httptest.Server
	frames chan *http.Request
}

func startFramedSite(t *testing.T) *framedSite {
	t.Helper()
	s := &framedSite{frames: make(chan *http.Request, 4)}
	mux := http.NewServeMux()
	mux.HandleFunc("/frame", func(_ http.ResponseWriter, r *http.Request) { s.frames <- r })
	mux.HandleFunc("/watch", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(watchPage))
	})
	mux.HandleFunc("/changed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(`<!doctype html><script>setInterval(() => parent.postMessage('changed', '*'), 20)</script>`))
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(slowPage))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(`<!doctype html><p id="here">here</p>`))
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// slowPage takes its time to answer, and one question at a time.
const slowPage = `<!doctype html><script>
let asked = 0;
addEventListener('message', e => {
	const answer = ++asked > 1 ? 'error' : 'unchanged';
	setTimeout(() => { asked--; e.source.postMessage(answer, e.origin) }, 100);
});
</script>`

// watchPage asks the provider's frame as OpenID Connect Session Management 1.0 3.1 has it.
const watchPage = `<!doctype html><p id="says"></p><script>
const {frame, message} = Object.fromEntries(new URLSearchParams(location.search));
const iframe = document.createElement('iframe');
addEventListener('message', e => { if (e.origin === new URL(frame).origin) says.textContent = e.data; });
iframe.src = frame;
iframe.onload = () => setInterval(() => iframe.contentWindow.postMessage(message, new URL(frame).origin), 100);
document.body.append(iframe);
</script>`

func TestKeycloakFrontChannel(t *testing.T) {
	k := startKeycloak(t)
	site := startFramedSite(t)
	reg := k.site(t, site.URL, map[string]string{"frontchannel.logout.url": site.URL + "/frame", "frontchannel.logout.session.required": "true"})
	rp := k.client(t, reg, nil)
	user := k.user(t)

	b := newTab(t)
	login := authorize(t, rp, nil)
	b.open(login.URL())
	k.signIn(b, user, site.URL)
	tokens := exchange(t, rp, login, b.query())
	address, err := rp.LogoutURL(t.Context(), client.LogoutOptions{IDToken: tokens.IDToken, PostLogoutRedirectURL: site.URL + "/goodbye"})
	if err != nil {
		t.Fatal(err)
	}
	b.open(address)
	b.arrive(site.URL+"/goodbye", "#here")
	if len(site.frames) != 1 {
		t.Fatalf("%d frames, want 1", len(site.frames))
	}
	frame := <-site.frames
	if q := frame.URL.Query(); q.Get("iss") != k.Issuer || q.Get("sid") != tokens.IDToken.SessionID {
		t.Errorf("framed as %s, want iss %s and sid %s", frame.URL, k.Issuer, tokens.IDToken.SessionID)
	}
	if n := k.sessions(t, user); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// Its frame says whether the session at the provider is still the one of session_state,
// where the browser lets it see its cookie.
func TestKeycloakCheckSession(t *testing.T) {
	k := startKeycloak(t)
	site := startFramedSite(t)
	reg := k.site(t, site.URL, nil)
	rp := k.client(t, reg, nil)
	for name, c := range map[string]struct {
		open          func(*testing.T) *tab
		before, after string
	}{
		"third-party cookies are allowed": {newPermissiveTab, "unchanged", "changed"},
		// Session Management 3.2: nobody is to be sent to the provider because of that.
		"third-party cookies are blocked": {newTab, "error", "error"},
	} {
		t.Run(name, func(t *testing.T) {
			b := c.open(t)
			login := authorize(t, rp, nil)
			b.open(login.URL())
			k.signIn(b, k.user(t), site.URL)
			state := b.query().Get("session_state")
			tokens := exchange(t, rp, login, b.query())
			if state == "" {
				t.Fatal("the callback has no session_state")
			}
			watch := b.another()
			frame := k.endpoint(t, "check_session_iframe")
			watch.open(site.URL + "/watch?" + url.Values{"frame": {frame}, "message": {reg.ID + " " + state}}.Encode())
			watch.awaitText("#says", c.before)
			if got := watch.frames(); !slices.Equal(got, []string{frame}) {
				t.Errorf("framed: %q, want %s", got, frame)
			}

			address, err := rp.LogoutURL(t.Context(), client.LogoutOptions{IDToken: tokens.IDToken, PostLogoutRedirectURL: site.URL + "/goodbye"})
			if err != nil {
				t.Fatal(err)
			}
			b.open(address)
			b.arrive(site.URL+"/goodbye", "#here")
			watch.awaitText("#says", c.after)
		})
	}
}

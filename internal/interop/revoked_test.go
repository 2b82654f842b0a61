package interop

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-go/postern/session"
	"github.com/postern-go/postern/session/redisstore"
)

// backChannelPath is where a Manager takes logout tokens.
const backChannelPath = "/auth/backchannel-logout"

// client connects to it.
func (r *redisServer) client(t *testing.T) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: r.socket, MaxRetries: 1})
	t.Cleanup(func() { c.Close() })
	return c
}

// A shared app answers in two processes, as far as an app can tell: each has a Manager and a
// connection to Redis of its own. Without Redis there is one.
type shared struct {
	*app
	all []*app
}

// startShared opens the app; register makes its client, at the address of the first process.
func startShared(t *testing.T, p *provider, r *redisServer, register func(url string) registration) *shared {
	t.Helper()
	first := listen(t)
	reg := register(first.url)
	s := &shared{first, []*app{first}}
	if r != nil {
		s.all = append(s.all, listen(t))
	}
	for _, a := range s.all {
		a.start(t, p, reg, func(cfg *session.Config) {
			if r != nil {
				cfg.Store = &redisstore.Store{Client: r.client(t)}
			}
		})
		a.mux.Handle("/identity", a.auth.Require(http.HandlerFunc(serveIdentity)))
	}
	return s
}

// An identity is what the app knows about who is there.
type identity struct{ Subject, SessionID string }

func serveIdentity(w http.ResponseWriter, r *http.Request) {
	id := session.From(r.Context()).IDToken()
	json.NewEncoder(w).Encode(identity{id.Subject, id.SessionID})
}

// A machine is a browser in which somebody has signed in.
type machine struct {
	person  *person
	cookies []*http.Cookie
	identity
}

// signIn begins with a new session here, whatever the provider knows of the person.
func (s *shared) signIn(t *testing.T, person *person, user string) *machine {
	t.Helper()
	end, _ := person.open(s.url + "/auth/login?return_to=/identity").signIn(user)
	m := &machine{person: person, cookies: s.jarCookies(t, person)}
	if err := json.Unmarshal([]byte(end.body), &m.identity); err != nil || m.Subject == "" {
		t.Fatalf("signing in ended on %s (status %d):\n%s", end.url, end.status, end.body)
	}
	return m
}

// wantIn: the session of these cookies is good in all processes.
func (s *shared) wantIn(t *testing.T, what string, m *machine) {
	t.Helper()
	for i, a := range s.all {
		resp, body, err := a.get("/who", m.cookies)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), ">"+m.Subject+"<") {
			t.Errorf("%s: process %d answers %s:\n%s", what, i, resp.Status, body)
		}
	}
}

// wantOver: the session of these cookies is over in all processes, for a reason.
func (s *shared) wantOver(t *testing.T, what, reason string, m *machine) {
	t.Helper()
	for i, a := range s.all {
		resp, body, err := a.get("/who", m.cookies)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(string(body), fmt.Sprintf("%q:%q", "reason", reason)) {
			t.Errorf("%s: process %d answers %s, want 401 because %s:\n%s", what, i, resp.Status, reason, body)
		}
	}
}

// nextSecond waits until tokens have another time. What was issued in the same second as a
// logout token is over with it: nobody could tell which was first.
func nextSecond(t *testing.T) {
	t.Helper()
	now := time.Now().Unix()
	eventually(t, "the next second", func() (bool, error) { return time.Now().Unix() > now, nil })
}

// withAndWithoutRedis runs a test with two processes on Redis, and with one on its own.
func withAndWithoutRedis(t *testing.T, test func(*testing.T, *redisServer)) {
	t.Run("two processes and Redis", func(t *testing.T) { test(t, startRedis(t)) })
	t.Run("one process without a Store", func(t *testing.T) { test(t, nil) })
}

// wantTold: each client was told, and all agreed.
func wantTold(t *testing.T, got ended, n int) {
	t.Helper()
	if len(got.Sent) != n {
		t.Errorf("%d clients were told, want %d", len(got.Sent), n)
	}
	for _, sent := range got.Sent {
		if sent.Status != http.StatusOK {
			t.Errorf("a logout token is answered with %d", sent.Status)
		}
	}
}

// One user in two browsers, with sessions in cookies. What op says about one session ends that
// one; what it says about the user ends both. Signing in again brings nothing back.
func TestLogoutTokensEndSessions(t *testing.T) {
	withAndWithoutRedis(t, func(t *testing.T, r *redisServer) {
		s := startShared(t, op, r, func(url string) registration {
			return op.register(t, url+"/auth/callback", metadata{
				"backchannel_logout_uri": url + backChannelPath, "backchannel_logout_session_required": true,
			})
		})
		user := strings.ReplaceAll(t.Name(), "/", ".")
		one, two := s.signIn(t, newPerson(t, ""), user), s.signIn(t, newPerson(t, ""), user)
		other := s.signIn(t, newPerson(t, ""), "somebody-else")
		if one.SessionID == "" || one.SessionID == two.SessionID {
			t.Fatalf("the two browsers do not have a sid each: %q and %q", one.SessionID, two.SessionID)
		}
		s.wantIn(t, "the first browser", one)
		s.wantIn(t, "the second browser", two)

		nextSecond(t)
		wantTold(t, op.endSession(t, one.SessionID), 1)
		s.wantOver(t, "the session that has ended", session.ReasonRevoked, one)
		s.wantIn(t, "the other session of the user", two)

		nextSecond(t)
		again := s.signIn(t, one.person, user)
		s.wantIn(t, "the first browser, signed in again", again)
		s.wantOver(t, "its cookie of before", session.ReasonRevoked, one)

		nextSecond(t)
		wantTold(t, op.endUser(t, user), 1)
		s.wantOver(t, "the first browser", session.ReasonRevoked, again)
		s.wantOver(t, "the second browser", session.ReasonRevoked, two)
		s.wantIn(t, "somebody else", other)

		nextSecond(t)
		s.wantIn(t, "the second browser, signed in again", s.signIn(t, two.person, user))
		for what, m := range map[string]*machine{"the first": one, "the second": two, "the third": again} {
			s.wantOver(t, what+" session", session.ReasonRevoked, m)
		}
	})
}

// Keycloak's tokens have sub, and sid where the client wants it.
func TestKeycloakLogoutTokensEndSessions(t *testing.T) {
	k := startKeycloak(t)
	for name, required := range map[string]bool{"with the session": true, "with the user alone": false} {
		t.Run(name, func(t *testing.T) {
			s := startShared(t, k.provider, startRedis(t), func(url string) registration {
				return k.site(t, url, map[string]string{
					"backchannel.logout.url": url + backChannelPath, "backchannel.logout.session.required": fmt.Sprint(required),
				})
			})
			user := k.user(t)
			one, two := s.signIn(t, k.person(t, ""), user), s.signIn(t, k.person(t, ""), user)
			nextSecond(t)
			k.endSession(t, one.SessionID)
			s.wantOver(t, "the session that has ended", session.ReasonRevoked, one)
			if !required {
				s.wantOver(t, "the other session, which the token means as well", session.ReasonRevoked, two)
				return
			}
			s.wantIn(t, "the other session of the user", two)

			nextSecond(t)
			again := s.signIn(t, one.person, user)
			s.wantIn(t, "signed in again", again)
			nextSecond(t)
			k.endUser(t, user)
			for what, m := range map[string]*machine{"the first": one, "the second": two, "the third": again} {
				s.wantOver(t, what+" session", session.ReasonRevoked, m)
			}
		})
	}
}

// The app itself signs a user out in all browsers, and lets nobody else feel it. At the
// provider the sessions go on, so signing in again takes no password.
func TestRevokeUserEverywhere(t *testing.T) {
	withAndWithoutRedis(t, func(t *testing.T, r *redisServer) {
		s := startShared(t, op, r, func(url string) registration { return op.register(t, url+"/auth/callback", nil) })
		user := strings.ReplaceAll(t.Name(), "/", ".")
		one, two := s.signIn(t, newPerson(t, ""), user), s.signIn(t, newPerson(t, ""), user)
		other := s.signIn(t, newPerson(t, ""), "somebody-else")
		last := s.all[len(s.all)-1]
		if err := last.auth.RevokeUser(t.Context(), op.Issuer, user); err != nil {
			t.Fatal(err)
		}
		s.wantOver(t, "the first browser", session.ReasonRevoked, one)
		s.wantOver(t, "the second browser", session.ReasonRevoked, two)
		s.wantIn(t, "somebody else", other)

		end, asked := one.person.open(s.url + "/identity").signIn(user)
		if end.status != http.StatusOK || asked != 0 {
			t.Errorf("the next page is %s (status %d) after %d questions:\n%s", end.url, end.status, asked, end.body)
		}
		again := &machine{cookies: s.jarCookies(t, one.person), identity: one.identity}
		s.wantIn(t, "signed in again", again)
		s.wantOver(t, "its cookie of before", session.ReasonRevoked, one)
	})
}

// A logout token for another client, or about nobody here, ends nothing.
func TestLogoutTokenOfAnotherClient(t *testing.T) {
	s := startShared(t, op, nil, func(url string) registration { return op.register(t, url+"/auth/callback", nil) })
	user := strings.ReplaceAll(t.Name(), "/", ".")
	m := s.signIn(t, newPerson(t, ""), user)
	nextSecond(t)
	another := op.register(t, callbackURL, metadata{"backchannel_logout_uri": s.url + backChannelPath})
	for _, c := range []struct {
		name, raw string
		status    int
	}{
		{"another client's", op.issueLogoutToken(t, another, user, ""), http.StatusBadRequest},
		{"another user's", op.issueLogoutToken(t, s.reg, "somebody-else", ""), http.StatusOK},
		{"another session's", op.issueLogoutToken(t, s.reg, user, "some-session"), http.StatusOK},
	} {
		if got := s.deliver(t, c.raw); got != c.status {
			t.Errorf("%s token: %d, want %d", c.name, got, c.status)
		}
		s.wantIn(t, "after "+c.name+" token", m)
	}
	if got := s.deliver(t, op.issueLogoutToken(t, s.reg, user, "")); got != http.StatusOK {
		t.Errorf("the right token: %d", got)
	}
	s.wantOver(t, "after the right token", session.ReasonRevoked, m)
}

// deliver posts a logout token as a provider does, and gives the status of the answer.
func (a *app) deliver(t *testing.T, raw string) int {
	t.Helper()
	resp, err := http.PostForm(a.loopback+backChannelPath, url.Values{"logout_token": {raw}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

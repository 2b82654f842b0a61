package interop

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/postern-go/postern/session"
	"github.com/postern-go/postern/session/redisstore"
)

// kept counts what is in Redis under the name of a kind of record.
func (r *redisServer) kept(t *testing.T, kind string) int {
	t.Helper()
	keys, err := r.client(t).Keys(t.Context(), "postern:"+kind+".*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return len(keys)
}

// keepInRedis is for the sessions of an app.
func keepInRedis(t *testing.T, r *redisServer) func(*session.Config) {
	return func(cfg *session.Config) {
		cfg.Store, cfg.SessionsInStore = &redisstore.Store{Client: r.client(t)}, true
	}
}

// cookieBytes are those of a Cookie header.
func cookieBytes(cookies []*http.Cookie) (n int) {
	for _, c := range cookies {
		n += len(c.Name) + len("=; ") + len(c.Value)
	}
	return n
}

// signOut is the form of the app itself, sent by the person.
func (a *app) signOut(t *testing.T, person *person) *page {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, a.url+"/auth/logout", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", a.url)
	return person.do(req)
}

// The session is in Redis, and a small key to it in the cookie. Signing out leaves neither,
// and the cookie of before opens nothing.
func TestSessionsInRedis(t *testing.T) {
	r := startRedis(t)
	a := startApp(t, op, nil, keepInRedis(t, r))
	person, cookies := a.signedIn(t, "alice")
	if n := r.kept(t, "session"); n != 1 {
		t.Errorf("%d sessions in Redis, want 1", n)
	}
	if n := cookieBytes(cookies); n > 500 {
		t.Errorf("the cookies have %d bytes", n)
	}
	if end := person.open(a.url + "/who"); !strings.Contains(end.body, ">alice<") {
		t.Errorf("reloaded, it is %s (status %d):\n%s", end.url, end.status, end.body)
	}
	if _, got, err := a.callAPI(cookies); err != nil || got.Status != http.StatusOK || got.Subject != "alice" {
		t.Errorf("with its token: %+v, %v", got, err)
	}
	resp, body, err := a.get("/who", []*http.Cookie{cookies[0]})
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("without the cookie that says when it was seen last: %v, %v\n%s", resp, err, body)
	}

	a.signOut(t, person)
	if n := r.kept(t, "session"); n != 0 {
		t.Errorf("%d sessions are left in Redis", n)
	}
	if left := a.jarCookies(t, person); len(left) != 0 {
		t.Errorf("cookies are left: %v", left)
	}
	resp, body, err = a.get("/who", cookies)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !strings.Contains(string(body), `"reason":"signed-out"`) {
		t.Errorf("with the cookie of before: %v, %v\n%s", resp, err, body)
	}
	if n := r.kept(t, "session"); n != 0 {
		t.Errorf("it brought %d sessions back", n)
	}
}

// member makes somebody at Keycloak who is in many groups.
func (k *keycloakServer) member(t *testing.T) (user string) {
	t.Helper()
	user = strings.ToLower(t.Name())
	var paths []string
	for i := range manyGroups {
		name := fmt.Sprintf("department-%03d-of-the-northern-region-readers", i)
		k.admin(t, "POST /groups", map[string]any{"name": name}, nil)
		paths = append(paths, "/"+name)
	}
	k.admin(t, "POST /users", map[string]any{
		"username": user, "enabled": true, "firstName": "A", "lastName": "Member", "email": user + "@example.com", "emailVerified": true,
		"credentials": []map[string]any{{"type": "password", "value": "pw"}}, "groups": paths,
	}, nil)
	return user
}

// tellGroups has Keycloak put the groups of users, as it can, into both tokens of a client.
func (k *keycloakServer) tellGroups(t *testing.T, reg registration) {
	t.Helper()
	var clients []struct{ ID string }
	k.admin(t, "GET /clients?clientId="+url.QueryEscape(reg.ID), nil, &clients)
	k.admin(t, "POST /clients/"+clients[0].ID+"/protocol-mappers/models", map[string]any{
		"name": "groups", "protocol": "openid-connect", "protocolMapper": "oidc-group-membership-mapper",
		"config": map[string]string{"claim.name": "groups", "full.path": "true", "id.token.claim": "true", "access.token.claim": "true"},
	}, nil)
}

// manyGroups make both tokens together larger than 12 KB.
const manyGroups = 90

// With a Store, a user of Keycloak may be in as many groups as there are. Without one, the
// page says that it is too much, and the log what weighs most.
func TestKeycloakManyGroups(t *testing.T) {
	k := startKeycloak(t)
	r := startRedis(t)
	user := k.member(t)
	open := func(t *testing.T, configure func(*session.Config)) (*app, *page) {
		a := listen(t)
		reg := k.site(t, a.url, nil)
		k.tellGroups(t, reg)
		a.start(t, k.provider, reg, configure)
		a.mux.Handle("/groups", a.auth.Require(http.HandlerFunc(serveGroups)))
		end, _ := k.person(t, "").open(a.url + "/groups").signIn(user)
		return a, end
	}
	t.Run("with a Store", func(t *testing.T) {
		a, end := open(t, keepInRedis(t, r))
		var groups, size int
		fmt.Sscanf(end.body, "%d groups, %d bytes", &groups, &size)
		if end.status != http.StatusOK || groups != manyGroups || size < 12<<10 {
			t.Fatalf("signing in ended on %s (status %d):\n%s", end.url, end.status, end.body)
		}
		cookies := a.jarCookies(t, end.person)
		if n := cookieBytes(cookies); n > 500 {
			t.Errorf("the cookies have %d bytes", n)
		}
		if _, got, err := a.callAPI(cookies); err != nil || got.Status != http.StatusOK {
			t.Errorf("with its token: %+v, %v", got, err)
		}
	})
	t.Run("without", func(t *testing.T) {
		a, end := open(t, nil)
		if end.status != http.StatusInternalServerError || !strings.Contains(end.body, session.ReasonTooLarge) || strings.Contains(end.body, "groups") {
			t.Errorf("signing in ended on %s (status %d):\n%s", end.url, end.status, end.body)
		}
		log := a.log.String()
		for _, part := range []string{"reason=too-large", "access token", `claim \"groups\"`, `access token claim \"groups\"`, "ID token"} {
			if !strings.Contains(log, part) {
				t.Errorf("the log does not name %s:\n%s", part, log)
			}
		}
		if left := a.jarCookies(t, end.person); slices.ContainsFunc(left, func(c *http.Cookie) bool { return !strings.Contains(c.Name, "login") }) {
			t.Errorf("cookies came: %v", left)
		}
	})
}

func serveGroups(w http.ResponseWriter, r *http.Request) {
	s := session.From(r.Context())
	groups, _ := s.Texts("groups")
	token, err := s.Token(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "%d groups, %d bytes", len(groups), len(s.IDToken().Raw())+len(token.AccessToken))
}

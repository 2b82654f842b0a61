package main

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/session"
)

const (
	secret = "b5c1f0d2a9e84c7796e3d1082f4a6b7c5d9e8f01"
	// mostHeader is what the Cookie header of the session below may have.
	mostHeader = 3000

	gorillaRow = "gorilla/sessions, limits lifted"
	scsRow     = "scs, memory store"
)

// noWriter is a ResponseWriter that costs nothing.
type noWriter struct{ header http.Header }

func (w noWriter) Header() http.Header         { return w.header }
func (w noWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w noWriter) WriteHeader(int)             {}

// A login is what a session is made of, for every row the same.
type login struct {
	claims                  map[string]any
	id, access, refreshText string
}

// signedIn signs a user in at an in-memory provider and returns a request that
// carries the session's cookies: an ID token of 12 claims and 900 bytes, an access
// token of 900 bytes and a refresh token.
func signedIn() (*session.Manager, *http.Request, *login) {
	p := clienttest.New(&clienttest.Options{
		Audience: "https://api.example.com/v1/of-the-orders/and-all-that-belongs-to-them/" + strings.Repeat("x", 82),
		Users: []clienttest.User{{Subject: "248289761001", Claims: map[string]any{
			"name": "Jane Doe the Younger, of the accounts department, on the second floor of the house by the lake",
		}}},
	})
	defer p.Close()
	cfg := p.Config("https://app.example.com/auth/callback")
	cfg.Scopes = []string{"openid", "offline_access"}
	rp := must(client.New(cfg))
	have := new(login)
	auth := must(session.New(rp, session.Config{Secrets: []string{secret}, OnLogin: have.remember}))

	start := httptest.NewRecorder()
	auth.LoginHandler().ServeHTTP(start, httptest.NewRequest("GET", "https://app.example.com/auth/login", nil))
	back := must(p.SignIn(start.Header().Get("Location"), "248289761001"))
	callback := httptest.NewRequest("GET", back.String(), nil)
	carry(callback, start.Result())
	end := httptest.NewRecorder()
	auth.CallbackHandler().ServeHTTP(end, callback)

	r := httptest.NewRequest("GET", "https://app.example.com/", nil)
	r.Header.Set("Sec-Fetch-Mode", "cors")
	carry(r, end.Result())
	return auth, r, have
}

// remember keeps for the peers what Postern keeps.
func (l *login) remember(ctx context.Context, s *session.Session) error {
	token, err := s.Token(ctx)
	if err != nil {
		return err
	}
	l.id, l.access, l.refreshText = s.IDToken().Raw(), token.AccessToken, strings.Repeat("r3fresh", 9)[:60]
	return s.Claims(&l.claims)
}

// values are the claims one by one, and the tokens.
func (l *login) values() map[string]any {
	all := map[string]any{"id_token": l.id, "access_token": l.access, "refresh_token": l.refreshText}
	for name, value := range l.claims {
		all[name] = value
	}
	return all
}

func carry(r *http.Request, from *http.Response) {
	for _, c := range from.Cookies() {
		if c.MaxAge >= 0 {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
}

// sealedLike returns a request with securecookie values of the same lengths as the
// session's, and what finds and opens them: what one has to write with securecookie.
func sealedLike(r *http.Request) (open func() bool) {
	codec := securecookie.New(bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)).
		MaxAge(0).MaxLength(0).SetSerializer(securecookie.NopEncoder{})
	theirs := httptest.NewRequest("GET", "https://app.example.com/", nil)
	var names []string
	for _, c := range r.Cookies() {
		theirs.AddCookie(&http.Cookie{Name: c.Name, Value: ofLength(codec, c.Name, len(c.Value))})
		names = append(names, c.Name)
	}
	return func() bool {
		for _, name := range names {
			c, err := theirs.Cookie(name)
			var plain []byte
			if err != nil || codec.Decode(name, c.Value, &plain) != nil {
				return false
			}
		}
		return true
	}
}

func ofLength(codec *securecookie.SecureCookie, name string, length int) string {
	for n := length / 2; ; n++ {
		v := must(codec.Encode(name, bytes.Repeat([]byte("x"), n)))
		if len(v) >= length-4 {
			return v
		}
	}
}

func sessionTables() []table {
	auth, r, have := signedIn()
	header := len("Cookie: ") + len(strings.Join(r.Header["Cookie"], "; "))
	if header > mostHeader || len(have.claims) != 12 {
		panic(fmt.Sprintf("%d claims in %d bytes of Cookie header, 12 in at most %d are wanted", len(have.claims), header, mostHeader))
	}
	open := sealedLike(r)
	subject, access := "", ""
	app := auth.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		subject = s.Subject()
		if token, err := s.Token(r.Context()); err == nil {
			access = token.AccessToken
		}
	}))
	gorilla, carried := gorillaSession(have)
	store, known := scsSession(have)
	scsApp := store.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		subject, access = store.GetString(r.Context(), "sub"), store.GetString(r.Context(), "access_token")
	}))
	complete := func(b *testing.B) {
		if subject == "" || access != have.access {
			b.Fatal("not signed in")
		}
		subject, access = "", ""
	}
	name := fmt.Sprintf("a request with a session: %d claims, ID token %d bytes, access token %d, Cookie header %d",
		len(have.claims), len(have.id), len(have.access), header)
	return []table{{name, []row{
		{name: "r.Cookie and securecookie alone", run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !open() {
					b.Fatal("refused")
				}
			}
		}},
		// Of the allocations 15 are of Require, the others of loading the session.
		{name: "postern Require, the whole of it", ratio: 1.7, allocs: 15 + 7,
			shares: []share{{gorillaRow, 1.0 / 3}, {scsRow, 1}}, run: func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					app.ServeHTTP(noWriter{make(http.Header)}, r)
					complete(b)
				}
			}},
		{name: gorillaRow, run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := gorilla.New(carried, "session")
				if err != nil {
					b.Fatal(err)
				}
				subject, _ = s.Values["sub"].(string)
				access, _ = s.Values["access_token"].(string)
				complete(b)
			}
		}},
		{name: scsRow, run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				scsApp.ServeHTTP(noWriter{make(http.Header)}, known)
				complete(b)
			}
		}},
	}}}
}

// gorillaSession keeps the same in gorilla/sessions.
func gorillaSession(l *login) (*sessions.CookieStore, *http.Request) {
	store := sessions.NewCookieStore(bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32))
	for _, c := range store.Codecs {
		c.(*securecookie.SecureCookie).MaxLength(0)
	}
	empty := httptest.NewRequest("GET", "https://app.example.com/", nil)
	s := must(store.New(empty, "session"))
	for name, value := range l.values() {
		s.Values[name] = value
	}
	w := httptest.NewRecorder()
	if err := s.Save(empty, w); err != nil {
		panic(err)
	}
	r := httptest.NewRequest("GET", "https://app.example.com/", nil)
	carry(r, w.Result())
	return store, r
}

// scsSession keeps the same in scs, in the memory of this process.
func scsSession(l *login) (*scs.SessionManager, *http.Request) {
	gob.Register([]any{}) // aud, where it is a list
	store := scs.New()
	store.Store = memstore.NewWithCleanupInterval(0)
	save := store.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range l.values() {
			store.Put(r.Context(), name, value)
		}
		w.WriteHeader(http.StatusOK)
	}))
	w := httptest.NewRecorder()
	save.ServeHTTP(w, httptest.NewRequest("GET", "https://app.example.com/", nil))
	r := httptest.NewRequest("GET", "https://app.example.com/", nil)
	carry(r, w.Result())
	return store, r
}

package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/session"
)

const secret = "b5c1f0d2a9e84c7796e3d1082f4a6b7c5d9e8f01"

// noWriter is a ResponseWriter that costs nothing.
type noWriter struct{ header http.Header }

func (w noWriter) Header() http.Header         { return w.header }
func (w noWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w noWriter) WriteHeader(int)             {}

// signedIn signs a user in at an in-memory provider and returns a request that
// carries the session's cookies.
func signedIn() (*session.Manager, *http.Request) {
	p := clienttest.New(&clienttest.Options{Users: []clienttest.User{{Subject: "248289761001", Claims: map[string]any{
		"email": "jane.doe@example.com", "name": "Jane Doe", "preferred_username": "j.doe", "acr": "urn:mace:incommon:iap:silver",
	}}}})
	defer p.Close()
	rp := must(client.New(p.Config("https://app.example.com/auth/callback")))
	auth := must(session.New(rp, session.Config{Secrets: []string{secret}}))

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
	return auth, r
}

func carry(r *http.Request, from *http.Response) {
	for _, c := range from.Cookies() {
		if c.MaxAge >= 0 {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
}

// sealedLike returns securecookie values of the same lengths as the session's, and
// what opens them: the floor that securecookie itself sets.
func sealedLike(r *http.Request) (open func() bool) {
	codec := securecookie.New(bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)).
		MaxAge(0).MaxLength(0).SetSerializer(securecookie.NopEncoder{})
	var values []string
	for _, c := range r.Cookies() {
		values = append(values, ofLength(codec, len(c.Value)))
	}
	return func() bool {
		for _, v := range values {
			var plain []byte
			if codec.Decode("cookie", v, &plain) != nil {
				return false
			}
		}
		return true
	}
}

func ofLength(codec *securecookie.SecureCookie, length int) string {
	for n := length / 2; ; n++ {
		v := must(codec.Encode("cookie", bytes.Repeat([]byte("x"), n)))
		if len(v) >= length-4 {
			return v
		}
	}
}

func sessionTables() []table {
	auth, r := signedIn()
	open := sealedLike(r)
	subject := ""
	app := auth.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		subject = session.From(r.Context()).Subject()
	}))
	gorilla, carried := gorillaSession()
	return []table{{"a request with a session (" + size(r) + ")", []row{
		{name: "securecookie alone, same bytes", run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !open() {
					b.Fatal("refused")
				}
			}
		}},
		{name: "postern Require, the whole of it", run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				subject = ""
				app.ServeHTTP(noWriter{make(http.Header)}, r)
				if subject == "" {
					b.Fatal("not signed in")
				}
			}
		}},
		{name: "gorilla/sessions, limits lifted", run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if s, err := gorilla.New(carried, "session"); err != nil || s.Values["sub"] == nil {
					b.Fatal(err)
				}
			}
		}},
	}}}
}

func size(r *http.Request) string {
	return fmt.Sprintf("%d bytes of Cookie header", len(strings.Join(r.Header["Cookie"], "; ")))
}

// gorillaSession keeps as much in gorilla/sessions, as most programs do: the
// subject and three tokens.
func gorillaSession() (*sessions.CookieStore, *http.Request) {
	store := sessions.NewCookieStore(bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32))
	for _, c := range store.Codecs {
		c.(*securecookie.SecureCookie).MaxLength(0)
	}
	empty := httptest.NewRequest("GET", "https://app.example.com/", nil)
	s := must(store.New(empty, "session"))
	s.Values["sub"] = "248289761001"
	for name, length := range map[string]int{"id_token": 900, "access_token": 900, "refresh_token": 60} {
		s.Values[name] = (rand.Text() + strings.Repeat(rand.Text(), 1+length/26))[:length]
	}
	w := httptest.NewRecorder()
	if err := s.Save(empty, w); err != nil {
		panic(err)
	}
	r := httptest.NewRequest("GET", "https://app.example.com/", nil)
	carry(r, w.Result())
	return store, r
}

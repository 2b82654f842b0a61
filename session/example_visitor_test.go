package session_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

const exampleURL = "https://app.example.com"

// A visitor is the browser in the examples, and the user in front of it: who is sent to the
// provider signs in there, and says so.
type visitor struct {
	name    string
	app     http.Handler
	op      *clienttest.Browser
	cookies map[string]*http.Cookie
}

func newVisitor(name string, op *clienttest.Provider, app http.Handler) *visitor {
	return &visitor{name, app, op.NewBrowser(), map[string]*http.Cookie{}}
}

// open prints the page at a path, and the way there.
func (v *visitor) open(path string) {
	address := exampleURL + path
	for {
		r := httptest.NewRequest("GET", address, nil)
		r.Header.Set("Accept", "text/html")
		for _, c := range v.cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		v.app.ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			v.cookies[c.Name] = c
		}
		if w.Code != http.StatusSeeOther {
			fmt.Println(path, "->", w.Code, strings.TrimSpace(w.Body.String()))
			return
		}
		address = v.follow(w.Header().Get("Location"))
	}
}

func (v *visitor) follow(location string) string {
	if strings.HasPrefix(location, "/") {
		return exampleURL + location
	}
	u, err := url.Parse(location)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("  at the provider:", asked(u.Query()))
	callback, err := v.op.SignIn(location, v.name)
	if err != nil {
		log.Fatal(err)
	}
	return callback.String()
}

// asked is what the provider is asked for beyond a sign-in.
func asked(q url.Values) string {
	text := "sign in"
	for _, name := range []string{"acr_values", "max_age", "prompt"} {
		if q.Has(name) {
			text += ", " + name + "=" + q.Get(name)
		}
	}
	return text
}

// exampleClient is a client of op with a callback of its own.
func exampleClient(op *clienttest.Provider, callback string) *client.Client {
	rp, err := client.New(op.Config(exampleURL + callback))
	if err != nil {
		log.Fatal(err)
	}
	return rp
}

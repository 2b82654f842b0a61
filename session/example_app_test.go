package session_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/session"
)

// How to test the handlers of your own application: a provider in memory, no
// network, no browser. In a test use t.Fatal for log.Fatal.
func Example_testYourHandlers() {
	op := clienttest.New(nil)
	defer op.Close()
	rp, err := client.New(op.Config("https://app.example.com/auth/callback"))
	if err != nil {
		log.Fatal(err)
	}
	auth, err := session.New(rp, session.Config{Secrets: []string{"for tests only: 32 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Routes(mux)
	mux.Handle("/", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello,", session.From(r.Context()).Subject())
	})))

	cookies := map[string]*http.Cookie{}
	get := func(address string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", address, nil)
		r.Header.Set("Accept", "text/html") // a page load, not a script
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			cookies[c.Name] = c
		}
		fmt.Println(w.Code)
		return w
	}
	toProvider := get("https://app.example.com/").Header().Get("Location")
	callback, err := op.SignIn(toProvider, "alice")
	if err != nil {
		log.Fatal(err)
	}
	back := get(callback.String()).Header().Get("Location")
	fmt.Print(get("https://app.example.com" + back).Body)
	// Output:
	// 303
	// 303
	// 200
	// hello, alice
}

package session_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/session"
)

// How to test the handlers of your own application: it runs at a test server, the
// provider in memory, and there is no browser. In a test use t.Fatal for log.Fatal.
func Example_testYourHandlers() {
	mux := http.NewServeMux()
	app := httptest.NewTLSServer(mux)
	defer app.Close()
	op := clienttest.New(nil)
	defer op.Close()
	rp, err := client.New(op.Config(app.URL + "/auth/callback"))
	if err != nil {
		log.Fatal(err)
	}
	auth, err := session.New(rp, session.Config{Secrets: []string{"for tests only: 32 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	auth.Routes(mux)
	mux.Handle("/", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello,", session.From(r.Context()).Subject())
	})))

	browser := app.Client()
	browser.Jar, err = cookiejar.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	send := func(method, address string) (location, body string) {
		r, err := http.NewRequest(method, address, nil)
		if err != nil {
			log.Fatal(err)
		}
		r.Header.Set("Accept", "text/html") // a page load, not a script
		resp, err := browser.Do(r)
		if err != nil {
			log.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(method, resp.StatusCode)
		return resp.Header.Get("Location"), string(b)
	}

	toProvider, _ := send("GET", app.URL+"/")
	callback, err := op.SignIn(toProvider, "alice")
	if err != nil {
		log.Fatal(err)
	}
	back, _ := send("GET", callback.String())
	_, page := send("GET", app.URL+back)
	fmt.Print(page)
	send("POST", app.URL+"/auth/logout")
	send("GET", app.URL+back) // to the provider again
	// Output:
	// GET 303
	// GET 303
	// GET 200
	// hello, alice
	// POST 303
	// GET 303
}

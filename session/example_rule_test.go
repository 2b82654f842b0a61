package session_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/session"
)

// A rule of the app's own stands beside those of this package. What a new sign-in can mend
// leads to one, and back to the page; the rest is a 403.
func ExampleManager_Guard_rules() {
	op := clienttest.New(&clienttest.Options{Users: []clienttest.User{
		{Subject: "alice", Claims: map[string]any{"groups": []string{"admins"}}}, {Subject: "bob"},
	}})
	defer op.Close()
	auth, err := session.New(exampleClient(op, "/auth/callback"), session.Config{Secrets: []string{"for tests only: 32 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	open := func(_ *http.Request, _ *session.Session) error {
		if time.Now().Year() < 2000 {
			return errors.New("not open yet") // for the log
		}
		return nil
	}
	mux := http.NewServeMux()
	auth.Routes(mux)
	admins := auth.Guard(open, session.HasClaim([]string{"groups"}, "admins", "owners"))
	mux.Handle("/admin", admins(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "welcome") })))
	keys := auth.Guard(session.HasACR("mfa"), session.AuthenticatedWithin(5*time.Minute))
	mux.Handle("/keys", keys(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "the keys") })))

	alice := newVisitor("alice", op, mux)
	alice.open("/admin")
	alice.open("/keys")
	// Output:
	//   at the provider: sign in
	// /admin -> 200 welcome
	//   at the provider: sign in, acr_values=mfa
	// /keys -> 200 the keys
}

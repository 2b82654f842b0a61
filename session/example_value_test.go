package session_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"

	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/session"
)

// A Cart is what somebody is about to buy. Before version 2 it was a list of names.
type Cart struct {
	Items map[string]int // how many of each
}

var cart = session.Value[Cart]{Name: "cart", Version: 2, Upgrade: upgradeCart}

func upgradeCart(version uint, data []byte) (Cart, error) {
	if version != 1 {
		return Cart{}, fmt.Errorf("no version %d", version)
	}
	var names []string
	err := json.Unmarshal(data, &names)
	upgraded := Cart{Items: map[string]int{}}
	for _, name := range names {
		upgraded.Items[name]++
	}
	return upgraded, err
}

// A shopping cart in the session, of a type that has changed since the first version.
func ExampleValue() {
	op := clienttest.New(nil)
	defer op.Close()
	auth, err := session.New(exampleClient(op, "/auth/callback"), session.Config{Secrets: []string{"for tests only: 32 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Routes(mux)
	mux.Handle("/old", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		old := session.Value[[]string]{Name: "cart", Version: 1} // what the program was last year
		if err := old.Set(session.From(r.Context()), []string{"apple", "pear", "apple"}); err != nil {
			http.Error(w, "sorry", http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "three things")
	})))
	mux.Handle("/add", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		c, _, err := cart.Get(s)
		if err != nil {
			http.Error(w, "The cart cannot be read.", http.StatusInternalServerError)
			return
		}
		if c.Items == nil {
			c.Items = map[string]int{}
		}
		c.Items["plum"]++
		if err := cart.Set(s, c); err != nil { // before the first byte of the answer
			http.Error(w, "The cart is full.", http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, c.Items)
	})))

	alice := newVisitor("alice", op, mux)
	alice.open("/old")
	alice.open("/add")
	alice.open("/add")
	// Output:
	//   at the provider: sign in
	// /old -> 200 three things
	// /add -> 200 map[apple:2 pear:1 plum:1]
	// /add -> 200 map[apple:2 pear:1 plum:2]
}

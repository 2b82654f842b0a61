package session_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/session"
)

// A page for everybody, which greets whoever is signed in at the provider already. The
// provider is asked once, and without a question to the user.
func ExampleManager_Silently() {
	op := clienttest.New(nil)
	defer op.Close()
	auth, err := session.New(exampleClient(op, "/auth/callback"), session.Config{Secrets: []string{"for tests only: 32 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Routes(mux)
	mux.Handle("/", auth.Silently(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := session.From(r.Context()); s.SignedIn() {
			fmt.Fprintln(w, "hello,", s.Subject())
			return
		}
		fmt.Fprintln(w, "hello, whoever you are")
	})))

	nobody := newVisitor("nobody", op, mux) // is signed in nowhere
	nobody.open("/news")
	nobody.open("/weather")
	// Output:
	//   at the provider: sign in, prompt=none
	// /news -> 200 hello, whoever you are
	// /weather -> 200 hello, whoever you are
}

// A page that must not be left, for what has been typed into it would be lost: signing in
// happens in a window of its own, and signing out elsewhere is noticed. Where the page
// has a Content-Security-Policy, that must allow its script and frame-src 'self'.
func ExampleManager_PopupHandler() {
	auth := exampleManager()
	mux := http.NewServeMux()
	auth.Routes(mux) // among them /auth/popup and /auth/check-session
	mux.Handle("/editor", auth.Load(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html>
<title>Editor</title>
<textarea></textarea>
<button id="save">Save</button>
<button id="sign-in" hidden>Sign in, to save it</button>
<iframe src="/auth/check-session" hidden></iframe>
<script>
const [text, saves, signIn] = ["textarea", "#save", "#sign-in"].map(s => document.querySelector(s))
saves.onclick = async () => {
	const answer = await fetch("/documents", {method: "POST", body: text.value})
	signIn.hidden = answer.status !== 401
}
signIn.onclick = () => open("/auth/popup", "", "popup,width=500,height=700")
new BroadcastChannel("postern").onmessage = e => { // Config.Name
	if (e.data === "signed-in") saves.click()
	if (e.data === "signed-out") signIn.hidden = false
}
</script>
`)
	})))
}

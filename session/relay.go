package session

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// relayField is the one field of the relay page's form. The fragment is posted as it is,
// and read here like any other answer: two readings of it, by a browser's script and by
// us, could differ.
const relayField = "postern_fragment"

// relayScript empties the address bar, so that tokens do not stay in the history, and
// sends the fragment on to where it was meant for. Without one it does nothing.
const relayScript = `var f=document.forms[0],a=location.hash.slice(1);` +
	`history.replaceState(null,"",location.pathname+location.search);` +
	`if(a){f.elements[0].value=a;f.submit()}`

const relayScriptHash = `r5K0y4w7mrvuuCUe0MMKzwqELNTBit29gYysD+SrAoE=`

// relayPolicy allows the style and the script above, by their hashes, and nothing else.
// For form-action see pagePolicy: nothing on the page comes from outside.
const relayPolicy = `default-src 'none'; script-src 'sha256-` + relayScriptHash + `'; style-src 'sha256-` + pageStyleHash +
	`'; base-uri 'none'; frame-ancestors 'none'`

// relayPage posts to its own address: to the callback, on our own origin, with the Lax
// cookie of the attempt. Whoever lures a browser here with a fragment of theirs is
// refused there, as with any other answer that has no attempt in this browser.
const relayPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Signing in</title>
<style>` + pageStyle + `</style>
</head>
<body>
<h1>Signing in</h1>
<p>One moment, please.</p>
<noscript><p>This needs JavaScript, to take the answer of the sign-in service.</p></noscript>
<form method="post"><input type="hidden" name="` + relayField + `"></form>
<script>` + relayScript + `</script>
</body>
</html>
`

func (m *Manager) writeRelay(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", relayPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // else a browser would send the form with "Origin: null"
	w.Write([]byte(relayPage))
}

// awaitsFragment tells whether a request has no answer, in a browser that has an attempt
// whose answer comes in a fragment. Its state is not known yet, so that every attempt is
// looked at.
func (m *Manager) awaitsFragment(r *http.Request, params url.Values) bool {
	if r.Method != http.MethodGet {
		return false
	}
	for _, name := range [...]string{"state", "response", "error", "code"} {
		if params.Has(name) {
			return false
		}
	}
	now := m.cfg.Now()
	for name, value := range sent(r) {
		if !m.cookies.isAttempt(name) {
			continue
		}
		a, err := m.cookies.openAttempt(name, value)
		if err == nil && now.Before(a.expires) && strings.TrimSuffix(a.login.ResponseMode(), ".jwt") == "fragment" {
			return true
		}
	}
	return false
}

// relayed gives the parameters of a fragment that came by the relay page, which sends
// nothing else.
func relayed(form url.Values, fragment []string) (url.Values, error) {
	if len(form) > 1 || len(fragment) > 1 {
		return nil, errors.New("something stands beside the fragment")
	}
	return url.ParseQuery(fragment[0])
}

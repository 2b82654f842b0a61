package session

import (
	"html"
	"net/http"
	"strings"
)

// PopupHandler starts a sign-in in a window of its own, for pages that have something to
// lose by going to the provider themselves. Routes registers it at [Config].Prefix with
// /popup. The page opens it by window.open, at a click, and is told by a BroadcastChannel
// with the name of the app (Config.Name) when somebody has signed in; then the window closes:
//
//	new BroadcastChannel("postern").onmessage = e => { if (e.data === "signed-in") ... }
//	button.onclick = () => open("/auth/popup", "", "popup,width=500,height=700")
//
// The channel reaches pages of this origin alone, and no secret goes over it. What goes wrong
// is shown in the window; and where there are several providers to choose from, people do it
// there.
func (m *Manager) PopupHandler() http.Handler {
	return m.allow(func(w http.ResponseWriter, r *http.Request) {
		if embedded(r) {
			m.fail(w, r, &Error{Status: http.StatusForbidden, Reason: ReasonNotNavigation})
			return
		}
		s := m.sessionOf(r)
		if r.URL.Query().Has(popupField) && s.SignedIn() {
			m.writePopup(w)
			return
		}
		here, _, _ := strings.Cut(pageAddress(r), "?")
		m.begin(w, r, &LoginOptions{ReturnTo: here + "?" + popupField + "=1"}, loginPurpose{mode: modePopup})
	}, http.MethodGet)
}

// popupField is in the address of the window that a sign-in comes back to which has lost sight
// of it: after a choice of the provider, or when somebody has started again.
const popupField = "done"

const popupScript = `new BroadcastChannel(document.body.dataset.channel).postMessage("signed-in");close()`

const popupScriptHash = `hJg9kXPE0GdrWpd39wLp6e8J/kFJRey94wxWAJAdvDQ=`

// writePopup is the end of a sign-in in a window of its own.
func (m *Manager) writePopup(w http.ResponseWriter) {
	writeScriptPage(w, scriptPage{
		title: "Signed in", policy: "frame-ancestors 'none'", scriptHash: popupScriptHash, script: popupScript,
		body: `<body data-channel="` + html.EscapeString(m.cfg.Name) + `">
<h1>Signed in</h1>
<p>You are signed in, and can close this window.</p>
`,
	})
}

// A scriptPage is a page of ours with a script, which is allowed by its hash. All of it is
// ours: what comes from elsewhere is escaped by who makes the body.
type scriptPage struct {
	title, body, script, scriptHash string
	policy                          string // beside what all have: style, script and base-uri
}

func writeScriptPage(w http.ResponseWriter, p scriptPage) {
	h := w.Header()
	forbidStoring(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'sha256-"+p.scriptHash+"'; style-src 'sha256-"+pageStyleHash+
		"'; base-uri 'none'; "+p.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Referrer-Policy") == "" {
		h.Set("Referrer-Policy", "no-referrer")
	}
	w.Write([]byte(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>` + p.title + `</title>
<style>` + pageStyle + `</style>
</head>
` + p.body + `<script>` + p.script + `</script>
</body>
</html>
`))
}

package session

import (
	"errors"
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/internal/origin"
)

// CheckSessionHandler is a page that finds out when the user has signed out at the
// provider, while a page of the app is open (OpenID Connect Session Management 1.0). Routes
// registers it at [Config].Prefix with /check-session. Put it into pages, in a frame that
// nobody sees, and listen to the channel with the name of the app (Config.Name):
//
//	<iframe src="/auth/check-session" hidden></iframe>
//	new BroadcastChannel("postern").onmessage = e => { if (e.data === "signed-out") location.reload() }
//
// It asks a frame of the provider's every five seconds. When that says that something has
// changed, the provider is asked once whether the same user is still there (prompt of none,
// in a frame). If so, the session goes on, with its values and scopes and until its own end,
// and with the ID token that says how the user is signed in there by now; if not, it ends
// here, without a word to the provider.
//
// Where a browser keeps the provider's cookies from frames, which is the default of most,
// the provider's frame says "changed" at once, and a second time after asking: then nobody can
// tell, the page stops, and the session stays. Nothing is ended by an answer before the first
// "unchanged". So it works where third-party cookies do; back-channel logout works everywhere.
//
// In a frame the provider answers in the query, whatever response mode Config.Authorize names.
// A response type that cannot be answered so is not asked for, and the page stops.
//
// The answer is 204 where there is nothing to do: nobody is signed in, or the provider has no
// check_session_iframe or said no session_state.
func (m *Manager) CheckSessionHandler() http.Handler {
	return m.allow(func(w http.ResponseWriter, r *http.Request) {
		forbidStoring(w.Header())
		s := m.sessionOf(r)
		if r.Method == http.MethodPost {
			m.endAtProvider(w, r, s)
			return
		}
		if r.URL.Query().Has(recheckField) {
			m.recheck(w, r, s)
			return
		}
		m.serveCheckSession(w, r, s)
	}, http.MethodGet, http.MethodPost)
}

const (
	// recheckField makes the address of the frame that asks the provider.
	recheckField = "recheck"
	// againField marks the page that was loaded because the provider had said "changed"
	// first thing, and then that the user is the same.
	againField = "again"
)

// checkSessionScript speaks with the provider's frame as Session Management 3.1 has it. A
// message counts from the very window and origin it is expected from. armed says that the
// provider's frame has once said "unchanged", so that it has its cookies; waits, that it has
// not answered yet: Keycloak's says "error" when it is asked again before its first answer.
const checkSessionScript = `var d=document.body.dataset,op=document.getElementById("op"),armed=false,waits=false,frame=null,` +
	`timer=setInterval(ask,5000);` +
	`function ask(){if(!frame&&!waits){waits=true;op.contentWindow.postMessage(d.message,d.origin)}}` +
	`function stop(){clearInterval(timer)}` +
	`op.onload=function(){waits=false;ask()};` +
	`addEventListener("message",function(e){` +
	`if(e.source===op.contentWindow&&e.origin===d.origin){waits=false;` +
	`if(e.data==="unchanged")armed=true;` +
	`else if(e.data!=="changed"||!armed&&d.again)stop();` +
	`else if(!frame){frame=document.createElement("iframe");frame.hidden=true;frame.src=d.recheck;document.body.append(frame)}` +
	`}else if(frame&&e.source===frame.contentWindow&&e.origin===location.origin){` +
	`stop();` +
	`if(e.data==="same")location.replace(armed?d.page:d.page+"?` + againField + `=1");` +
	`else if(e.data==="gone"&&armed)fetch(d.page,{method:"POST"}).then(function(r){` +
	`if(r.ok)new BroadcastChannel(d.channel).postMessage("signed-out")})` +
	`}})`

const checkSessionScriptHash = `U3QF44k1aY1KO7GI4tJB2aNOEnuzUpAJq/D3Q8bWp3k=`

func (m *Manager) serveCheckSession(w http.ResponseWriter, r *http.Request, s *Session) {
	frame, asked, err := m.providerFrames(r, s)
	if err != nil {
		m.fail(w, r, startError(err))
		return
	}
	if frame == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	framed := origin.Of(frame)
	if other := origin.Of(asked); other != framed {
		framed += " " + other
	}
	again := ""
	if r.URL.Query().Has(againField) {
		again = "1"
	}
	writeScriptPage(w, scriptPage{
		title: "Session", scriptHash: checkSessionScriptHash, script: checkSessionScript,
		policy: "frame-src 'self' " + framed + "; connect-src 'self'; frame-ancestors 'self'",
		body: "<body" + attribute("channel", m.cfg.Name) + attribute("origin", origin.Of(frame)) + attribute("again", again) +
			attribute("message", s.provider.rp.ClientID()+" "+s.tokens().SessionState) +
			attribute("page", m.cfg.route(routeCheckSession)) + attribute("recheck", m.cfg.route(routeCheckSession)+"?"+recheckField+"=1") + `>
<iframe id="op" src="` + html.EscapeString(frame.String()) + `" hidden></iframe>
`,
	})
}

func attribute(name, value string) string {
	return " data-" + name + `="` + html.EscapeString(value) + `"`
}

// providerFrames are the addresses of the provider in frames: of the one that watches, and of
// the one that is asked once, which may be at another origin. nil: there is nothing to ask.
func (m *Manager) providerFrames(r *http.Request, s *Session) (watches, asked *url.URL, err error) {
	if !s.SignedIn() || s.tokens().SessionState == "" {
		return nil, nil, nil
	}
	metadata, err := s.provider.rp.Metadata(r.Context())
	if err != nil || metadata.CheckSessionIframe == "" {
		return nil, nil, err
	}
	if watches, err = url.Parse(metadata.CheckSessionIframe); err != nil {
		return nil, nil, err
	}
	asked, err = url.Parse(metadata.AuthorizationEndpoint)
	return watches, asked, err
}

// recheck asks the provider, in a frame of the page above and of nobody else's, whether the
// user is still there.
func (m *Manager) recheck(w http.ResponseWriter, r *http.Request, s *Session) {
	if site, dest := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Dest"); site != "same-origin" || dest != "iframe" {
		m.fail(w, r, &Error{Status: http.StatusForbidden, Reason: ReasonCrossOrigin})
		return
	}
	if !s.SignedIn() {
		m.writeFrame(w, frameUnknown)
		return
	}
	opts := &LoginOptions{Provider: s.presented.provider, ReturnTo: "/"}
	a, err := m.newAttempt(r, s.provider, opts, loginPurpose{session: s, mode: modeFrame, prompt: "none", idToken: s.IDToken()})
	if err == nil && !byQuery(a.login) {
		err = errNotByQuery
	}
	if err == nil {
		err = m.cookies.writeAttempt(w.Header(), r, a, false)
	}
	if err != nil {
		m.log(r, startError(err).level(), "session: not asked again", causeAttr(err))
		m.writeFrame(w, frameUnknown)
		return
	}
	m.sendTo(w, a.login.URL())
}

var errNotByQuery = errors.New("a response type whose answer comes in no query cannot be asked for in a frame")

// modeOfFrame is how a frame is answered: in the query, signed or not. Providers do not let
// their pages with forms be framed, browsers would add no session to a cross-site POST, and
// the page that sends a fragment on is not for frames either.
func modeOfFrame(authorize *client.AuthorizeOptions) string {
	mode := authorize.ResponseMode
	switch {
	case authorize.ResponseType != "" && authorize.ResponseType != "code":
		return mode
	case strings.HasSuffix(mode, "jwt"):
		return "jwt"
	}
	return ""
}

func byQuery(login *client.Login) bool {
	return strings.TrimSuffix(login.ResponseMode(), ".jwt") == "query"
}

// endAtProvider ends the session here, since it has ended at the provider. That is for the
// page above to say, or another page of ours.
func (m *Manager) endAtProvider(w http.ResponseWriter, r *http.Request, s *Session) {
	if err := m.crossOrigin.Check(r); err != nil {
		m.fail(w, r, &Error{Status: http.StatusForbidden, Reason: ReasonCrossOrigin, Err: err})
		return
	}
	s.leave()
	m.endLocally(w, r, s.presented)
	w.WriteHeader(http.StatusNoContent)
}

// What a frame tells the page that it is in.
const (
	frameSame    = "same"    // the same user is signed in at the provider
	frameGone    = "gone"    // nobody is, or somebody else
	frameUnknown = "unknown" // the provider did not answer, or not to this
)

const frameScript = `parent.postMessage(document.body.dataset.result,location.origin)`

const frameScriptHash = `pwhBWT7W5Mi1nRIgbU4CDWBLDcqhJJQqRec2hGbF0ho=`

func (m *Manager) writeFrame(w http.ResponseWriter, result string) {
	writeScriptPage(w, scriptPage{
		title: "Session", scriptHash: frameScriptHash, script: frameScript, policy: "frame-ancestors 'self'",
		body: "<body" + attribute("result", result) + ">\n",
	})
}

// answerFrame is the end of an attempt that asked whether the user is still there.
func (m *Manager) answerFrame(w http.ResponseWriter, r *http.Request, out *outcome) {
	switch {
	case out.err == nil:
		m.writeFrame(w, frameSame)
	case notAsked(out.err.Err), out.err.Reason == ReasonOtherUser:
		m.writeFrame(w, frameGone)
	default:
		m.log(r, out.err.level(), "session: the provider does not say who is there", slog.String("reason", out.err.Reason), causeAttr(out.err.Err))
		m.writeFrame(w, frameUnknown)
	}
}

package native

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postern-go/postern/client"
)

// Bounds of every request, and of the goodbye.
const (
	readTimeout = 5 * time.Second
	maxHeader   = 32 << 10 // bytes; a signed answer has a few thousand
	goodbye     = 2 * time.Second
)

// A catcher waits at the redirect URL for the answer to one login.
type catcher struct {
	rp         *client.Client
	login      *client.Login
	host, path string // of the redirect URL
	signed     bool   // the answer, as it was asked for

	once      sync.Once
	answers   chan url.Values // has room for the one answer
	done      chan struct{}   // closed when the wait is over
	succeeded bool            // to be read after that
	told      chan struct{}   // closed when the person has been told
}

func newCatcher(rp *client.Client, login *client.Login) (*catcher, error) {
	u, err := url.Parse(rp.RedirectURL())
	if err != nil {
		return nil, err
	}
	return &catcher{
		rp: rp, login: login, host: authority(u.Host), path: cmp.Or(u.EscapedPath(), "/"),
		signed:  login.ResponseMode() != "query",
		answers: make(chan url.Values, 1), done: make(chan struct{}), told: make(chan struct{}),
	}, nil
}

// authority is a host as the Host of a request has it: browsers leave the usual port out.
func authority(host string) string { return strings.ToLower(strings.TrimSuffix(host, ":80")) }

// serve answers requests until stop is called. That lets the answer to the answer leave,
// and cuts everything else: browsers open connections that they never use.
func (c *catcher) serve(listeners []net.Listener) (stop func()) {
	srv := &http.Server{
		Handler:           c,
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(io.Discard, "", 0), // what strangers send is no concern of the program
	}
	srv.SetKeepAlivesEnabled(false)
	var serving sync.WaitGroup
	for _, ln := range listeners {
		serving.Go(func() { srv.Serve(ln) })
	}
	return func() {
		c.once.Do(func() { close(c.told) }) // there was no answer, and none is taken any more
		late := time.NewTimer(goodbye)
		defer late.Stop()
		select {
		case <-c.told:
		case <-late.C:
		}
		srv.Close()
		serving.Wait()
	}
}

// ServeHTTP takes the answer. A name that only leads to this machine (DNS rebinding),
// another path, another method and another state are none.
func (c *catcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case authority(r.Host) != c.host || r.URL.EscapedPath() != c.path:
		writePage(w, http.StatusNotFound, "There is nothing here.")
		return
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		writePage(w, http.StatusMethodNotAllowed, "This address is for the answer of the sign-in service.")
		return
	}
	answer, err := url.ParseQuery(r.URL.RawQuery)
	if err == nil {
		err = c.recognize(r.Context(), answer)
	}
	switch {
	case errors.Is(err, client.ErrUnavailable): // the keys for a signed answer
		writePage(w, http.StatusServiceUnavailable, "The sign-in service cannot be reached. Please reload this page in a moment.")
	case err != nil:
		writePage(w, http.StatusBadRequest, "This is not the answer that the program waits for.")
	default:
		c.take(w, r, answer)
	}
}

var errNotOurs = errors.New("the answer is to another sign-in")

// recognize tells whether an answer is one to this login. Whoever does not know the state
// can neither end the sign-in nor use up its login.
func (c *catcher) recognize(ctx context.Context, answer url.Values) error {
	if answer.Has("response") != c.signed { // before anything is asked of the provider
		return errNotOurs
	}
	state, err := c.rp.CallbackState(ctx, answer)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(state), []byte(c.login.State())) != 1 {
		return errNotOurs
	}
	return nil
}

// take hands over the answer, once, and tells the person how it ended.
func (c *catcher) take(w http.ResponseWriter, r *http.Request, answer url.Values) {
	first := false
	c.once.Do(func() {
		first = true
		c.answers <- answer
	})
	if !first {
		writePage(w, http.StatusConflict, "The answer has been taken already.")
		return
	}
	defer close(c.told)
	select {
	case <-c.done:
	case <-r.Context().Done(): // the browser has gone
		return
	}
	if c.succeeded {
		writePage(w, http.StatusOK, "You are signed in. You can close this page and go back to the program.")
		return
	}
	writePage(w, http.StatusForbidden, "The sign-in did not succeed. The program knows why.")
}

// pagePolicy: the pages are text, and nothing else.
const pagePolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// writePage writes a sentence of ours. Nothing in it is from the request.
func writePage(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // the address has a code in it
	page := "<!doctype html>\n<html lang=\"en\">\n<title>Sign-in</title>\n<p>" + text + "</p>\n</html>\n"
	h.Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	io.WriteString(w, page)
	http.NewResponseController(w).Flush() // the program may end at once
}

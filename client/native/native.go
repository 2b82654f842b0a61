// Package native signs people in to a program on their own machine, such as a command
// line (RFC 8252): it listens on a loopback port, opens the browser, and takes the one
// answer that belongs to the sign-in.
//
//	rp, tokens, err := native.SignIn(ctx, client.Config{Issuer: "https://op.example.com", ClientID: "my-cli"}, nil)
//
// The client is registered as a native one: public, without a secret, with PKCE, and with
// the redirect URL http://127.0.0.1/callback, which stands for every port (7.3). Where the
// machine has no browser, [client.Client.Authorize] is not the way: providers have the
// device grant for that.
package native

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/postern-go/postern/client"
)

// defaultTimeout is for somebody who looks for a password and a second factor.
const defaultTimeout = 5 * time.Minute

// Options are the details of one sign-in. nil is a plain one in the browser of the system.
type Options struct {
	// Authorize is what is asked for. Its ResponseMode may be empty, query or one of these
	// signed (jwt, query.jwt). Nil: the plain sign-in.
	Authorize *client.AuthorizeOptions

	// Open shows the person the address: it opens a browser, prints it, or both. It must
	// return when ctx ends, and is waited for. An error of it ends the sign-in. Nil:
	// [OpenBrowser].
	Open func(ctx context.Context, address string) error

	// Timeout is how long the person may take, beside what ctx says. Zero: five minutes.
	Timeout time.Duration
}

// SignIn signs a person in and returns the verified tokens, and a Client to use them with.
//
// Config.RedirectURL says where to listen: its path, and a loopback host, with the port
// that is registered, or none for a free one; empty: http://127.0.0.1/callback, or on a
// machine without IPv4 http://[::1]/callback. With the name localhost, which some providers
// want (Entra), it listens on both addresses of that name. A ClientSecret, which some
// providers give to native apps too, is sent and keeps nothing secret.
//
// Until it returns, everything on the machine can send it requests, and pages in the
// browser can: only a GET at the redirect URL itself, by that very host name, and with the
// state of this sign-in is an answer. All else is turned away, changes nothing and ends
// nothing. The answer is taken once, and then goes through [client.Client.Exchange] with
// all its checks. The address that the browser is opened with is a secret as long as the
// sign-in takes; on a machine where other users see the arguments of processes, they see
// it, and could sign in there as themselves: tell the person who is signed in.
//
// Nothing of it is left running when it returns. The error is one of New, Authorize or
// Exchange; it wraps context.DeadlineExceeded where nobody came back in time, and
// context.Canceled where ctx was canceled.
func SignIn(ctx context.Context, cfg client.Config, opts *Options) (*client.Client, *client.Tokens, error) {
	if opts == nil {
		opts = &Options{}
	}
	timeout := opts.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	listeners, redirectURL, err := listen(cfg.RedirectURL)
	if err != nil {
		return nil, nil, fmt.Errorf("native: %w", err)
	}
	defer closeAll(listeners)
	cfg.RedirectURL = redirectURL
	rp, err := client.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	login, err := rp.Authorize(ctx, opts.Authorize)
	if err != nil {
		return nil, nil, err
	}
	if mode := login.ResponseMode(); mode != "query" && mode != "query.jwt" {
		return nil, nil, fmt.Errorf("native: Options.Authorize: an answer by %s does not reach a program: leave ResponseMode empty", mode)
	}
	c, err := newCatcher(rp, login)
	if err != nil {
		return nil, nil, fmt.Errorf("native: %w", err)
	}
	stop := c.serve(listeners)
	defer stop()
	tokens, err := c.wait(ctx, opts.open())
	if err != nil {
		return nil, nil, err
	}
	return rp, tokens, nil
}

func (o *Options) open() func(context.Context, string) error {
	if o.Open == nil {
		return OpenBrowser
	}
	return o.Open
}

// wait opens the address, and finishes with the answer to it.
func (c *catcher) wait(ctx context.Context, open func(context.Context, string) error) (*client.Tokens, error) {
	endOpening, opened := c.start(ctx, open)
	defer endOpening()
	defer close(c.done)
	for {
		select {
		case err := <-opened:
			if err != nil {
				return nil, fmt.Errorf("native: the browser cannot be opened: %w", err)
			}
			opened = nil // and wait for the answer
		case answer := <-c.answers:
			return c.finish(ctx, answer)
		case <-ctx.Done():
			return nil, fmt.Errorf("native: nobody has signed in: %w", ctx.Err())
		}
	}
}

// start runs open beside the wait, because some browsers keep the command that opens them.
// end cancels it and returns when it has.
func (c *catcher) start(ctx context.Context, open func(context.Context, string) error) (end func(), opened <-chan error) {
	ctx, cancel := context.WithCancel(ctx)
	result, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		defer func() {
			if recover() != nil { // its text may be the address
				result <- errors.New("Options.Open panicked")
			}
		}()
		result <- open(ctx, c.login.URL())
	}()
	return func() { cancel(); <-ended }, result
}

func (c *catcher) finish(ctx context.Context, answer url.Values) (*client.Tokens, error) {
	tokens, err := c.rp.Exchange(ctx, c.login, answer)
	c.succeeded = err == nil
	return tokens, err
}

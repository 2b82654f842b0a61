package clienttest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// elsewhere is the host that faults redirect to. HTTPClient reaches it too: a request
// that arrives there is recorded under the endpoint "elsewhere", and answered 404.
const elsewhere = "elsewhere.example.com"

func (p *Provider) prepareServer() {
	p.memory = &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	p.server = &http.Server{Handler: p, ConnState: func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			p.connections.Add(1)
		case http.StateClosed, http.StateHijacked:
			p.connections.Done()
		}
	}}
	p.outside = &http.Transport{DisableKeepAlives: true} // nothing is left behind
	p.transport = &http.Transport{
		DialContext: p.dial,
		// A connection without TLS for https: net/http takes what this returns as
		// secured, and between the ends of a pipe there is nobody to listen.
		DialTLSContext: p.dial,
	}
}

// HTTPClient reaches the provider by the host of its issuer, http or https, over
// pipes in memory. Any other host is an error. Clients of one provider share their
// connections. It sets no timeout and follows redirects. An application that calls an endpoint
// of the provider by Session.HTTPClient, such as userinfo, wants its Transport in
// session.Config.Transport.
func (p *Provider) HTTPClient() *http.Client { return &http.Client{Transport: p.transport} }

func (p *Provider) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(p.Issuer())
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(host, u.Hostname()) && host != elsewhere {
		return nil, fmt.Errorf("clienttest: this client reaches %s only, not %q", u.Hostname(), host)
	}
	p.startMemory.Do(func() { p.serve(p.memory) })
	return p.memory.dial(ctx)
}

// Listen serves on a loopback socket too, and makes its URL the issuer: "localhost:0"
// gives "http://localhost:PORT". Any other address than a loopback one is an error,
// for the provider asks nobody for a password. Call it once, right after New,
// before Issuer or Config.
func (p *Provider) Listen(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("clienttest: %w", err)
	}
	if ip := net.ParseIP(host); !strings.EqualFold(host, "localhost") && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("clienttest: %q is not a loopback address", host)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("clienttest: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if !p.serve(listener) {
		return errors.Join(errors.New("clienttest: the provider is closed"), listener.Close())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.issuer = "http://" + net.JoinHostPort(host, port)
	return nil
}

func (p *Provider) serve(l net.Listener) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.serving.Go(func() { p.server.Serve(l) }) // ends with ErrServerClosed, by Close
	return true
}

// Close ends the provider: requests that a slow fault holds go on, connections are
// closed, handlers have returned. The Provider still works as a bare http.Handler.
func (p *Provider) Close() error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.released)
	}
	p.mu.Unlock()
	err := errors.Join(p.memory.Close(), p.server.Close())
	p.serving.Wait()
	p.server.Close() // and the connections accepted during the first
	p.connections.Wait()
	p.transport.CloseIdleConnections()
	return err
}

// A pipeListener accepts the far ends of pipes.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, fmt.Errorf("clienttest: the provider is closed: %w", net.ErrClosed)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

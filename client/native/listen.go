package native

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/postern-go/postern/internal/loopback"
)

const defaultPath = "/callback"

// tries is how often another free port is looked for, where the same one is needed on two
// addresses.
const tries = 10

// listen opens the port of a redirect URL, and returns it with the port that it got.
func listen(redirectURL string) ([]net.Listener, string, error) {
	if redirectURL == "" {
		listeners, address, err := listen("http://127.0.0.1" + defaultPath)
		if err != nil { // no IPv4
			return listen("http://[::1]" + defaultPath)
		}
		return listeners, address, nil
	}
	u, err := url.Parse(redirectURL)
	if err != nil || u.Scheme != "http" || !loopback.Host(u.Hostname()) {
		return nil, "", errors.New("Config.RedirectURL must be http on a loopback host: http://127.0.0.1/callback")
	}
	listeners, err := listenOn(u.Hostname(), u.Port())
	if err != nil {
		return nil, "", err
	}
	_, port, err := net.SplitHostPort(listeners[0].Addr().String())
	if err != nil {
		closeAll(listeners)
		return nil, "", err
	}
	u.Host = net.JoinHostPort(u.Hostname(), port)
	return listeners, u.String(), nil
}

// listenOn opens port on the addresses of host; an empty port is a free one.
func listenOn(host, port string) ([]net.Listener, error) {
	if port == "" {
		port = "0"
	}
	if !strings.EqualFold(host, "localhost") {
		ln, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil {
			return nil, err
		}
		return []net.Listener{ln}, nil
	}
	var err error
	for range tries {
		var listeners []net.Listener
		if listeners, err = listenOnBoth(port); err == nil {
			return listeners, nil
		}
		if port != "0" {
			break
		}
	}
	return nil, err
}

// listenOnBoth opens one port on both addresses of localhost, so that no other program gets
// the answer for having the other one. A machine without one of the two is fine.
func listenOnBoth(port string) (listeners []net.Listener, err error) {
	var missing error
	for _, host := range [...]string{"127.0.0.1", "::1"} {
		ln, err := net.Listen("tcp", net.JoinHostPort(host, port))
		switch {
		case err == nil:
			listeners = append(listeners, ln)
			_, port, _ = net.SplitHostPort(ln.Addr().String()) // of a TCP listener it has one
		case absent(err):
			missing = err
		default:
			closeAll(listeners)
			return nil, err
		}
	}
	if len(listeners) == 0 {
		return nil, fmt.Errorf("no loopback address: %w", missing)
	}
	return listeners, nil
}

// The numbers of the same two errors on Windows, where package syscall has others; no
// other system has errors of these numbers.
const (
	windowsAddrNotAvail = syscall.Errno(10049) // WSAEADDRNOTAVAIL
	windowsAFNoSupport  = syscall.Errno(10047) // WSAEAFNOSUPPORT
)

// absent tells whether the machine has no such address at all.
func absent(err error) bool {
	for _, errno := range [...]syscall.Errno{syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT, windowsAddrNotAvail, windowsAFNoSupport} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

func closeAll(listeners []net.Listener) {
	for _, ln := range listeners {
		ln.Close()
	}
}

package native

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
)

// Where another program has the port on one of the addresses of localhost, neither is
// listened at: it might get the answer.
func TestListenOnLocalhost(t *testing.T) {
	other, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err) // the tests need a machine with IPv6 on its loopback
	}
	defer other.Close()
	_, port, err := net.SplitHostPort(other.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := listen("http://localhost:" + port + "/callback"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v, want EADDRINUSE", err)
	}
	listeners, _, err := listen("http://127.0.0.1:" + port + "/callback")
	if err != nil {
		t.Fatalf("it was left open: %v", err)
	}
	closeAll(listeners)
}

func TestAbsent(t *testing.T) {
	for errno, want := range map[syscall.Errno]bool{
		syscall.EADDRNOTAVAIL: true, syscall.EAFNOSUPPORT: true, windowsAddrNotAvail: true, windowsAFNoSupport: true,
		syscall.EADDRINUSE: false, syscall.EACCES: false,
	} {
		err := &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", errno)}
		if got := absent(err); got != want {
			t.Errorf("%v: got %t", errno, got)
		}
	}
}

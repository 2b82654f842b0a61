package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// A browser is one Chromium process for all tests; each has a profile of its own in it.
// Every *.test is this machine, and any certificate will do.
type browser struct {
	preferences string // Chromium's own file, JSON
	once        sync.Once
	ctx         context.Context
	close       func()
	err         error
}

var (
	chromium browser // as it comes, it keeps third-party cookies from frames
	// 0 is "allow all cookies"; the profiles of tests are incognito ones, which inherit it.
	permissive = browser{preferences: `{"profile":{"cookie_controls_mode":0}}`}
)

// start gives the context of the browser, which runs until the tests end.
func (b *browser) start(t *testing.T) context.Context {
	t.Helper()
	b.once.Do(func() { b.err = b.launch() })
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.ctx
}

func (b *browser) launch() error {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return fmt.Errorf("chromium is missing: these tests drive a real browser (on Debian: apt-get install chromium) (%w)", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // the tests run as root in CI
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"),
		chromedp.Flag("ignore-certificate-errors", true),
	)
	var dir string
	if b.preferences != "" {
		if dir, err = profile(b.preferences); err != nil {
			return err
		}
		options = append(options, chromedp.UserDataDir(dir))
	}
	allocator, closeAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	b.ctx = ctx
	b.close = func() {
		closeBrowser()
		closeAllocator()
		if dir != "" {
			os.RemoveAll(dir)
		}
	}
	return chromedp.Do(ctx)
}

// profile makes a directory that Chromium takes for one that it had before.
func profile(preferences string) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "chromium"); err != nil {
		return "", err
	}
	if err := os.Mkdir(filepath.Join(dir, "Default"), 0o700); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "Default", "Preferences"), []byte(preferences), 0o600)
}

func (b *browser) stop() {
	if b.close != nil {
		b.close()
	}
}

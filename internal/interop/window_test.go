package interop

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// query are the parameters of the address where the tab is.
func (b *tab) query() url.Values {
	b.t.Helper()
	u, err := url.Parse(b.url())
	if err != nil {
		b.t.Fatal(err)
	}
	return u.Query()
}

// frames are the addresses of the page's iframes, as they were when it made them.
func (b *tab) frames() []string {
	b.t.Helper()
	return eval[[]string](b, "[...document.querySelectorAll('iframe')].map(f => f.src)")
}

// await waits until a condition in JavaScript holds on the page, whichever is there by then.
func (b *tab) await(condition string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		// An error is a page that is just being left.
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+condition+")")); err == nil && ok {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			b.t.Fatalf("never came true: %s, on %s:\n%s", condition, b.url(), b.text())
		}
	}
}

// awaitText waits until an element says exactly this.
func (b *tab) awaitText(selector, text string) {
	b.t.Helper()
	b.await(fmt.Sprintf("document.querySelector(%q)?.textContent.trim() === %q", selector, text))
}

// popup clicks on what opens a window, and gives the window.
func (b *tab) popup(selector string) *tab {
	b.t.Helper()
	opened := chromedp.WaitNewTarget(b.ctx, func(info *target.Info) bool { return info.Type == "page" })
	b.do(chromedp.Click(chromedp.CSS(selector)))
	select {
	case id := <-opened:
		return openTab(b.t, b.ctx, chromedp.WithTargetID(id))
	case <-time.After(stepTimeout):
		b.t.Fatalf("%s opened no window, on %s:\n%s", selector, b.url(), b.text())
		return nil
	}
}

// awaitClosed waits until the window is gone, as a popup does by itself.
func (b *tab) awaitClosed() {
	b.t.Helper()
	id := chromedp.FromContext(b.ctx).Target.TargetID
	eventually(b.t, "the window closed", func() (bool, error) {
		all, err := chromedp.Targets(b.ctx)
		return err == nil && !slices.ContainsFunc(all, func(info *target.Info) bool { return info.TargetID == id }), err
	})
}

// Tenants is a site for several companies, each of which signs its people in at a provider
// of its own, and for anybody with an account at GitHub. The pages of a company are for
// people of its own provider; on a page for all, people choose.
//
// "go run ./examples/tenants" brings three providers along; sign in as anybody. With yours:
// TENANTS (their names, such as "acme globex"; they stand in addresses), for each of them
// ACME_ISSUER, ACME_CLIENT_ID and ACME_CLIENT_SECRET, and for GitHub, if people may use it,
// GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET. The redirect URLs to register are printed.
// Further ADDR (to listen at; 127.0.0.1:8080).
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/postern-go/postern/session"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Getenv, os.Stdout); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

func run(ctx context.Context, env func(string) string, out io.Writer) error {
	ln, err := net.Listen("tcp", cmp.Or(env("ADDR"), "127.0.0.1:8080"))
	if err != nil {
		return err
	}
	defer ln.Close()
	address := "http://" + ln.Addr().String()
	if env("TENANTS") == "" {
		if env, err = demo(ctx, address); err != nil {
			return err
		}
	}
	list, err := providers(env, address)
	if err != nil {
		return err
	}
	site, err := newSite(list)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: site, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	fmt.Fprintf(out, "open %s\n", address)
	for _, p := range list {
		fmt.Fprintf(out, "%s signs people in at %s, which sends them back to %s\n", p.Label, p.Client.Issuer(), p.Client.RedirectURL())
	}
	return srv.Serve(ln)
}

// newSite has pages for each tenant, and some for all.
func newSite(list []session.Provider) (http.Handler, error) {
	auth, err := session.New(nil, session.Config{Name: "postern-tenants", Providers: list, ChooseProvider: tenantOf(list)})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	auth.Routes(mux) // a login route and a callback for each, one to choose, one to switch accounts
	site := &site{list}
	mux.Handle("GET /{$}", auth.Load(http.HandlerFunc(site.page)))
	mux.Handle("GET /all/", auth.Require(http.HandlerFunc(site.page)))
	for _, p := range tenants(list) {
		own := auth.Guard(session.FromProvider(p.Name))
		mux.Handle("GET /"+p.Name+"/", own(http.HandlerFunc(site.page)))
	}
	return mux, nil
}

// Otel is a site whose sessions can be watched by OpenTelemetry: telemetry.go is what to copy.
// Spans and metrics are printed here; a site of yours has an exporter for the place where
// it keeps them.
//
// It is a module of its own, so that nobody who imports Postern downloads OpenTelemetry:
//
//	cd examples/otel && go run .
//
// brings its own provider along, whose access tokens are short-lived, so that there is a
// refresh to be seen; sign in as anybody. With a provider of yours: ISSUER, CLIENT_ID,
// CLIENT_SECRET and ADDR (to listen at; 127.0.0.1:8080).
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

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/session"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Getenv, os.Stdout); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

func run(ctx context.Context, env func(string) string, out io.Writer) (err error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(out))
	if err != nil {
		return err
	}
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)) // at once; elsewhere WithBatcher
	numbers, err := stdoutmetric.New(stdoutmetric.WithWriter(out))
	if err != nil {
		return err
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(numbers)))
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = errors.Join(err, traces.Shutdown(last), meters.Shutdown(last))
	}()

	ln, err := net.Listen("tcp", cmp.Or(env("ADDR"), "127.0.0.1:8080"))
	if err != nil {
		return err
	}
	defer ln.Close()
	address := "http://" + ln.Addr().String()
	cfg := client.Config{
		Issuer: env("ISSUER"), ClientID: env("CLIENT_ID"), ClientSecret: env("CLIENT_SECRET"), RedirectURL: address + "/auth/callback",
	}
	if cfg.Issuer == "" {
		provider := clienttest.New(&clienttest.Options{AccessTokenTTL: 10 * time.Second})
		if err := provider.Listen("localhost:0"); err != nil {
			return err
		}
		defer provider.Close()
		cfg = provider.Config(address + "/auth/callback")
	}
	site, err := newSite(cfg, traces, meters)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: site, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	fmt.Fprintf(out, "open %s\n", address)
	return srv.Serve(ln)
}

func newSite(provider client.Config, traces trace.TracerProvider, meters metric.MeterProvider) (http.Handler, error) {
	rp, err := client.New(provider)
	if err != nil {
		return nil, err
	}
	cfg := session.Config{Name: "postern-otel"}
	if err := instrument(&cfg, traces, meters); err != nil {
		return nil, err
	}
	auth, err := session.New(rp, cfg)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	auth.Routes(mux)
	mux.Handle("/", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s\n", session.From(r.Context()).Subject())
	})))
	return mux, nil
}

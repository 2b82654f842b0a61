package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/postern-go/postern/session"
)

const scope = "example.com/site/session"

// instrument makes sessions tell what they do: a span for each operation that may take its
// time, and a counter of what happened. Who it happened to is in neither: a name in a metric
// makes one time series for each user, and traces are read by many. That is for an audit
// log, which OnEvent is the place for too.
func instrument(cfg *session.Config, traces trace.TracerProvider, meters metric.MeterProvider) error {
	events, err := meters.Meter(scope).Int64Counter("session.events",
		metric.WithDescription("What happened to sessions."), metric.WithUnit("{event}"))
	if err != nil {
		return err
	}
	cfg.OnEvent = func(ctx context.Context, e session.Event) {
		attributes := []attribute.KeyValue{attribute.String("session.event", e.Type)}
		if e.Provider != "" {
			attributes = append(attributes, attribute.String("session.provider", e.Provider))
		}
		if e.Reason != "" {
			attributes = append(attributes, attribute.String("session.reason", e.Reason))
		}
		events.Add(ctx, 1, metric.WithAttributes(attributes...))
	}

	// The span's context goes to the provider with the requests of the operation, so that a
	// transport in client.Config.HTTPClient that makes spans (otelhttp) makes them below it.
	tracer := traces.Tracer(scope)
	cfg.Observe = func(ctx context.Context, operation string) (context.Context, func(error)) {
		ctx, span := tracer.Start(ctx, "session "+operation)
		return ctx, func(err error) {
			if err != nil {
				span.SetStatus(codes.Error, err.Error()) // has no secret in it
				span.SetAttributes(attribute.String("error.type", reason(err)))
			}
			span.End()
		}
	}
	return nil
}

// reason is one of few words, for those who count.
func reason(err error) string {
	if e, ok := errors.AsType[*session.Error](err); ok {
		return e.Reason
	}
	return "other"
}

package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/postern-go/postern/internal/strictjson"
)

// metadataURL is where the document is.
func (cfg *Config) metadataURL() string {
	if cfg.MetadataURL != "" {
		return cfg.MetadataURL
	}
	return wellKnown(cfg.Issuer)
}

// wellKnown is the place of the document (Discovery 4.1).
func wellKnown(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

// OAuthMetadataURL returns where RFC 8414 3.1 has the metadata of an issuer, for
// Config.MetadataURL: https://host/.well-known/oauth-authorization-server/tenant for
// https://host/tenant.
func OAuthMetadataURL(issuer string) string {
	scheme, rest, _ := strings.Cut(strings.TrimSuffix(issuer, "/"), "://")
	host, path, _ := strings.Cut(rest, "/")
	if path != "" {
		path = "/" + path
	}
	return scheme + "://" + host + "/.well-known/oauth-authorization-server" + path
}

// checkPlaces checks what the configuration says of where things are.
func (cfg *Config) checkPlaces() error {
	if cfg.MetadataURL != "" {
		if cfg.Metadata != nil {
			return errors.New("Config.MetadataURL and Config.Metadata are both set: there is nothing to discover")
		}
		if err := checkEndpoint(cfg.MetadataURL, cfg.plainIssuer()); err != nil {
			return fmt.Errorf("Config.MetadataURL %w", err)
		}
	}
	if err := cfg.checkOverride(); err != nil {
		return err
	}
	return cfg.checkBackChannel()
}

// plainIssuer tells whether the provider is one for development, on a loopback host.
func (cfg *Config) plainIssuer() bool { return strings.HasPrefix(cfg.Issuer, "http:") }

func (cfg *Config) checkOverride() error {
	m := cfg.MetadataOverride
	if m == nil {
		return nil
	}
	if cfg.Metadata != nil {
		return errors.New("Config.MetadataOverride and Config.Metadata are both set: change Metadata itself")
	}
	if m.Issuer != "" {
		return errors.New("Config.MetadataOverride.Issuer is set: the issuer is Config.Issuer and nothing else")
	}
	texts, _, _ := m.fields()
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if *texts[name] == "" {
			continue
		}
		if err := checkEndpoint(*texts[name], cfg.plainIssuer()); err != nil {
			return fmt.Errorf("Config.MetadataOverride: %s %w", name, err)
		}
	}
	return nil
}

// over returns a document in which the members that m has stand in place of its own. What
// it reads of the document, it reads as parseMetadata does. A nil m changes nothing.
func (m *Metadata) over(document string) (string, error) {
	if m == nil {
		return document, nil
	}
	var own map[string]json.RawMessage
	_ = json.Unmarshal([]byte(m.document()), &own) // what was just written
	delete(own, "issuer")
	merged := make([]string, 0, len(own)+32)
	add := func(name string, value []byte) {
		quoted, _ := json.Marshal(name)
		merged = append(merged, string(quoted)+":"+string(value))
	}
	err := strictjson.Object(document, new(Metadata).registered(), func(name string, v strictjson.Value) error {
		if own[name] == nil {
			add(name, []byte(v.Raw()))
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		add(name, own[name])
	}
	return "{" + strings.Join(merged, ",") + "}", nil
}

package client

import (
	"errors"
	"fmt"
	"strings"

	"github.com/postern-go/postern/jwtverify"
)

// tenantPlaceholder is what Entra's metadata for many tenants has in its issuer.
const tenantPlaceholder = "{tenantid}"

// inTenant is the issuer of one tenant. An issuer that is no template is itself.
func inTenant(template, tenant string) string {
	return strings.Replace(template, tenantPlaceholder, tenant, 1)
}

// IsIssuer tells whether iss is who tokens of this client are from: Config.Issuer, byte
// for byte, or with Config.Tenants that of one of them.
func (c *Client) IsIssuer(iss string) bool { return c.cfg.isIssuer(iss) }

func (cfg *Config) isIssuer(iss string) bool {
	if cfg.Tenants == nil {
		return iss == cfg.Issuer
	}
	for _, tenant := range cfg.Tenants {
		if iss == inTenant(cfg.Issuer, tenant) {
			return true
		}
	}
	return false
}

// checkTenants refuses a template without its closed set of tenants, tenants that no
// issuer asks for, and what would have to name one issuer where there are several.
func (cfg *Config) checkTenants() error {
	template := strings.Contains(cfg.Issuer, tenantPlaceholder)
	switch {
	case !template && cfg.Tenants == nil:
		return nil
	case !template:
		return errors.New("Config.Tenants is set, and Config.Issuer has no " + tenantPlaceholder)
	case cfg.Tenants == nil:
		return errors.New("Config.Issuer has " + tenantPlaceholder + ", and Config.Tenants is empty: name the tenants whose users may sign in")
	case cfg.MetadataURL == "" && cfg.Metadata == nil:
		return errors.New("Config.MetadataURL is needed where Config.Issuer has " + tenantPlaceholder + ": a template is no address")
	case cfg.RequestObject != nil:
		return errors.New("Config.RequestObject names its issuer as aud, and Config.Issuer has " + tenantPlaceholder)
	case cfg.UserInfoSignedResponseAlg != "" || cfg.IntrospectionSignedResponseAlg != "":
		return errors.New("Config.UserInfoSignedResponseAlg and IntrospectionSignedResponseAlg are not for a Config.Issuer with " + tenantPlaceholder)
	}
	v := jwtverify.Verifier{Issuer: cfg.Issuer, Audience: cfg.ClientID, Keys: jwtverify.StaticKeys(), Tenants: cfg.Tenants}
	if err := v.Check(); err != nil {
		return fmt.Errorf("Config.Tenants: %w", err)
	}
	return nil
}

// needsAudience applies to assertions, which name the issuer as aud by themselves.
func (cfg *Config) needsAudience(audience string) error {
	if cfg.Tenants != nil && audience == "" {
		return errors.New("needs an Audience where Config.Issuer has " + tenantPlaceholder)
	}
	return nil
}

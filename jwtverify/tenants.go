package jwtverify

import (
	"slices"
	"strings"
)

// tenantPlaceholder stands for a tenant's ID in the issuer of Entra's metadata that is
// for many tenants, and in the issuers that it publishes with its keys.
const tenantPlaceholder = "{tenantid}"

// tenantsReady refuses a template without its closed set of tenants, and tenants that no
// issuer asks for.
func (v *Verifier) tenantsReady() error {
	placeholders := strings.Count(v.Issuer, tenantPlaceholder)
	if placeholders > 1 {
		return misconfigured("Verifier.Issuer has %s more than once", tenantPlaceholder)
	}
	if placeholders == 0 && v.Tenants != nil {
		return misconfigured("Verifier.Tenants is set, and Verifier.Issuer has no %s", tenantPlaceholder)
	}
	if placeholders == 1 && len(v.Tenants) == 0 {
		return misconfigured("Verifier.Tenants is empty, and Verifier.Issuer has %s", tenantPlaceholder)
	}
	for _, id := range v.Tenants {
		if !isTenantID(id) {
			return misconfigured("Verifier.Tenants has %s, which is no tenant ID", quote(id))
		}
	}
	return nil
}

// isTenantID tells whether s is a GUID as Entra writes it in tid and iss. The names
// common, organizations and consumers are of endpoints, and never of who issued a token.
func isTenantID(s string) bool {
	if len(s) != len("00000000-0000-0000-0000-000000000000") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// checkIssuer checks who speaks (Core 3.1.3.7 step 2). With a template the tenant is that
// of tid, one of the closed set, and the key that verified the signature must be one for
// its issuer. key is nil where no signature was checked.
func (v *Verifier) checkIssuer(c *claims, key *Key) error {
	if !strings.Contains(v.Issuer, tenantPlaceholder) {
		return sameIssuer(c.issuer, v.Issuer)
	}
	if !c.tenant.Exists() {
		return invalidClaim("tid", "is missing")
	}
	var tenant string
	if err := setText(&tenant, "tid", c.tenant); err != nil {
		return err
	}
	if !slices.Contains(v.Tenants, tenant) {
		return &ClaimError{Claim: "tid", Reason: "is not a tenant on the list", Got: tenant, Err: ErrInvalid}
	}
	if err := sameIssuer(c.issuer, inTenant(v.Issuer, tenant)); err != nil {
		return err
	}
	if key != nil && key.Issuer != "" && inTenant(key.Issuer, tenant) != c.issuer {
		return &ClaimError{Claim: "kid", Reason: "names a key for another issuer", Want: c.issuer, Got: key.Issuer, Err: ErrInvalid}
	}
	return nil
}

func sameIssuer(got, want string) error {
	if got != want {
		return &ClaimError{Claim: "iss", Reason: "is another issuer", Want: want, Got: got, Err: ErrInvalid}
	}
	return nil
}

func inTenant(template, tenant string) string {
	return strings.Replace(template, tenantPlaceholder, tenant, 1)
}

// speaksFor tells whether iss is an issuer whose tokens v might accept.
func (v *Verifier) speaksFor(iss string) bool {
	before, after, template := strings.Cut(v.Issuer, tenantPlaceholder)
	if !template {
		return iss == v.Issuer
	}
	rest, begins := strings.CutPrefix(iss, before)
	tenant, ends := strings.CutSuffix(rest, after)
	return begins && ends && slices.Contains(v.Tenants, tenant)
}

// overlaps tells whether there is an issuer that both v and w speak for. Two templates
// that could have one in common count whatever their tenants are.
func (v *Verifier) overlaps(w *Verifier) bool {
	if v.Tenants == nil && w.Tenants == nil {
		return v.Issuer == w.Issuer
	}
	before, after, template := strings.Cut(v.Issuer, tenantPlaceholder)
	if !template {
		return w.speaksFor(v.Issuer)
	}
	otherBefore, otherAfter, template := strings.Cut(w.Issuer, tenantPlaceholder)
	if !template {
		return v.speaksFor(w.Issuer)
	}
	// All tenant IDs have one length, so templates of different lengths never meet.
	return len(v.Issuer) == len(w.Issuer) &&
		(strings.HasPrefix(before, otherBefore) || strings.HasPrefix(otherBefore, before)) &&
		(strings.HasSuffix(after, otherAfter) || strings.HasSuffix(otherAfter, after))
}

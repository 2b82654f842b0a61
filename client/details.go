package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-go/postern/internal/strictjson"
)

// details are what authorization_details may be (RFC 9396 2): an array of objects, each
// with its type.
func details(v strictjson.Value) (types []string, err error) {
	err = v.Elements(func(detail strictjson.Value) error {
		value, _ := detail.Member("type")
		name, _ := value.String()
		if name == "" {
			return errors.New("an element is not an object with a type")
		}
		types = append(types, name)
		return nil
	})
	return types, err
}

func (o *AuthorizeOptions) detailTypes() ([]string, error) {
	v, err := strictjson.Parse(string(o.AuthorizationDetails))
	if err != nil {
		return nil, err
	}
	types, err := details(v)
	if err == nil && len(types) == 0 {
		err = errors.New("is an empty array: nil asks for nothing")
	}
	return types, err
}

func (o *AuthorizeOptions) checkDetails() error {
	if o.AuthorizationDetails == nil {
		return nil
	}
	_, err := o.detailTypes()
	return err
}

// checkDetailTypes keeps types from being sent that the provider says it does not know
// (RFC 9396 10). Metadata that lists none says nothing.
func (o *AuthorizeOptions) checkDetailTypes(m *Metadata) error {
	if o.AuthorizationDetails == nil || len(m.AuthorizationDetailsTypesSupported) == 0 {
		return nil
	}
	types, err := o.detailTypes()
	if err != nil {
		return err
	}
	for _, name := range types {
		if !slices.Contains(m.AuthorizationDetailsTypesSupported, name) {
			return notOffered("authorization_details_types_supported", name)
		}
	}
	return nil
}

// grantedDetails reads what a token answer says was granted (RFC 9396 7). An empty array
// is another answer than none.
func grantedDetails(v strictjson.Value) (json.RawMessage, bool) {
	if _, err := details(v); err != nil {
		return nil, false
	}
	return json.RawMessage(strings.Clone(v.Raw())), true
}

// checkResources applies RFC 8707 2.
func checkResources(resources []string) error {
	for _, resource := range resources {
		u, err := url.Parse(resource)
		if err != nil || !isVisible(resource) || u.Scheme == "" || strings.Contains(resource, "#") {
			return fmt.Errorf("%q is not an absolute URI without a fragment", cut(resource, quoted))
		}
	}
	return nil
}

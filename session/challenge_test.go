package session

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestChallenge(t *testing.T) {
	seconds := func(n int) *time.Duration {
		d := time.Duration(n) * time.Second
		return &d
	}
	const stepUp = `error="insufficient_user_authentication"`
	tests := map[string]struct {
		status int
		lines  []string
		want   *Demand
	}{
		"acr": {401, []string{`Bearer ` + stepUp + `, acr_values="gold silver"`}, &Demand{ACR: []string{"gold", "silver"}, Reason: ReasonACR}},
		"max_age": {401, []string{`Bearer realm="x, y=\"z\"", ` + stepUp + `, error_description="do it again", max_age=300`},
			&Demand{MaxAge: seconds(300), Reason: ReasonMaxAge}},
		"both, quoted":        {401, []string{`DPoP ` + stepUp + `,max_age="5" , acr_values=gold`}, &Demand{MaxAge: seconds(5), ACR: []string{"gold"}, Reason: ReasonACR}},
		"scope":               {403, []string{`Bearer error="insufficient_scope", scope="read write"`}, &Demand{Scopes: []string{"read", "write"}}},
		"in the second":       {401, []string{`Basic realm="x", Bearer ` + stepUp + `, max_age=0`}, &Demand{MaxAge: seconds(0), Reason: ReasonMaxAge}},
		"in another line":     {401, []string{`Negotiate abc==`, `bearer ` + stepUp + `, max_age=1`}, &Demand{MaxAge: seconds(1), Reason: ReasonMaxAge}},
		"names in capitals":   {401, []string{`Bearer ERROR="insufficient_user_authentication", Max_Age=1`}, &Demand{MaxAge: seconds(1), Reason: ReasonMaxAge}},
		"a great age":         {401, []string{`Bearer ` + stepUp + `, max_age=4294967295`}, &Demand{MaxAge: seconds(315360000), Reason: ReasonMaxAge}},
		"200":                 {200, []string{`Bearer ` + stepUp + `, max_age=1`}, nil},
		"no header":           {401, nil, nil},
		"another error":       {401, []string{`Bearer error="invalid_token", max_age=1`}, nil},
		"nothing asked for":   {401, []string{`Bearer ` + stepUp}, nil},
		"a negative age":      {401, []string{`Bearer ` + stepUp + `, max_age=-1`}, nil},
		"no number":           {401, []string{`Bearer ` + stepUp + `, max_age=soon`}, nil},
		"acr with a quote":    {401, []string{`Bearer ` + stepUp + `, acr_values="a\"b"`}, nil},
		"the error twice":     {401, []string{`Bearer ` + stepUp + `, ` + stepUp + `, max_age=1`}, nil},
		"of two challenges":   {401, []string{`Bearer ` + stepUp + `, DPoP max_age=1`}, nil},
		"an open quote":       {401, []string{`Bearer ` + stepUp + `, max_age="1`}, nil},
		"scope without any":   {403, []string{`Bearer error="insufficient_scope"`}, nil},
		"beyond the bound":    {401, []string{`Bearer ` + stepUp + `, max_age=1` + strings.Repeat(" ", maxChallenge)}, nil},
		"only in the text":    {401, []string{`Bearer error_description="error=insufficient_user_authentication, max_age=1"`}, nil},
		"not in a challenge":  {401, []string{`=` + stepUp + `, max_age=1`}, nil},
		"scope of no charset": {403, []string{`Bearer error="insufficient_scope", scope="café"`}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Challenge(&http.Response{StatusCode: tt.status, Header: http.Header{"Www-Authenticate": tt.lines}})
			if !reflect.DeepEqual(clean(got), clean(tt.want)) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// clean makes an empty list and none alike.
func clean(d *Demand) *Demand {
	if d == nil {
		return nil
	}
	c := *d
	c.ACR, c.Scopes = append([]string{}, d.ACR...), append([]string{}, d.Scopes...)
	return &c
}

// What an API writes is never more than words that may stand in a request.
func FuzzChallenge(f *testing.F) {
	f.Add(`Bearer error="insufficient_user_authentication", acr_values="gold", max_age=1`)
	f.Add(`Basic a==, DPoP error=insufficient_scope, scope="a b"`)
	f.Fuzz(func(t *testing.T, line string) {
		d := Challenge(&http.Response{StatusCode: 401, Header: http.Header{"Www-Authenticate": {line}}})
		if d == nil {
			return
		}
		if words := slices.Concat(d.ACR, d.Scopes); len(words) > 0 && checkWords("word", words) != nil {
			t.Fatalf("%q", words)
		}
		if d.MaxAge != nil && (*d.MaxAge < 0 || *d.MaxAge > maxDemandAge) {
			t.Fatal(*d.MaxAge)
		}
		again := decoder{rest: d.append(nil)}
		if got := again.demand(); got.key() != d.key() || again.failed {
			t.Fatal(fmt.Sprint("a demand changed on its way: ", got))
		}
	})
}

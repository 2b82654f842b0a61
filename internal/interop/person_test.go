package interop

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// A person is a browser without JavaScript and without SameSite: cookies, redirects,
// forms. It is fast; what depends on a browser's own rules is tested in Chromium.
type person struct {
	t    *testing.T
	http *http.Client
	away string // the prefix of the URLs that nobody answers: it stops there
}

// newPerson is somebody with no cookies, who stops at URLs that begin with away;
// empty: nowhere.
func newPerson(t *testing.T, away string) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, away: away}
	p.http = &http.Client{Jar: jar, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if p.isAway(req.URL) {
			return http.ErrUseLastResponse
		}
		if len(via) > 20 {
			return fmt.Errorf("20 redirects")
		}
		return nil
	}}
	return p
}

func (p *person) isAway(u *url.URL) bool {
	return p.away != "" && strings.HasPrefix(u.String(), p.away)
}

// A page is what the person sees.
type page struct {
	person *person
	url    *url.URL // where it is; at the end of the way: where the person was sent
	status int
	body   string
	post   url.Values // at the end of the way by form_post: the form
}

// open follows redirects to a page, or to the end of the way.
func (p *person) open(target string) *page {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.do(req)
}

func (p *person) do(req *http.Request) *page {
	p.t.Helper()
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	resp, err := p.http.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	pg := &page{person: p, url: resp.Request.URL, status: resp.StatusCode, body: string(body)}
	if resp.StatusCode/100 == 3 {
		if pg.url, err = resp.Location(); err != nil {
			p.t.Fatal(err)
		}
	}
	return pg
}

var (
	formTag   = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	fieldTag  = regexp.MustCompile(`(?i)<(?:input|button)\b([^>]*)>`)
	attribute = regexp.MustCompile(`([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')`)
)

func attributes(tag string) map[string]string {
	got := map[string]string{}
	for _, m := range attribute.FindAllStringSubmatch(tag, -1) {
		name := strings.ToLower(m[1])
		if _, twice := got[name]; !twice { // the first one counts; dex has a form with two methods
			got[name] = html.UnescapeString(m[2] + m[3])
		}
	}
	return got
}

// has tells whether the page's form has a field.
func (pg *page) has(field string) bool {
	_, _, values := pg.form()
	return values.Has(field)
}

// form reads the first form of the page.
func (pg *page) form() (method, action string, values url.Values) {
	values = url.Values{}
	m := formTag.FindStringSubmatch(pg.body)
	if m == nil {
		return "", "", values
	}
	for _, field := range fieldTag.FindAllStringSubmatch(m[2], -1) {
		if a := attributes(field[1]); a["name"] != "" {
			values.Add(a["name"], a["value"])
		}
	}
	form := attributes(m[1])
	return strings.ToUpper(form["method"]), form["action"], values
}

// submit fills in the first form of the page, here and there otherwise than it is,
// and sends it. Fields come in pairs of name and value.
func (pg *page) submit(fields ...string) *page {
	t := pg.person.t
	t.Helper()
	method, action, values := pg.form()
	if method != http.MethodPost {
		t.Fatalf("no form to submit on %s (status %d):\n%s", pg.url, pg.status, pg.body)
	}
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	target, err := pg.url.Parse(action)
	if err != nil {
		t.Fatal(err)
	}
	if pg.person.isAway(target) {
		return &page{person: pg.person, url: target, status: http.StatusOK, post: values}
	}
	req, err := http.NewRequest(http.MethodPost, target.String(), strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", pg.url.Scheme+"://"+pg.url.Host)
	return pg.person.do(req)
}

// signIn passes the provider's pages as user and says how many of them asked who
// it is. It ends where the relying party begins, or at the first other page.
func (pg *page) signIn(user string) (end *page, asked int) {
	pg.person.t.Helper()
	for {
		switch {
		case pg.person.isAway(pg.url):
			return pg, asked
		case pg.has("password"):
			asked++
			pg = pg.submit(pg.userField(), user, "password", "pw")
		case strings.Contains(pg.url.Path, "/interaction/"), pg.isFormPost():
			pg = pg.submit()
		default:
			return pg, asked
		}
	}
}

// userField is where a sign-in page wants the user's name: Keycloak's form is its own.
func (pg *page) userField() string {
	if pg.has("username") {
		return "username"
	}
	return "login"
}

// isFormPost tells a page that does nothing but post an answer back (OAuth 2.0
// Form Post Response Mode).
func (pg *page) isFormPost() bool {
	_, action, values := pg.form()
	answers := values.Has("code") || values.Has("error") || values.Has("id_token") || values.Has("access_token")
	return action != "" && (answers && values.Has("state") || values.Has("response"))
}

// callback is what the relying party's callback gets.
func (pg *page) callback() url.Values {
	t := pg.person.t
	t.Helper()
	if !pg.person.isAway(pg.url) {
		t.Fatalf("the sign-in ended on %s (status %d):\n%s", pg.url, pg.status, pg.body)
	}
	if pg.post != nil {
		return pg.post
	}
	if pg.url.Fragment != "" { // what a page at the callback would read
		params, err := url.ParseQuery(pg.url.EscapedFragment())
		if err != nil {
			t.Fatal(err)
		}
		return params
	}
	return pg.url.Query()
}

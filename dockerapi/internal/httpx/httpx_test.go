package httpx_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// TestEveryKindHasItsStatus holds the one table of statuses to the closed set of kinds.
func TestEveryKindHasItsStatus(t *testing.T) {
	want := map[engine.Kind]int{
		engine.Internal: 500, engine.NotFound: 404, engine.Invalid: 400, engine.Conflict: 409, engine.NotModified: 304, engine.Forbidden: 403,
		engine.Unauthorized: 401, engine.Unavailable: 503, engine.NotImplemented: 501, engine.Canceled: 499, engine.TooLarge: 413,
	}
	for _, k := range engine.Kinds() {
		if got := httpx.Status(&engine.Error{Kind: k}); got != want[k] {
			t.Errorf("%v: %d, want %d", k, got, want[k])
		}
	}
	if got := httpx.Status(errors.New("stranger")); got != 500 {
		t.Errorf("a stranger: %d", got)
	}
}

func TestWriteError(t *testing.T) {
	w := httptest.NewRecorder()
	httpx.WriteError(w, &engine.Error{Kind: engine.Conflict, Err: errors.New(`<a> & "b"`)})
	if got := w.Body.String(); w.Code != 409 || got != "{\"message\":\"<a> & \\\"b\\\"\"}\n" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %q %v", w.Code, got, w.Header())
	}
	w = httptest.NewRecorder()
	httpx.WriteError(w, &engine.Error{Kind: engine.NotModified})
	if w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func request(t *testing.T, method, url, contentType string, body io.Reader) *httpx.Request {
	t.Helper()
	r := httptest.NewRequest(method, url, body)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	req, err := httpx.NewRequest(r, translate.MaxVersion, map[string]string{"name": "x"})
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestQuery(t *testing.T) {
	r := request(t, "GET", "/?one=1&yes=TRUE&any=x&zero=0&no=no&false=False&none=NONE&empty=&t=5&many=a&many=b", "", nil)
	for key, want := range map[string]bool{
		"one": true, "yes": true, "any": true, "zero": false, "no": false, "false": false, "none": false, "empty": false, "absent": false,
	} {
		if got := r.Bool(key); got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
	if !r.BoolOr("absent", true) || r.BoolOr("empty", true) || r.BoolOr("absent", false) {
		t.Error("BoolOr")
	}
	if n, err := r.Int("t"); err != nil || *n != 5 {
		t.Errorf("%v, %v", n, err)
	}
	if n, err := r.Int("absent"); err != nil || n != nil {
		t.Errorf("%v, %v", n, err)
	}
	if _, err := r.Int("any"); err == nil || httpx.Status(err) != 500 || translate.Message(err) != `strconv.Atoi: parsing "x": invalid syntax` {
		t.Error(err)
	}
	if r.Var("name") != "x" || r.Param("many") != "a" || len(r.Params("many")) != 2 || !r.Has("empty") || r.Has("absent") {
		t.Error("variables and parameters")
	}
	for query, want := range map[string]string{"a=%zz": `invalid URL escape "%zz"`, "a=1;b=2": "invalid semicolon separator in query"} {
		raw := httptest.NewRequest("GET", "/", nil)
		raw.URL.RawQuery = query
		if _, err := httpx.NewRequest(raw, translate.MaxVersion, nil); err == nil || translate.Message(err) != want || httpx.Status(err) != 400 {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// endless gives spaces for ever, as a body of a hostile client might.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestBodies(t *testing.T) {
	type body struct{ N int }
	for _, c := range []struct {
		name, contentType string
		body              io.Reader
		status            int
		want              string
	}{
		{"whole", "application/json", strings.NewReader(`{"N":5,"Unknown":{}}`), 0, ""},
		{"charset", "application/json; charset=utf-8", strings.NewReader(`{"N":5}`), 0, ""},
		{"no type", "", strings.NewReader(`{}`), 400, "malformed Content-Type header (): mime: no media type"},
		{"other type", "text/plain", strings.NewReader(`{}`), 400, "unsupported Content-Type header (text/plain): must be 'application/json'"},
		{"bad type", "application/json; zz=;", strings.NewReader(`{}`), 400, "malformed Content-Type header (application/json; zz=;): mime: invalid media parameter"},
		{"truncated", "application/json", strings.NewReader(`{"N":5`), 400, "invalid JSON: unexpected EOF"},
		{"nothing", "application/json", io.MultiReader(), 400, "invalid JSON: got EOF while reading request body"},
		{"more", "application/json", strings.NewReader(`{} x`), 400, "unexpected content after JSON"},
		{"wrong type", "application/json", strings.NewReader(`{"N":"x"}`), 400, "invalid JSON: json: cannot unmarshal string into Go struct field body.N of type int"},
		{"array", "application/json", strings.NewReader(`[]`), 400, "invalid JSON: json: cannot unmarshal array into Go value of type httpx_test.body"},
		{"endless", "application/json", endless{}, 413, "request body exceeds 16777216 bytes"},
		{"endless tail", "application/json", io.MultiReader(strings.NewReader(`{}`), endless{}), 413, "request body exceeds 16777216 bytes"},
		{"deep", "application/json", strings.NewReader(strings.Repeat("[", 20000)), 400, "invalid JSON: invalid character '[' exceeded max depth"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b body
			err := request(t, "POST", "/", c.contentType, c.body).NeedJSON(&b)
			switch {
			case c.want == "" && (err != nil || b.N != 5):
				t.Errorf("%+v, %v", b, err)
			case c.want != "" && (err == nil || translate.Message(err) != c.want || httpx.Status(err) != c.status):
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
	var b body
	if err := request(t, "POST", "/", "", http.NoBody).ReadJSON(&b); err != nil {
		t.Errorf("an absent body may be absent: %v", err)
	}
	if err := request(t, "POST", "/", "", http.NoBody).NeedJSON(&b); err == nil || httpx.Status(err) != 400 {
		t.Errorf("unless it is needed: %v", err)
	}
}

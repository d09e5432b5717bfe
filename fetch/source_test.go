package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

// drain returns what src yields, one string an item.
func drain(src Source) []string {
	var all []string
	for it, err := range src(context.Background()) {
		if err != nil {
			all = append(all, "! "+err.Error())
			continue
		}
		all = append(all, it.id())
	}
	return all
}

func TestLines(t *testing.T) {
	long := "http://a.test/" + strings.Repeat("x", MaxLine-14)
	for name, tc := range map[string]struct {
		input string
		want  []string
	}{
		"empty":              {"", nil},
		"one, no newline":    {"http://a.test/", []string{"http://a.test/"}},
		"blank and comments": {"\n# no\n  \t\r\n http://a.test/ \n\n", []string{"http://a.test/"}},
		"CRLF":               {"http://a.test/1\r\nhttp://a.test/2\r\n", []string{"http://a.test/1", "http://a.test/2"}},
		"byte order mark":    {"\ufeffhttp://a.test/1\nhttp://a.test/2", []string{"http://a.test/1", "http://a.test/2"}},
		"JSON and text": {`{"url":"http://a.test/","method":"POST"}` + "\n" + `{"url":"http://a.test/","id":"x"}` + "\nhttp://b.test",
			[]string{"POST http://a.test/", "x", "http://b.test"}},
		"numbers of lines": {"\n\nnope\n# no\nnope\n", []string{
			`! list line 3: url has no scheme, want http://… or https://…`, `! list line 5: url has no scheme, want http://… or https://…`}},
		"as long as may be": {long + "\nhttp://b.test", []string{long, "http://b.test"}},
		"too long":          {long + "y\nhttp://b.test", []string{"! list line 1: the line is longer than 1048576 bytes", "http://b.test"}},
		"much too long":     {strings.Repeat(long, 3) + "\nhttp://b.test", []string{"! list line 1: the line is longer than 1048576 bytes", "http://b.test"}},
	} {
		if got := drain(Lines("list", strings.NewReader(tc.input))); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %.200q, want %.200q", name, got, tc.want)
		}
		if len(tc.input) > 1000 {
			continue
		}
		if got := drain(Lines("list", iotest.OneByteReader(strings.NewReader(tc.input)))); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s, byte by byte: %.200q, want %.200q", name, got, tc.want)
		}
	}
}

func TestConcat(t *testing.T) {
	got := drain(Concat(Lines("a", strings.NewReader("http://a.test/1\nx")), URLs("http://a.test/2", "no"), Lines("b", strings.NewReader("y"))))
	want := []string{"http://a.test/1", `! a line 2: url has no scheme, want http://… or https://…`, "http://a.test/2",
		`! items line 2: url has no scheme, want http://… or https://…`, `! b line 1: url has no scheme, want http://… or https://…`}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The goroutine that reads must end with the iteration, also where the consumer breaks out or goes away.
func TestLinesLeavesNoGoroutine(t *testing.T) {
	input := strings.Repeat("http://a.test/\n", 5000)
	synctest.Test(t, func(t *testing.T) { // a bubble fails on a goroutine that stays
		n := 0
		for range Lines("list", strings.NewReader(input))(t.Context()) {
			if n++; n == 700 {
				break
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range Lines("list", strings.NewReader(input))(ctx) {
			cancel()
		}
	})
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for line, want := range map[string]string{
		`https:///path`:     `url has no host`,
		`http://a.test/%zz`: `url is not valid: invalid URL escape "%zz"`,
		`http://a b.test/`:  `url is not valid: invalid character " " in host name`,
		`{"url":""}`:        `url is empty, want http:// or https://`,
		`{"url":"http://a.test","method":"GE T"}`:                             `method is "GE T", want an HTTP method`,
		`{"url":"http://a.test","header":{"a b":"c"}}`:                        `header has the name "a b", want an HTTP field name`,
		`{"url":"http://a.test","header":{"a":"b\nc: d"}}`:                    `header a is "b\nc: d", want one line of text`,
		`{"url":"http://a.test"`:                                              `not an item: unexpected EOF`,
		`{"url":"http://a.test"} {}`:                                          `not an item: something follows the JSON object`,
		`{"url":7}`:                                                           `not an item: url is a JSON number, want a string`,
		`{"url":"http://a.test","header":["a"]}`:                              `not an item: header is a JSON array, want an object of strings`,
		`{"url":"http://a.test","header":{"a":1}}`:                            `not an item: header is a JSON number, want an object of strings`,
		`127.0.0.1:8080/ok`:                                                   `url has no scheme, want http://… or https://…`,
		`not a url`:                                                           `url has no scheme, want http://… or https://…`,
		`://a.test`:                                                           `url is not valid: missing protocol scheme`,
		`{"url":"http://a.test","mirror":[]}`:                                 `not an item: unknown field "mirror"`,
		`{"url":"http://a.test","mirrors":"http://b.test"}`:                   `not an item: mirrors is a JSON string, want an array of strings`,
		`{"url":"http://a.test","mirrors":["http://b.test",7]}`:               `not an item: mirrors is a JSON number, want an array of strings`,
		`{"url":"http://a.test","mirrors":["http://b.test","ftp://c.test/"]}`: `mirror "ftp://c.test/" has the scheme "ftp", want http or https`,
		`{"url":"http://a.test","mirrors":[""]}`:                              `mirror "" is empty, want http:// or https://`,
	} {
		if _, err := Parse([]byte(line)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add("http://a.test/\n{\"url\":\"http://b.test\"}\n#\n\nx", uint8(3))
	f.Fuzz(func(t *testing.T, input string, size uint8) {
		// Whatever the reader's pieces, each line that is neither blank nor a comment yields once, in order.
		var want int
		for i, l := range strings.Split(input, "\n") {
			if i == 0 {
				l = strings.TrimPrefix(l, "\ufeff")
			}
			if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
				want++
			}
		}
		whole := drain(Lines("f", strings.NewReader(input)))
		if len(whole) != want {
			t.Fatalf("%d items of %d lines", len(whole), want)
		}
		pieces := drain(Lines("f", &chunked{strings.NewReader(input), int(size)%7 + 1}))
		if !reflect.DeepEqual(whole, pieces) {
			t.Fatalf("in pieces %q, whole %q", pieces, whole)
		}
		for it, err := range Lines("f", strings.NewReader(input))(context.Background()) {
			if err != nil {
				if !perItem(err) {
					t.Fatalf("%v ends the input", err)
				}
				continue
			}
			// What was accepted can be requested.
			if _, err := it.request(it.URL, nil); err != nil {
				t.Fatalf("%+v: %v", it, err)
			}
		}
	})
}

type chunked struct {
	r io.Reader
	n int
}

func (c *chunked) Read(p []byte) (int, error) { return c.r.Read(p[:min(len(p), c.n)]) }

func TestRecordShowsURLsAsTheyAre(t *testing.T) {
	line, err := (&Record{URL: "http://a.test/?a=1&b=<2>"}).Line()
	if err != nil || !bytes.Contains(line, []byte(`"url":"http://a.test/?a=1&b=<2>"`)) {
		t.Errorf("%s, %v", line, err)
	}
}

func TestRecordIsOneLine(t *testing.T) {
	r := invalid(Item{URL: "a\nb\u2028"}, "", errors.New("x\ny"))
	line, err := r.Line()
	if err != nil || bytes.Count(line, []byte("\n")) != 1 || !bytes.HasSuffix(line, []byte("\n")) {
		t.Fatalf("%q, %v", line, err)
	}
	var back Record
	if err := json.Unmarshal(line, &back); err != nil || back.URL != r.URL || back.Error.Message != "x\ny" {
		t.Errorf("%+v, %v", back, err)
	}
}

func FuzzFifo(f *testing.F) {
	f.Add([]byte{1, 1, 0, 1, 0, 0})
	f.Add([]byte{7, 13, 5, 6, 17, 23, 8, 41, 10, 60, 7, 7, 13, 11, 11, 6, 11})
	f.Fuzz(func(t *testing.T, ops []byte) {
		var q fifo[int]
		var model []int
		for i, op := range ops {
			for range op / 2 { // bursts, so that the ring wraps and grows
				if op%2 == 0 && len(model) > 0 {
					if got := q.pop(); got != model[0] {
						t.Fatalf("pop is %d, want %d", got, model[0])
					}
					model = model[1:]
				} else if n := len(model); op%6 == 5 && n > 0 {
					at := i % n
					if got := q.at(at); got != model[at] {
						t.Fatalf("at %d is %d, want %d", at, got, model[at])
					}
					if got := q.remove(at); got != model[at] {
						t.Fatalf("removed %d from %d, want %d", got, at, model[at])
					}
					model = slices.Delete(slices.Clone(model), at, at+1)
				} else if op%2 == 1 {
					q.push(i)
					model = append(model, i)
				}
				if q.len != len(model) {
					t.Fatalf("len is %d, want %d", q.len, len(model))
				}
			}
		}
	})
}

func ExampleParse() {
	it, err := Parse([]byte(`{"url":"https://api.test/users/7","method":"DELETE","id":"user 7"}`))
	fmt.Println(it.ID, it.Method, it.URL, err)
	_, err = Parse([]byte("htps://api.test/"))
	fmt.Println(err)
	// Output:
	// user 7 DELETE https://api.test/users/7 <nil>
	// url has the scheme "htps", want http or https
}

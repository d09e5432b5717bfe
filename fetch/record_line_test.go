package fetch

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// jsonLine is what Line promises.
func jsonLine(r *Record) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(r)
	return b.Bytes(), err
}

// sameLine compares Line with package json.
func sameLine(t *testing.T, r *Record) {
	t.Helper()
	want, werr := jsonLine(r)
	got, err := r.Line()
	if (err != nil) != (werr != nil) {
		t.Fatalf("Line of %+v: %v; json says %v", r, err, werr)
	}
	if err == nil && !bytes.Equal(got, want) {
		t.Errorf("Line is\n%sjson says\n%s", got, want)
	}
	before := []byte("before\n")
	after, err := r.appendLine(before)
	if err != nil {
		want = nil
	}
	if string(after) != "before\n"+string(want) {
		t.Errorf("appended, it is %q", after)
	}
}

// leaves calls f with every field that has no fields of its own, in structs, in what they point to, and in the one element that slices get.
func leaves(v reflect.Value, f func(reflect.Value)) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		f(v)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			leaves(v.Field(i), f)
		}
	case v.Kind() == reflect.Pointer:
		leaves(v.Elem(), f)
	case v.Kind() == reflect.Slice:
		leaves(v.Index(0), f)
	default:
		f(v)
	}
}

// A field that is new in Record, Attempt or Error is forgotten nowhere.
func TestLineHasEveryField(t *testing.T) {
	fields := func(r *Record) (all []reflect.Value) {
		leaves(reflect.ValueOf(r), func(v reflect.Value) { all = append(all, v) })
		return all
	}
	blank := func() *Record { return &Record{Attempts: make([]Attempt, 1), Error: new(Error)} }
	every := blank()
	for i := range fields(every) {
		one := blank()
		for _, v := range []reflect.Value{fields(one)[i], fields(every)[i]} {
			switch v.Interface().(type) {
			case time.Time:
				v.Set(reflect.ValueOf(time.Date(2001, 2, 3, 4, 5, 6, 7000+i, time.FixedZone("", 3600))))
			case bool:
				v.SetBool(true)
			case int, int64:
				v.SetInt(int64(-100 - i))
			default:
				v.SetString(strings.Repeat("x", 1+i))
			}
		}
		sameLine(t, one)
		sameLine(t, every)
	}
	every.Attempts = append(every.Attempts, every.Attempts[0], Attempt{})
	sameLine(t, every)
	sameLine(t, &Record{})
	sameLine(t, &Record{Attempts: []Attempt{}})
}

func TestLineRefusesTimesWithoutName(t *testing.T) {
	for _, at := range []time.Time{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2001, 1, 1, 0, 0, 0, 0, time.FixedZone("", 25*3600))} {
		for _, r := range []*Record{{Started: at}, {Attempts: []Attempt{{Started: at}}}} {
			if line, err := r.Line(); err == nil {
				t.Errorf("Line is %s", line)
			}
			sameLine(t, r)
		}
	}
}

// FuzzLine compares Line with package json.
func FuzzLine(f *testing.F) {
	f.Add("a", "http://a.test/?a=1&b=<2>", "reset", "é<&>\u2028\xff\x00\x7f\"\\\b\t", int64(0), true)
	f.Add("\x1f", "\U0010ffff", "\ufffd", "\xed\xa0\x80", int64(-1<<62), false)
	f.Fuzz(func(t *testing.T, id, url, kind, text string, n int64, flag bool) {
		at := time.Unix(0, n).UTC()
		if flag {
			at = at.In(time.FixedZone("", int(n%(26*3600))))
		}
		r := &Record{
			ID: id, URL: url, OK: flag, Outcome: Outcome(kind), Status: int(n), Bytes: n, SHA256: text, Path: url, Complete: !flag,
			ElapsedMS: -n, Started: at, FinalURL: text, Mirror: id,
			Attempts: []Attempt{{N: int(n), Mirror: text, Started: at, DurationMS: n, Status: int(n % 600), Error: kind, WaitMS: n, Hedged: flag, Replayed: !flag}},
		}
		if flag {
			r.Error = &Error{Kind: Kind(kind), Message: text, Retryable: n > 0}
		}
		sameLine(t, r)
	})
}

package fetch

import (
	"bytes"
	"testing"
)

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	list := smallList(1000)
	text := []byte("http://a.test/files/1")
	r := okRecord("http://a.test/files/1")
	line, err := r.appendLine(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		most float64 // of each of the times
		f    func()
		n    float64 // times that f does it
	}{
		{"an item from its line to its result, without net/http's part beyond http.Client", 39, func() { runSmall(t, list) }, 1000},
		{"a line of the input", 1, func() { Parse(text) }, 1},
		{"a result", 1, func() { r.Line() }, 1},
		{"a result at the end of others", 0, func() { r.appendLine(line[:0]) }, 1},
		{"a result that is read", 0, func() { resultOf(bytes.TrimSuffix(line, []byte("\n"))) }, 1},
		{"a host that is named with its port", 0, func() { hostIn("http://a.test:8080/files/1") }, 1},
	} {
		if got := testing.AllocsPerRun(3, tt.f) / tt.n; got > tt.most {
			t.Errorf("%s takes %.1f allocations, want %v at most", tt.name, got, tt.most)
		}
	}
}

package fetch

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
)

// Items come back from a spill as they went in, whatever fields they get one day.
func TestSpillKeepsEveryFieldOfAnItem(t *testing.T) {
	var full Item
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(fmt.Sprintf("field %d \xff\x00", i))
		case reflect.Map:
			f.Set(reflect.ValueOf(map[string]string{"A": "b", "C\xfe": ""}))
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"x", "", "y"}))
		default:
			t.Fatalf("Item.%s is a %s: teach the spill and this test to keep it", v.Type().Field(i).Name, f.Kind())
		}
	}
	for _, it := range []Item{full, {}, {URL: "http://a.test/"}} {
		b := appendItem(nil, it)
		got, rest := cutItem(append(b, "rest"...))
		if !reflect.DeepEqual(got, it) || string(rest) != "rest" {
			t.Errorf("%#v came back as %#v with %q", it, got, rest)
		}
		for n := range b {
			if _, rest := cutItem(b[:n:n]); rest != nil {
				t.Errorf("the first %d bytes of %d pass for an item", n, len(b))
			}
		}
	}
}

func newTestSpill(t testing.TB) *spill {
	s := &spill{dir: t.TempDir()}
	t.Cleanup(s.close)
	return s
}

// FuzzSpill compares queues in one spill to slices: a byte pushes an item, whose length it gives, or pops some.
func FuzzSpill(f *testing.F) {
	f.Add([]byte("abcdefgh"))
	f.Add([]byte{3, 7, 11, 255, 255, 3, 3, 0, 1, 2, 250, 251, 252, 253, 0, 0, 0})
	r := rand.New(rand.NewPCG(1, 2))
	long := make([]byte, 3000)
	for i := range long {
		long[i] = byte(r.Uint32())
	}
	f.Add(long)
	f.Fuzz(func(t *testing.T, ops []byte) {
		s := newTestSpill(t)
		queues := [3]spilled{{to: s}, {to: s}, {to: s}}
		var model [3][]Item
		pop := func(n int) {
			got, err := queues[n].pop()
			if err != nil || !reflect.DeepEqual(got, model[n][0]) {
				t.Fatalf("queue %d gave %.40q…, %v, want %.40q…", n, got.ID, err, model[n][0].ID)
			}
			model[n] = model[n][1:]
		}
		for i, op := range ops {
			n := int(op) % 3
			if op < 160 {
				it := Item{ID: fmt.Sprint(i), URL: strings.Repeat("x", int(op)*int(op))}
				if op%7 == 0 {
					it.Header = map[string]string{"A": it.ID}
				}
				if err := queues[n].push(it); err != nil {
					t.Fatal(err)
				}
				model[n] = append(model[n], it)
			} else {
				for range min(int(op)-159, len(model[n])) {
					pop(n)
				}
			}
			for n := range queues {
				q := &queues[n]
				if q.len != len(model[n]) {
					t.Fatalf("queue %d has %d items, want %d", n, q.len, len(model[n]))
				}
				if len(q.tail) > spillBlock {
					t.Fatalf("queue %d keeps %d bytes back", n, len(q.tail))
				}
			}
		}
		for n := range queues {
			for len(model[n]) > 0 {
				pop(n)
			}
			if queues[n].head != nil || queues[n].tail != nil {
				t.Errorf("queue %d is empty and keeps memory", n)
			}
		}
		if s.file != nil {
			if info, err := s.file.Stat(); err != nil || info.Size() != 0 || len(s.free) > 0 {
				t.Errorf("all queues are empty, and the file has %d bytes: %v", info.Size(), err)
			}
		}
	})
}

// A queue that always holds something must not make the file longer and longer.
func TestSpillUsesItsBlocksAgain(t *testing.T) {
	s := newTestSpill(t)
	q := spilled{to: s}
	it := Item{URL: "http://a.test/" + strings.Repeat("x", 1000)}
	for range 100 {
		q.push(it)
	}
	for range 10_000 {
		q.push(it)
		if _, err := q.pop(); err != nil {
			t.Fatal(err)
		}
	}
	if s.blocks > 40 {
		t.Errorf("the file has %d blocks of %d bytes for 100 items of 1 kB", s.blocks, spillBlock)
	}
}

func TestSpillLeavesNoFile(t *testing.T) {
	s := &spill{dir: t.TempDir()}
	small, large := spilled{to: s}, spilled{to: s}
	small.push(Item{URL: "http://a.test/"})
	if s.file != nil {
		t.Error("a file for a single item")
	}
	large.push(Item{URL: strings.Repeat("x", 3*spillBlock)})
	if s.file == nil {
		t.Fatal("no file for more than a block")
	}
	s.close()
	if left, err := os.ReadDir(s.dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left behind, %v", left, err)
	}
}

// A disk that is full is a failure of the run's own.
func TestSpillErrorsAreOurs(t *testing.T) {
	s := &spill{dir: t.TempDir() + "/gone"}
	q := spilled{to: s}
	err := q.push(Item{URL: strings.Repeat("x", spillBlock)})
	if !errors.Is(err, ErrWrite) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("push without a directory: %v", err)
	}
	q = spilled{to: newTestSpill(t)}
	q.push(Item{URL: strings.Repeat("x", 2*spillBlock)})
	q.to.file.Truncate(10)
	if _, err := q.pop(); !errors.Is(err, ErrWrite) {
		t.Errorf("pop of what is not there any more: %v", err)
	}
	q = spilled{to: newTestSpill(t)}
	q.put([]byte("no item"))
	if _, err := q.pop(); !errors.Is(err, ErrWrite) {
		t.Errorf("pop of what is no item: %v", err)
	}
}

// Memory per queue stays small, whatever its length and whatever has passed through it.
func TestSpillKeepsLittleInMemory(t *testing.T) {
	s := newTestSpill(t)
	q := spilled{to: s}
	q.push(Item{Body: strings.Repeat("x", 1<<20)})
	want := make(map[string]bool)
	for i := range 5000 {
		it := Item{ID: fmt.Sprint(i), URL: "http://a.test/"}
		want[it.ID] = true
		q.push(it)
	}
	if it, err := q.pop(); err != nil || len(it.Body) != 1<<20 {
		t.Fatalf("%d bytes, %v", len(it.Body), err)
	}
	for q.len > 1 {
		it, err := q.pop()
		if err != nil || !want[it.ID] {
			t.Fatalf("got %q, %v", it.ID, err)
		}
		delete(want, it.ID)
		if kept := cap(q.head) + cap(q.tail); q.len < 4500 && kept > 8*spillBlock {
			t.Fatalf("%d bytes in memory with %d items left", kept, q.len)
		}
	}
	if len(want) != 1 || !maps.Equal(want, map[string]bool{"4999": true}) {
		t.Errorf("left are %v", want)
	}
}

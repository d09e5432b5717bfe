package fetch

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// The index is compared with a map of what it was given.
func TestIndexAgainstAModel(t *testing.T) {
	for seed := range uint64(20) {
		draw := rand.New(rand.NewPCG(seed, 1))
		x := newIndex()
		model := make(map[string]map[string]map[Kind]int) // by id and URL
		taken := make(map[string]int)                     // by id and kind
		var all [][3]string
		ids := 1 + draw.IntN(3000)
		for range draw.IntN(20_000) {
			id, url, kind := fmt.Sprint(draw.IntN(ids)), fmt.Sprint(draw.IntN(3)), Kind("")
			if draw.IntN(2) == 0 {
				kind = Kind(fmt.Sprint("kind", draw.IntN(25)))
			}
			x.add([]byte(id), []byte(url), kind)
			all = append(all, [3]string{id, url, string(kind)})
			if model[id] == nil {
				model[id] = make(map[string]map[Kind]int)
			}
			if model[id][url] == nil {
				model[id][url] = make(map[Kind]int)
			}
			model[id][url][kind]++
		}
		x.seal()
		for range 20_000 { // first by id and URL, as the list is read
			id, url := fmt.Sprint(draw.IntN(ids+10)), fmt.Sprint(draw.IntN(4))
			left := model[id][url]
			kind, ok := x.take(id, url)
			if ok != (len(left) > 0) || ok && (left[kind] == 0 || kind != "" && left[""] > 0) {
				t.Fatalf("%s at %s is of kind %q, %v, want one of %v, ok first", id, url, kind, ok, left)
			}
			if ok {
				less(left, kind)
				taken[id+string(kind)]++
			}
		}
		for range 20_000 { // then whatever is left of an id
			id := fmt.Sprint(draw.IntN(ids + 10))
			left := make(map[Kind]int)
			for _, kinds := range model[id] {
				for kind, n := range kinds {
					left[kind] += n
				}
			}
			has := x.has(id)
			kind, ok := x.takeAny(id)
			if has != ok || ok != (len(left) > 0) || ok && left[kind] == 0 {
				t.Fatalf("%s is of kind %q, %v, %v, want one of %v", id, kind, has, ok, left)
			}
			if ok {
				less(left, kind)
				taken[id+string(kind)]++
				model[id] = map[string]map[Kind]int{"": left}
			}
		}
		for _, r := range append(all, [3]string{"no such id", "0", ""}, [3]string{"0", "0", "no such kind"}) { // of alike ones, as many as were taken
			if x.drop([]byte(r[0]), []byte(r[1]), Kind(r[2])) {
				taken[r[0]+r[2]]--
			}
		}
		for idAndKind, n := range taken {
			if n != 0 {
				t.Fatalf("%d too few are dropped of %s", n, idAndKind)
			}
		}
	}
}

func less(kinds map[Kind]int, kind Kind) {
	if kinds[kind]--; kinds[kind] == 0 {
		delete(kinds, kind)
	}
}

// More kinds than have a number cannot come from mettle. They are other.
func TestIndexOfTooManyKinds(t *testing.T) {
	x := newIndex()
	for i := range 100 {
		x.add([]byte(fmt.Sprint(i)), nil, Kind(fmt.Sprint("kind", i)))
	}
	x.add([]byte("o"), nil, KindOther)
	x.add([]byte("k"), nil, "")
	x.seal()
	for i := range 100 {
		want := Kind(fmt.Sprint("kind", i))
		if i >= kindMask-1 {
			want = KindOther
		}
		if kind, ok := x.take(fmt.Sprint(i), ""); !ok || kind != want {
			t.Errorf("the %dth is of kind %q, want %q", i, kind, want)
		}
	}
	if kind, ok := x.take("o", ""); !ok || kind != KindOther {
		t.Errorf("other is %q", kind)
	}
	if x.failed() != 101 {
		t.Errorf("%d failed, want 101", x.failed())
	}
}

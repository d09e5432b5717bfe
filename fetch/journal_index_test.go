package fetch

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestIndexAgainstAModel(t *testing.T) {
	for seed := range uint64(20) {
		draw := rand.New(rand.NewPCG(seed, 1))
		x := newIndex()
		model := make(map[string]map[Kind]int)
		ids := 1 + draw.IntN(3000)
		for range draw.IntN(20_000) {
			id, kind := fmt.Sprint(draw.IntN(ids)), Kind("")
			if draw.IntN(2) == 0 {
				kind = Kind(fmt.Sprint("kind", draw.IntN(25)))
			}
			x.add([]byte(id), kind)
			if model[id] == nil {
				model[id] = make(map[Kind]int)
			}
			model[id][kind]++
		}
		x.seal()
		for range 40_000 {
			id := fmt.Sprint(draw.IntN(ids + 10))
			kind, ok := x.take(id)
			if !ok {
				if len(model[id]) > 0 {
					t.Fatalf("%s is not found, want one of %v", id, model[id])
				}
				continue
			}
			if model[id][kind] == 0 || kind != "" && model[id][""] > 0 {
				t.Fatalf("%s is of kind %q, want one of %v, ok first", id, kind, model[id])
			}
			if model[id][kind]--; model[id][kind] == 0 {
				delete(model[id], kind)
			}
		}
	}
}

func TestIndexOfTooManyKinds(t *testing.T) {
	x := newIndex()
	for i := range 100 {
		x.add([]byte(fmt.Sprint(i)), Kind(fmt.Sprint("kind", i)))
	}
	x.add([]byte("o"), KindOther)
	x.add([]byte("k"), "")
	x.seal()
	for i := range 100 {
		want := Kind(fmt.Sprint("kind", i))
		if i >= kindMask-1 {
			want = KindOther
		}
		if kind, ok := x.take(fmt.Sprint(i)); !ok || kind != want {
			t.Errorf("the %dth is of kind %q, want %q", i, kind, want)
		}
	}
	if kind, ok := x.take("o"); !ok || kind != KindOther {
		t.Errorf("other is %q", kind)
	}
	if x.failed() != 101 {
		t.Errorf("%d failed, want 101", x.failed())
	}
}

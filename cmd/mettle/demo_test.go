package main

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mettle-go/mettle/group"
)

// The claim of the README: mettle gets all that can be had, takes nothing wrong for right, and breaks no hold. The plain client
// must show why that is worth something.
func TestDemoShowsWhatItClaims(t *testing.T) {
	t.Parallel()
	d := demo{seed: 7, urls: 3000}
	urls := demoList(d.seed, d.urls)
	var plain, with *score
	// Each has a server of its own, for which it waits most of the time.
	err := group.Run(t.Context(), func(g *group.Group) error {
		g.Go(func(ctx context.Context) (err error) {
			plain, err = d.try(ctx, urls, plainClient)
			return err
		})
		g.Go(func(ctx context.Context) (err error) {
			d := d
			// On a machine that tests many packages at once, a request may be on its way for long.
			d.grace = 1500 * time.Millisecond
			with, err = d.try(ctx, urls, mettleClient)
			return err
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if with.Lost != 0 || with.Wrong != 0 || with.Violations != 0 || with.Got == 0 {
		t.Errorf("mettle: %+v", with)
	}
	if plain.Lost == 0 || plain.Wrong == 0 || plain.Violations == 0 || plain.Got == 0 {
		t.Errorf("plain: %+v", plain)
	}
	if with.Got+with.Lost != plain.Got+plain.Lost {
		t.Errorf("%d can be had with mettle, %d with a plain client", with.Got+with.Lost, plain.Got+plain.Lost)
	}
	failed := 0
	for _, n := range with.kinds {
		failed += n
	}
	if with.Got+failed != d.urls {
		t.Errorf("mettle got %d and failed %d of %d", with.Got, failed, d.urls)
	}

	var out bytes.Buffer
	if err := d.table(&out, plain, with); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"3,000 URLs", "plain http.Client", "holds broken", "failed, by kind", "refused"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, out.String())
		}
	}
}

func TestDemoJSONHasTheFigures(t *testing.T) {
	var out bytes.Buffer
	err := json.NewEncoder(&out).Encode(map[string]*score{"plain": {Got: 1, Seconds: 1.5, kinds: map[string]int{"x": 1}}, "mettle": {Lost: 2}})
	want := `{"mettle":{"got":0,"lost":2,"wrong":0,"requests":0,"violations":0,"seconds":0},` +
		`"plain":{"got":1,"lost":0,"wrong":0,"requests":0,"violations":0,"seconds":1.5}}` + "\n"
	if err != nil || out.String() != want {
		t.Errorf("%s, %v", out.String(), err)
	}
}

func TestDemoListIsTheSameForTheSameSeed(t *testing.T) {
	a, b, c := demoList(1, 500), demoList(1, 500), demoList(2, 500)
	if !reflect.DeepEqual(a, b) || reflect.DeepEqual(a, c) {
		t.Error("the list does not follow the seed")
	}
	seen := make(map[string]bool)
	for _, u := range a {
		if seen[u] {
			t.Errorf("%s is in the list twice", u)
		}
		seen[u] = true
	}
}

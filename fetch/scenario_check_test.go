package fetch

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func (s *scenario) check(counts Counts, records []*Record, all bool) {
	t := s.t
	want := make(map[string]int)
	example := make(map[string]Item)
	for _, it := range s.items {
		want[it.id()]++
		example[it.id()] = it
	}
	var ok, failed int64
	have := make(map[string]int)
	for _, r := range records {
		if have[r.ID]++; have[r.ID] > want[r.ID] {
			t.Errorf("%s has %d records, want %d", r.ID, have[r.ID], want[r.ID])
		}
		if r.OK {
			ok++
		} else {
			failed++
		}
		s.checkRecord(r, example[r.ID])
	}
	if counts.OK > ok || counts.Failed > failed || counts.Left() < 0 || counts.Read > int64(len(s.items)) {
		t.Errorf("%+v, with %d and %d records for %d items", counts, ok, failed, len(s.items))
	}
	if all && (len(records) != len(s.items) || counts.OK != ok || counts.Failed != failed || counts.Read != int64(len(s.items)) || counts.Running != 0 || counts.Waiting != 0) {
		t.Errorf("at the end %+v, %d records, %d items", counts, len(records), len(s.items))
	}
	if counts.AllRead && s.file == "" && counts.Left() != int64(len(s.items)-len(records)) {
		t.Errorf("%d items are left, as there are %d records of %d", counts.Left(), len(records), len(s.items))
	}
	if s.c.Dir != "" {
		s.checkFiles(records, all, example, want)
	}
}

func (s *scenario) checkRecord(r *Record, it Item) {
	t := s.t
	for i, a := range r.Attempts {
		if a.N != i+1 || a.DurationMS < 0 || a.WaitMS < 0 {
			t.Errorf("%s: attempt %+v", r.ID, a)
		}
	}
	if r.OK != (r.Outcome == OK) || r.OK != (r.Error == nil) || r.ElapsedMS < 0 {
		t.Errorf("%+v", r)
	}
	u, err := url.Parse(it.URL)
	if it.check() != nil {
		if r.OK || r.Error.Kind != KindInvalid {
			t.Errorf("%+v", r)
		}
		return
	}
	if err != nil || u.User != nil || u.Port() != "" {
		return
	}
	where := append([]string{it.URL}, it.Mirrors...)
	only := func(kinds ...string) bool {
		for _, w := range where {
			found := false
			for _, k := range kinds {
				found = found || strings.HasPrefix(w, "http://"+k)
			}
			if !found {
				return false
			}
		}
		return true
	}
	large := s.c.MaxSize > 0 && int64(len(worldBody(u.Path))) > s.c.MaxSize && it.Method != http.MethodHead
	if r.OK {
		if only("dead", "gone", "dark", "never", "missing", "broken") {
			t.Errorf("%s is ok: %+v", r.ID, r)
		}
		if sum := worldSum(u.Path); it.Method != http.MethodHead && r.SHA256 != sum && !only("odd") && !strings.Contains(r.FinalURL+r.Mirror, "odd") && !strings.HasPrefix(it.URL, "http://odd") {
			t.Errorf("%s has the sum %s, want %s: %+v", r.ID, r.SHA256, sum, r)
		}
		return
	}
	switch {
	case !s.calm || large:
	case only("good"), s.c.Attempts > 4 && only("good", "healing") && it.Method != http.MethodPost, s.c.Attempts > 2 && only("good", "held") && s.c.MaxHint >= 90*time.Second && it.Method != http.MethodPost:
		t.Errorf("%s failed, which is nobody's fault but ours: %v, %+v", r.ID, r.Error, r.Attempts)
	}
	if len(it.Mirrors) > 0 && s.calm && !large && it.Method != http.MethodPost {
		for _, w := range where {
			if strings.HasPrefix(w, "http://good") && !only("good", "held") {
				t.Errorf("%s failed, though %s is well: %v, %+v", r.ID, w, r.Error, r.Attempts)
				break
			}
		}
	}
}

// checkFiles compares the files with the records. When all is done, nothing else is there but what a later run can go on with.
func (s *scenario) checkFiles(records []*Record, all bool, example map[string]Item, n map[string]int) {
	t := s.t
	named := make(map[string]bool)
	for _, r := range records {
		if r.Path == "" {
			if r.OK && !strings.HasPrefix(r.ID, "HEAD ") {
				t.Errorf("%s has no file: %+v", r.ID, r)
			}
			continue
		}
		named[r.Path] = true
		b, err := os.ReadFile(r.Path)
		if err != nil || int64(len(b)) != r.Bytes || sumOf(b) != r.SHA256 {
			if it := example[r.ID]; n[r.ID] > 1 && strings.Contains(fmt.Sprint(it), "odd") || strings.Contains(fmt.Sprint(it), "moving") {
				continue // items of one id share a file, and have got different bodies
			}
			t.Errorf("%s: file of %d bytes, %v; %+v", r.ID, len(b), err, r)
		}
	}
	filepath.WalkDir(s.c.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		note, noted := strings.CutSuffix(path, ".part.json")
		part, parted := strings.CutSuffix(path, ".part")
		switch {
		case d.IsDir():
			if strings.HasPrefix(d.Name(), ".probe") {
				t.Errorf("%s is left over", path)
			}
		case noted:
			if _, err := os.Stat(note + ".part"); err != nil {
				t.Errorf("%s has no part", path)
			}
		case parted:
			if _, err := os.Stat(part + ".part.json"); err != nil {
				t.Errorf("%s has no note", path)
			}
		case !named[path] && all && s.file == "":
			t.Errorf("%s is of no record", path)
		}
		return nil
	})
}

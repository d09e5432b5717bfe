package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/mettle-go/mettle/bench/internal/stats"
)

const smallFile = 1 << 10

// A row is a tool that does something with what it fetches.
type row struct {
	tool  tool
	name  string // of the tool and what it does
	save  bool   // it keeps the files
	sync  bool   // it has them on the disk before it says so, if that is for it to choose
	group string // its heading in the table
	place string // where it works; "": nowhere in particular
	first bool   // of its group, whose ratios are to it

	walls, cpus, ratios []float64 // in seconds, but for ratios; one a round
}

// groups are the rows in the order of the table.
func (o options) groups() (rows []*row) {
	results := row{tool: mettleTool, name: "mettle fetch: results only"}
	kept := []row{
		{tool: mettleTool, name: "mettle fetch --dir: results, saved, synced", save: true},
		results,
		{tool: loopTool, name: "bare http.Client loop: saved, synced", save: true, sync: true},
		{tool: loopTool, name: "bare http.Client loop: saved", save: true},
		{tool: curlTool, name: "curl: saved", save: true},
		{tool: ariaTool, name: "aria2c: saved", save: true},
	}
	for _, g := range []struct {
		title, place string
		rows         []row
	}{
		{"no files kept", "", []row{results, {tool: loopTool, name: "bare http.Client loop: nothing"}}},
		{"files kept in memory", o.memory, kept},
		{"files kept on a disk", o.disk, kept},
	} {
		for i, r := range g.rows {
			r.group, r.place, r.first = g.title, g.place, i == 0
			rows = append(rows, &r)
		}
	}
	return rows
}

// small lets every tool fetch the same small files, in turn, several times. One that does not bring all of them whole is an error.
func (o options) small(ctx context.Context, bin binaries, work string, stderr io.Writer) ([]*row, error) {
	wants, err := smallFiles(filepath.Join(work, "www"), o.files, o.seed)
	if err != nil {
		return nil, err
	}
	addr, stop, err := startNginx(ctx, bin.nginx, work)
	if err != nil {
		return nil, err
	}
	defer stop()
	urls := make([]string, o.files)
	for i := range urls {
		urls[i] = fmt.Sprintf("http://%s/%d", addr, i)
	}
	rows := o.groups()
	for round := range o.rounds {
		costs := make([]cost, len(rows))
		for _, n := range stats.Rotated(len(rows), round) {
			r := rows[n]
			parent := r.place
			if parent == "" {
				parent = work
			}
			j, err := newJob(bin, parent, urls)
			if err != nil {
				return nil, err
			}
			j.save, j.sync = r.save, r.sync
			costs[n], err = j.fetchAll(ctx, r.tool, wants)
			os.RemoveAll(j.dir)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", r.name, r.group, err)
			}
			fmt.Fprintf(stderr, "round %d of %d: %s, %s: %.2f s\n", round+1, o.rounds, r.name, r.group, costs[n].wall.Seconds())
		}
		base := 0
		for n, r := range rows {
			if r.first {
				base = n
			}
			r.walls = append(r.walls, costs[n].wall.Seconds())
			r.cpus = append(r.cpus, costs[n].cpu.Seconds())
			r.ratios = append(r.ratios, costs[n].wall.Seconds()/costs[base].wall.Seconds())
		}
	}
	return rows, nil
}

func newJob(bin binaries, parent string, urls []string) (job, error) {
	dir, err := os.MkdirTemp(parent, "mettle-job-")
	if err != nil {
		return job{}, err
	}
	return job{bin: bin, dir: dir, urls: urls}, os.Mkdir(filepath.Join(dir, "files"), 0o777)
}

// fetchAll runs the tool and wants all that it should bring to be there.
func (j job) fetchAll(ctx context.Context, t tool, wants []want) (cost, error) {
	argv, err := t.command(j)
	if err != nil {
		return cost{}, err
	}
	syscall.Sync() // what others have left to write is not the cost of this one
	c, err := spend(ctx, j.dir, argv)
	if err != nil {
		return c, err
	}
	claims, err := t.claims(j)
	if err != nil {
		return c, err
	}
	for i, claim := range claims {
		if err := claim.check(wants[i]); err != nil || !claim.ok {
			errs, _ := os.ReadFile(filepath.Join(j.dir, "stderr"))
			return c, fmt.Errorf("%s: called good: %t, %v; it says:\n%s", j.urls[i], claim.ok, err, errs[:min(len(errs), 1000)])
		}
	}
	return c, nil
}

// A want is what a URL really holds.
type want struct {
	bytes int64
	sum   string
}

func wantOf(body []byte) want {
	sum := sha256.Sum256(body)
	return want{int64(len(body)), hex.EncodeToString(sum[:])}
}

// check returns an error unless what is claimed to be good is.
func (c claim) check(w want) error {
	if !c.ok {
		return nil
	}
	got := want{c.bytes, c.sum}
	if c.path != "" {
		body, err := os.ReadFile(c.path)
		if err != nil {
			return err
		}
		got = wantOf(body)
		if c.sum != "" && c.sum != got.sum {
			return fmt.Errorf("the file is %s, and said to be %s", got.sum, c.sum)
		}
	}
	if got.sum == "" { // of what was read and forgotten, only the length is known
		got.sum = w.sum
	}
	if got != w {
		return fmt.Errorf("has %d bytes, %s, want %d, %s", got.bytes, got.sum, w.bytes, w.sum)
	}
	return nil
}

// smallFiles makes n different files below dir.
func smallFiles(dir string, n int, seed uint64) ([]want, error) {
	if err := os.Mkdir(dir, 0o777); err != nil {
		return nil, err
	}
	draw := rand.NewChaCha8([32]byte{byte(seed)})
	wants := make([]want, n)
	for i := range wants {
		body := make([]byte, smallFile)
		draw.Read(body)
		wants[i] = wantOf(body)
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), body, 0o666); err != nil {
			return nil, err
		}
	}
	return wants, nil
}

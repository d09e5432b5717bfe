package group_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

func ExampleProgress() {
	var last group.Progress
	cfg := group.Config{MaxFailures: -1, Progress: func(p group.Progress) { last = p }}

	group.Settle(context.Background(), hosts(300), cfg, ping)
	fmt.Printf("%d of %d, %d failed\n", last.Done, last.Total, last.Failed)
	// Output: 300 of 300, 297 failed
}

// download logs a line every other second while it gets files, and one at the end.
func download(ctx context.Context, files []int, out io.Writer) error {
	logger := log.New(out, "", 0)
	var last group.Progress
	var next time.Duration
	progress := func(p group.Progress) { // never twice at a time, so that these need no lock
		last = p
		if p.Elapsed >= next {
			next = p.Elapsed + 2*time.Second
			logger.Printf("%d of %d files, %.1f a second, %v left", p.Done, p.Total, p.Rate, p.Left.Round(time.Second/10))
		}
	}

	_, err := group.Map(ctx, files, group.Config{Limit: 1, Progress: progress}, func(_ context.Context, n int) (int, error) {
		if n < 100 {
			time.Sleep(25 * time.Millisecond) // small ones first
		} else {
			time.Sleep(120 * time.Millisecond)
		}
		return n, nil
	})
	logger.Printf("%d files in %v", last.Done, last.Elapsed)
	return err
}

// The example above in virtual time, so that its output is exact.
func TestExampleProgressLog(t *testing.T) {
	const want = `
4 of 160 files, 40.0 a second, 3.9s left
84 of 160 files, 40.0 a second, 1.9s left
114 of 160 files, 27.3 a second, 1.7s left
131 of 160 files, 19.0 a second, 1.5s left
148 of 160 files, 9.4 a second, 1.3s left
160 files in 9.7s
`
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		if err := download(t.Context(), upTo(160), &out); err != nil {
			t.Error(err)
		}
		if got := "\n" + out.String(); got != want {
			t.Errorf("printed:%swant:%s", got, want)
		}
	})
}

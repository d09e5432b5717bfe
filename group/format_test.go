package group_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/mettle-go/mettle/group"
)

// thousand is a Map of a thousand items that fail in a few ways.
func thousand(t *testing.T) *group.Error {
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := group.Map(ctx, upTo(1000), group.Config{Limit: 1, MaxFailures: -1}, func(ctx context.Context, n int) (int, error) {
		switch {
		case n == 990:
			cancel(errors.New("user left"))
			return 0, ctx.Err()
		case n%10 == 0:
			return n, nil
		case n%10 == 1:
			return 0, fmt.Errorf("user %d: %w", n, errMissing)
		case n%10 == 2:
			return 0, fmt.Errorf("shard-%d rejected key %q", n, strconv.Itoa(n)+" or so")
		case n == 513:
			return 0, io.ErrUnexpectedEOF
		case n%10 == 3:
			return 0, &fs.PathError{Op: "open", Path: fmt.Sprint("/data/", n), Err: syscall.ENOENT}
		}
		return 0, &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, byte(n)), Port: 80},
			Err: &os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED}}
	})
	return wantCounts(t, err, 99, 891, 1, 9)
}

func TestFormatOfAThousand(t *testing.T) {
	want := `group: 891 of 1000 items failed, 1 canceled, 9 never started
	canceled by: context canceled: user left
	594 × connection refused (syscall.Errno); first: item 4: dial tcp 10.0.0.4:80: connect: connection refused
	99 × missing; first: item 1: user 1: missing
	99 × # rejected key "#"; first: item 2: shard-2 rejected key "2 or so"
	98 × no such file or directory (syscall.Errno); first: item 3: open /data/3: no such file or directory
	1 × item 513: unexpected EOF`
	if got := fmt.Sprintf("%+v", thousand(t)); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestFormat(t *testing.T) {
	run := func(cfg group.Config, tasks ...func(context.Context) error) error {
		return group.RunWith(t.Context(), cfg, func(g *group.Group) error {
			for _, task := range tasks {
				g.Go(task)
			}
			return nil
		})
	}
	all := group.Config{Limit: 1, MaxFailures: -1}
	first := group.Config{Limit: 1}
	distinct := make([]error, 25)
	for i := range distinct {
		distinct[i] = errors.New(strings.Repeat("x", i+1))
	}
	short := run(first, fail, succeed)
	gone := func() error {
		ctx, cancel := context.WithCancelCause(t.Context())
		return group.RunWith(ctx, first, func(g *group.Group) error {
			g.Go(func(ctx context.Context) error { cancel(errMissing); return ctx.Err() })
			g.Go(succeed)
			g.Go(succeed)
			return nil
		})
	}()
	for _, tt := range []struct {
		name, format string
		err          error
		want         string
	}{
		{"one", "%+v", run(first, fail), "group: 1 of 1 task failed\n\tcanceled by: boom\n\t1 × boom"},
		{"equal", "%+v", run(all, fail, fail, succeed), "group: 2 of 3 tasks failed\n\t2 × boom"},
		{"numbers", "%+v", errorOf(t, errors.New("id 17: gone"), errors.New("id 18: gone")),
			"group: 2 of 2 items failed\n\t2 × id #: gone; first: item 0: id 17: gone"},
		{"lines", "%+v", errorOf(t, errors.New("a\r\nb\nc\rd\n")), "group: 1 of 1 item failed\n\t1 × item 0: a; b; c; d"},
		{"joined", "%+v", errorOf(t, errors.Join(errMissing, errBroken), errors.Join(errMissing, errBroken), errMissing),
			"group: 3 of 3 items failed\n\t2 × missing; broken; first: item 0: missing; broken\n\t1 × item 2: missing"},
		{"exit", "%+v", run(all, exit), "group: 1 of 1 task failed\n\t1 × task ended by runtime.Goexit"},
		{"nested", "%+v", errorOf(t, short, fmt.Errorf("twice: %w", short), nil, errBoom, errorOf(t, short)),
			`group: 4 of 5 items failed
	in inner scopes: 0 canceled, 3 never started
	4 × boom; first: item 0: boom`},
		{"nested in a wrapper", "%+v", errorOf(t, fmt.Errorf("twice: %w", errorOf(t, errMissing, errBroken))),
			`group: 1 of 1 item failed
	1 × item 0: twice: group: item 0: missing
	1 × item 0: twice: group: item 1: broken`},
		{"many kinds", "%+v", errorOf(t, append(distinct, distinct[24])...),
			`group: 26 of 26 items failed
	2 × xxxxxxxxxxxxxxxxxxxxxxxxx; first: item 24: xxxxxxxxxxxxxxxxxxxxxxxxx
	1 × item 0: x
	1 × item 1: xx
	1 × item 2: xxx
	1 × item 3: xxxx
	1 × item 4: xxxxx
	1 × item 5: xxxxxx
	1 × item 6: xxxxxxx
	1 × item 7: xxxxxxxx
	1 × item 8: xxxxxxxxx
	and 15 more of 15 kinds`},
		{"canceled inner scope", "%+v", errorOf(t, errBoom, gone, fmt.Errorf("again: %w", gone)),
			"group: 3 of 3 items failed\n\t2 × # of # tasks canceled, # never started: context canceled: missing; first: item 1: " +
				"1 of 3 tasks canceled, 2 never started: context canceled: missing\n\t1 × item 0: boom"},
		{"handled", "%+v", errorOf(t, errMissing, errBroken).Handle(
			group.If(is(errMissing), func(*group.Error) error { return io.ErrShortWrite })),
			"group: handled, with 2 left\n\t1 × short write\n\t1 × item 1: broken"},
		{"nil", "%+v", (*group.Error)(nil), "group: no failure"},
		{"short", "%v", short, "group: 1 of 2 tasks failed, 1 never started: boom"},
		{"string", "%s", short, "group: 1 of 2 tasks failed, 1 never started: boom"},
		{"quoted", "%.9q|%60s|", short, `"group: 1 "`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := make([]any, strings.Count(tt.format, "%"))
			for i := range args {
				args[i] = tt.err
			}
			got, _, _ := strings.Cut(fmt.Sprintf(tt.format, args...), "|")
			if got != tt.want {
				t.Errorf("%s\nwant\n%s", got, tt.want)
			}
		})
	}
	if got := fmt.Sprintf("%60s", short); got != strings.Repeat(" ", 11)+"group: 1 of 2 tasks failed, 1 never started: boom" {
		t.Errorf("width: %q", got)
	}
	if got := fmt.Sprintf("%#v", short); !strings.Contains(got, "Succeeded:0, Failed:1, Canceled:0, NotStarted:1") {
		t.Errorf("%%#v: %s", got)
	}
}

// Panics from one line are of one kind, whatever they say.
func TestFormatOfPanics(t *testing.T) {
	index := func(_ context.Context, n int) (int, error) {
		if n < 3 {
			return upTo(n)[n], nil
		}
		panic("last")
	}
	var failures []error
	for n := range 4 {
		_, err := group.Map(t.Context(), []int{n}, group.Config{}, index)
		failures = append(failures, err)
	}
	got := fmt.Sprintf("%+v", errorOf(t, failures...))
	want := regexp.MustCompile(`^group: 4 of 4 items failed
	3 × panic in \S+ at format_test.go:\d+; first: item 0: item 0: panic: runtime error: index out of range \[0\] with length 0 \[\S+ at format_test.go:\d+\]
	1 × item 3: item 0: panic: last \[\S+ at format_test.go:\d+\]$`)
	if !want.MatchString(got) {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestMessagesAreCut(t *testing.T) {
	huge := errorOf(t, errors.New("x"+strings.Repeat("ä", 1<<20)+"\n"), fmt.Errorf("%w: b", errors.New(strings.Repeat("x", 1<<20))))
	line, report := huge.Error(), fmt.Sprintf("%+v", huge)
	if len(line) > 1200 || strings.Contains(line, "\n") || strings.Count(line, "…") != 2 || !utf8.ValidString(line) {
		t.Errorf("%d bytes: %q", len(line), line)
	}
	if len(report) > 1200 || strings.Count(report, "\n") != 2 || !utf8.ValidString(report) {
		t.Errorf("%d bytes: %q", len(report), report)
	}
}

func TestLogValue(t *testing.T) {
	var b bytes.Buffer
	drop := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key != "err" {
			return slog.Attr{}
		}
		return a
	}}
	e := errorOf(t, errMissing, fmt.Errorf("again: %w", errMissing), io.EOF, nil)
	slog.New(slog.NewTextHandler(&b, drop)).Info("", "err", e)
	want := `err.succeeded=1 err.failed=3 err.canceled=0 err.not_started=0 ` +
		`err.kinds="[2 × missing; first: item 0: missing 1 × item 2: EOF]"` + "\n"
	if got := b.String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}

	b.Reset()
	slog.New(slog.NewJSONHandler(&b, drop)).Info("", "err", thousand(t))
	var record struct {
		Err struct {
			Succeeded, Failed, Canceled int
			NotStarted                  int `json:"not_started"`
			Cause                       string
			Kinds                       []struct {
				Count       int
				Kind, First string
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &record); err != nil {
		t.Fatal(err)
	}
	r := record.Err
	if r.Succeeded != 99 || r.Failed != 891 || r.Canceled != 1 || r.NotStarted != 9 || r.Cause != "context canceled: user left" {
		t.Errorf("%+v", r)
	}
	if len(r.Kinds) != 5 || r.Kinds[1].Count != 99 || r.Kinds[1].Kind != "missing" || r.Kinds[1].First != "item 1: user 1: missing" {
		t.Errorf("%+v", r.Kinds)
	}

	b.Reset()
	var many []error
	for i := range 30 {
		many = append(many, errors.New(strings.Repeat("x", i+1)))
	}
	slog.New(slog.NewJSONHandler(&b, drop)).Info("", "err", errorOf(t, many...))
	if got := b.String(); strings.Count(got, `"first"`) != 10 || !strings.Contains(got, `"more_kinds":20`) {
		t.Errorf("of 30 kinds: %s", got)
	}

	b.Reset()
	slog.New(slog.NewTextHandler(&b, drop)).Info("", "err", (*group.Error)(nil))
	if got := b.String(); got != "err=<nil>\n" {
		t.Errorf("nil: %s", got)
	}
}

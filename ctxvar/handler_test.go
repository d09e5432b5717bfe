package ctxvar_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/ctxvar"
	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/retry"
)

var (
	requestID = ctxvar.New[string]("request_id")
	tenant    = ctxvar.New[int]("tenant")
)

// always is a source that does not need a context.
type always struct{}

func (always) Attr(context.Context) (slog.Attr, bool) { return slog.Int("always", 1), true }

func textLog(b *bytes.Buffer, sources ...ctxvar.Source) *slog.Logger {
	return slog.New(ctxvar.Handler(slog.NewTextHandler(b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}}), sources...))
}

func TestHandlerPassesSlogtest(t *testing.T) {
	for name, sources := range map[string][]ctxvar.Source{
		"without attributes": {requestID, tenant},
		"with an attribute":  {requestID, always{}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			slogtest.Run(t, func(*testing.T) slog.Handler {
				b.Reset()
				return ctxvar.Handler(slog.NewJSONHandler(&b, nil), sources...)
			}, func(t *testing.T) map[string]any {
				var m map[string]any
				if err := json.Unmarshal(b.Bytes(), &m); err != nil {
					t.Fatal(err)
				}
				if _, ok := m["always"]; ok != (name == "with an attribute") {
					t.Errorf("attribute at the top level: %v in %s", ok, b.String())
				}
				return m
			})
		})
	}
}

// hidden says what it wants to be in a log.
type hidden string

func (hidden) LogValue() slog.Value { return slog.StringValue("***") }

func TestHandler(t *testing.T) {
	secret := ctxvar.New[hidden]("secret")
	ctx := tenant.With(requestID.With(t.Context(), "r-1"), 7)
	for _, tt := range []struct {
		name string
		ctx  context.Context
		log  func(ctx context.Context, l *slog.Logger)
		want string
	}{
		{"set", ctx, func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "m", "a", 1) }, "msg=m a=1 request_id=r-1 tenant=7"},
		{"one of them", tenant.With(t.Context(), 7), func(ctx context.Context, l *slog.Logger) { l.WarnContext(ctx, "m") }, "msg=m tenant=7"},
		{"unset", t.Context(), func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "m", "a", 1) }, "msg=m a=1"},
		{"without the context", ctx, func(_ context.Context, l *slog.Logger) { l.Info("m") }, "msg=m"},
		{"value of its own", secret.With(t.Context(), "x"), func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "m") }, "msg=m secret=***"},
		{"attributes", ctx, func(ctx context.Context, l *slog.Logger) { l.With("b", 2).InfoContext(ctx, "m", "a", 1) },
			"msg=m b=2 a=1 request_id=r-1 tenant=7"},
		{"group", ctx, func(ctx context.Context, l *slog.Logger) {
			l.With("top", 0).WithGroup("g").With("b", 2).WithGroup("h").With("c", 3).With("d", 4).InfoContext(ctx, "m", "a", 1)
		}, "msg=m top=0 g.b=2 g.h.c=3 g.h.d=4 g.h.a=1 request_id=r-1 tenant=7"},
		{"group, unset", t.Context(), func(ctx context.Context, l *slog.Logger) {
			l.WithGroup("g").With("b", 2).InfoContext(ctx, "m", "a", 1)
		}, "msg=m g.b=2 g.a=1"},
		{"empty group", ctx, func(ctx context.Context, l *slog.Logger) { l.WithGroup("g").InfoContext(ctx, "m") },
			"msg=m request_id=r-1 tenant=7"},
		{"group without a name", ctx, func(ctx context.Context, l *slog.Logger) {
			l.Handler().WithGroup("").WithAttrs(nil).WithAttrs([]slog.Attr{slog.Int("b", 2)}).Handle(ctx, slog.Record{Message: "m"})
		}, "msg=m b=2 request_id=r-1 tenant=7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			tt.log(tt.ctx, textLog(&b, requestID, tenant, secret))
			if got := strings.TrimSpace(b.String()); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

// Loggers made from one logger do not share their groups.
func TestHandlerOfSiblings(t *testing.T) {
	var b bytes.Buffer
	ctx := tenant.With(t.Context(), 7)
	base := textLog(&b, tenant)
	for _, name := range []string{"e", "f", "g"} { // a slice of them has room for a fourth
		base = base.WithGroup(name)
	}
	gx, gy := base.WithGroup("x"), base.WithGroup("y")
	base = base.With("z", 0)
	x, y := base.With("x", 1), base.With("y", 2)
	for _, l := range []*slog.Logger{base, x, y, gx, gy} {
		l.InfoContext(ctx, "m", "a", 1)
	}
	want := `msg=m e.f.g.z=0 e.f.g.a=1 tenant=7
msg=m e.f.g.z=0 e.f.g.x=1 e.f.g.a=1 tenant=7
msg=m e.f.g.z=0 e.f.g.y=2 e.f.g.a=1 tenant=7
msg=m e.f.g.x.a=1 tenant=7
msg=m e.f.g.y.a=1 tenant=7
`
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}

// A handler must not write into a record that another handler may have too.
func TestHandlerLeavesTheRecordAlone(t *testing.T) {
	var b bytes.Buffer
	ctx := tenant.With(t.Context(), 7)
	var r slog.Record
	for i := range 8 { // more than a record holds in itself, and room for another
		r.AddAttrs(slog.Int("a", i))
	}
	h := textLog(&b, tenant).Handler()
	copied := r
	var failed error
	for range 2 {
		failed = errors.Join(failed, h.Handle(ctx, r))
	}
	copied.AddAttrs(slog.Int("b", 1))
	if failed != nil || strings.Contains(b.String(), "BUG") || strings.Count(b.String(), "tenant=7") != 2 || r.NumAttrs() != 8 {
		t.Errorf("%v, %d attributes: %s", failed, r.NumAttrs(), b.String())
	}
}

// last keeps the record that it was given last.
type last struct {
	nowhere
	r *slog.Record
}

func (l last) Handle(_ context.Context, r slog.Record) error {
	*l.r = r
	return errDown
}

var errDown = errors.New("down")

func (l last) WithGroup(string) slog.Handler { return l }

func TestHandlerPassesAllElseOn(t *testing.T) {
	sources := []ctxvar.Source{tenant, requestID}
	var got slog.Record
	h := ctxvar.Handler(last{r: &got}, sources...)
	sources[0] = requestID // the caller's to use
	ctx := tenant.With(t.Context(), 7)
	for name, h := range map[string]slog.Handler{"plain": h, "group": h.WithGroup("g")} {
		r := slog.NewRecord(time.Unix(17, 0), slog.LevelError, "m", 42)
		if err := h.Handle(ctx, r); err != errDown {
			t.Errorf("%s: error %v, want the next handler's", name, err)
		}
		if !got.Time.Equal(r.Time) || got.Level != r.Level || got.Message != r.Message || got.PC != r.PC {
			t.Errorf("%s: %+v, want %+v", name, got, r)
		}
		found := false
		got.Attrs(func(a slog.Attr) bool { found = found || a.Equal(slog.Int("tenant", 7)); return true })
		if !found {
			t.Errorf("%s: the attribute is missing", name)
		}
	}
}

func TestHandlerIsAsEnabledAsTheNext(t *testing.T) {
	h := ctxvar.Handler(slog.NewTextHandler(nil, &slog.HandlerOptions{Level: slog.LevelWarn}), tenant)
	if h.Enabled(t.Context(), slog.LevelInfo) || !h.Enabled(t.Context(), slog.LevelWarn) {
		t.Error("the level of the next handler is not heeded")
	}
}

func TestHandlerMisuse(t *testing.T) {
	wantPanic(t, "ctxvar: Handler: next is nil, want a handler", func() { ctxvar.Handler(nil) })
	wantPanic(t, "ctxvar: Handler: a source is nil, want none or a Source", func() { ctxvar.Handler(nowhere{}, tenant, nil) })
}

// The events of policies are logged with the context of the call.
func TestEventsHaveTheVariables(t *testing.T) {
	var b bytes.Buffer
	p := retry.New(retry.Config{Name: "users", Attempts: 2, Backoff: retry.Constant(0), Observer: mettle.Log(textLog(&b, requestID))})
	_ = p.Do(requestID.With(t.Context(), "r-1"), func(context.Context) error { return errors.New("down") })
	if want := `msg="retry: retry" name=users attempt=1 of=2 wait=0s error=down request_id=r-1`; strings.TrimSpace(b.String()) != want {
		t.Errorf("%s\nwant %s", b.String(), want)
	}
}

// Many requests log at once through loggers made from one.
func TestHandlerConcurrently(t *testing.T) {
	var b bytes.Buffer
	var mu sync.Mutex
	log := slog.New(ctxvar.Handler(slog.NewJSONHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return b.Write(p)
	}), nil), tenant)).WithGroup("g")
	ids := make([]int, 200)
	for i := range ids {
		ids[i] = i
	}
	_, err := group.Map(t.Context(), ids, group.Config{}, func(ctx context.Context, n int) (int, error) {
		log.With("w", n).InfoContext(tenant.With(ctx, n), "m", "n", n)
		return n, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(b.String()) {
		var r struct {
			Tenant int
			G      struct{ N, W int }
		}
		r.Tenant = -1
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.G.N != r.Tenant || r.G.W != r.Tenant {
			t.Errorf("%v: %s", err, line)
		}
		lines++
	}
	if lines != len(ids) {
		t.Errorf("%d records, want %d", lines, len(ids))
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

package discard_test

import (
	"errors"
	"testing"

	"github.com/mettle-go/mettle/internal/discard"
)

type failing struct{ closed int }

func (f *failing) Close() error { f.closed++; return errors.New("close") }

type quiet struct{ closed int }

func (q *quiet) Close() { q.closed++ }

func TestClose(t *testing.T) {
	f, q := &failing{}, &quiet{}
	for _, v := range []any{f, q, (*failing)(nil), (*quiet)(nil), nil, 1, "text", struct{}{}} {
		discard.Close(v)
	}
	if f.closed != 1 || q.closed != 1 {
		t.Errorf("closed %d and %d times, want once each", f.closed, q.closed)
	}
}

package mettletest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/mettletest"
)

// explained is a policy of one's own: it says what a call was for.
type explained struct{ what string }

func (p explained) Do(ctx context.Context, fn func(context.Context) error) error {
	if err := fn(ctx); err != nil {
		return fmt.Errorf("%s: %w", p.what, err)
	}
	return nil
}

// In your program this is func TestExplainedKeepsTheContract.
func testExplained(t *testing.T) {
	mettletest.TestPolicy(t, mettletest.Config{
		New: func(mettle.Observer) mettle.Policy { return explained{"load users"} }, // it has no events
	})
}

func ExampleTestPolicy() {
	// See testExplained: the suite needs the *testing.T of a test.
}

package mettletest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/mettletest"
)

var errFull = errors.New("seats: all taken")

// seats is a gate of one's own: as many calls at a time as it has room for.
type seats chan struct{}

func (s seats) Acquire(ctx context.Context) (mettle.Permit, error) {
	select {
	case s <- struct{}{}:
		return mettle.NewPermit(ctx, s, 0), nil
	default:
		return mettle.Permit{}, mettle.Reject("seats", "", errFull, nil)
	}
}

func (s seats) Release(context.Context, uint64, error) { <-s }

func (s seats) Do(ctx context.Context, fn func(context.Context) error) error {
	permit, err := s.Acquire(ctx)
	if err != nil {
		return err
	}
	err = mettle.ErrUnfinished
	defer func() { permit.Done(err) }()
	err = fn(ctx)
	return err
}

// In your program this is func TestSeatsKeepTheContract.
func testSeats(t *testing.T) {
	mettletest.TestGate(t, mettletest.Config{
		New:       func(mettle.Observer) mettle.Policy { return make(seats, 3) },
		Rejecting: func(mettle.Observer) mettle.Policy { return make(seats) },
	})
}

func ExampleTestGate() {
	// See testSeats: the suite needs the *testing.T of a test.
}

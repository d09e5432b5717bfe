package mark

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

type hint struct{ error }

func (hint) RetryAfter() (time.Duration, bool) { return time.Second, true }

// matches is ErrRejected to errors.Is without being it.
type matches struct{ error }

func (matches) Is(target error) bool { return target == ErrRejected }

// converts is a *Permanent to errors.As without having one in its tree.
type converts struct{ error }

func (converts) As(target any) bool {
	to, ok := target.(**Permanent)
	if ok {
		*to = &Permanent{Err: ErrRejected}
	}
	return ok
}

// hollow wraps nothing although it has the method to.
type hollow struct{ error }

func (hollow) Unwrap() error { return nil }

// uncomparable panics when it is compared with an error of its own type.
type uncomparable struct {
	error
	_ []int
}

func (u uncomparable) Unwrap() error { return u.error }

// tree returns an error of random shape, at most that deep.
func tree(r *rand.Rand, depth int) error {
	leaves := []error{
		errors.New("plain"), ErrRejected, context.DeadlineExceeded, hint{errors.New("busy")}, matches{errors.New("like")},
		converts{errors.New("as")}, hollow{ErrRejected}, uncomparable{error: errors.New("list")},
	}
	if depth == 0 || r.IntN(4) == 0 {
		return leaves[r.IntN(len(leaves))]
	}
	inner := tree(r, depth-1)
	switch r.IntN(6) {
	case 0:
		return errors.Join(inner, tree(r, depth-1))
	case 1:
		return &Permanent{Err: inner}
	case 2:
		return Ran(inner)
	case 3:
		return uncomparable{error: inner}
	default:
		return fmt.Errorf("outer: %w", inner)
	}
}

// Read says of any tree of errors what package errors says.
func TestReadAgreesWithPackageErrors(t *testing.T) {
	if Read(nil) != (Marks{}) {
		t.Errorf("nil has marks %+v", Read(nil))
	}
	r := rand.New(rand.NewPCG(1, 2))
	var seen [2][2][2]int
	for range 50_000 {
		err := tree(r, r.IntN(6))
		rejected := errors.Is(err, ErrRejected)
		_, permanent := errors.AsType[*Permanent](err)
		_, hints := errors.AsType[interface {
			error
			RetryAfter() (time.Duration, bool)
		}](err)
		got := Read(err)
		if got.Rejected != rejected || got.Permanent != permanent {
			t.Fatalf("Read(%#v) = %+v, want rejected %v, permanent %v", err, got, rejected, permanent)
		}
		if hints && !got.Special {
			t.Fatalf("Read(%#v) = %+v, but there is a RetryAfter in it", err, got)
		}
		seen[bit(rejected)][bit(permanent)][bit(got.Special)]++
	}
	for _, n := range []int{seen[0][0][0], seen[0][0][1], seen[0][1][0], seen[0][1][1], seen[1][0][0], seen[1][0][1], seen[1][1][0], seen[1][1][1]} {
		if n < 100 {
			t.Errorf("some kind of error came %d times only: %v", n, seen)
		}
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// The usual errors need no second walk for a RetryAfter.
func TestPlainChainsAreNotSpecial(t *testing.T) {
	plain := errors.New("down")
	for _, err := range []error{plain, fmt.Errorf("get: %w", plain), &Permanent{Err: fmt.Errorf("get: %w", plain)}, ErrRejected, context.Canceled} {
		if Read(err).Special {
			t.Errorf("%#v is special", err)
		}
	}
}

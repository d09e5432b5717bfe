package breaker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
)

// lines is a stream whose permit comes back when it is closed: only then is it known how the call ended.
type lines struct {
	*bufio.Scanner
	permit mettle.Permit
}

func open(ctx context.Context, b *breaker.Breaker, from io.Reader) (*lines, error) {
	permit, err := b.Acquire(ctx)
	if err != nil {
		return nil, err // nothing was opened
	}
	return &lines{bufio.NewScanner(from), permit}, nil
}

// Close is to be called once.
func (l *lines) Close() error {
	l.permit.Done(l.Err()) // nil at the end of the stream, or if the reader had enough
	return l.Err()
}

// A call that goes on after its function returned, such as a stream: Acquire when it begins, Done when it ends.
func Example_stream() {
	b := breaker.New(breaker.Config{Name: "feed", Trip: breaker.Consecutive(1)})
	ctx := context.Background()
	broken := io.MultiReader(strings.NewReader("one\ntwo\n"), &reset{})

	stream, err := open(ctx, b, broken)
	if err != nil {
		fmt.Println(err)
		return
	}
	for stream.Scan() {
		fmt.Println(stream.Text(), b.State())
	}
	fmt.Println(stream.Close(), b.State())

	_, err = open(ctx, b, broken)
	fmt.Println(errors.Is(err, breaker.ErrOpen))
	// Output:
	// one closed
	// two closed
	// connection reset open
	// true
}

// reset is a connection that breaks.
type reset struct{}

func (*reset) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

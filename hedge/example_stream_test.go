package hedge_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
)

// body is a stream that needs its context until it is closed, as the body of an HTTP response does.
type body struct {
	ctx     context.Context
	data    io.Reader
	release func()
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.data.Read(p)
}

func (b *body) Close() error { b.release(); return nil }

// The result is read after the call. A stream of a run that loses is closed by the hedge.
func ExampleHold() {
	tail := hedge.New(hedge.Config{Delay: time.Second})

	stream, err := mettle.Call(context.Background(), tail, func(ctx context.Context) (*body, error) {
		return &body{ctx, strings.NewReader("a long answer"), hedge.Hold(ctx)}, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := io.ReadAll(stream)
	fmt.Println(string(text), err)
	stream.Close()
	fmt.Println(stream.ctx.Err())
	// Output:
	// a long answer <nil>
	// context canceled
}

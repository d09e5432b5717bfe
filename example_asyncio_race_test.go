package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

func Example_asyncioAsCompleted() {
	ctx, urls := context.Background(), []string{"/long", "/none", "/short"}
	failed, shown := make(chan struct{}), make(chan struct{})
	fetch := func(ctx context.Context, url string) (string, error) {
		switch url {
		case "/none":
			return "", fs.ErrNotExist
		case "/short":
			<-failed // takes longer
		case "/long":
			<-shown // takes until all others were
		}
		return "page of " + url, nil
	}
	show := func(page string) {
		fmt.Println(page)
		switch page {
		case "page of /short":
			close(shown)
		case "page of /long":
		default:
			close(failed)
		}
	}

	for page, err := range group.Stream(ctx, slices.Values(urls), group.Config{MaxFailures: -1, Unordered: true}, fetch) {
		if err != nil {
			show("failed: " + err.Error())
			continue
		}
		show(page)
	}

	// Output:
	// failed: group: item 1: file does not exist
	// page of /short
	// page of /long
}

func Example_asyncioFirstCompleted() {
	ctx := context.Background()
	fromEU := func(context.Context) (string, error) { return "", errors.New("eu: connection refused") }
	fromUS := func(context.Context) (string, error) { return "answer from us", nil }
	fromAsia := func(ctx context.Context) (string, error) {
		<-ctx.Done() // until another is first
		return "", context.Cause(ctx)
	}

	answer, err := group.First(ctx, fromEU, fromUS, fromAsia)

	fmt.Println(answer, err)
	// Output: answer from us <nil>
}

// asyncioWait is shown like the examples. It takes time, so it runs in a bubble.
func asyncioWait(ctx context.Context, out io.Writer) {
	price := func(context.Context) (string, error) { time.Sleep(time.Second); return "price 12", nil }
	stock := func(context.Context) (string, error) { return "", errors.New("no such item") }
	reviews := func(ctx context.Context) (string, error) {
		<-ctx.Done() // hangs
		return "", ctx.Err()
	}
	log := log.New(out, "", 0)
	answers := map[int]string{}

	done, pending := group.Wait(ctx, 2*time.Second, price, stock, reviews)
	for i, r := range done {
		if r.Err != nil {
			log.Println(i, "failed:", r.Err)
			continue
		}
		answers[i] = r.Value
	}
	log.Println("too slow:", pending)

	log.Println(answers)
}

func TestExampleAsyncioWait(t *testing.T) {
	const want = `
1 failed: no such item
too slow: [2]
map[0:price 12]
`
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var out strings.Builder
		asyncioWait(t.Context(), &out)
		if got := "\n" + out.String(); got != want {
			t.Errorf("printed:%swant:%s", got, want)
		}
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("took %v, want 2s", took)
		}
	})
}

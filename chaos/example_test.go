package chaos_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"

	"github.com/mettle-go/mettle/chaos"
)

// A server in memory plays every host. In a synctest bubble its waits take no time.
func Example() {
	srv := chaos.New(chaos.Config{Seed: 1})
	defer srv.Close()
	srv.StartPipe()
	client := &http.Client{Transport: &http.Transport{DialContext: srv.DialContext}}

	const url = "http://a.test/short?size=4096&heal=1"
	for range 2 {
		res, err := client.Get(url)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Println(res.StatusCode, len(body) == 4096, err)
	}
	fmt.Println(srv.Requests(url), "requests")
	// Output:
	// 200 false unexpected EOF
	// 200 true <nil>
	// 2 requests
}

// What a correct client ends up with is known beforehand.
func ExampleServer_Expect() {
	srv := chaos.New(chaos.Config{Seed: 1})
	for _, url := range []string{
		"http://a.test/status/503?after=1&heal=2",
		"http://a.test/redirect?n=3",
		"http://a.test/status/404",
	} {
		e, err := srv.Expect(url, 5)
		fmt.Println(e.Gettable, e.Attempts, e.Status, e.Bytes, err)
	}
	// Output:
	// true 3 200 1024 <nil>
	// true 1 200 1024 <nil>
	// false 5 404 0 <nil>
}

// Over TCP a reset is a real one.
func ExampleServer_Start() {
	srv := chaos.New(chaos.Config{})
	if err := srv.Start("127.0.0.1:0"); err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	_, err := http.Get(srv.URL("/reset"))
	fmt.Println(errors.Is(err, syscall.ECONNRESET))
	// Output: true
}

// Whether a client leaves a host alone when asked to is for the server to say.
func ExampleServer_Stats() {
	srv := chaos.New(chaos.Config{Grace: time.Nanosecond})
	defer srv.Close()
	srv.StartPipe()
	client := &http.Client{Transport: &http.Transport{DialContext: srv.DialContext}}
	paths := []string{"/hold?for=1h"}
	for i := range 9 { // by a client that does not listen
		paths = append(paths, fmt.Sprint("/ok/", i))
	}
	for _, path := range paths {
		res, err := client.Get("http://a.test" + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		res.Body.Close()
	}
	st := srv.Stats()
	fmt.Println(st.Requests, "requests,", st.Status[429], "answers 429, hold violated:", st.Violations > 0)
	// Output:
	// 10 requests, 10 answers 429, hold violated: true
}

// One listener is enough for any number of hosts.
func ExamplePipe() {
	pipe := chaos.NewPipe()
	srv := chaos.New(chaos.Config{})
	go srv.Serve(pipe)
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{DialContext: pipe.DialContext}}
	for _, host := range []string{"a.test", "b.test"} {
		res, err := client.Get("http://" + host + "/ok")
		if err != nil {
			fmt.Println(err)
			return
		}
		res.Body.Close()
		fmt.Println(host, res.Status)
	}
	// Output:
	// a.test 200 OK
	// b.test 200 OK
}

func ExampleFaults() {
	for _, f := range chaos.Faults()[:3] {
		fmt.Printf("%s: %s\n", f.Example, f.Doc)
	}
	// Output:
	// /ok?size=2048&type=text/plain: the good answer: 200 with Content-Length, ETag and ranges
	// /status/503?after=2&heal=2: that status (400 to 599) with a small HTML page and, if asked for, a Retry-After header
	// /reset?heal=1: the connection is reset before any byte of an answer
}

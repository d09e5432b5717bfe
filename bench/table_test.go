package main

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

var sampleReport = report{
	Date: "2026-11-21", Command: "go run ./bench -markdown", Rounds: 11, Chunk: "100ms",
	Machine: machine{Go: "go1.26.8", Platform: "linux/amd64", CPU: "Z80", Procs: 2, Peers: []string{"a/b@v1", "c/d@v2"}},
	Results: []result{
		{Row: "clock", What: "the machine's clock", Figures: []figure{
			{Contender: "time.Now", Low: 30, Median: 31.26, High: 1234.5, Ratio: 1},
			{Contender: "time.Since", Low: 15, Median: 16, High: 17, Ratio: 0.5},
		}},
		{Row: "gate", What: "a gate", Figures: []figure{
			{Contender: "mettle", Low: 9.94, Median: 9.96, High: 99.94, Ratio: 1, Allocs: 0.0049, Bytes: 0.3},
			{Contender: "another – with a longer name", Low: 99.96, Median: 100, High: 123456, Ratio: 10.049, Allocs: 3.0001, Bytes: 127.6},
		}},
	},
}

func TestText(t *testing.T) {
	const want = `2026-11-21, ` + "`go run ./bench -markdown`" + `: 11 rounds of 100ms; go1.26.8, linux/amd64, Z80, GOMAXPROCS 2.

                                     ns       quartiles   ratio  allocs   bytes
the machine's clock
  time.Now                         31.3       30 – 1234               0       0
  time.Since                         16         15 – 17               0       0
a gate
  mettle                             10      9.9 – 99.9    1.00       0     0.3
  another – with a longer name      100    100 – 123456   10.05       3     128
`
	var got bytes.Buffer
	if err := sampleReport.text(&got); err != nil || got.String() != want {
		t.Errorf("error %v, text is\n%s\nwant\n%s", err, got.String(), want)
	}
}

func TestMarkdown(t *testing.T) {
	const want = `2026-11-21, ` + "`go run ./bench -markdown`" + `: 11 rounds of 100ms; go1.26.8, linux/amd64, Z80, GOMAXPROCS 2.

| | ns | quartiles | ratio | allocs | bytes |
|---|---:|:---:|---:|---:|---:|
| **the machine's clock** | | | | | |
| time.Now | 31.3 | 30 – 1234 |  | 0 | 0 |
| time.Since | 16 | 15 – 17 |  | 0 | 0 |
| **a gate** | | | | | |
| mettle | 10 | 9.9 – 99.9 | 1.00 | 0 | 0.3 |
| another – with a longer name | 100 | 100 – 123456 | 10.05 | 3 | 128 |

Peers: a/b@v1, c/d@v2.
`
	var got bytes.Buffer
	if err := sampleReport.markdown(&got); err != nil || got.String() != want {
		t.Errorf("error %v, page is\n%s\nwant\n%s", err, got.String(), want)
	}
}

func TestJSONKeepsEverything(t *testing.T) {
	var out bytes.Buffer
	if err := sampleReport.json(&out); err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || !reflect.DeepEqual(got, sampleReport) {
		t.Errorf("read %+v, error %v, wrote %+v", got, err, sampleReport)
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", -1: "0", 0.0099: "0", 0.04: "0", 0.06: "0.1", 1: "1", 1.04: "1", 1.06: "1.1", 12.34: "12.3", 99.96: "100", 100.4: "100", 1e6: "1000000",
	} {
		if got := short(v); got != want {
			t.Errorf("short(%v) is %s, want %s", v, got, want)
		}
	}
}

func TestPeersAreThoseThatAreMeasured(t *testing.T) {
	deps := []*debug.Module{
		{Path: "golang.org/x/sys", Version: "v1"},
		{Path: "golang.org/x/sync", Version: "v2"},
		{Path: "github.com/sony/gobreaker/v2", Version: "v3"},
	}
	want := []string{"golang.org/x/sync@v2", "github.com/sony/gobreaker/v2@v3"}
	if got := peers(deps); !slices.Equal(got, want) {
		t.Errorf("peers are %v, want %v", got, want)
	}
}

// tools are required modules that are no peers.
var tools = []string{
	"github.com/Shopify/toxiproxy/v2",
	"github.com/klauspost/cpuid/v2",
	"github.com/rs/zerolog",
}

// Nothing in the file of required modules is compared without its version being told.
func TestEveryRequiredPeerIsNamed(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range measured {
		if !strings.Contains(string(mod), "\t"+path+" v") {
			t.Errorf("go.mod does not require %s", path)
		}
	}
	for line := range strings.Lines(string(mod)) {
		path, _, required := strings.Cut(strings.TrimPrefix(line, "\t"), " v")
		if !required || strings.Contains(line, "// indirect") || slices.Contains(tools, path) {
			continue
		}
		if !slices.Contains(measured, path) {
			t.Errorf("go.mod requires %s, whose version no table tells", path)
		}
	}
}

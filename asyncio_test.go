package mettle_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var asyncioExample = regexp.MustCompile(`(?m)^func (Example_)?asyncio`)

// Each piece of Go code in docs/from-asyncio.md is code of an example, and each example is shown there.
func TestFromAsyncioShowsTheExamples(t *testing.T) {
	files, err := filepath.Glob("example_asyncio_*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files of examples, error %v", len(files), err)
	}
	var examples []string
	for _, file := range files {
		for _, example := range asyncioExample.Split(paperText(t, file), -1)[1:] {
			var code strings.Builder
			for line := range strings.Lines(example) {
				code.WriteString(strings.TrimPrefix(line, "\t"))
			}
			examples = append(examples, code.String())
		}
	}
	shown := make([]bool, len(examples))
	blocks := strings.Split(paperText(t, "docs/from-asyncio.md"), "```go\n")[1:]
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		found := false
		for i, example := range examples {
			if strings.Contains(example, block) {
				found, shown[i] = true, true
			}
		}
		if !found {
			t.Errorf("docs/from-asyncio.md shows what no example has:\n%s", block)
		}
	}
	for i, example := range examples {
		if name, _, _ := strings.Cut(example, "("); !shown[i] {
			t.Errorf("docs/from-asyncio.md shows nothing of the example %s", name)
		}
	}
}

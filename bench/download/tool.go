package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mettle-go/mettle/fetch"
)

// A tool fetches lists.
type tool struct {
	name string
	// command writes what the tool reads into the job's directory and returns its command line.
	command func(j job) ([]string, error)
	// claims returns what the tool says of each URL, by its number in the list.
	claims func(j job) ([]claim, error)
}

// A job is one list for one tool.
type job struct {
	bin     binaries
	dir     string // of this job alone
	urls    []string
	save    bool // the bodies, into dir/files
	sync    bool // each of them, where that is not always or never so
	hostile bool
}

// A claim is what a tool says of one URL.
type claim struct {
	ok    bool
	bytes int64  // -1: not said
	sum   string // SHA-256, if said
	path  string // of the saved body, if saved
}

func (j job) file(i int) string { return filepath.Join(j.dir, "files", strconv.Itoa(i)) }

// write makes a file of the job, of one piece of text for each URL.
func (j job) write(name string, text func(i int, url string) string) error {
	var b bytes.Buffer
	for i, u := range j.urls {
		b.WriteString(text(i, u))
	}
	return os.WriteFile(filepath.Join(j.dir, name), b.Bytes(), 0o666)
}

// lines reads a file of the job line by line.
func (j job) lines(name string, each func(line string) error) error {
	f, err := os.Open(filepath.Join(j.dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		if err := each(in.Text()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return in.Err()
}

func plainList(_ int, url string) string { return url + "\n" }

var mettleTool = tool{
	name: "mettle fetch",
	command: func(j job) ([]string, error) {
		argv := []string{j.bin.mettle, "fetch", "--concurrency", strconv.Itoa(atOnce), "--progress", "none", "--output", "results.jsonl"}
		if j.hostile {
			argv = append(argv, "--attempts", strconv.Itoa(attempts), "--timeout", patience.String(), "--stall", "1s", "--patience", "5s")
		} else {
			argv = append(argv, "--per-host", strconv.Itoa(atOnce))
		}
		if j.save {
			argv = append(argv, "--dir", "files")
		}
		return append(argv, "list"), j.write("list", plainList)
	},
	claims: func(j job) ([]claim, error) {
		numbers := make(map[string]int, len(j.urls))
		for i, u := range j.urls {
			numbers[u] = i
		}
		all := make([]claim, len(j.urls))
		return all, j.lines("results.jsonl", func(line string) error {
			var r struct {
				fetch.Record
				Path string `json:"path"`
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				return err
			}
			i, known := numbers[r.URL]
			if !known {
				return fmt.Errorf("%s was not asked for, or has two records", r.URL)
			}
			delete(numbers, r.URL)
			all[i] = claim{ok: r.OK, bytes: r.Bytes, sum: r.SHA256}
			if j.save && r.OK {
				all[i].path = filepath.Join(j.dir, r.Path)
			}
			return nil
		})
	},
}

var curlTool = tool{
	name: "curl",
	command: func(j job) ([]string, error) {
		argv := []string{j.bin.curl, "--no-progress-meter", "--parallel", "--parallel-max", strconv.Itoa(atOnce), "--fail", "--remove-on-error",
			"--write-out", `%{urlnum} %{exitcode}\n`}
		if j.hostile {
			seconds := strconv.Itoa(int(patience.Seconds()))
			argv = append(argv, "--location", "--retry", strconv.Itoa(attempts), "--retry-all-errors", "--retry-max-time", "120",
				"--connect-timeout", seconds, "--max-time", seconds, "--speed-limit", "1", "--speed-time", "1")
		}
		return append(argv, "--config", "list"), j.write("list", func(i int, u string) string {
			return fmt.Sprintf("url = %q\noutput = \"files/%d\"\n", u, i)
		})
	},
	claims: func(j job) ([]claim, error) {
		return numbered(j, func(fields []string) (i int, ok bool, err error) {
			if len(fields) != 2 {
				return 0, false, fmt.Errorf("%q is not what was to be written out", fields)
			}
			i, err = strconv.Atoi(fields[0])
			return i, fields[1] == "0", err
		})
	},
}

var ariaTool = tool{
	name: "aria2c",
	command: func(j job) ([]string, error) {
		argv := []string{j.bin.aria2c, "--input-file=list", "--dir=files", "--max-concurrent-downloads=" + strconv.Itoa(atOnce),
			"--max-connection-per-server=1", "--split=1", "--deferred-input=true", "--file-allocation=none", "--auto-save-interval=0", "--summary-interval=0",
			"--show-console-readout=false", "--console-log-level=error", fmt.Sprintf("--max-download-result=%d", len(j.urls))}
		if j.hostile {
			seconds := strconv.Itoa(int(patience.Seconds()))
			argv = append(argv, "--max-tries="+strconv.Itoa(attempts), "--retry-wait=1", "--max-file-not-found=1", "--timeout="+seconds,
				"--connect-timeout="+seconds)
		}
		return argv, j.write("list", func(i int, u string) string { return fmt.Sprintf("%s\n  out=%d\n", u, i) })
	},
	claims: func(j job) ([]claim, error) {
		return numbered(j, func(fields []string) (i int, ok bool, err error) {
			// gid|stat|avg speed|path/URI
			columns := strings.Split(strings.Join(fields, " "), "|")
			if len(columns) != 4 || strings.TrimSpace(columns[1]) != "OK" {
				return 0, false, nil
			}
			i, err = strconv.Atoi(filepath.Base(columns[3]))
			return i, true, err
		})
	},
}

var loopTool = tool{
	name: "bare http.Client loop",
	command: func(j job) ([]string, error) {
		argv := []string{j.bin.self, "loop"}
		if j.hostile {
			argv = append(argv, "-timeout", patience.String())
		}
		if j.save {
			argv = append(argv, "-dir", "files")
		}
		if j.sync {
			argv = append(argv, "-sync")
		}
		return append(argv, "list"), j.write("list", plainList)
	},
	claims: func(j job) ([]claim, error) {
		all, err := numbered(j, func(fields []string) (i int, ok bool, err error) {
			i, err = strconv.Atoi(fields[0])
			return i, true, err
		})
		if err != nil || j.save {
			return all, err
		}
		return all, j.lines("stdout", func(line string) error {
			number, bytes, _ := strings.Cut(line, " ")
			i, _ := strconv.Atoi(number)
			all[i].path = ""
			all[i].bytes, err = strconv.ParseInt(bytes, 10, 64)
			return err
		})
	},
}

// numbered makes claims of the tool's stdout, each line of which tells of one URL by its number: saved under that name.
func numbered(j job, parse func(fields []string) (i int, ok bool, err error)) ([]claim, error) {
	all := make([]claim, len(j.urls))
	return all, j.lines("stdout", func(line string) error {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			return nil
		}
		i, ok, err := parse(fields)
		if err != nil {
			return err
		}
		if i < 0 || i >= len(all) {
			return fmt.Errorf("%q: there is no URL of that number", line)
		}
		if ok {
			all[i] = claim{ok: true, bytes: -1, path: j.file(i)}
		}
		return nil
	})
}

package fetch

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
)

// longestResult is how many bytes a result may have. Those of a million attempts stay below.
const longestResult = 256 << 20

// load reads the file into the index.
func (j *Journal) load(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return j.wrong(err)
	}
	if j.regular = info.Mode().IsRegular(); !j.regular {
		j.settled = true
		return nil
	}
	lines := int64(0)
	rest, err := eachLine(io.NewSectionReader(f, 0, info.Size()), longestResult, func(line []byte) error {
		lines++
		if id, url, kind, err := resultOf(line); err == nil {
			j.known.add(id, url, kind)
			if kind == "" && !bytes.Contains(line, startPath) {
				j.bodiless++
			}
		} else if !blank(line) {
			return err
		}
		return nil
	})
	j.size = info.Size() - int64(len(rest))
	if err == nil && len(rest) > 0 {
		lines++
		j.keep, err = j.tail(rest)
		j.torn = len(rest) > j.keep
	}
	if errors.Is(err, errNotResult) {
		return &JournalError{Name: j.name, Line: lines, Err: ErrNotJournal}
	}
	if err != nil {
		return j.wrong(err)
	}
	j.known.seal()
	return nil
}

// tail judges what follows the last newline, and adds it to the index if it is a result.
func (j *Journal) tail(rest []byte) (keep int, err error) {
	if keep, err = judgeTail(rest, j.known.len == 0); keep > 0 {
		id, url, kind, _ := resultOf(rest[:keep])
		j.known.add(id, url, kind)
	}
	return keep, err
}

// blank reports whether a line has nothing but what JSON allows between two values. A carriage return belongs to that, too,
// so that a file which has been on another system is still a file of results.
func blank(line []byte) bool { return len(bytes.Trim(line, " \t\r")) == 0 }

// eachLine calls f with every line that ends in a newline, without it. It returns what follows the last. A line is good
// until f returns. Of one that has more than longest bytes f gets none, and it is errNotResult in any case.
func eachLine(r io.Reader, longest int, f func(line []byte) error) (rest []byte, err error) {
	br := bufio.NewReaderSize(r, 1<<20)
	var long []byte // the beginning of a line that br has no room for
	for {
		part, err := br.ReadSlice('\n')
		if len(long)+len(part) > longest {
			f(nil)
			return nil, errNotResult
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, part...)
			continue
		}
		line := part
		if len(long) > 0 {
			line = append(long, part...)
			long = nil
		}
		if errors.Is(err, io.EOF) {
			return line, nil
		}
		if err != nil {
			return nil, err
		}
		if err := f(line[:len(line)-1]); err != nil {
			return nil, err
		}
	}
}

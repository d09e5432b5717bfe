package fetch

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
)

// longestNote is more than a note of the longest URL has, and keeps a foreign file from filling the memory.
const longestNote = 8 * MaxLine

// A note is what path.part.json says of path.part.
type note struct {
	URL          string `json:"url"` // of the item
	Resource     string `json:"resource"`
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
	Total        int64  `json:"total"`  // -1: unknown
	Synced       int64  `json:"synced"` // bytes that are on the disk for certain
	SHA256       string `json:"sha256"` // of these, so that nothing else can be taken for them
}

// checkpoint makes what is here of the part safe from a power loss, and notes it. The order matters: the note is written when its bytes are on the disk,
// beside the one before it, and takes that one's place in one step.
func (p *part) checkpoint() error {
	if err := p.sync(); err != nil {
		return err
	}
	line, err := json.Marshal(note{
		URL: redacted(p.url), Resource: p.resource, ETag: p.validator.etag, LastModified: p.validator.modified,
		Total: p.total, Synced: p.size, SHA256: hex.EncodeToString(p.sum.Sum(nil)),
	})
	if err != nil {
		return unsaved(p.note(), err)
	}
	p.noted = true
	p.store.touched(filepath.Dir(p.path))
	if err := writeSynced(p.next(), line); err != nil {
		os.Remove(p.next())
		return unsaved(p.next(), err)
	}
	if err := os.Rename(p.next(), p.note()); err != nil {
		return unsaved(p.note(), err)
	}
	p.synced = p.size
	return syncNames(filepath.Dir(p.path))
}

func writeSynced(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = syncFile(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func readNote(name string) (n note, err error) {
	f, err := os.Open(name)
	if err != nil {
		return n, unsaved(name, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, longestNote))
	if err != nil {
		return n, unsaved(name, err)
	}
	if json.Unmarshal(text, &n) != nil {
		return n, errForeign
	}
	return n, nil
}

// fill gives p what the note says of it, and reports whether that can be so.
func (n note) fill(p *part) bool {
	p.validator = validator{etag: n.ETag, modified: n.LastModified, old: true} // there are only notes of parts with a strong one
	p.resource, p.total, p.size, p.synced = n.Resource, n.Total, n.Synced, n.Synced
	return p.resumable() && n.Total >= -1 && (n.Total == -1 || n.Synced <= n.Total)
}

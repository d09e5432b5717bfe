package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
)

var (
	// checkpointAt is how many bytes may be lost of a part when the power fails. Tests lower it.
	checkpointAt int64 = 8 << 20
	// worthwhile is how many bytes a part must have for a later run to ask for the rest only.
	worthwhile int64 = 64 << 10
)

// A part is a body on its way to its file, over all attempts: path.part holds what has come so far, and path.part.json, once it is worth while,
// what it takes to ask for the rest in a later run. The request that runs for the item owns the part, then who saves it; between
// requests it has no open file.
//
// A part without a path is hashed and not kept.
type part struct {
	store *store
	path  string // of the file that it will be
	url   string // of the item
	key   uint64 // of the claim
	whole bool   // the item asks for all of the body by GET, so that the rest can be asked for

	answer    *http.Response // that the validator is to be taken from
	validator validator
	resource  string    // that the validator is of
	total     int64     // bytes of the whole body; -1: unknown
	size      int64     // bytes that are here
	sum       hash.Hash // of these
	synced    int64     // how many of these path.part.json stands for; 0: there is none
	best      int64     // the most that size was at the end of an attempt
	sought    bool      // for what an earlier run left
	exists    bool      // path.part, made by this run or found whole
	noted     bool      // there is a note, or what an earlier run left of one
	file      file      // path.part, while a request brings bytes, and then until it is synced
	safe      bool      // all of it is on the disk
	spoiled   bool      // a sync failed: what is behind synced may never get to the disk, even if the next sync does not fail
	refused   bool      // the server wants no question for the rest
	litter    bool      // there may be something of an earlier run that is of no use
}

func (p *part) temp() string { return p.path + ".part" }
func (p *part) note() string { return p.path + ".part.json" }
func (p *part) next() string { return p.path + ".part.json.new" } // the note, while it is written

// resumable reports whether the rest of the body may be asked for.
func (p *part) resumable() bool {
	return p.whole && !p.refused && p.path != "" && p.size > 0 && p.validator.ifRange() != ""
}

// create begins the part anew.
func (p *part) create() error {
	p.forget()
	if p.path == "" {
		return nil
	}
	if err := p.store.mkdir(filepath.Dir(p.path)); err != nil {
		return err
	}
	f, err := createFile(p.temp())
	if p.noted || errors.Is(err, fs.ErrExist) {
		// First of all: a note must never stand beside bytes that are not its own.
		if err := errors.Join(remove(p.note()), remove(p.next())); err != nil {
			if f != nil {
				f.Close()
			}
			return err
		}
		p.noted, p.synced = false, 0
	}
	if errors.Is(err, fs.ErrExist) {
		if err := remove(p.temp()); err != nil { // not cut to nothing: it may be a link to what is not ours
			return err
		}
		f, err = createFile(p.temp())
	}
	if err != nil {
		return unsaved(p.temp(), err)
	}
	p.file, p.exists, p.litter = f, true, false
	return nil
}

// forget sets the part to no bytes of an unknown body.
func (p *part) forget() {
	p.answer, p.validator, p.resource = nil, validator{}, ""
	p.size, p.total, p.safe, p.spoiled = 0, -1, false, false
	if p.sum == nil {
		p.sum = sha256.New()
	}
	p.sum.Reset()
}

// reopen makes ready to write after what is here. It returns errLost if that is gone.
func (p *part) reopen() error {
	f, err := os.OpenFile(p.temp(), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return errLost
	}
	if err != nil {
		return unsaved(p.temp(), err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() < p.size {
		f.Close()
		return errLost
	}
	if err == nil {
		err = f.Truncate(p.size)
	}
	if err == nil {
		_, err = f.Seek(p.size, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return unsaved(p.temp(), err)
	}
	p.file = f
	return nil
}

// write appends b, and sees to it that no more than checkpointAt bytes are at risk.
func (p *part) write(b []byte) error {
	if p.file != nil {
		if _, err := p.file.Write(b); err != nil {
			return unsaved(p.temp(), err)
		}
	}
	p.sum.Write(b)
	p.size += int64(len(b))
	if p.size-p.synced < checkpointAt {
		return nil
	}
	if p.validate(); !p.resumable() {
		return nil
	}
	return p.checkpoint()
}

// suspend ends an attempt that did not bring the body to its end. What may be of use to the next one is kept.
func (p *part) suspend() error {
	if p.validate(); !p.resumable() {
		return p.drop()
	}
	if p.file == nil {
		return nil
	}
	var err error
	if p.size-p.synced >= worthwhile && !p.spoiled {
		err = p.checkpoint()
	}
	if cerr := p.file.Close(); err == nil && cerr != nil {
		err = unsaved(p.temp(), cerr)
	}
	p.file = nil
	return err
}

// finish turns the part, which has all of the body, into the file. That is safe from a power loss when it returns.
func (p *part) finish() error {
	if err := p.saveBytes(); err != nil {
		return err
	}
	if err := p.rename(); err != nil {
		return err
	}
	return syncNames(filepath.Dir(p.path))
}

// hurry asks the system to begin with the bytes, so that others can be asked for before saveBytes waits for these.
func (p *part) hurry() {
	if !p.safe {
		startWriting(p.file)
	}
}

// saveBytes makes the bytes that are here safe from a power loss, and closes the file.
func (p *part) saveBytes() error {
	var err error
	if !p.safe {
		err = p.sync()
	}
	if cerr := p.file.Close(); err == nil && cerr != nil {
		err = unsaved(p.temp(), cerr)
	}
	p.file = nil
	return err
}

// sync makes what was written safe from a power loss.
func (p *part) sync() error {
	if err := syncFile(p.file); err != nil {
		p.spoiled = true
		return unsaved(p.temp(), err)
	}
	return nil
}

// rename gives the body its name, once its bytes are safe. The name is safe when its directory has been synced.
func (p *part) rename() error {
	if err := rename(p.temp(), p.path); err != nil {
		return unsaved(p.path, err)
	}
	p.exists = false
	if p.noted { // after the rename: a part without its note would be worth nothing
		if err := errors.Join(remove(p.note()), remove(p.next())); err != nil {
			return err
		}
		p.noted, p.synced = false, 0
	}
	return nil
}

// drop removes what is on disk of the part, so that the next attempt begins anew.
func (p *part) drop() error {
	p.forget()
	if p.file != nil {
		p.file.Close()
		p.file = nil
	}
	if !p.exists {
		return nil
	}
	err := remove(p.temp())
	if p.noted {
		err = errors.Join(err, remove(p.note()), remove(p.next()))
	}
	p.exists, p.noted, p.synced = false, false, 0
	return err
}

// abandon removes the part where no later run could go on with it. No request may run for it any more.
func (p *part) abandon() {
	if p.file != nil { // whole, but not saved
		p.suspend()
	}
	// It is only litter if one of these fails.
	if p.exists && p.synced == 0 {
		remove(p.temp())
		p.exists = false
	}
	if p.litter && errors.Join(remove(p.note()), remove(p.next())) == nil {
		remove(p.temp())
	}
}

// redacted is the URL as a note has it, without a password.
func redacted(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	return u.Redacted()
}

func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unsaved(name, err)
	}
	return nil
}

// find looks for what an earlier run left. What is not certain to be that, whole and of this URL, is as good as nothing. It returns an error
// only if that cannot be known now.
func (p *part) find(ctx context.Context, buf []byte) error {
	err := p.read(ctx, buf)
	if err == nil {
		p.sought, p.exists, p.best = true, true, p.size
		return nil
	}
	p.forget()
	p.synced = 0
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case scarce(err):
		return err
	}
	p.sought, p.litter = true, true
	return nil
}

func (p *part) read(ctx context.Context, buf []byte) error {
	n, err := readNote(p.note())
	p.noted = !errors.Is(err, fs.ErrNotExist)
	if err != nil {
		return err
	}
	if n.URL != redacted(p.url) || !n.fill(p) {
		return errForeign
	}
	if p.sum, err = hashFile(ctx, p.temp(), n.Synced, buf); err != nil {
		return err
	}
	if hex.EncodeToString(p.sum.Sum(nil)) != n.SHA256 {
		return errForeign
	}
	return nil
}

// hashFile hashes the first n bytes of the file.
func hashFile(ctx context.Context, name string, n int64, buf []byte) (hash.Hash, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, unsaved(name, err)
	}
	defer f.Close()
	sum := sha256.New()
	for n > 0 && ctx.Err() == nil {
		m, err := f.Read(buf[:min(n, int64(len(buf)))])
		sum.Write(buf[:m])
		n -= int64(m)
		if err != nil && n > 0 {
			return nil, unsaved(name, err)
		}
	}
	return sum, ctx.Err()
}

package fetch

import (
	"cmp"
	"hash/maphash"
	"slices"
	"unicode/utf8"
)

// An index knows which ids have a result, for which URL and of what kind: 12 bytes each, so that ten million take 120 MB. It keeps
// fingerprints of 87 bits instead of ids. Their seeds are drawn anew for each index, so that nobody can choose ids that collide; by chance, ten
// million ids looked up among ten million others meet a wrong one once in 10^12 runs. The 16 bits of a URL only tell results of one id apart.
//
// First everything is added, then it is sealed, then ids are taken. Each result answers for one item of its id.
type index struct {
	seeds  [2]maphash.Seed
	shards [1 << shardBits]shard
	kinds  []Kind // by their number in a fingerprint; the first is "", for ok
	counts []int64
	len    int64
	taken  int64
}

const (
	shardBits = 12
	urlBits   = 16
	kindBits  = 5 // the lowest of a fingerprint's last word; above them is the URL
	kindMask  = 1<<kindBits - 1
	urlMask   = (1<<urlBits - 1) << kindBits
)

// A shard has the fingerprints whose leading bits are its number. In 4,096 small pieces they grow and are sorted
// without a copy of the whole.
type shard struct {
	prints []fingerprint // sorted, once sealed
	taken  []uint64
}

type fingerprint [3]uint32

func (p *fingerprint) high() uint64 { return uint64(p[0])<<32 | uint64(p[1]) }

func (p *fingerprint) compare(q *fingerprint) int {
	if a, b := p.high(), q.high(); a != b {
		return cmp.Compare(a, b)
	}
	return cmp.Compare(p[2], q[2])
}

func newIndex() *index {
	return &index{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, kinds: []Kind{""}, counts: []int64{0}}
}

// locate returns the fingerprint of the hashes of an id and a URL without a kind, and its shard.
func (x *index) locate(a, b, url uint64) (fingerprint, *shard) {
	last := uint32(b)&^(urlMask|kindMask) | uint32(url)<<kindBits&urlMask
	return fingerprint{uint32(a), uint32(b >> 32), last}, &x.shards[a>>(64-shardBits)]
}

func (x *index) add(id, url []byte, kind Kind) {
	p, s := x.locate(maphash.Bytes(x.seeds[0], id), maphash.Bytes(x.seeds[1], id), maphash.Bytes(x.seeds[0], url))
	n := x.number(kind)
	p[2] |= uint32(n)
	s.prints = append(s.prints, p)
	x.counts[n]++
	x.len++
}

// number finds the number of a kind, or gives it one. There are far fewer kinds than numbers; if a file of strange
// origin has more, the rest are other.
func (x *index) number(kind Kind) int {
	if n := slices.Index(x.kinds, kind); n >= 0 {
		return n
	}
	if len(x.kinds) >= kindMask && kind != KindOther {
		return x.number(KindOther)
	}
	x.kinds, x.counts = append(x.kinds, kind), append(x.counts, 0)
	return len(x.kinds) - 1
}

func (x *index) seal() {
	for i := range x.shards {
		s := &x.shards[i]
		slices.SortFunc(s.prints, func(a, b fingerprint) int { return a.compare(&b) })
		s.taken = make([]uint64, (len(s.prints)+63)/64)
	}
}

func (s *shard) isTaken(i int) bool { return s.taken[i/64]&(1<<(i%64)) != 0 }

// take finds a result of that id and URL which has not been taken yet, one that is ok first, and takes it.
func (x *index) take(id, url string) (kind Kind, ok bool) {
	p, s := x.find(id, url)
	last := p
	last[2] |= kindMask
	return x.takeFirst(s, p, last)
}

// takeAny is take for whatever URL.
func (x *index) takeAny(id string) (kind Kind, ok bool) {
	p, last, s := x.span(id)
	return x.takeFirst(s, p, last)
}

// has reports whether takeAny would find one.
func (x *index) has(id string) bool {
	p, last, s := x.span(id)
	_, ok := s.free(p, last)
	return ok
}

// drop reports whether a result of that id, URL and kind has been taken, and forgets that, so that of n alike results as many are
// dropped as were taken. Nothing can be taken any more after it.
func (x *index) drop(id, url []byte, kind Kind) bool {
	p, s := x.locate(maphash.Bytes(x.seeds[0], id), maphash.Bytes(x.seeds[1], id), maphash.Bytes(x.seeds[0], url))
	p[2] |= uint32(x.number(kind))
	// The last of those taken, so that they still stand before the others.
	at := s.search(p[0], func(i int) bool {
		c := s.prints[i].compare(&p)
		return c < 0 || c == 0 && s.isTaken(i)
	}) - 1
	if at < 0 || s.prints[at] != p {
		return false
	}
	s.taken[at/64] &^= 1 << (at % 64)
	return true
}

func (x *index) find(id, url string) (fingerprint, *shard) {
	return x.locate(maphash.String(x.seeds[0], id), maphash.String(x.seeds[1], id), maphash.String(x.seeds[0], url))
}

// span returns the least and the greatest fingerprint of the id.
func (x *index) span(id string) (p, last fingerprint, s *shard) {
	p, s = x.find(id, "")
	p[2] &^= urlMask
	last = p
	last[2] |= urlMask | kindMask
	return p, last, s
}

func (x *index) takeFirst(s *shard, p, last fingerprint) (kind Kind, ok bool) {
	at, ok := s.free(p, last)
	if !ok {
		return "", false
	}
	s.taken[at/64] |= 1 << (at % 64)
	x.taken++
	return x.kinds[s.prints[at][2]&kindMask], true
}

// free finds the first fingerprint from p to last that has not been taken. What is taken of one id and URL stands before the rest of it. One id may
// fill the whole file, so that counting along would not do.
func (s *shard) free(p, last fingerprint) (at int, ok bool) {
	group := p // the last of one id and URL; what is before it in the span is taken
	for {
		group[2] |= kindMask
		at = s.search(p[0], func(i int) bool {
			q := &s.prints[i]
			return q.compare(&p) < 0 || q.compare(&group) <= 0 && s.isTaken(i)
		})
		if at == len(s.prints) || s.prints[at].compare(&last) > 0 {
			return 0, false
		}
		if s.prints[at].compare(&group) <= 0 {
			return at, true
		}
		group = s.prints[at]
	}
}

// search returns the first place that is not before what is looked for. It begins where a fingerprint with that first word is to be
// expected, as they are spread evenly, and seldom has to go far: a search by halves would wait for memory ten times.
func (s *shard) search(first uint32, before func(i int) bool) int {
	from, to := 0, len(s.prints)
	guess := int(uint64(first) * uint64(to) >> 32)
	if guess == to || !before(guess) {
		to = guess
		for step := 16; to-step >= from; step *= 4 {
			if before(to - step) {
				from = to - step + 1
				break
			}
			to -= step
		}
	} else {
		from = guess + 1
		for step := 16; from+step < to; step *= 4 {
			if !before(from + step) {
				to = from + step
				break
			}
			from += step + 1
		}
	}
	for from < to {
		if mid := (from + to) / 2; before(mid) {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return from
}

// failed is how many of the results are not ok.
func (x *index) failed() int64 { return x.len - x.counts[0] }

// written returns id as it comes back from a line of JSON: each byte that is not UTF-8 replaced.
func written(id string) string {
	if utf8.ValidString(id) {
		return id
	}
	return string([]rune(id))
}

package ratelimit

import "testing"

// A logMutant is a Log with a bug planted.
type logMutant struct {
	*Log
	take    func(l *Log, now int64, n int, within int64) (int64, int64, bool)
	cancel  func(l *Log, id int64, n int, now int64)
	setRate func(l *Log, rate int, per, now int64) []int64
}

func (m logMutant) Take(now int64, n int, within int64) (int64, int64, bool) {
	if m.take != nil {
		return m.take(m.Log, now, n, within)
	}
	return m.Log.Take(now, n, within)
}

func (m logMutant) Cancel(id int64, n int, now int64) {
	if m.cancel != nil {
		m.cancel(m.Log, id, n, now)
		return
	}
	m.Log.Cancel(id, n, now)
}

func (m logMutant) SetRate(rate int, per, now int64) []int64 {
	if m.setRate != nil {
		return m.setRate(m.Log, rate, per, now)
	}
	return m.Log.SetRate(rate, per, now)
}

func TestPlantedBugsInTheLogAreCaught(t *testing.T) {
	for name, c := range map[string]struct {
		bug     logMutant
		unsound bool // calls too many come of it
	}{
		"a canceled call still counts": {bug: logMutant{cancel: func(*Log, int64, int, int64) {}}},
		"a canceled call is taken out though it is to come": {bug: logMutant{cancel: func(l *Log, id int64, n int, now int64) {
			l.Cancel(id, n, now)
			for _, id := range l.free {
				i := l.find(id)
				l.entries = append(l.entries[:i], l.entries[i+1:]...)
			}
			l.free = nil
		}}},
		"a place is good after its time": {unsound: true, bug: logMutant{take: func(l *Log, now int64, n int, within int64) (int64, int64, bool) {
			if n == 1 && len(l.free) > 0 && l.entries[l.find(l.free[0])].at < now {
				return l.retake(0, within)
			}
			return l.Take(now, n, within)
		}}},
		"the window is too short": {unsound: true, bug: logMutant{take: func(l *Log, now int64, n int, within int64) (int64, int64, bool) {
			l.Per--
			defer func() { l.Per++ }()
			return l.Take(now, n, within)
		}}},
		"the window is closed": {bug: logMutant{take: func(l *Log, now int64, n int, within int64) (int64, int64, bool) {
			l.Per++
			defer func() { l.Per-- }()
			return l.Take(now, n, within)
		}}},
		"one call too many": {unsound: true, bug: logMutant{take: func(l *Log, now int64, n int, within int64) (int64, int64, bool) {
			l.Rate++
			defer func() { l.Rate-- }()
			return l.Take(now, n, within)
		}}},
		"a change of the rate forgets": {unsound: true, bug: logMutant{setRate: func(l *Log, rate int, per, now int64) []int64 {
			void := l.SetRate(rate, per, now)
			l.gone, l.entries = Unset, nil
			return void
		}}},
		"a change of the rate does not concern who waits": {unsound: true, bug: logMutant{setRate: func(l *Log, rate int, per, now int64) []int64 {
			l.Rate, l.Per, l.keep = rate, per, max(l.keep, rate)
			return nil
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			with := func(l *Log) logSubject { b := c.bug; b.Log = l; return b }
			try := func(run func() error) (wrong bool) {
				defer func() {
					if recover() != nil { // a bug may do that as well
						wrong = true
					}
				}()
				return run() != nil
			}
			wrong, unsound := false, false
			for seed := uint64(0); seed < 500 && !wrong; seed++ {
				wrong = try(func() error { _, err := checkLog(seed, 300, with); return err })
			}
			for seed := uint64(0); seed < 1000 && c.unsound && !unsound; seed++ {
				unsound = try(func() error { return historyOfLog(seed, with) })
			}
			if !wrong {
				t.Error("500 random runs do not show the difference")
			}
			if unsound != c.unsound {
				t.Errorf("a window with too many calls was found: %v, want %v", unsound, c.unsound)
			}
		})
	}
}

// A Log at work for long needs no memory but what its window does.
func TestALogDoesNotGrow(t *testing.T) {
	l := NewLog(100, 1000)
	var now int64
	step := func() {
		for range 1000 {
			id, _, ok := l.Take(now, 1, 1<<40)
			if ok && now%3 == 0 {
				l.Cancel(id, 1, now)
			}
			now += 10
		}
	}
	step()
	if allocs := testing.AllocsPerRun(20, step); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
	if cap(l.buf) > 1000 {
		t.Errorf("room for %d calls", cap(l.buf))
	}
}

package fetch

import "fmt"

// A FailuresError says how many of a run's results were failures when that became too many. Results of earlier runs are not among them, nor
// those of requests that ran on within Config.Grace.
type FailuresError struct{ Failed, Results int }

// Error tells both numbers.
func (e *FailuresError) Error() string {
	return fmt.Sprintf("%v: %d of %d results", ErrFailures, e.Failed, e.Results)
}

// Unwrap returns ErrFailures.
func (e *FailuresError) Unwrap() error { return ErrFailures }

// stop lets nothing be started any more, for that reason, unless the run is stopping already.
func (f *run) stop(why error) {
	if !f.stopped {
		f.stopped, f.why = true, why
	}
}

// over reports whether the run has come to its end, and with what error.
func (f *run) over() (bool, error) {
	if !f.stopped {
		// What runs with nothing pending is a request that has lost its race.
		return f.in == nil && f.pending == 0 && f.away == 0 && f.running == 0, f.ended()
	}
	if f.running > 0 || f.saving > 0 {
		return false, nil
	}
	if f.in != nil {
		select {
		case _, ok := <-f.in: // which nobody looks at any more: it may have ended in the meantime
			if !ok {
				f.accept(arrival{}, false)
			}
		default:
		}
	}
	if f.in == nil && f.meter.Counts().Left() == 0 {
		return true, f.ended() // stopped in vain: there was nothing left to do
	}
	return true, f.why
}

// ended is what Run returns when everything has its record.
func (f *run) ended() error {
	if f.readErr == nil && f.tally.tooMany(f.cfg, 1) {
		return f.tally.failures()
	}
	return f.readErr
}

// A tally counts the results of this run, those of earlier ones excluded.
type tally struct{ done, failed int }

// shareFrom is how many results there must be before the share of failures among them tells something.
const shareFrom = 100

func (t *tally) add(r *Record) {
	t.done++
	if !r.OK {
		t.failed++
	}
}

func (t *tally) failures() error { return &FailuresError{Failed: t.failed, Results: t.done} }

// tooMany reports whether there are more failures than c allows. Their share counts once there are that many results.
func (t *tally) tooMany(c Config, from int) bool {
	return c.MaxFailures > 0 && t.failed >= c.MaxFailures ||
		c.MaxFailureShare > 0 && t.done >= from && float64(t.failed) > c.MaxFailureShare*float64(t.done)
}

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mettle-go/mettle/fetch"
)

// outcome turns the end of a run into that of the command. That results are lost comes before all else, a signal before what it has brought about.
func outcome(c fetch.Counts, err error, interrupted int, a allowance, out *output) error {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*fetch.JournalError](err); ok {
		f := badResults(out.name, out.journal.Len(), e)
		if f.hint == "" {
			f.hint = out.resume()
		}
		return f
	}
	if e, ok := errors.AsType[*fetch.SaveError](err); ok {
		return cannotSave(e, out.resume())
	}
	switch {
	case errors.Is(err, fetch.ErrWrite):
		return failed(exitOutput, "%s", strings.TrimPrefix(err.Error(), "fetch: ")).hinting("%s", out.resume())
	case err != nil && interrupted != 0:
		return &failure{code: interrupted, hint: out.resume()}
	case errors.Is(err, fetch.ErrFailures):
		return tooManyFailures(c, err, a, out.resume())
	case errors.Is(err, fetch.ErrTime):
		return failed(exitTime, "out of time, %s", leftOf(c)).hinting("%s", out.resume())
	case errors.Is(err, fetch.ErrRead):
		return cannotRead(inputOf(err), err)
	case err != nil:
		return fmt.Errorf("fetch: %w", err)
	}
	if code := exitCode(c); code != exitOK {
		return &failure{code: code}
	}
	return nil
}

// leftOf is how much is still to do, as far as the list was read.
func leftOf(c fetch.Counts) string {
	switch left := c.Left(); {
	case c.AllRead:
		return number(left) + " still to do"
	case left > 0:
		return "more than " + number(left) + " still to do"
	}
	return "and the list goes on"
}

// tooManyFailures says how many there were, and what is left to do, if anything is.
func tooManyFailures(c fetch.Counts, err error, a allowance, resume string) *failure {
	limit := "--max-failures " + a.String()
	e, _ := errors.AsType[*fetch.FailuresError](err)
	share := fmt.Sprintf("%s of %s failed", number(int64(e.Failed)), number(int64(e.Results)))
	if c.AllRead && c.Left() == 0 {
		return failed(exitBudget, "%s, which %s does not allow", share, limit)
	}
	return failed(exitBudget, "stopped by %s when %s, %s", limit, share, leftOf(c)).hinting("%s", resume)
}

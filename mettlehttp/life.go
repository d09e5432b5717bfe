package mettlehttp

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// A life is that of an attempt's context where a policy has put a context of its own around the attempt: as long as the policy's until there is an answer, and
// then as long as the request's own, or until the body has been read or closed. The policy's ends when its Do returns, which is before anybody has read the
// body. The zero life is that of an attempt under the request's own context.
type life struct {
	cancel context.CancelCauseFunc
	policy context.Context
	untie  func() bool // ends the tie to the policy's context
	caller context.Context
}

// live returns the context for an attempt under ctx.
func (c *call) live(ctx context.Context) (context.Context, life) {
	if ctx.Done() == c.ctx.Done() {
		return ctx, life{}
	}
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	untie := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	l := life{cancel, ctx, untie, c.ctx}
	if deadline, ok := ctx.Deadline(); ok {
		return timed{own, deadline}, l // dialers share the time out among addresses
	}
	return own, l
}

// timed is a context that tells a deadline which somebody else keeps.
type timed struct {
	context.Context
	deadline time.Time
}

func (t timed) Deadline() (time.Time, bool) { return t.deadline, true }

// outlive makes resp live on when the policy's context ends. It returns an error, and has closed resp, if that one ended while the answer came.
func (l life) outlive(resp *http.Response) error {
	if l.cancel == nil {
		return nil
	}
	caller := context.AfterFunc(l.caller, func() { l.cancel(context.Cause(l.caller)) })
	release := sync.OnceFunc(func() { caller(); l.cancel(nil) })
	if !l.untie() {
		resp.Body.Close()
		release()
		return context.Cause(l.policy)
	}
	switch body := resp.Body.(type) {
	case nil:
		release()
	case io.ReadWriteCloser: // of 101 Switching Protocols
		resp.Body = struct {
			*living
			io.Writer
		}{&living{body, release}, body}
	default:
		if body == http.NoBody {
			release()
		} else {
			resp.Body = &living{body, release}
		}
	}
	return nil
}

// end hears that there is no response.
func (l life) end() {
	if l.cancel != nil {
		l.untie()
		l.cancel(nil)
	}
}

// A living body keeps its context alive until it has been read or closed.
type living struct {
	body    io.ReadCloser
	release func()
}

func (b *living) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err != nil {
		b.release()
	}
	return n, err
}

func (b *living) Close() error {
	err := b.body.Close()
	b.release()
	return err
}

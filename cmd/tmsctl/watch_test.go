package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/pkg/client"
)

// recorder records what a watch shows.
type recorder struct{ shown []string }

func (r *recorder) show(_, changed []*tmsv1.Lease) error {
	var states []string
	for _, lease := range changed {
		states = append(states, lease.GetId()+" "+stateName(lease.GetState()))
	}
	r.shown = append(r.shown, strings.Join(states, ", "))
	return nil
}

func (r *recorder) lost(error) error {
	r.shown = append(r.shown, "lost")
	return nil
}

// TestWatch checks what a watch shows of the changes of leases, and when it ends.
func TestWatch(t *testing.T) {
	t.Parallel()
	lease := func(id string, state tmsv1.State) *tmsv1.Lease { return &tmsv1.Lease{Id: id, State: state} }
	const starting, serving = tmsv1.State_STATE_STARTING, tmsv1.State_STATE_SERVING
	lost := &client.Error{Code: connect.CodeUnavailable}
	require.True(t, lost.Unreachable())
	forbidden := &client.Error{Code: connect.CodePermissionDenied, Reached: true}
	missing := &client.Error{Code: connect.CodeNotFound, Reached: true}
	for name, test := range map[string]struct {
		single bool
		lists  []any // []*tmsv1.Lease or error; the last one is repeated
		want   []string
		err    error
	}{
		"changes": {lists: []any{
			[]*tmsv1.Lease{lease("a", starting)},
			[]*tmsv1.Lease{lease("a", starting), lease("b", starting)},
			[]*tmsv1.Lease{lease("a", serving), lease("b", starting)},
			[]*tmsv1.Lease{lease("a", serving)},
		}, want: []string{"a starting", "b starting", "a serving", "b released", ""}},
		"no lease":          {lists: []any{[]*tmsv1.Lease(nil)}, want: []string{"", "", "", "", ""}},
		"lost for a moment": {lists: []any{[]*tmsv1.Lease{lease("a", starting)}, lost, []*tmsv1.Lease{lease("a", serving)}}, want: []string{"a starting", "lost", "a serving", "", ""}},
		"lost at first":     {lists: []any{lost}, err: lost},
		"forbidden":         {lists: []any{[]*tmsv1.Lease{lease("a", starting)}, forbidden}, want: []string{"a starting"}, err: forbidden},
		"missing at first":  {single: true, lists: []any{missing}, err: missing},
		"deleted":           {single: true, lists: []any{[]*tmsv1.Lease{lease("a", serving)}, missing}, want: []string{"a serving", "a released"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
				defer cancel()
				output, calls := new(recorder), 0
				w := &watch{interval: 2 * time.Second, single: test.single, output: output, list: func(context.Context) ([]*tmsv1.Lease, error) {
					next := test.lists[min(calls, len(test.lists)-1)]
					calls++
					if err, ok := next.(error); ok {
						return nil, err
					}
					return next.([]*tmsv1.Lease), nil
				}}
				require.Equal(t, test.err, w.run(ctx))
				require.Equal(t, test.want, output.shown)
			})
		})
	}
}

// TestWatchFirstCall checks that a watch fails if its time is over before the first response.
func TestWatchFirstCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w := &watch{interval: time.Second, output: new(recorder), list: func(ctx context.Context) ([]*tmsv1.Lease, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		require.ErrorIs(t, w.run(ctx), context.DeadlineExceeded)
	})
}

// TestScreen checks that a table is drawn over the one before, and fits the terminal.
func TestScreen(t *testing.T) {
	t.Parallel()
	var terminal bytes.Buffer
	drawn := func() string { defer terminal.Reset(); return terminal.String() }
	s := &screen{w: &terminal, size: func() (width, height int) { return 20, 4 }}
	lease := func(id string) *tmsv1.Lease { return &tmsv1.Lease{Id: id} }

	require.NoError(t, s.show([]*tmsv1.Lease{lease("a")}, nil))
	require.Equal(t, "\r\x1b[J\x1b[?7l"+"ID  MODELS  STATE  \n"+"a   -       unspeci\n\x1b[?7h", drawn())
	require.NoError(t, s.lost(errors.New("gone\x1b")))
	require.Equal(t, "\x1b[2A\r\x1b[J\x1b[?7l"+"ID  MODELS  STATE  \n"+"a   -       unspeci\n"+`gone\x1b: retrying`+"\n\x1b[?7h", drawn())
	require.NoError(t, s.show([]*tmsv1.Lease{lease("a"), lease("b"), lease("c"), lease("d")}, nil))
	require.Equal(t, "\x1b[3A\r\x1b[J\x1b[?7l"+"ID  MODELS  STATE  \n"+"a   -       unspeci\n"+"and 3 more lines\n\x1b[?7h", drawn())
	require.NoError(t, s.show(nil, nil))
	require.Equal(t, "\x1b[3A\r\x1b[J\x1b[?7l"+"ID  MODELS  STATE  \n\x1b[?7h", drawn())
}

package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// bufferSize is how many bytes one end can write before the other reads. net.Pipe has
// no buffer, and HTTP/2 over it can deadlock.
const bufferSize = 64 << 10

// pipe returns the two ends of a connection.
func pipe() (a, b net.Conn) {
	to, from := newHalf(), newHalf()
	return &end{in: from, out: to}, &end{in: to, out: from}
}

// half is one direction of a connection.
type half struct {
	lock    sync.Mutex
	data    []byte
	closed  bool          // by either end
	changed chan struct{} // closed and replaced on each change
	// readDeadline and writeDeadline are zero if there is none.
	readDeadline, writeDeadline time.Time
}

func newHalf() *half { return &half{changed: make(chan struct{})} }

// update runs f under the lock, and wakes the goroutines in wait.
func (h *half) update(f func()) {
	h.lock.Lock()
	defer h.lock.Unlock()
	f()
	close(h.changed)
	h.changed = make(chan struct{})
}

// wait calls try under the lock, at first and after each change, until it returns true or
// the deadline passes.
func (h *half) wait(deadline func() time.Time, try func() (done bool)) error {
	for {
		h.lock.Lock()
		done, changed, until := try(), h.changed, deadline()
		h.lock.Unlock()
		if done {
			return nil
		}
		var expired <-chan time.Time
		if !until.IsZero() {
			left := time.Until(until)
			if left <= 0 {
				return os.ErrDeadlineExceeded
			}
			timer := time.NewTimer(left)
			defer timer.Stop()
			expired = timer.C
		}
		select {
		case <-changed:
		case <-expired:
		}
	}
}

// end is one end of a connection.
type end struct{ in, out *half }

// Read implements net.Conn.
func (e *end) Read(to []byte) (n int, err error) {
	waitErr := e.in.wait(func() time.Time { return e.in.readDeadline }, func() bool {
		if n = copy(to, e.in.data); n == 0 && e.in.closed {
			err = io.EOF
		}
		e.in.data = e.in.data[n:]
		return n > 0 || err != nil || len(to) == 0
	})
	if waitErr != nil {
		return 0, waitErr
	}
	e.in.update(func() {})
	return n, err
}

// Write implements net.Conn.
func (e *end) Write(from []byte) (n int, err error) {
	for n < len(from) {
		waitErr := e.out.wait(func() time.Time { return e.out.writeDeadline }, func() bool {
			chunk := from[n:min(len(from), n+max(0, bufferSize-len(e.out.data)))]
			if e.out.closed {
				err = io.ErrClosedPipe
				return true
			}
			e.out.data = append(e.out.data, chunk...)
			n += len(chunk)
			return len(chunk) > 0
		})
		if waitErr != nil {
			return n, waitErr
		}
		e.out.update(func() {})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Close implements net.Conn. The other end can still read what was written.
func (e *end) Close() error {
	e.in.update(func() { e.in.closed = true })
	e.out.update(func() { e.out.closed = true })
	return nil
}

// SetReadDeadline implements net.Conn.
func (e *end) SetReadDeadline(at time.Time) error {
	e.in.update(func() { e.in.readDeadline = at })
	return nil
}

// SetWriteDeadline implements net.Conn.
func (e *end) SetWriteDeadline(at time.Time) error {
	e.out.update(func() { e.out.writeDeadline = at })
	return nil
}

// SetDeadline implements net.Conn.
func (e *end) SetDeadline(at time.Time) error {
	_ = e.SetReadDeadline(at)
	return e.SetWriteDeadline(at)
}

// LocalAddr implements net.Conn.
func (e *end) LocalAddr() net.Addr { return address{} }

// RemoteAddr implements net.Conn.
func (e *end) RemoteAddr() net.Addr { return address{} }

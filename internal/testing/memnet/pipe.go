package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// room is how much one end may write before the other reads, as networks have it:
// HTTP/2 on a net.Pipe, which has none, can come to a standstill.
const room = 64 << 10

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
	changed chan struct{} // closed, and replaced, when something changes
	// read and write are when reading and writing end, where they are set.
	read, write time.Time
}

func newHalf() *half { return &half{changed: make(chan struct{})} }

// change changes something, and wakes who waits for it.
func (h *half) change(something func()) {
	h.lock.Lock()
	defer h.lock.Unlock()
	something()
	close(h.changed)
	h.changed = make(chan struct{})
}

// wait tries, under the lock, until something can be done or the deadline has come.
func (h *half) wait(deadline func() time.Time, try func() (done bool)) error {
	for {
		h.lock.Lock()
		done, changed, until := try(), h.changed, deadline()
		h.lock.Unlock()
		if done {
			return nil
		}
		var late <-chan time.Time
		if !until.IsZero() {
			left := time.Until(until)
			if left <= 0 {
				return os.ErrDeadlineExceeded
			}
			timer := time.NewTimer(left)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-changed:
		case <-late:
		}
	}
}

// end is one end of a connection.
type end struct{ in, out *half }

// Read implements net.Conn.
func (e *end) Read(to []byte) (n int, err error) {
	waited := e.in.wait(func() time.Time { return e.in.read }, func() bool {
		if n = copy(to, e.in.data); n == 0 && e.in.closed {
			err = io.EOF
		}
		e.in.data = e.in.data[n:]
		return n > 0 || err != nil || len(to) == 0
	})
	if waited != nil {
		return 0, waited
	}
	e.in.change(func() {})
	return n, err
}

// Write implements net.Conn.
func (e *end) Write(from []byte) (n int, err error) {
	for n < len(from) {
		waited := e.out.wait(func() time.Time { return e.out.write }, func() bool {
			some := from[n:min(len(from), n+max(0, room-len(e.out.data)))]
			if e.out.closed {
				err = io.ErrClosedPipe
				return true
			}
			e.out.data = append(e.out.data, some...)
			n += len(some)
			return len(some) > 0
		})
		if waited != nil {
			return n, waited
		}
		e.out.change(func() {})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Close implements net.Conn. What was written can still be read.
func (e *end) Close() error {
	e.in.change(func() { e.in.closed = true })
	e.out.change(func() { e.out.closed = true })
	return nil
}

// SetReadDeadline implements net.Conn.
func (e *end) SetReadDeadline(at time.Time) error {
	e.in.change(func() { e.in.read = at })
	return nil
}

// SetWriteDeadline implements net.Conn.
func (e *end) SetWriteDeadline(at time.Time) error {
	e.out.change(func() { e.out.write = at })
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

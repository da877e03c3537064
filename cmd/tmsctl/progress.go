package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/cli"
)

// progress shows the state of a lease that is acquired. On a terminal it redraws one
// line; elsewhere it prints only lost connections and interrupts.
type progress struct {
	w io.Writer
	// width returns the width of the terminal, and is nil if w is none. A line must fit
	// to be redrawn.
	width func() int

	mu    sync.Mutex
	drawn bool
	// lost reports whether the loss of the current connection was printed.
	lost bool
	// id is the id of the lease, and last its last state. Both are escaped.
	id, last string
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if file, ok := w.(*os.File); ok && cli.OnTerminal(w) {
		p.width = func() int {
			width, _, err := term.GetSize(int(file.Fd()))
			if err != nil || width < 1 {
				return 80
			}
			return width
		}
	}
	return p
}

// update shows a response.
func (p *progress) update(response *tmsv1.AcquireResponse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lease := response.GetLease()
	p.lost = false
	if id := lease.GetId(); id != "" {
		p.id = escape(id)
	}
	p.last = escape(stateText(lease))
	p.draw("Lease " + p.id + " " + p.last)
}

func (p *progress) draw(line string) {
	if p.width == nil {
		return
	}
	if runes, width := []rune(line), p.width()-1; len(runes) > width {
		line = string(runes[:max(width, 0)])
	}
	_, _ = io.WriteString(p.w, eraseLine+line)
	p.drawn = true
}

// eraseLine erases the current line of a terminal.
const eraseLine = "\r\x1b[K"

// clear erases the line.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

func (p *progress) erase() {
	if p.drawn {
		_, _ = io.WriteString(p.w, eraseLine)
		p.drawn = false
	}
}

// connectionLost prints a lost connection, once until the next response.
func (p *progress) connectionLost(err error, _ time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost {
		return
	}
	p.lost = true
	p.erase()
	_, _ = io.WriteString(p.w, lostText(err))
}

// interrupted prints that the lease is being released, which can take seconds.
func (p *progress) interrupted() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	if p.id != "" {
		_, _ = fmt.Fprintf(p.w, "releasing lease %s; interrupt again to stop without releasing it\n", p.id)
	}
}

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/pkg/client"
)

// progress shows how far a lease is: one line that is drawn over itself where a person
// watches, and nothing elsewhere but what went wrong.
type progress struct {
	w io.Writer
	// width is that of the terminal, in which a line must fit to be drawn over.
	width func() int

	mu    sync.Mutex
	drawn bool
	// away says that the connection was lost, and that this was said.
	away bool
	// id is that of the lease, and last what was said of it last, both printable.
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

// show draws what an answer tells.
func (p *progress) show(answer *tmsv1.AcquireResponse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lease := answer.GetLease()
	p.away = false
	if id := lease.GetId(); id != "" {
		p.id = printable(id)
	}
	p.last = stateName(lease.GetState())
	if message := lease.GetMessage(); message != "" {
		p.last += ": " + printable(message)
	}
	p.draw("Lease " + p.id + " " + p.last)
}

func (p *progress) draw(line string) {
	if p.width == nil {
		return
	}
	if runes, width := []rune(line), p.width()-1; len(runes) > width {
		line = string(runes[:max(width, 0)])
	}
	_, _ = io.WriteString(p.w, noLine+line)
	p.drawn = true
}

// noLine removes what is in the line.
const noLine = "\r\x1b[K"

// clear removes what was drawn.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

func (p *progress) erase() {
	if p.drawn {
		_, _ = io.WriteString(p.w, noLine)
		p.drawn = false
	}
}

// lost says that the connection is made anew, once until it is there again.
func (p *progress) lost(err error, _ time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		return
	}
	p.away = true
	p.erase()
	message := err.Error()
	var failure *client.Error
	if errors.As(err, &failure) {
		message = failure.Message
	}
	_, _ = fmt.Fprintf(p.w, "%s: trying again\n", printable(message))
}

// interrupted says what happens now, because it may take its time.
func (p *progress) interrupted() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	if p.id != "" {
		_, _ = fmt.Fprintf(p.w, "releasing lease %s; interrupt again to leave it\n", p.id)
	}
}

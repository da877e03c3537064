package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/cli"
)

// newWatchOutput returns the output of --output and --porcelain: a table that is drawn again
// on a terminal, otherwise the leases that change.
func (o *options) newWatchOutput(s streams, namespaces bool) watchOutput {
	l := listing{namespaces, o.output == "wide"}
	if file, ok := s.out.(*os.File); ok && cli.OnTerminal(s.out) && !o.porcelain && (o.output == "" || l.wide) {
		return &screen{listing: l, w: s.out, size: func() (width, height int) {
			width, height, err := term.GetSize(int(file.Fd()))
			if err != nil || width < 1 || height < 1 {
				return 80, 24
			}
			return width, height
		}}
	}
	return &log{options: o, streams: s, listing: l}
}

// log prints each lease that changes.
type log struct {
	*options
	streams
	listing listing
	columns columns
	started bool
	// isLost reports whether the loss of the connection was printed.
	isLost bool
}

func (l *log) show(_, changed []*tmsv1.Lease) error {
	l.isLost = false
	switch {
	case l.porcelain:
		return porcelainLeases(l.out, changed...)
	case l.output == "" || l.output == "wide":
		var rows [][]string
		if !l.started {
			rows = append(rows, l.listing.header())
		}
		l.started = true
		for _, lease := range changed {
			rows = append(rows, l.listing.cells(lease))
		}
		return l.columns.print(l.out, rows...)
	}
	for _, lease := range changed {
		if l.output == "yaml" && l.started {
			if _, err := io.WriteString(l.out, "---\n"); err != nil {
				return fmt.Errorf("standard output: %w", err)
			}
		}
		l.started = true
		if err := l.printMessage(l.out, lease); err != nil {
			return err
		}
	}
	return nil
}

func (l *log) lost(err error) error {
	if !l.isLost {
		_, _ = io.WriteString(l.err, lostText(err))
	}
	l.isLost = true
	return nil
}

// screen draws a table on a terminal, over the table before.
type screen struct {
	listing listing
	w       io.Writer
	// size returns the size of the terminal.
	size func() (width, height int)
	// table is the text of the last table, and drawn the number of its lines.
	table string
	drawn int
}

func (s *screen) show(all, _ []*tmsv1.Lease) error {
	var text bytes.Buffer
	if err := s.listing.print(&text, all); err != nil {
		return err
	}
	s.table = text.String()
	return s.draw(s.table)
}

func (s *screen) lost(err error) error { return s.draw(s.table + lostText(err)) }

// draw draws lines over those that it drew before. A line that does not fit would move them:
// each is cut, and lines that do not fit are counted.
func (s *screen) draw(text string) error {
	width, height := s.size()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if most := max(height-1, 2); len(lines) > most { // the cursor is below the last line
		lines = append(lines[:most-1:most-1], fmt.Sprintf("and %d more lines", len(lines)-most+1))
	}
	var out strings.Builder
	if s.drawn > 0 {
		_, _ = fmt.Fprintf(&out, "\x1b[%dA", s.drawn)
	}
	out.WriteString(eraseBelow + wrapOff)
	for _, line := range lines {
		if runes := []rune(line); len(runes) > width-1 {
			line = string(runes[:max(width-1, 0)])
		}
		out.WriteString(line + "\n")
	}
	out.WriteString(wrapOn)
	s.drawn = len(lines)
	if _, err := io.WriteString(s.w, out.String()); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// eraseBelow moves the cursor to the begin of the line, and erases all below it.
const eraseBelow = "\r\x1b[J"

// wrapOff and wrapOn set whether the terminal wraps a long line. Some characters have two
// columns, so a cut line can still be too long.
const wrapOff, wrapOn = "\x1b[?7l", "\x1b[?7h"

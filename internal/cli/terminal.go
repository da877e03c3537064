package cli

import (
	"bufio"
	"io"
	"os"

	"golang.org/x/term"
)

// OnTerminal reports whether w is a terminal.
func OnTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// colour returns text in a colour if w is a terminal and NO_COLOR is not set.
func colour(w io.Writer, code, text string) string {
	if !OnTerminal(w) || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

const red, green, yellow = "31", "32", "33"

// Red returns text in red if w is a terminal and NO_COLOR is not set.
func Red(w io.Writer, text string) string { return colour(w, red, text) }

// Green returns text in green in the same cases.
func Green(w io.Writer, text string) string { return colour(w, green, text) }

// Yellow returns text in yellow in the same cases.
func Yellow(w io.Writer, text string) string { return colour(w, yellow, text) }

// Warn writes each warning to w, on a line that begins with WARNING.
func Warn(w io.Writer, warnings []string) {
	mark := Yellow(w, "WARNING:")
	buffer := bufio.NewWriter(w)
	for _, warning := range warnings {
		_, _ = buffer.WriteString(mark + " " + warning + "\n")
	}
	_ = buffer.Flush()
}

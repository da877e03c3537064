package cli

import (
	"bufio"
	"io"
	"os"

	"golang.org/x/term"
)

// OnTerminal says whether a person watches what is written to w.
func OnTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// colour returns text in a colour where a person watches and wants one.
func colour(w io.Writer, code, text string) string {
	if !OnTerminal(w) || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

const yellow = "33"

// Warn prints sentences for a person.
func Warn(w io.Writer, sentences []string) {
	mark := colour(w, yellow, "WARNING:")
	buffer := bufio.NewWriter(w)
	for _, sentence := range sentences {
		_, _ = buffer.WriteString(mark + " " + sentence + "\n")
	}
	_ = buffer.Flush()
}

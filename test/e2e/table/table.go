// Package table prints Markdown tables, and replaces them in a document.
package table

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Markdown returns a table. The first row is its header. Columns align right, except for
// the first left ones.
func Markdown(rows [][]string, left int) string {
	widths := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, cell := range cells {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var text strings.Builder
	for n, cells := range rows {
		text.WriteString("|")
		for i, cell := range cells {
			space := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i < left {
				text.WriteString(" " + cell + space + " |")
			} else {
				text.WriteString(" " + space + cell + " |")
			}
		}
		text.WriteString("\n")
		if n > 0 {
			continue
		}
		text.WriteString("|")
		for i, width := range widths {
			if i < left {
				text.WriteString(strings.Repeat("-", width+2) + "|")
			} else {
				text.WriteString(strings.Repeat("-", width+1) + ":|")
			}
		}
		text.WriteString("\n")
	}
	return text.String()
}

// Machine describes the machine of a run.
func Machine() string {
	return fmt.Sprintf("%d cores (%s/%s, %s)", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// Thousands prints an integer with a comma before the last three digits.
func Thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// Replace replaces the text between the marks <!-- name --> and <!-- /name --> of a file.
func Replace(path, name, with string) error {
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return fmt.Errorf("%s: the marks of the table are missing: %q and %q", path, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(path, []byte(before+begin+with+end+after), 0o644)
}

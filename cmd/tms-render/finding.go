package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/inputfiles"
)

// finding is a problem as lint prints it for machines.
type finding struct {
	Level   string `json:"level"` // levelError or levelWarning, as in SARIF
	Rule    string `json:"rule"`
	Message string `json:"message"`
	// File is empty if the problem is in no file, such as one of --set. Line and Column are 0
	// if they are not known.
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`

	text string // the message with its position
}

const levelError, levelWarning = "error", "warning"

func findingOf(p inputfiles.Problem, level string) finding {
	f := finding{Level: level, Rule: p.Rule, Message: p.Error(), text: p.Error()}
	if p.InFile() {
		f.File, f.Message = p.Source, p.Err.Error()
		if p.Line > 0 {
			f.Line, f.Column = p.Line, p.Column
		}
	}
	return f
}

// findings are all problems of a run.
type findings []finding

// add adds the findings that are not known yet: those of the files of -f occur with every
// file that is validated over them.
func (f *findings) add(more findings) {
	known := map[finding]bool{}
	for _, one := range *f {
		known[one] = true
	}
	for _, one := range more {
		if !known[one] {
			known[one] = true
			*f = append(*f, one)
		}
	}
}

// sort sorts the findings by file, line and column. Those without a file come first.
func (f findings) sort() {
	slices.SortStableFunc(f, func(a, b finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

func (f findings) has(level string) bool {
	return slices.ContainsFunc(f, func(one finding) bool { return one.Level == level })
}

// lintFormats are the values of --output of lint.
var lintFormats = []string{"text", "json", "sarif", "github"}

func (f findings) print(format string, s streams) error {
	switch format {
	case "json":
		return encode(s.out, map[string]any{"problems": append(findings{}, f...)})
	case "sarif":
		return encode(s.out, f.sarif())
	case "github":
		return f.github(s.out)
	}
	for _, one := range f {
		if one.Level == levelWarning {
			cli.Warn(s.err, []string{one.text})
		} else {
			_, _ = fmt.Fprintln(s.err, one.text)
		}
	}
	return nil
}

func encode(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// github prints workflow commands, which GitHub shows as annotations of the lines.
func (f findings) github(w io.Writer) error {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, one := range f {
		properties := []string{"title=" + property.Replace("tms-render: "+one.Rule)}
		if one.File != "" {
			properties = append(properties, "file="+property.Replace(filepath.ToSlash(one.File)))
		}
		if one.Line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d,col=%d", one.Line, one.Column))
		}
		if _, err := fmt.Fprintf(w, "::%s %s::%s\n", one.Level, strings.Join(properties, ","), data.Replace(one.Message)); err != nil {
			return err
		}
	}
	return nil
}

type object = map[string]any

// sarif returns the findings as a log of SARIF 2.1.0.
func (f findings) sarif() object {
	rules, results := []object{}, []object{}
	for _, one := range f {
		if !slices.ContainsFunc(rules, func(rule object) bool { return rule["id"] == one.Rule }) {
			rules = append(rules, object{"id": one.Rule})
		}
		result := object{"ruleId": one.Rule, "level": one.Level, "message": object{"text": one.Message}}
		if one.File != "" {
			place := object{"artifactLocation": object{"uri": fileURI(one.File)}}
			if one.Line > 0 {
				place["region"] = object{"startLine": one.Line, "startColumn": one.Column}
			}
			result["locations"] = []object{{"physicalLocation": place}}
		}
		results = append(results, result)
	}
	driver := object{"name": "tms-render", "rules": rules}
	return object{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
		"version": "2.1.0",
		"runs":    []object{{"tool": object{"driver": driver}, "results": results}},
	}
}

// fileURI returns the URI of a file, relative if its name is.
func fileURI(name string) string {
	uri := url.URL{Path: filepath.ToSlash(name)}
	if filepath.IsAbs(name) {
		uri.Scheme = "file"
	}
	return uri.String()
}

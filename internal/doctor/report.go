package doctor

import (
	"maps"
	"regexp"
	"strings"
)

// Status is the result of a check.
type Status string

// The results of a check.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Error   Status = "error"
	// Skipped is the result of a check that the user has no right to, or that depends on
	// something broken.
	Skipped Status = "skipped"
)

// Report is the result of all checks.
type Report struct {
	Sections []*Section `json:"sections"`
}

// Section has the results of the checks of one subject: the cluster, or a lease.
type Section struct {
	Subject string   `json:"subject"`
	Results []Result `json:"results"`
}

// Result is the result of one check.
type Result struct {
	Status Status `json:"status"`
	// Code is one of Messages, for a warning or an error.
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
	// Command shows the problem, Fix corrects it, and Link documents it.
	Command string `json:"command,omitempty"`
	Fix     string `json:"fix,omitempty"`
	Link    string `json:"link,omitempty"`
}

// Count returns the number of results with a status.
func (r *Report) Count(status Status) int {
	n := 0
	for _, section := range r.Sections {
		for _, result := range section.Results {
			if result.Status == status {
				n++
			}
		}
	}
	return n
}

// Healthy reports whether there is no error.
func (r *Report) Healthy() bool { return r.Count(Error) == 0 }

func (r *Report) add(subject string) *Section {
	section := &Section{Subject: subject, Results: []Result{}}
	r.Sections = append(r.Sections, section)
	return section
}

func (s *Section) ok(name string) {
	s.Results = append(s.Results, Result{Status: OK, Message: name})
}

func (s *Section) skip(skip *skipped) {
	s.Results = append(s.Results, Result{Status: Skipped, Message: skip.reason})
}

func (s *Section) find(f finding) {
	message := messages[f.code]
	s.Results = append(s.Results, Result{
		Status: message.Level, Code: f.code, Message: f.fields.in(message.Text),
		Command: f.fields.plain().in(message.Command), Fix: f.fields.plain().in(message.Fix), Link: documentation + message.Page,
	})
}

// finding is the error of a check that fails.
type finding struct {
	code   string
	fields fields
}

// Error implements error.
func (f *finding) Error() string { return f.code + ": " + f.fields.in(messages[f.code].Text) }

// find returns a finding.
func find(code string, f fields) error { return &finding{code, f} }

// fields are the values of the placeholders of a message.
type fields map[string]string

// plainText matches a value that a shell takes as it is. A space does not begin a flag.
var plainText = regexp.MustCompile(`^[\w./:=,@%+-]*( [\w./:=,@%+][\w./:=,@%+-]*)*$`)

// plain returns the fields that are safe in a command which a user copies to a shell. Others
// stay placeholders: a user who may create a HorizontalPodAutoscaler can name any target.
func (f fields) plain() fields {
	safe := maps.Clone(f)
	maps.DeleteFunc(safe, func(_, value string) bool { return value != anyLabel && !plainText.MatchString(value) })
	return safe
}

// in replaces the placeholders of a text, such as <namespace>.
func (f fields) in(text string) string {
	var pairs []string
	for name, value := range f {
		pairs = append(pairs, "<"+name+">", value)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

package simulation

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse returns the expression of a recording rule. It returns an error if the rule reads a
// series that the simulated pods do not have, or uses PromQL beyond the part that Parse
// supports.
func Parse(promql string) (Expression, error) { return parse(promql, exported) }

// parse returns the expression of a recording rule, for a pod that exports the given series.
// A series that is nil there is an empty vector. It supports the part of PromQL that the chart's
// rules use, for one pod with one model: each vector has at most one element, so
// aggregations and matching do nothing, and label matchers are ignored.
func parse(promql string, exported map[string]counter) (Expression, error) {
	p := &parser{exported: exported}
	for rest := promql; rest != ""; {
		space := len(rest) - len(strings.TrimLeft(rest, " \t\r\n"))
		if rest = rest[space:]; rest == "" {
			break
		}
		token := tokens.FindString(rest)
		if token == "" {
			return nil, fmt.Errorf("unexpected %q", rest[:1])
		}
		if rest = rest[len(token):]; token[0] != '#' && token[0] != '{' { // a comment or label matchers
			p.tokens = append(p.tokens, token)
		}
	}
	n, err := p.binary(0)
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("unexpected %q", p.tokens[0])
	}
	return n.value, err
}

var tokens = regexp.MustCompile(`^(#[^\n]*|\{[^}]*\}|\[[^\]]*\]|[0-9]+(ms|s|m|h)|[0-9.]+(e[+-]?[0-9]+)?|[a-zA-Z_:][a-zA-Z0-9_:]*|==|!=|>=|<=|[-+*/()<>,])`)

// node is a subexpression.
type node struct {
	value  Expression
	scalar bool
}

// precedence has the binary operators in ascending order of their precedence.
var precedence = [][]string{{"or"}, {"and", "unless"}, {"==", "!=", ">", "<", ">=", "<="}, {"+", "-"}, {"*", "/"}}

type parser struct {
	tokens   []string
	exported map[string]counter
}

func (p *parser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *parser) next() string {
	token := p.peek()
	if token != "" {
		p.tokens = p.tokens[1:]
	}
	return token
}

func (p *parser) expect(token string) error {
	if got := p.next(); got != token {
		return fmt.Errorf("got %q, want %q", got, token)
	}
	return nil
}

// labels skips a list of labels in parentheses after a keyword.
func (p *parser) labels(keywords ...string) error {
	if !slices.Contains(keywords, p.peek()) {
		return nil
	}
	p.next()
	for p.peek() != ")" && p.peek() != "" {
		p.next()
	}
	return p.expect(")")
}

func (p *parser) binary(level int) (node, error) {
	if level == len(precedence) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	for err == nil && slices.Contains(precedence[level], p.peek()) {
		operator := p.next()
		if err := p.labels("on", "ignoring"); err != nil {
			return node{}, err
		}
		var right node
		if right, err = p.binary(level + 1); err == nil {
			left = combine(operator, left, right)
		}
	}
	return left, err
}

func combine(operator string, left, right node) node {
	n := node{scalar: left.scalar && right.scalar}
	n.value = func(s *series, now float64) (float64, bool) {
		l, hasLeft := left.value(s, now)
		r, hasRight := right.value(s, now)
		both := hasLeft && hasRight
		kept := l // what a comparison keeps
		if left.scalar {
			kept = r
		}
		switch operator {
		case "or":
			if hasLeft {
				return l, true
			}
			return r, hasRight
		case "and":
			return l, both
		case "unless":
			return l, hasLeft && !hasRight
		case "+":
			return l + r, both
		case "-":
			return l - r, both
		case "*":
			return l * r, both
		case "/":
			return l / r, both
		case "==":
			return kept, both && l == r
		case "!=":
			return kept, both && l != r
		case ">":
			return kept, both && l > r
		case "<":
			return kept, both && l < r
		case ">=":
			return kept, both && l >= r
		}
		return kept, both && l <= r
	}
	return n
}

func (p *parser) unary() (node, error) {
	token := p.next()
	if number, err := strconv.ParseFloat(token, 64); err == nil && token[0] != '+' && token[0] != '-' {
		return node{scalar: true, value: func(*series, float64) (float64, bool) { return number, true }}, nil
	}
	switch token {
	case "-":
		n, err := p.unary()
		zero := node{scalar: true, value: func(*series, float64) (float64, bool) { return 0, true }}
		return combine("-", zero, n), err
	case "(":
		n, err := p.binary(0)
		if err != nil {
			return n, err
		}
		return n, p.expect(")")
	case "sum", "max", "min", "avg", "group":
		return p.aggregation(token)
	case "rate", "increase", "min_over_time", "max_over_time", "avg_over_time":
		return p.overTime(token)
	}
	of, err := p.series(token)
	if err != nil {
		return node{}, err
	}
	offset, err := p.offset()
	return node{value: func(s *series, now float64) (float64, bool) {
		samples := s.within(now-offset, lookback)
		if of == nil || len(samples) == 0 || s.gone && offset == 0 {
			return 0, false
		}
		return of(samples[len(samples)-1]), true
	}}, err
}

// series returns a series of Triton. It is nil if the pod does not export it.
func (p *parser) series(name string) (counter, error) {
	of, known := p.exported[name]
	if !known {
		return nil, fmt.Errorf("the simulation has no series %q, and supports no function of that name", name)
	}
	return of, nil
}

// aggregation parses the rest of an aggregation.
func (p *parser) aggregation(name string) (node, error) {
	if err := p.labels("by", "without"); err != nil {
		return node{}, err
	}
	if err := p.expect("("); err != nil {
		return node{}, err
	}
	n, err := p.binary(0)
	if err != nil {
		return n, err
	}
	if err := p.expect(")"); err != nil {
		return n, err
	}
	if name != "group" {
		return n, p.labels("by", "without")
	}
	return node{value: func(s *series, now float64) (float64, bool) {
		_, ok := n.value(s, now)
		return 1, ok
	}}, p.labels("by", "without")
}

// overTime parses the rest of a function of a range.
func (p *parser) overTime(function string) (node, error) {
	if err := p.expect("("); err != nil {
		return node{}, err
	}
	name := p.next()
	of, err := p.series(name)
	if err != nil {
		return node{}, err
	}
	text := p.next()
	window, err := time.ParseDuration(strings.Trim(text, "[]"))
	if err != nil {
		return node{}, fmt.Errorf("%s: %w", name, err)
	}
	offset, err := p.offset()
	if err != nil {
		return node{}, err
	}
	return node{value: func(s *series, now float64) (float64, bool) {
		if of == nil {
			return 0, false
		}
		now -= offset
		switch function {
		case "rate":
			return s.rate(of, now, window.Seconds())
		case "increase":
			return s.increase(of, now, window.Seconds(), true)
		}
		samples := s.within(now, window.Seconds())
		lowest, highest, sum := math.Inf(1), math.Inf(-1), 0.0
		for _, sample := range samples {
			lowest, highest, sum = min(lowest, of(sample)), max(highest, of(sample)), sum+of(sample)
		}
		switch function {
		case "min_over_time":
			return lowest, len(samples) > 0
		case "max_over_time":
			return highest, len(samples) > 0
		}
		return sum / float64(len(samples)), len(samples) > 0
	}}, p.expect(")")
}

// offset parses the offset of a selector, in seconds.
func (p *parser) offset() (float64, error) {
	if p.peek() != "offset" {
		return 0, nil
	}
	p.next()
	d, err := time.ParseDuration(p.next())
	return d.Seconds(), err
}

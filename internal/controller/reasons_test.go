package controller

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/reference"
	"github.com/triton-leases/tms/internal/testing/golden"
)

// TestReference checks the page of conditions and events.
func TestReference(t *testing.T) {
	t.Parallel()
	var conditions, events [][]string
	for _, r := range reasons {
		if r.condition != "" {
			conditions = append(conditions, []string{reference.Code(r.condition), reference.Code(string(r.status)), reference.Code(r.name), reference.Plain(r.meaning)})
		}
		if r.eventType != none {
			events = append(events, []string{reference.Code(r.name), r.eventType, reference.Plain(r.meaning)})
		}
	}
	page := reference.New("Conditions and events of TritonLeases", "internal/controller/reasons.go")
	page.Text("[leases.md](../leases.md#status) explains the status of a lease. The metric `tms_leases` counts leases by condition, status and reason.")
	page.Heading(2, "Conditions")
	page.Text("If the HorizontalPodAutoscaler of a lease does not scale, the condition `Autoscaling` has the reason and the message of its condition `ScalingActive`, such as `FailedGetPodsMetric`: see [troubleshooting.md](../troubleshooting.md). The condition `AutoRenew` exists only near the expiry of a lease that renews itself.")
	page.Table([]string{"condition", "status", "reason", "meaning"}, conditions)
	page.Heading(2, "Events")
	page.Text("An event of a condition has the reason and the message of the condition, and is recorded when one of them changes. `kubectl events --for tritonlease/<name>` prints the events of a lease.")
	page.Table([]string{"reason", "type", "meaning"}, events)
	golden.Equal(t, "../../docs/reference/conditions.md", page.String())
}

// TestReasonsAreComplete compares the table with the reasons in the code.
func TestReasonsAreComplete(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	// The index of the argument with the reason, by function.
	arguments := map[string]int{"set": 1, "setCondition": 2, "recordEvent": 0, "report": 1}
	var used []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.CallExpr:
				name := ""
				switch called := node.Fun.(type) {
				case *ast.Ident:
					name = called.Name
				case *ast.SelectorExpr:
					name = called.Sel.Name
				}
				if i, ok := arguments[name]; ok && i < len(node.Args) {
					used = append(used, text(node.Args[i])...)
				}
			case *ast.AssignStmt: // reason = "Adjusted"
				for i, left := range node.Lhs {
					if variable, ok := left.(*ast.Ident); ok && variable.Name == "reason" && len(node.Rhs) == len(node.Lhs) {
						used = append(used, text(node.Rhs[i])...)
					}
				}
			}
			return true
		})
	}
	var described []string
	for _, r := range reasons {
		described = append(described, r.name)
	}
	slices.Sort(used)
	slices.Sort(described)
	require.Equal(t, slices.Compact(described), slices.Compact(used), "the table in reasons.go and the reasons in the code differ")
}

// text returns the value of a string literal, and nothing for another expression.
func text(e ast.Expr) []string {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return nil
	}
	value, _ := strconv.Unquote(literal.Value)
	return []string{value}
}

package main

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The names of the tools that goals compare.
const (
	ours    = "tms-render"
	oneCore = "tms-render, one core"
	helm3   = "Helm 3"
	cat     = "cat"

	jsonnetName = "go-jsonnet"
)

// input is one fleet on disk.
type input struct {
	leases int
	values string // the values file
	text   string // the output of tms-render, which cat prints
}

// tool is one row of the tables.
type tool struct {
	name      string
	command   string // a file in the folder of the tools; if there is none, a command in PATH
	pinned    bool   // in tools/<command>/go.mod, so that the binary contains its version
	args      func(in input) []string
	env       []string
	maxLeases int // with more leases it would take minutes

	// same compares the output with that of tms-render, for fleets of up to sameMaxLeases.
	same          func(wanted, got io.Reader) error
	sameMaxLeases int
}

var tools = []tool{
	{name: ours, command: "tms-render", args: render, maxLeases: 100000},
	{name: oneCore, command: "tms-render", args: render, env: []string{"GOMAXPROCS=1"}, maxLeases: 100000, same: sameText, sameMaxLeases: 100000},
	{name: helm3, command: "helm3", pinned: true, args: template, maxLeases: 10000, same: sameText, sameMaxLeases: 1000},
	{name: "Helm 4", command: "helm4", pinned: true, args: template, maxLeases: 10000, same: sameDocuments, sameMaxLeases: 100},
	{name: jsonnetName, command: "jsonnet", pinned: true, args: jsonnet, maxLeases: 10000, same: sameDocuments, sameMaxLeases: 100},
	{name: cat, command: "cat", args: func(in input) []string { return []string{in.text} }, maxLeases: 100000},
}

func render(in input) []string { return []string{"-n", "ns", "-f", in.values} }

func template(in input) []string {
	return []string{"template", "tms", "charts/tms", "-n", "ns", "-f", in.values}
}

func jsonnet(in input) []string {
	return []string{"-y", "--tla-str-file", "fleet=" + in.values, "test/bench/jsonnet/main.jsonnet"}
}

// cmd returns the command that runs the tool on a fleet. The caller sets its output.
func (t tool) cmd(bin string, in input) *exec.Cmd {
	command := filepath.Join(bin, t.command)
	if _, err := os.Stat(command); err != nil {
		command = t.command
	}
	c := exec.Command(command, t.args(in)...)
	c.Env = append(os.Environ(), t.env...)
	return c
}

// versions returns the versions of the pinned tools as text.
func versions(bin string) (string, error) {
	var all []string
	for _, t := range tools {
		if !t.pinned {
			continue
		}
		info, err := buildinfo.ReadFile(filepath.Join(bin, t.command))
		if err != nil {
			return "", fmt.Errorf("version of %s: %w", t.name, err)
		}
		all = append(all, t.name+" is "+info.Main.Version)
	}
	return strings.Join(all, ", "), nil
}

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
	text   string // what tms-render makes of it, which cat prints
}

// tool is one line of the tables.
type tool struct {
	name    string
	command string // in the folder of the tools, or else of the system
	pinned  bool   // in tools/<command>/go.mod, so that the binary knows its version
	args    func(in input) []string
	env     []string
	most    int // leases; more would take it minutes

	// How its output is held to that of tms-render, and up to how many leases.
	same     func(wanted, got io.Reader) error
	sameMost int
}

var tools = []tool{
	{name: ours, command: "tms-render", args: render, most: 100000},
	{name: oneCore, command: "tms-render", args: render, env: []string{"GOMAXPROCS=1"}, most: 100000, same: sameText, sameMost: 100000},
	{name: helm3, command: "helm3", pinned: true, args: template, most: 10000, same: sameText, sameMost: 1000},
	{name: "Helm 4", command: "helm4", pinned: true, args: template, most: 10000, same: sameDocuments, sameMost: 100},
	{name: jsonnetName, command: "jsonnet", pinned: true, args: jsonnet, most: 10000, same: sameDocuments, sameMost: 100},
	{name: cat, command: "cat", args: func(in input) []string { return []string{in.text} }, most: 100000},
}

func render(in input) []string { return []string{"-n", "ns", "-f", in.values} }

func template(in input) []string {
	return []string{"template", "tms", "charts/tms", "-n", "ns", "-f", in.values}
}

func jsonnet(in input) []string {
	return []string{"-y", "--tla-str-file", "fleet=" + in.values, "test/bench/jsonnet/main.jsonnet"}
}

// cmd is the tool at work on a fleet. Where its output goes is the caller's.
func (t tool) cmd(bin string, in input) *exec.Cmd {
	command := filepath.Join(bin, t.command)
	if _, err := os.Stat(command); err != nil {
		command = t.command
	}
	c := exec.Command(command, t.args(in)...)
	c.Env = append(os.Environ(), t.env...)
	return c
}

// versions are those of the pinned tools.
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

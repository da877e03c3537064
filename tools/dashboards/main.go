// Command dashboards writes the Grafana dashboards of the chart into a folder:
// tms-fleet.json, tms-lease.json and tms-server.json.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dashboards <folder>")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

// all returns the dashboards, by uid. The name of the file is the uid.
func all() map[string]*dashboard.DashboardBuilder {
	return map[string]*dashboard.DashboardBuilder{fleetUID: fleet(), leaseUID: lease(), serverUID: server()}
}

func write(folder string) error {
	for uid, builder := range all() {
		text, err := encode(builder)
		if err != nil {
			return fmt.Errorf("%s: %w", uid, err)
		}
		if err := os.WriteFile(filepath.Join(folder, uid+".json"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// encode returns a dashboard as JSON that people can read: with indentation, and with < and
// > as they are.
func encode(builder *dashboard.DashboardBuilder) ([]byte, error) {
	built, err := builder.Build()
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(built, "", " ")
	unescaped := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text))
	return []byte(unescaped + "\n"), err
}

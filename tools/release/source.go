package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// A source is what a release is made from.
type source struct {
	version, appVersion string // of Chart.yaml
	changelog           string
}

// A release is a folder with the files of a release.
type release struct {
	source

	folder string
}

// read reads the version and the changelog in a folder of the project.
func read(folder string) (source, error) {
	text, err := os.ReadFile(filepath.Join(folder, "charts/tms/Chart.yaml"))
	if err != nil {
		return source{}, fmt.Errorf("reading the version: %w", err)
	}
	var chart struct{ Version, AppVersion string }
	if err := yaml.Unmarshal(text, &chart); err != nil {
		return source{}, fmt.Errorf("charts/tms/Chart.yaml: %w", err)
	}
	changelog, err := os.ReadFile(filepath.Join(folder, "CHANGELOG.md"))
	if err != nil {
		return source{}, fmt.Errorf("reading the changelog: %w", err)
	}
	return source{chart.Version, chart.AppVersion, string(changelog)}, nil
}

// check returns an error if the version, the tag and the changelog do not belong together.
func (s source) check(tag string) error {
	if !regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`).MatchString(s.version) {
		return fmt.Errorf("charts/tms/Chart.yaml: version %q: must be a semantic version, such as 1.2.3", s.version)
	}
	if s.appVersion != s.version {
		return fmt.Errorf("charts/tms/Chart.yaml: appVersion %q: must be equal to version %q", s.appVersion, s.version)
	}
	if tag == "" {
		return nil
	}
	if tag != "v"+s.version {
		return fmt.Errorf("tag %s: must be v%s, the version in charts/tms/Chart.yaml: change Chart.yaml, or tag another commit", tag, s.version)
	}
	_, err := s.notes()
	return err
}

// notes returns the section of the version in the changelog, without its heading.
func (s source) notes() (string, error) {
	heading := regexp.MustCompile(`^## \[?` + regexp.QuoteMeta(s.version) + `\]?( - [0-9]{4}-[0-9]{2}-[0-9]{2})?\s*$`)
	var notes strings.Builder
	inside := false
	for line := range strings.Lines(s.changelog) {
		if strings.HasPrefix(line, "## ") {
			inside = heading.MatchString(line)
		} else if inside {
			notes.WriteString(line)
		}
	}
	text := strings.TrimSpace(notes.String())
	if text == "" {
		return "", fmt.Errorf("CHANGELOG.md has no section of version %s: add ## %s - YYYY-MM-DD, and what changes for users", s.version, s.version)
	}
	return text, nil
}

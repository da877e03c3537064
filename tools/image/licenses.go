package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licenses are the license files of the modules in a program or an image.
type licenses struct {
	texts map[string][]byte // by path in the image
	// ids are the SPDX identifiers of the licenses of each module.
	ids map[string][]string
}

// licenseFile matches the names of files that a license requires to be passed on.
var licenseFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|copyright)([-.](md|txt|[a-z0-9-]+(\.[0-9]+)?))?$`)

// licenses returns the license files of the modules of the binary, of Go's standard library,
// and of more modules with which this program is built. It reads the folder of each
// package in the binary and the folders above it, so that it finds the licenses of code that
// a module copied from elsewhere. Each module must have a license that spdx knows.
func (s sources) licenses(b binary, more ...string) (*licenses, error) {
	output, err := s.goCommand(b.platform, "list", "-deps", "-json=Dir,Standard,Module", s.command).Output()
	if err != nil {
		return nil, fmt.Errorf("listing the packages of %s: %w", s.command, err)
	}
	all := &licenses{texts: map[string][]byte{}, ids: map[string][]string{}}
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p struct {
			Dir      string
			Standard bool
			Module   *struct{ Path, Dir string }
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("listing the packages of %s: %w", s.command, err)
		}
		if p.Standard {
			continue
		}
		if err := all.add(p.Module.Path, p.Module.Dir, p.Dir); err != nil {
			return nil, err
		}
	}
	output, err = s.goCommand(b.platform, "env", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("finding the folder of Go: %w", err)
	}
	folders := strings.Fields(string(output))
	if err := all.add("std", folders[0], folders[0]); err != nil {
		return nil, err
	}
	for _, module := range more {
		version, err := required(module)
		if err != nil {
			return nil, err
		}
		folder := filepath.Join(folders[1], module+"@"+version)
		if err := all.add(module, folder, folder); err != nil {
			return nil, err
		}
	}
	for module, ids := range all.ids {
		if len(ids) == 0 {
			return nil, fmt.Errorf("module %s: no license is known to this program: see spdx in licenses.go", module)
		}
	}
	return all, nil
}

// add adds the license files in a folder of a module, and in the folders above it.
func (l *licenses) add(module, root, folder string) error {
	ids := l.ids[module]
	for ; strings.HasPrefix(folder, root); folder = filepath.Dir(folder) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return fmt.Errorf("reading the licenses of %s: %w", module, err)
		}
		for _, entry := range entries {
			if name := entry.Name(); entry.IsDir() || filepath.Ext(name) == ".go" || !licenseFile.MatchString(name) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
			if err != nil {
				return fmt.Errorf("reading the licenses of %s: %w", module, err)
			}
			relative, err := filepath.Rel(root, folder)
			if err != nil {
				return fmt.Errorf("reading the licenses of %s: %w", module, err)
			}
			l.texts[path.Join("licenses", module, filepath.ToSlash(relative), entry.Name())] = text
			ids = append(ids, spdx(string(text))...)
		}
	}
	slices.Sort(ids)
	l.ids[module] = slices.Compact(ids)
	return nil
}

// files returns the files and their folders, sorted.
func (l *licenses) files() []file {
	var files []file
	seen := map[string]bool{".": true}
	for _, name := range slices.Sorted(maps.Keys(l.texts)) {
		var folders []file
		for folder := path.Dir(name); !seen[folder]; folder = path.Dir(folder) {
			seen[folder] = true
			folders = append(folders, file{folder + "/", 0o755, nil})
		}
		slices.Reverse(folders)
		files = append(append(files, folders...), file{name, 0o644, l.texts[name]})
	}
	return files
}

// phrases identify licenses by a sentence of their text, with single spaces.
var phrases = []struct {
	id     string
	phrase *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`(?i)Apache License,? Version 2\.0`)},
	{"BSD-3-Clause", regexp.MustCompile(`(?i)Redistribution and use in source and binary forms.*to endorse or promote products`)},
	{"BSD-2-Clause", regexp.MustCompile(`(?i)Redistribution and use in source and binary forms`)},
	{"ISC", regexp.MustCompile(`(?i)Permission to use, copy, modify, and(/or)? distribute this software for any purpose`)},
	{"MIT", regexp.MustCompile(`(?i)Permission is hereby granted, free of charge, to any person obtaining a copy`)},
	{"MPL-2.0", regexp.MustCompile(`(?i)Mozilla Public License,? (Version|v\.) 2\.0`)},
}

// spdx returns the SPDX identifiers of the licenses in a text.
func spdx(text string) []string {
	text = strings.Join(strings.Fields(text), " ")
	var ids []string
	for _, p := range phrases {
		if p.phrase.MatchString(text) && (p.id != "BSD-2-Clause" || !slices.Contains(ids, "BSD-3-Clause")) {
			ids = append(ids, p.id)
		}
	}
	return ids
}

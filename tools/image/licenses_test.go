package main

import (
	"debug/buildinfo"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSPDX(t *testing.T) {
	for text, want := range map[string][]string{
		"Apache License\n   Version 2.0, January 2004":                                                                                {"Apache-2.0"},
		"Licensed under the Apache License, Version 2.0":                                                                              {"Apache-2.0"},
		"Redistribution and use in source and binary forms, with or without\nmodification":                                            {"BSD-2-Clause"},
		"Redistribution and use in source and binary forms ... Neither the name of the X may be used\nto endorse or promote products": {"BSD-3-Clause"},
		"Permission to use, copy, modify, and distribute this software for any purpose":                                               {"ISC"},
		"Mozilla Public License, version 2.0\n ... Permission is hereby granted, free of charge, to any person obtaining a copy":      {"MIT", "MPL-2.0"},
		"You may not copy this.": nil,
	} {
		require.Equal(t, want, spdx(text), text)
	}
}

// TestLicenses checks that the image has the license files of each module in its binary.
func TestLicenses(t *testing.T) {
	folder := unpacked(t)
	root := os.DirFS(folder)
	info, err := buildinfo.ReadFile(folder + "/" + name)
	require.NoError(t, err)
	modules := []string{info.Main.Path, "std", authorities}
	for _, module := range info.Deps {
		modules = append(modules, module.Path)
	}
	for _, module := range modules {
		files, err := fs.ReadDir(root, "licenses/"+module)
		require.NoError(t, err, module)
		var ids []string
		for _, file := range files {
			if file.IsDir() {
				continue
			}
			text, err := fs.ReadFile(root, "licenses/"+module+"/"+file.Name())
			require.NoError(t, err)
			ids = append(ids, spdx(string(text))...)
		}
		require.NotEmpty(t, ids, module)
	}
	// A license of code that a module copied.
	_, err = fs.Stat(root, "licenses/k8s.io/utils/third_party/forked/golang/btree/LICENSE")
	require.NoError(t, err)
}

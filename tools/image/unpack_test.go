package main

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/stretchr/testify/require"
)

func TestUnpackKeepsModes(t *testing.T) {
	first, err := layer(file{"a/", 0o700, nil}, file{"a/b", 0o640, []byte("1")})
	require.NoError(t, err)
	second, err := layer(file{"a/b", 0o755, []byte("2")}, file{"a/c", 0o666, nil})
	require.NoError(t, err)
	img, err := mutate.AppendLayers(empty.Image, first, second)
	require.NoError(t, err)

	folder := t.TempDir()
	root, err := os.OpenRoot(folder)
	require.NoError(t, err)
	require.NoError(t, extract(img, root))

	data, err := os.ReadFile(filepath.Join(folder, "a", "b"))
	require.NoError(t, err)
	require.Equal(t, "2", string(data), "the upper layer wins")
	for path, want := range map[string]os.FileMode{"a": os.ModeDir | 0o700, "a/b": 0o755, "a/c": 0o666} {
		info, err := os.Stat(filepath.Join(folder, path))
		require.NoError(t, err)
		require.Equal(t, want, info.Mode(), path)
	}
}

func TestUnpackStaysInside(t *testing.T) {
	folder := t.TempDir()
	inside := filepath.Join(folder, "inside")
	require.NoError(t, os.Mkdir(inside, 0o755))
	root, err := os.OpenRoot(inside)
	require.NoError(t, err)

	outside := &tar.Header{Typeflag: tar.TypeReg, Name: "../outside", Mode: 0o644}
	require.Error(t, extractOne(root, outside, strings.NewReader("x")))
	require.NoFileExists(t, filepath.Join(folder, "outside"))

	link := &tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "../outside"}
	require.ErrorContains(t, extractOne(root, link, strings.NewReader("")), "not a file or folder")
}

func TestKeepsOtherFolders(t *testing.T) {
	folder := t.TempDir()
	kept := filepath.Join(folder, "kept")
	require.NoError(t, os.WriteFile(kept, nil, 0o644))

	_, err := build(sources{folder, "."}, folder)
	require.ErrorContains(t, err, "is not an OCI layout")
	require.ErrorContains(t, unpack(given(t), folder), "is not empty")
	require.FileExists(t, kept)
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"push"}, {"build"}, {"build", "-nonsense", "a"}, {"build", "a", "b"}, {"unpack", "a"}} {
		require.ErrorIs(t, run(args, &bytes.Buffer{}), errUsage, args)
	}
}

package main

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/stretchr/testify/require"
)

// unpacked returns a folder with the files of the image for this machine.
func unpacked(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "root")
	require.NoError(t, unpack(given(t), folder))
	return folder
}

// program returns the binary in an image.
func program(t *testing.T, img v1.Image) *bytes.Reader {
	t.Helper()
	stream := mutate.Extract(img)
	defer func() { _ = stream.Close() }()
	for archive := tar.NewReader(stream); ; {
		header, err := archive.Next()
		require.NoError(t, err, "there is no /tms-server")
		if header.Name == name {
			data, err := io.ReadAll(archive)
			require.NoError(t, err)
			return bytes.NewReader(data)
		}
	}
}

func readInfo(t *testing.T, img v1.Image) *buildinfo.BuildInfo {
	t.Helper()
	info, err := buildinfo.Read(program(t, img))
	require.NoError(t, err)
	return info
}

func TestBinaryIsStatic(t *testing.T) {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	images(t, func(t *testing.T, platform v1.Platform, img v1.Image) {
		file, err := elf.NewFile(program(t, img))
		require.NoError(t, err)
		require.Equal(t, machines[platform.Architecture], file.Machine)
		for _, part := range file.Progs {
			require.NotEqual(t, elf.PT_INTERP, part.Type, "it needs a dynamic linker")
		}
		libraries, err := file.ImportedLibraries()
		require.NoError(t, err)
		require.Empty(t, libraries)
		symbols, err := file.Symbols()
		require.ErrorIs(t, err, elf.ErrNoSymbols)
		require.Empty(t, symbols)
	})
}

// TestRuns runs the binary of the image. If the test is root, it runs as the user of the
// image, in a chroot that has nothing but the image.
func TestRuns(t *testing.T) {
	root := unpacked(t)
	entrypoint := "/" + name
	cmd := exec.Command(root+entrypoint, "--help")
	cmd.Env = []string{}
	if os.Getuid() == 0 {
		cmd.Path, cmd.Dir = entrypoint, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		// The user of the image cannot enter a test's temporary folder.
		require.NoError(t, os.Chmod(filepath.Dir(root), 0o755))
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "Usage")
}

// TestBuildIsReproducible builds the image again, and compares digests and files. Go does
// not cache linked binaries, so it links again.
func TestBuildIsReproducible(t *testing.T) {
	again := filepath.Join(t.TempDir(), "again")
	digest, err := build(sources{"../..", os.Getenv("IMAGE_COMMAND")}, again)
	require.NoError(t, err)

	index, err := read(given(t))
	require.NoError(t, err)
	want, err := index.Digest()
	require.NoError(t, err)
	require.Equal(t, want, digest)

	for _, beside := range []string{".oci.tar", "-amd64.cdx.json", "-arm64.cdx.json"} {
		first, err := os.ReadFile(given(t) + beside)
		require.NoError(t, err)
		second, err := os.ReadFile(again + beside)
		require.NoError(t, err)
		require.True(t, bytes.Equal(first, second), beside)
	}
}

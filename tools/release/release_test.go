package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArchive(t *testing.T) {
	files := []file{
		{"licenses/std/LICENSE", 0o644, []byte("license")},
		{"tmsctl", 0o755, []byte("program")},
	}
	for _, name := range []string{"a.tar.gz", "a.zip"} {
		data, err := archive(name, files)
		require.NoError(t, err)
		got, _, err := unpack(name, data)
		require.NoError(t, err)
		require.Equal(t, files, got, name)

		reversed := slices.Clone(files)
		slices.Reverse(reversed)
		again, err := archive(name, reversed)
		require.NoError(t, err)
		require.Equal(t, data, again, "%s: the order of the files does not count", name)

		_, _, err = unpack(name, data[:len(data)/2])
		require.ErrorContains(t, err, "reading "+name)
	}
}

// TestFilesBelow checks that an archive does not depend on the umask.
func TestFilesBelow(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "b"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "b/text"), []byte("t"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a"), []byte("p"), 0o700))
	files, err := filesBelow(folder)
	require.NoError(t, err)
	require.Equal(t, []file{{"a", 0o755, []byte("p")}, {"b/text", 0o644, []byte("t")}}, files)
}

// written returns a release with all its files, which are not what their names say.
func written(t *testing.T) release {
	t.Helper()
	r := release{source{version: "1.2.3", appVersion: "1.2.3"}, t.TempDir()}
	for _, name := range r.expected() {
		require.NoError(t, r.write(name, []byte(name)))
	}
	require.NoError(t, r.writeManifests())
	require.NoError(t, r.writeSums())
	return r
}

func TestVerifySums(t *testing.T) {
	require.NoError(t, written(t).verifySums())

	r := written(t)
	require.NoError(t, r.write("tms-1.2.3.tgz", []byte("changed")))
	require.ErrorContains(t, r.verifySums(), "tms-1.2.3.tgz: the checksum is")

	r = written(t)
	require.NoError(t, r.write("more", nil))
	require.ErrorContains(t, r.verifySums(), "more: the checksum is")

	r = written(t)
	require.NoError(t, os.Remove(filepath.Join(r.folder, "tmsctl_1.2.3_windows_arm64.zip")))
	require.ErrorContains(t, r.verifySums(), "there is no such file")
	require.NoError(t, r.writeSums())
	require.ErrorContains(t, r.verifySums(), "tmsctl_1.2.3_windows_arm64.zip: missing")
}

func TestVerifyReferences(t *testing.T) {
	r := written(t)
	require.NoError(t, r.verifyReferences())
	krew, err := os.ReadFile(filepath.Join(r.folder, "tms.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(krew), "bin: tmsctl.exe\n")
	require.Contains(t, string(krew), "/releases/download/v1.2.3/tmsctl_1.2.3_darwin_arm64.tar.gz\n")

	for _, name := range []string{"tmsctl_1.2.3_windows_amd64.zip", "tms-render_1.2.3_linux_arm64.tar.gz", "tms-whatif_1.2.3_darwin_arm64.tar.gz"} {
		r := written(t)
		require.NoError(t, r.write(name, []byte("changed")))
		require.ErrorContains(t, r.verifyReferences(), name+" has the checksum")
	}
	require.NoError(t, r.write("tmsctl.rb", []byte("class Tmsctl < Formula\nend\n")))
	require.ErrorContains(t, r.verifyReferences(), "tmsctl.rb: 0 archives, want 4")
}

// TestClear checks that build does not remove files that it did not write.
func TestClear(t *testing.T) {
	r := release{folder: filepath.Join(t.TempDir(), "new/release")}
	require.NoError(t, r.clear())
	require.NoError(t, r.write("a", nil))
	require.NoError(t, r.clear())
	require.NoFileExists(t, filepath.Join(r.folder, "a"))

	r.folder = t.TempDir()
	require.NoError(t, r.write("mine", nil))
	require.ErrorContains(t, r.clear(), "is not empty and has no SHA256SUMS")
	require.FileExists(t, filepath.Join(r.folder, "mine"))
}

func TestReadSBOM(t *testing.T) {
	const properties = `"metadata": {"properties": [{"name": "cdx:gomod:binary:hash:SHA-256", "value": "12"}]}`
	const licensed = `"components": [{"name": "std", "licenses": [{"license": {"id": "MIT"}}]}]`
	modules, sum, err := readSBOM([]byte(`{"bomFormat": "CycloneDX", ` + properties + `, ` + licensed + `}`))
	require.NoError(t, err)
	require.Equal(t, map[string]bool{"std": true}, modules)
	require.Equal(t, "12", sum)
	for text, want := range map[string]string{
		`{}`: `the SBOM is "", want CycloneDX`,
		`{"bomFormat": "CycloneDX", ` + licensed + `}`:                                    "no checksum",
		`{"bomFormat": "CycloneDX", ` + properties + `, "components": [{"name": "std"}]}`: "no license of std",
	} {
		_, _, err := readSBOM([]byte(text))
		require.ErrorContains(t, err, want)
	}
}

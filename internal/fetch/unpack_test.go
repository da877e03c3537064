package fetch

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// archives are the kinds of archives.
var archives = map[string]func(testing.TB, ...entry) []byte{
	"zip": zipOf, "tar": tarOf,
	"tar.gz": func(t testing.TB, entries ...entry) []byte { return gzipOf(t, tarOf(t, entries...)) },
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	entries := append(model("resnet50/"), file("./resnet50/labels.txt", "cat"), file("resnet50/empty/", ""),
		entry{name: "resnet50/run", text: "#!", mode: fs.ModeSetuid | 0o4755},
		entry{name: "resnet50/2", text: "1", kind: tar.TypeSymlink})
	want := map[string]string{"resnet50/labels.txt": "cat", "resnet50/empty/": "", "resnet50/run": "#!", "resnet50/2": "-> 1"}
	for name, text := range treeOf(model("resnet50/")...) {
		want[name] = text
	}
	for kind, pack := range archives {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			folder, source, err := unpackTo(t, pack(t, entries...), "resnet50", new(quota))
			require.NoError(t, err)
			require.Equal(t, "resnet50", source)
			require.Equal(t, want, tree(t, folder))
			for name, mode := range map[string]fs.FileMode{"resnet50": fs.ModeDir | 0o755, "resnet50/1": fs.ModeDir | 0o755, "resnet50/run": 0o755, "resnet50/labels.txt": 0o644} {
				info, err := os.Stat(filepath.Join(folder, name))
				require.NoError(t, err)
				require.Equal(t, mode, info.Mode(), name)
			}
		})
	}
}

// TestAttacks checks that archives cannot reach what is outside of the model.
func TestAttacks(t *testing.T) {
	t.Parallel()
	symlink := func(name, target string) entry { return entry{name: name, text: target, kind: tar.TypeSymlink} }
	hard := func(name, target string) entry { return entry{name: name, text: target, kind: tar.TypeLink} }
	long := strings.Repeat("a", longestName)
	for name, c := range map[string]struct {
		entries []entry
		want    string
	}{
		"absolute path":                  {[]entry{file("/etc/passwd", "x")}, `"/etc/passwd": the path is absolute`},
		"parent":                         {[]entry{file("../x", "x")}, `"../x": the path holds a .. segment`},
		"parent inside":                  {[]entry{file("a/../b", "x")}, `"a/../b": the path holds a .. segment`},
		"parent at the end":              {[]entry{file("1/..", "x")}, `the path holds a .. segment`},
		"absolute link":                  {[]entry{symlink("1/l", "/etc")}, `"1/l": is a link to "/etc": its target must be a relative path`},
		"link to the parent":             {[]entry{file("1/m", ""), symlink("1/l", "../..")}, `"1/l" is a link to "../..", which is not in the model: path escapes from parent`},
		"link that leaves and returns":   {[]entry{file("1/m", ""), symlink("1/l", "../../in/1/m")}, `which is not in the model`},
		"link to another link":           {[]entry{file("1/m", ""), file("1/a/b/c", ""), symlink("1/up", "a/b"), symlink("1/out", "up/../../../..")}, `which is not in the model`},
		"dangling link":                  {[]entry{file("1/m", ""), symlink("1/l", "none")}, `"1/l" is a link to "none", which is not in the model: no such file`},
		"loop":                           {[]entry{file("1/m", ""), symlink("1/a", "b"), symlink("1/b", "a")}, `which is not in the model`},
		"link out of the folder":         {[]entry{file("resnet50/1/m", ""), file(".x/s", ""), symlink("resnet50/1/l", "../../.x/s")}, `which is not in the model`},
		"file through a link":            {[]entry{symlink("1", ".."), file("1/x", "x")}, `"1/x": "1" is not a folder`},
		"file through a link inside":     {[]entry{file("2/m", ""), symlink("1", "2"), file("1/x", "x")}, `"1/x": "1" is not a folder`},
		"file over a link":               {[]entry{symlink("1", "../x"), file("1", "x")}, `"1": is in the archive twice`},
		"file twice":                     {[]entry{file("1/m", ""), file("1/m", "x")}, `"1/m": is in the archive twice`},
		"folder over a file":             {[]entry{file("1", ""), file("1/", "")}, `"1" is not a folder`},
		"device":                         {[]entry{{name: "1/null", kind: tar.TypeChar}}, `"1/null": is a device`},
		"pipe":                           {[]entry{{name: "1/pipe", kind: tar.TypeFifo}}, `"1/pipe": is a device, a pipe`},
		"name that is too long":          {[]entry{file("1/"+long+"a", "")}, `…: the name has more than 255 bytes`},
		"path that is too long":          {[]entry{file(strings.Repeat(long+"/", 12)+"a", "")}, `…: the path has more than 3072 bytes`},
		"hard link to the parent":        {[]entry{hard("1/l", "../x")}, `"1/l": is a link to "../x": the path holds a .. segment`},
		"hard link to an absolute path":  {[]entry{hard("1/l", "/etc/passwd")}, `the path is absolute`},
		"hard link to a link":            {[]entry{symlink("s", "x"), hard("1/l", "s")}, `its target must be an earlier file of the archive`},
		"hard link to nothing":           {[]entry{hard("1/l", "1/m")}, `its target must be an earlier file of the archive`},
		"a model of another name (many)": {[]entry{file("a/x", ""), file("b/x", "")}, `the archive holds "a/", "b/": expected the folder resnet50, or config.pbtxt`},
	} {
		for kind, pack := range archives {
			if kind == "zip" && strings.HasPrefix(name, "hard link") {
				continue // zip has none
			}
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				_, _, err := unpackTo(t, pack(t, c.entries...), "resnet50", new(quota))
				require.ErrorContains(t, err, c.want)
			})
		}
	}
	_, _, err := unpackTo(t, zipOf(t, file("1/a\x00b", "")), "resnet50", new(quota))
	require.ErrorContains(t, err, "the name holds a NUL")
	encrypted := zipOf(t, file("1/m", "x"))
	encrypted[bytes.Index(encrypted, []byte("PK\x01\x02"))+8] |= 1 // the flags in the directory
	_, _, err = unpackTo(t, encrypted, "resnet50", new(quota))
	require.ErrorContains(t, err, "is encrypted")
}

// TestHardLink checks that a hard link inside of the archive is allowed, and charged.
func TestHardLink(t *testing.T) {
	t.Parallel()
	limit := new(quota)
	folder, _, err := unpackTo(t, tarOf(t, file("1/m", "12345"), entry{name: "2/m", text: "1/m", kind: tar.TypeLink}), "resnet50", limit)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"1/m": "12345", "2/m": "12345"}, tree(t, folder))
	require.Equal(t, quota{bytes: 10, files: 4}, *limit)
}

func TestNoArchive(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                "it must be a zip, tar or tar.gz archive",
		"<!DOCTYPE html><title>":          "it looks like text/html; charset=utf-8",
		"\x28\xb5\x2f\xfd zstd":           "it must be a zip, tar or tar.gz archive",
		"PK\x03\x04":                      "zip archive: zip: not a valid zip file",
		"\x1f\x8b":                        "gzip file: unexpected EOF",
		string(gzipOf(t, []byte("text"))): "tar.gz archive: unexpected EOF",
	} {
		_, _, err := unpackTo(t, []byte(text), "resnet50", new(quota))
		require.ErrorContains(t, err, want, "%q", text)
	}
	whole := gzipOf(t, tarOf(t, model("")...))
	_, _, err := unpackTo(t, whole[:len(whole)/2], "resnet50", new(quota))
	require.ErrorContains(t, err, "unexpected EOF")
}

// TestLimits checks the limits of unpacking, exactly and one above.
func TestLimits(t *testing.T) {
	t.Parallel()
	entries := []entry{file("a/1/m", "12345"), file("a/config.pbtxt", "x"), file("a/2/", "")} // 5 files and folders, 6 bytes
	for kind, pack := range archives {
		for _, c := range []struct {
			bytes, files int64
			want         string
		}{
			{6, 5, ""},
			{5, 5, "the models need more than 5, for archives and unpacked files together: raise --max-size"},
			{6, 4, "the models have more than 4 files, folders and links: raise --max-files"},
		} {
			limit := &quota{maxBytes: c.bytes, maxFiles: c.files}
			_, _, err := unpackTo(t, pack(t, entries...), "a", limit)
			if c.want == "" {
				require.NoError(t, err, kind)
				require.Equal(t, quota{6, 5, 6, 5}, *limit)
			} else {
				require.ErrorContains(t, err, c.want, kind)
			}
		}
	}
}

// TestBombs checks that small archives cannot fill the volume.
func TestBombs(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	zeros := file("1/model.onnx", strings.Repeat("\x00", 32*most))
	for kind, archive := range map[string][]byte{
		"zip": zipOf(t, zeros), "tar.gz": gzipOf(t, tarOf(t, zeros)),
		"zip whose header has a small size": liar(t, zipOf(t, zeros), 32*most),
	} {
		folder, _, err := unpackTo(t, archive, "resnet50", &quota{maxBytes: most})
		require.Error(t, err, kind)
		if !strings.Contains(kind, "header") { // else the file is not as long as it should be
			require.ErrorContains(t, err, "the models need more than 1Mi", kind)
		}
		size, _ := usage(t, folder)
		require.LessOrEqual(t, size, int64(most), kind)
	}
	// One entry can create many folders.
	deep := tarOf(t, file(strings.Repeat("a/", 1000), ""))
	folder, _, err := unpackTo(t, deep, "resnet50", &quota{maxFiles: 100})
	require.ErrorContains(t, err, "more than 100 files")
	_, files := usage(t, folder)
	require.LessOrEqual(t, files, int64(100))
	// The directory of a zip is in memory.
	reader := &countedReader{file: bytes.NewReader(make([]byte, 100)), progress: new(modelProgress), left: 50}
	_, err = reader.ReadAt(make([]byte, 50), 0)
	require.NoError(t, err)
	_, err = reader.ReadAt(make([]byte, 1), 50)
	require.ErrorIs(t, err, errDirectory)
}

// liar replaces the size of the unpacked file in the headers of a zip archive by 1.
func liar(t *testing.T, archive []byte, size uint32) []byte {
	t.Helper()
	old := []byte{byte(size), byte(size >> 8), byte(size >> 16), byte(size >> 24)}
	require.Positive(t, bytes.Count(archive, old))
	return bytes.ReplaceAll(archive, old, []byte{1, 0, 0, 0})
}

// usage returns the bytes of the files in a folder, and the number of its entries.
func usage(t testing.TB, folder string) (size, files int64) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		if name != folder {
			files++
		}
		if entry.Type().IsRegular() {
			info, err := entry.Info()
			require.NoError(t, err)
			size += info.Size()
		}
		return nil
	}))
	return size, files
}

func TestLayout(t *testing.T) {
	t.Parallel()
	many := []entry{}
	for i := range 8 {
		many = append(many, file(fmt.Sprintf("f%d", i), ""))
	}
	for name, c := range map[string]struct {
		model   string
		entries []entry
		source  string // or
		want    string // the error
	}{
		"folder of the name":               {"a", []entry{file("a/weights", "")}, "a", ""},
		"beside dot files":                 {"a", []entry{file("a/weights", ""), file(".DS_Store", ""), file("__MACOSX/._a", ""), file(".git/x", "")}, "a", ""},
		"root with a configuration":        {"a", []entry{file("config.pbtxt", ""), file("a/weights", "")}, ".", ""},
		"root with a version":              {"a", []entry{file("1/m", ""), file("README", "")}, ".", ""},
		"versions do not begin with 0":     {"a", []entry{file("01/m", "")}, "", `expected the folder a`},
		"the version is the model's name":  {"1", []entry{file("1/m", ""), file("config.pbtxt", "")}, ".", ""},
		"folder of another name":           {"a", append(model("b/"), file("README", "")), "b", ""},
		"folder of another name, no model": {"a", []entry{file("b/x", "")}, "", `the archive holds "b/": expected the folder a`},
		"two folders":                      {"a", append(model("a/"), model("b/")...), "", `the archive holds "a/", "b/": expected`},
		"nothing":                          {"a", []entry{file(".x", "")}, "", `the archive holds no files`},
		"first entries":                    {"a", many, "", `the archive holds "f0", "f1", "f2", "f3", "f4", and 3 more: expected`},
		"a link is no folder":              {"a", []entry{{name: "a", text: ".b", kind: tar.TypeSymlink}, file(".b/1/m", "")}, "", `the archive holds "a": expected`},
		"repository":                       {"*", append(model("a/"), model("b/")...), ".", ""},
		"repository of one model":          {"*", model("a/"), ".", ""},
		"repository in a folder":           {"*", append(model("models/a/"), file("README", "")), "models", ""},
		"repository too deep":              {"*", model("x/models/a/"), "", `expected a repository`},
		"repository that is a model":       {"*", model(""), "", `for one model, give its name instead of *`},
		"link to a file that is removed":   {"*", append(model("a/"), file(".b", ""), entry{name: "a/1/l", text: "../../.b", kind: tar.TypeSymlink}), "", `which is not in the model`},
		"link to another model":            {"*", append(append(model("a/"), model("b/")...), entry{name: "a/2", text: "../b/1", kind: tar.TypeSymlink}), ".", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, source, err := unpackTo(t, tarOf(t, c.entries...), c.model, new(quota))
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.source, source)
		})
	}
}

// FuzzUnpack checks that an archive writes nothing outside of its folder, stays within the
// limits, and leaves only files, folders and links that stay in the model.
func FuzzUnpack(f *testing.F) {
	link := entry{name: "1/l", text: "m", kind: tar.TypeSymlink}
	for _, entries := range [][]entry{
		model("resnet50/"), model(""),
		{file("../x", "x")},
		{file("/x", "x")},
		{file("1/m", "x"), link},
		{{name: "1", text: "..", kind: tar.TypeSymlink}, file("1/x", "x")},
	} {
		for _, pack := range archives {
			f.Add(pack(f, entries...))
		}
	}
	f.Add(tarOf(f, file("1/m", "x"), entry{name: "2/m", text: "1/m", kind: tar.TypeLink}))
	f.Fuzz(func(t *testing.T, archive []byte) {
		for _, name := range []string{"resnet50", everyModel} {
			limit := &quota{maxBytes: 4 << 10, maxFiles: 32}
			folder, source, err := unpackTo(t, archive, name, limit)
			size, files := usage(t, folder)
			require.LessOrEqual(t, size, limit.maxBytes)
			require.LessOrEqual(t, files, limit.maxFiles)
			if err != nil {
				continue
			}
			inside, err := filepath.EvalSymlinks(filepath.Join(folder, source))
			require.NoError(t, err)
			require.NoError(t, filepath.WalkDir(inside, func(name string, entry fs.DirEntry, err error) error {
				require.NoError(t, err)
				require.True(t, entry.IsDir() || entry.Type().IsRegular() || entry.Type() == fs.ModeSymlink, name)
				info, err := entry.Info()
				require.NoError(t, err)
				require.Zero(t, info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky), name)
				target, err := filepath.EvalSymlinks(name)
				require.NoError(t, err)
				require.True(t, target == inside || strings.HasPrefix(target, inside+"/"), name)
				return nil
			}))
		}
	})
}

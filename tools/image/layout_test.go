package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/require"
)

// given returns the folder of the layout that make image wrote.
func given(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("LAYOUT")
	require.NotEmpty(t, folder, "run make image-test, which builds the image and sets LAYOUT")
	return folder
}

// images calls f with the image for each platform.
func images(t *testing.T, f func(t *testing.T, platform v1.Platform, img v1.Image)) {
	t.Helper()
	index, err := read(given(t))
	require.NoError(t, err)
	for _, platform := range platforms() {
		t.Run(platform.Architecture, func(t *testing.T) {
			img, err := choose(index, platform)
			require.NoError(t, err)
			f(t, platform, img)
		})
	}
}

func TestDigestsVerify(t *testing.T) {
	index, err := read(given(t))
	require.NoError(t, err)
	require.NoError(t, validate.Index(index))

	// The library does not compare the names of manifests with their digests.
	blobs := os.DirFS(given(t) + "/blobs/sha256")
	names, err := fs.Glob(blobs, "*")
	require.NoError(t, err)
	// One index; for each platform a manifest, a configuration, a layer, an SBOM and the
	// manifest of the SBOM; the shared layer, and the empty configuration.
	require.Len(t, names, 1+2*5+2)
	for _, name := range names {
		data, err := fs.ReadFile(blobs, name)
		require.NoError(t, err)
		sum := sha256.Sum256(data)
		require.Equal(t, name, hex.EncodeToString(sum[:]))
	}
}

func TestTarIsTheLayout(t *testing.T) {
	file, err := os.Open(given(t) + ".oci.tar")
	require.NoError(t, err)
	defer func() { _ = file.Close() }()

	var files int
	for archive := tar.NewReader(file); ; files++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		data, err := io.ReadAll(archive)
		require.NoError(t, err)
		want, err := os.ReadFile(given(t) + "/" + header.Name)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, data), header.Name)
	}
	var want int
	require.NoError(t, fs.WalkDir(os.DirFS(given(t)), ".", func(_ string, entry fs.DirEntry, err error) error {
		if !entry.IsDir() {
			want++
		}
		return err
	}))
	require.Equal(t, want, files)
}

func TestConfiguration(t *testing.T) {
	images(t, func(t *testing.T, platform v1.Platform, img v1.Image) {
		config, err := img.ConfigFile()
		require.NoError(t, err)
		require.Equal(t, platform, *config.Platform())
		require.Equal(t, "65532:65532", config.Config.User)
		require.Equal(t, []string{"/tms-server"}, config.Config.Entrypoint)
		require.Empty(t, config.Config.Cmd)
		require.Empty(t, config.Config.Env)
		require.Equal(t, int64(0), config.Created.Unix())

		manifest, err := img.Manifest()
		require.NoError(t, err)
		require.Equal(t, manifest.Annotations, config.Config.Labels)
		require.Subset(t, manifest.Annotations, map[string]string{
			"org.opencontainers.image.title":    "tms-server",
			"org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.source":   "https://github.com/triton-leases/tms",
		})
		require.NotEmpty(t, manifest.Annotations["org.opencontainers.image.description"])

		// Version and revision may be unknown, but the image has the same as the binary.
		info := readInfo(t, img)
		b := binary{info: info}
		require.Equal(t, b.version(), manifest.Annotations["org.opencontainers.image.version"])
		require.Equal(t, b.revision(), manifest.Annotations["org.opencontainers.image.revision"])
	})
}

func TestFiles(t *testing.T) {
	type entry struct {
		name     string
		mode     int64
		uid, gid int
		seconds  int64
	}
	images(t, func(t *testing.T, _ v1.Platform, img v1.Image) {
		layers, err := img.Layers()
		require.NoError(t, err)
		var found []entry
		for _, layer := range layers {
			data, err := layer.Uncompressed()
			require.NoError(t, err)
			for archive := tar.NewReader(data); ; {
				header, err := archive.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err)
				if strings.HasPrefix(header.Name, "licenses/") {
					require.True(t, header.Uid == 0 && header.Gid == 0 && header.ModTime.Unix() == 0, header.Name)
					continue // see TestLicenses
				}
				found = append(found, entry{header.Name, header.Mode, header.Uid, header.Gid, header.ModTime.Unix()})
			}
			require.NoError(t, data.Close())
		}
		require.Equal(t, []entry{
			{name: "etc/", mode: 0o755},
			{name: "etc/passwd", mode: 0o644},
			{name: "etc/ssl/", mode: 0o755},
			{name: "etc/ssl/certs/", mode: 0o755},
			{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644},
			{name: "tms-server", mode: 0o755},
		}, found)
	})
}

func TestCertificates(t *testing.T) {
	folder := unpacked(t)
	rest, err := os.ReadFile(folder + "/etc/ssl/certs/ca-certificates.crt")
	require.NoError(t, err)

	var authorities int
	for len(rest) > 0 {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		require.NotNil(t, block)
		certificate, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		require.True(t, certificate.IsCA, certificate.Subject)
		authorities++
	}
	require.Greater(t, authorities, 100)
}

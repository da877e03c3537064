package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// platforms are those that there is an image for. The versions of their
// instruction sets are the oldest that Go knows, whatever the machine that
// compiles prefers.
func platforms() []v1.Platform {
	return []v1.Platform{
		{OS: "linux", Architecture: "amd64"},
		{OS: "linux", Architecture: "arm64"},
	}
}

// sources are a command and the folder of the module that has it.
type sources struct{ folder, command string }

// A binary is a command that was compiled for a platform.
type binary struct {
	path     string
	platform v1.Platform
	info     *buildinfo.BuildInfo
}

// compile builds the command for a platform, statically, as file in folder.
func (s sources) compile(platform v1.Platform, folder string) (binary, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return binary{}, fmt.Errorf("finding the folder of binaries: %w", err)
	}
	path := filepath.Join(folder, platform.Architecture, name)

	// Go refuses to stamp what git does not tell it, so git is asked first:
	// there may be none, or a repository that belongs to somebody else.
	stamp := "-buildvcs=false"
	if s.git("status", "--porcelain") == nil {
		stamp = "-buildvcs=true"
	}
	cmd := exec.Command("go", "build", "-trimpath", stamp, "-ldflags", "-s -w", "-o", path, s.command)
	cmd.Dir = s.folder
	// Whatever else changes what is compiled must not come from the environment.
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=",
		"GOOS="+platform.OS, "GOARCH="+platform.Architecture, "GOAMD64=v1", "GOARM64=v8.0")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return binary{}, fmt.Errorf("compiling %s for %s: %w", s.command, platform, err)
	}

	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return binary{}, fmt.Errorf("reading what was compiled: %w", err)
	}
	return binary{path, platform, info}, nil
}

func (s sources) git(args ...string) error {
	cmd := exec.Command("git", args...)
	cmd.Dir = s.folder
	return cmd.Run()
}

// version is that of the module, or empty where git did not tell it to Go.
func (b binary) version() string {
	if b.info.Main.Version == "(devel)" {
		return ""
	}
	return b.info.Main.Version
}

// revision is the commit, marked where there was more than the commit, or empty.
func (b binary) revision() string {
	revision := b.setting("vcs.revision")
	if b.setting("vcs.modified") == "true" {
		revision += "-dirty"
	}
	return revision
}

func (b binary) setting(key string) string {
	for _, setting := range b.info.Settings {
		if setting.Key == key {
			return setting.Value
		}
	}
	return ""
}

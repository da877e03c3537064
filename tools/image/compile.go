package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// platforms returns the platforms of the image. compile builds for the oldest version of
// each instruction set that Go supports.
func platforms() []v1.Platform {
	return []v1.Platform{
		{OS: "linux", Architecture: "amd64"},
		{OS: "linux", Architecture: "arm64"},
	}
}

// sources are the folder of a module, and the package of a command in it.
type sources struct{ folder, command string }

// name is the name of the program.
func (s sources) name() string { return path.Base(filepath.ToSlash(s.command)) }

// A binary is a command that is compiled for a platform.
type binary struct {
	path     string
	platform v1.Platform
	info     *buildinfo.BuildInfo
}

// compile builds the command for a platform as a static binary below folder.
func (s sources) compile(platform v1.Platform, folder string) (binary, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return binary{}, fmt.Errorf("finding the folder of binaries: %w", err)
	}
	program := filepath.Join(folder, platform.Architecture, s.name())
	if platform.OS == "windows" {
		program += ".exe"
	}

	// With -buildvcs=true, go build fails if git fails. So check it first: git may not be
	// installed, or may refuse a repository that another user owns.
	stamp := "-buildvcs=false"
	if s.git("status", "--porcelain") == nil {
		stamp = "-buildvcs=true"
	}
	cmd := s.goCommand(platform, "build", "-trimpath", stamp, "-ldflags", "-s -w", "-o", program, s.command)
	cmd.Stdout = os.Stderr
	if err := cmd.Run(); err != nil {
		return binary{}, fmt.Errorf("compiling %s for %s: %w", s.command, platform, err)
	}

	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return binary{}, fmt.Errorf("reading the binary: %w", err)
	}
	return binary{program, platform, info}, nil
}

// goCommand returns a go command in the folder of the module. The environment of this
// program does not change what it builds.
func (s sources) goCommand(platform v1.Platform, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = s.folder, os.Stderr
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=",
		"GOOS="+platform.OS, "GOARCH="+platform.Architecture, "GOAMD64=v1", "GOARM64=v8.0")
	return cmd
}

func (s sources) git(args ...string) error {
	cmd := exec.Command("git", args...)
	cmd.Dir = s.folder
	return cmd.Run()
}

// version returns the version of the module, or "" if Go did not get it from git.
func (b binary) version() string {
	if b.info.Main.Version == "(devel)" {
		return ""
	}
	return b.info.Main.Version
}

// revision returns the commit, with -dirty if there are uncommitted changes, or "".
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

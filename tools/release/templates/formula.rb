class {{.Class}} < Formula
  desc "{{.Summary}}"
  homepage "{{.Repository}}"
  version "{{.Version}}"
  license "Apache-2.0"

  on_macos do
    on_arm do
{{- with .Platforms.darwin_arm64}}
      url "{{.URL}}"
      sha256 "{{.SHA256}}"
{{- end}}
    end
    on_intel do
{{- with .Platforms.darwin_amd64}}
      url "{{.URL}}"
      sha256 "{{.SHA256}}"
{{- end}}
    end
  end

  on_linux do
    on_arm do
{{- with .Platforms.linux_arm64}}
      url "{{.URL}}"
      sha256 "{{.SHA256}}"
{{- end}}
    end
    on_intel do
{{- with .Platforms.linux_amd64}}
      url "{{.URL}}"
      sha256 "{{.SHA256}}"
{{- end}}
    end
  end

  def install
    bin.install "{{.Program}}"
    bash_completion.install "completions/{{.Program}}.bash" => "{{.Program}}"
    zsh_completion.install "completions/_{{.Program}}"
    fish_completion.install "completions/{{.Program}}.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/{{.Program}} version")
  end
end

package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// Model is a model to fetch.
type Model struct {
	// Name is the name of the model. The archive of the model "*" is a whole repository.
	Name string
	// URI is the address of the archive, without a fragment.
	URI *url.URL
	// Digest is the SHA-256 digest of the archive in lower-case hexadecimal digits, or empty.
	Digest string
}

// String returns the URI without its query, which may hold a signature.
func (m Model) String() string { return withoutQuery(m.URI) }

func withoutQuery(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

var digestFragment = regexp.MustCompile(`^sha256=([0-9a-fA-F]{64})$`)

// ParseModel parses NAME=URI.
func ParseModel(text string) (Model, error) {
	name, uri, ok := strings.Cut(text, "=")
	if !ok {
		return Model{}, errors.New("must be NAME=URI, such as resnet50=https://models.example.com/resnet50.zip")
	}
	if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\\\x00") || len(name) > longestName {
		return Model{}, fmt.Errorf("name %q: must be the name of a folder that does not begin with a dot, or *", name)
	}
	u, err := url.Parse(uri)
	if err != nil {
		return Model{}, errors.New("the URI is not valid") // the error quotes the URI, which may hold a signature
	}
	model := Model{Name: name, URI: u}
	switch {
	case u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "":
		return Model{}, errors.New("the URI must be https://HOST[:PORT]/PATH")
	case u.User != nil:
		return Model{}, errors.New("the URI must not hold a user: use a Secret, see --credential")
	case !plainPath(u.Path):
		return Model{}, errors.New("the path of the URI must not hold a backslash, or . or .. as a segment")
	}
	if u.Fragment != "" {
		match := digestFragment.FindStringSubmatch(u.Fragment)
		if match == nil {
			return Model{}, errors.New("the fragment of the URI must be #sha256= and 64 hexadecimal digits")
		}
		model.Digest = strings.ToLower(match[1])
	}
	u.Fragment, u.RawFragment = "", ""
	return model, nil
}

// plainPath reports whether a server cannot resolve a path to another one. Such a path
// would get the credential of one folder for another.
func plainPath(text string) bool {
	if strings.Contains(text, "\\") {
		return false
	}
	for _, segment := range strings.Split(text, "/") {
		segment, _, _ = strings.Cut(segment, ";") // some servers cut the parameters first
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// CheckModels returns the errors of the models as a whole.
func CheckModels(models []Model) error {
	var errs []error
	if len(models) == 0 {
		errs = append(errs, errors.New("at least one model is required"))
	}
	seen := map[string]bool{}
	for _, model := range models {
		if seen[model.Name] {
			errs = append(errs, fmt.Errorf("%s: is given twice", model.Name))
		}
		seen[model.Name] = true
	}
	if seen[everyModel] && len(seen) > 1 {
		errs = append(errs, errors.New("*: must be the only model, because it fills the whole repository"))
	}
	return errors.Join(errs...)
}

// partName returns the name of the file that holds what was downloaded of an archive.
func partName(m Model) string { return path.Join(workFolder, hash(m.Name+"="+m.URI.String())+".part") }

// validatorsName returns the name of the file that holds the validators of a part.
func validatorsName(m Model) string {
	return strings.TrimSuffix(partName(m), ".part") + ".json"
}

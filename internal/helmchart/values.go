package helmchart

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"helm.sh/helm/v3/pkg/strvals"
)

// Setter is the name of one of helm's flags that set single values.
type Setter string

// The setters, in the order in which helm applies them.
const (
	SetJSON    Setter = "set-json"
	Set        Setter = "set"
	SetString  Setter = "set-string"
	SetFile    Setter = "set-file"
	SetLiteral Setter = "set-literal"
)

// Setters returns all setters in the order in which helm applies them.
func Setters() []Setter { return []Setter{SetJSON, Set, SetString, SetFile, SetLiteral} }

// Usage returns helm's usage text of the flag.
func (s Setter) Usage() string {
	switch s {
	case SetJSON:
		return "set JSON values on the command line (can specify multiple or separate values with commas: key1=jsonval1,key2=jsonval2)"
	case SetString:
		return "set STRING values on the command line (can specify multiple or separate values with commas: key1=val1,key2=val2)"
	case SetFile:
		return "set values from respective files specified via the command line (can specify multiple or separate values with commas: key1=path1,key2=path2)"
	case SetLiteral:
		return "set a literal STRING value on the command line"
	default:
		return "set values on the command line (can specify multiple or separate values with commas: key1=val1,key2=val2)"
	}
}

// ErrNoFileName is the error for an argument of SetFile with an empty file name. Helm sets
// an empty string.
var ErrNoFileName = errors.New("the file name must not be empty")

// checkFileNames returns ErrNoFileName if an argument of SetFile has an empty file name:
// Helm's parser does not read a file for it.
func checkFileNames(argument string) error {
	values := map[string]any{}
	if err := strvals.ParseIntoFile(argument, values, func(path []rune) (any, error) { return string(path), nil }); err != nil {
		return nil //nolint:nilerr // Apply returns it
	}
	if hasEmptyString(values) {
		return ErrNoFileName
	}
	return nil
}

func hasEmptyString(value any) bool {
	switch value := value.(type) {
	case string:
		return value == ""
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(value)), hasEmptyString)
	case []any:
		return slices.ContainsFunc(value, hasEmptyString)
	}
	return false
}

// Apply applies one argument of the flag to values. It calls read for the files that
// SetFile names.
func (s Setter) Apply(values map[string]any, argument string, read func(path string) ([]byte, error)) error {
	var err error
	switch s {
	case SetJSON:
		err = strvals.ParseJSON(argument, values)
	case Set:
		err = strvals.ParseInto(argument, values)
	case SetString:
		err = strvals.ParseIntoString(argument, values)
	case SetFile:
		if err = checkFileNames(argument); err == nil {
			err = strvals.ParseIntoFile(argument, values, func(path []rune) (any, error) {
				text, err := read(string(path))
				return string(text), err
			})
		}
	case SetLiteral:
		err = strvals.ParseLiteralInto(argument, values)
	}
	var number *strconv.NumError
	if errors.As(err, &number) {
		err = fmt.Errorf("the index %q must be a whole number", number.Num)
	}
	if err != nil {
		return fmt.Errorf("--%s %s: %w", s, argument, err)
	}
	return nil
}

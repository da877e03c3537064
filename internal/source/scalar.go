package source

import "strings"

// kind is what YAML makes of a text without quotes.
type kind int

const (
	unclear kind = iota // null, or what versions of YAML do not agree about
	aString
	aNumber
	aBool
)

// Classes of bytes by where they may stand in a text without quotes.
const (
	inKey         = 1 << iota // in a key
	inWord                    // in a value, also right behind a colon
	inScalar                  // in a value, wherever it stands
	inBlockScalar             // in a value that does not stand in flow style
)

var class = classes()

func classes() (table [256]uint8) {
	set := func(bytes string, in uint8) {
		for i := range len(bytes) {
			table[bytes[i]] |= in
		}
	}
	const word = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./"
	set(word, inKey|inWord|inScalar)
	set(": @%+=$()^;", inScalar)
	set(",", inBlockScalar)
	return table
}

// kindOf decides what a text of these bytes is. What looks like a number is one
// only where all versions of YAML read the same number.
func kindOf(text string) kind {
	if text == "" {
		return unclear
	}
	switch c := text[0]; {
	case c >= '0' && c <= '9':
		return numberOrWord(text)
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		return wordOrBool(text)
	case c == '/' || c == '_':
		return aString
	case strings.HasPrefix(text, "--") && len(text) > 2 && class[text[2]]&inKey != 0 && (text[2]|0x20) >= 'a' && (text[2]|0x20) <= 'z':
		return aString // a flag of a command line
	default:
		return unclear
	}
}

// IsWord says whether a text begins with a letter, has letters, digits and
// "-_./" alone, and is a text in every version of YAML: it needs no quotes anywhere.
func IsWord(text string) bool {
	if text == "" || text[0]|0x20 < 'a' || text[0]|0x20 > 'z' || wordOrBool(text) != aString {
		return false
	}
	for i := range len(text) {
		if class[text[i]]&inWord == 0 {
			return false
		}
	}
	return true
}

// wordOrBool decides about what begins with a letter.
func wordOrBool(text string) kind {
	switch {
	case text == "true" || text == "false":
		return aBool
	case len(text) > len("false"):
		return aString
	}
	switch strings.ToLower(text) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return unclear
	default:
		return aString
	}
}

// numberOrWord decides about what begins with a digit.
func numberOrWord(text string) kind {
	const mostDigits = 15 // so that a float holds the number
	digits, dots, letters := 0, 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.':
			dots++
		case c >= 'g' && c <= 'z' && c != 'o' && c != 'x' || c >= 'G' && c <= 'Z' && c != 'O' && c != 'X':
			letters++ // no number has them in any notation
		case c == ':':
			return unclear // a time, or a number of base 60
		}
	}
	switch {
	case letters > 0:
		return aString
	case digits+dots != len(text) || dots > 1 || digits > mostDigits || text[len(text)-1] == '.':
		return unclear
	case text[0] == '0' && len(text) > 1 && text[1] != '.':
		return unclear // octal
	default:
		return aNumber
	}
}

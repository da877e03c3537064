// Package spelling suggests the word that was probably meant.
package spelling

import "strings"

// Nearest returns the known word that was probably meant: the first one that begins with
// word, or the one with the smallest edit distance. It returns "" if none is near.
func Nearest(word string, known []string) string {
	best, fewest := "", 1+len(word)/3
	for _, candidate := range known {
		if len(word) >= 3 && strings.HasPrefix(candidate, word) {
			return candidate
		}
		edits := distance(strings.ToLower(word), strings.ToLower(candidate))
		if edits < fewest || edits == fewest && best == "" {
			best, fewest = candidate, edits
		}
	}
	return best
}

// distance returns the Levenshtein distance of a and b, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

package randvalues

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Corpus returns the values files of all tests, accepted and refused, and some random
// ones, which are the same in every run. The root is the folder of the module.
func Corpus(root string, random int) ([][]byte, error) {
	var all [][]byte
	for _, pattern := range []string{"charts/tms/ci/*.yaml", "examples/*.yaml", "testdata/refused/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("no values files match %s: %w", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			all = append(all, text)
		}
	}
	dice := rand.New(rand.NewPCG(5, 6))
	for range random {
		data := make([]byte, 200)
		for i := range data {
			data[i] = byte(dice.UintN(256))
		}
		text, _ := YAML(data)
		all = append(all, text)
	}
	return all, nil
}

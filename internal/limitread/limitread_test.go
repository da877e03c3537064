package limitread

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// endless is a reader without an end, as /dev/zero is.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

// TestLimit checks an input of exactly the limit, and one of a byte more, as a sparse file
// and as a reader without a size.
func TestLimit(t *testing.T) {
	t.Parallel()
	const maximum = 1 << 20
	name := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	for size, fits := range map[int64]bool{0: true, maximum: true, maximum + 1: false, 1 << 40: false} {
		require.NoError(t, os.Truncate(name, size))
		text, err := File(name, maximum)
		file, openErr := os.Open(name)
		require.NoError(t, openErr)
		piped, pipedErr := All(io.LimitReader(file, size), maximum)
		require.NoError(t, file.Close())
		if fits {
			require.NoError(t, err)
			require.NoError(t, pipedErr)
			require.Len(t, text, int(size))
			require.Len(t, piped, int(size))
			continue
		}
		require.EqualError(t, err, "read "+name+": too large: must not exceed 1 MiB")
		require.ErrorIs(t, err, ErrTooLarge)
		require.EqualError(t, pipedErr, "too large: must not exceed 1 MiB")
	}
}

func TestEndless(t *testing.T) {
	t.Parallel()
	zero := new(endless)
	_, err := All(zero, 1<<20)
	require.ErrorIs(t, err, ErrTooLarge)
	require.Equal(t, 1<<20+1, zero.read)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	_, err := File(filepath.Join(t.TempDir(), "none"), 1)
	require.ErrorIs(t, err, os.ErrNotExist)
	folder := t.TempDir()
	_, err = File(folder, 1)
	require.EqualError(t, err, "read "+folder+": is a directory")
	_, err = All(io.MultiReader(strings.NewReader("a"), iotest.ErrReader(errors.New("broken"))), 1<<20)
	require.EqualError(t, err, "broken")
}

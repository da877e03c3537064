package parallel_test

import (
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/parallel"
)

func cores(t *testing.T, n int) {
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

func TestDoTakesEachNumberOnce(t *testing.T) {
	cores(t, 5)
	for _, n := range []int{0, 1, 255, 256, 257, 10_000} {
		taken := make([]atomic.Int32, n)
		parallel.Do(n, func(first, end int) {
			for i := first; i < end; i++ {
				taken[i].Add(1)
			}
		})
		for i := range taken {
			require.EqualValues(t, 1, taken[i].Load(), "%d of %d", i, n)
		}
	}
}

func TestInOrder(t *testing.T) {
	for _, n := range []int{0, 1, 64, 65, 5000} {
		var wanted strings.Builder
		for i := range n {
			wanted.WriteString(strconv.Itoa(i))
		}
		for _, c := range []int{1, 2, 7} {
			cores(t, c)
			var got strings.Builder
			numbers := 0
			require.NoError(t, parallel.InOrder(n, digits, func(text []byte, of int) error {
				got.Write(text)
				numbers += of
				return nil
			}))
			require.Equal(t, wanted.String(), got.String())
			require.Equal(t, n, numbers)
		}
	}
}

func TestInOrderStopsAtAnError(t *testing.T) {
	cores(t, 4)
	full := errors.New("no space left")
	handed := 0
	err := parallel.InOrder(100_000, digits, func([]byte, int) error {
		if handed++; handed == 3 {
			return full
		}
		return nil
	})
	require.ErrorIs(t, err, full)
	require.Equal(t, 3, handed)
}

func digits(to []byte, first, end int) []byte {
	for i := first; i < end; i++ {
		to = strconv.AppendInt(to, int64(i), 10)
	}
	return to
}

// Package parallel does the same for many things at once, on as many cores as
// there are. What comes out does not depend on their number.
package parallel

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Do calls a function for parts of the numbers below n, several at once
// where there are several cores. Each number is in one part.
func Do(n int, do func(first, end int)) {
	const part = 256 // long enough that taking one costs nothing
	var next atomic.Int64
	var panicked atomic.Value
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+part-1)/part) {
		workers.Go(func() {
			defer func() {
				if reason := recover(); reason != nil {
					panicked.CompareAndSwap(nil, fmt.Sprint(reason))
				}
			}()
			for {
				first := int(next.Add(part)) - part
				if first >= n {
					return
				}
				do(first, min(first+part, n))
			}
		})
	}
	workers.Wait()
	if reason := panicked.Load(); reason != nil {
		panic(reason)
	}
}

// InOrder makes the texts of parts of the numbers below n, several at once where
// there are several cores, and hands them on in order. There are at most two
// texts for each core at any time; a text that was handed on is gone. It stops at
// the first error.
func InOrder(n int, text func(to []byte, first, end int) []byte, handOn func(text []byte, numbers int) error) error {
	const part = 64 // some hundred kilobytes, as much as one write takes well
	parts := (n + part - 1) / part
	workers := min(runtime.GOMAXPROCS(0), parts)
	made := make([]chan []byte, workers)
	stop := make(chan struct{})
	defer close(stop)
	for w := range workers {
		made[w] = make(chan []byte)
		go func() {
			for p := w; p < parts; p += workers {
				select {
				case made[w] <- text(used(), p*part, min(p*part+part, n)):
				case <-stop:
					return
				}
			}
		}()
	}
	for p := range parts {
		text := <-made[p%workers]
		if err := handOn(text, min(part, n-p*part)); err != nil {
			return err
		}
		memory.Put(&text)
	}
	return nil
}

// memory is that of texts that were handed on.
var memory sync.Pool

// used returns the memory of a text that was handed on, where there is one.
func used() []byte {
	if text, ok := memory.Get().(*[]byte); ok {
		return (*text)[:0]
	}
	return nil
}

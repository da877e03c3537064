package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// limitsLoop is the median CPU time of loop on the machine for which the limits of CPU
// time are set. On a machine with a slower or faster loop, the limits change in proportion.
const limitsLoop = 8 * time.Millisecond

// loop sorts fixed numbers, and returns the CPU time that this takes. It is a measure of
// the speed of a core.
func loop() time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	numbers := make([]uint64, 1<<17)
	random := rand.New(rand.NewPCG(1, 0))
	for i := range numbers {
		numbers[i] = random.Uint64()
	}
	begin := threadTime()
	slices.Sort(numbers)
	return threadTime() - begin
}

func threadTime() time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var usage syscall.Rusage
	if err := syscall.Getrusage(thread, &usage); err != nil {
		panic(err) // impossible on Linux
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// rest waits, and measures the loop every second. The server must be idle.
func (loops *latencies) rest(ctx context.Context, d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		*loops = append(*loops, loop())
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}

// usage is the CPU time, in seconds, of all processes of the machine, and of those of this
// run.
type usage struct {
	at        time.Time
	all, ours float64
}

func readUsage() (u usage, err error) {
	u.at = time.Now()
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return u, err
	}
	for i, field := range strings.Fields(strings.SplitN(string(text), "\n", 2)[0])[1:] {
		const idle, wait, steal = 3, 4, 7
		if i != idle && i != wait && i <= steal {
			u.all += ticks(field)
		}
	}
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	self := strconv.Itoa(os.Getpid())
	for _, path := range paths {
		fields := readStat(path)
		if fields != nil && (fields[1] == self || path == "/proc/"+self+"/stat") { // a child, or this process
			for _, field := range fields[11:15] { // with the children that have ended
				u.ours += ticks(field)
			}
		}
	}
	return u, err
}

// others returns the share of the machine's CPU time that the processes of others used.
func (u usage) others(end usage) float64 {
	seconds := end.at.Sub(u.at).Seconds() * float64(runtime.NumCPU())
	return min(1, max(0, (end.all-u.all-(end.ours-u.ours))/seconds))
}

// readStat returns the fields of /proc/<pid>/stat after the name of the program, or nil if
// the process has ended.
func readStat(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// ticks converts ticks of the kernel's clock to seconds. There are 100 in a second on all
// machines.
func ticks(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n / 100
}

// processTime returns the CPU time of a process in seconds.
func processTime(pid int) (float64, error) {
	fields := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	if fields == nil {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	return ticks(fields[11]) + ticks(fields[12]), nil
}

// peakMemory returns the highest resident memory of a process until now, in bytes, or 0 if
// the process has ended.
func peakMemory(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	kibi, _ := strconv.ParseFloat(strings.Fields(after + " 0")[0], 64)
	return 1024 * kibi
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

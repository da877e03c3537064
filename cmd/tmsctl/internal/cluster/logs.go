package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"sync"
)

// ErrNoPod is the error of Logs if no pod has the labels.
var ErrNoPod = errors.New("no pod exists")

// LogOptions select the lines of Logs.
type LogOptions struct {
	// Follow waits for more lines until the context ends.
	Follow bool
	// Tail is the number of lines of each pod, and -1 for all.
	Tail int64
}

// Logs calls line with each line of the logs of a container of the pods with labels. The pod
// is empty if there is only one. One call of line runs at a time. A line of more than 1 MiB
// comes in parts.
func (c *Cluster) Logs(ctx context.Context, namespace string, selector map[string]string, container string, options LogOptions, line func(pod, text string) error) error {
	pods, err := c.pods(ctx, namespace, selector)
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return ErrNoPod
	}
	var (
		wait sync.WaitGroup
		lock sync.Mutex
		errs = make([]error, len(pods))
	)
	for i, pod := range pods {
		name := pod.Name
		if len(pods) == 1 {
			name = ""
		}
		query := url.Values{"container": {container}, "follow": {strconv.FormatBool(options.Follow)}}
		if options.Tail >= 0 {
			query.Set("tailLines", strconv.FormatInt(options.Tail, 10))
		}
		wait.Go(func() {
			err := c.log(ctx, namespace, pod.Name, query, func(text string) error {
				lock.Lock()
				defer lock.Unlock()
				return line(name, text)
			})
			if err != nil && ctx.Err() == nil {
				errs[i] = fmt.Errorf("pod %s: %w", pod.Name, err)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// log reads the log of one pod.
func (c *Cluster) log(ctx context.Context, namespace, pod string, query url.Values, line func(text string) error) error {
	body, err := c.open(ctx, query, "api", "v1", "namespaces", namespace, "pods", pod, "log")
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	const maxLine = 1 << 20
	reader := bufio.NewReaderSize(body, maxLine)
	for {
		text, _, err := reader.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := line(string(text)); err != nil {
			return err
		}
	}
}

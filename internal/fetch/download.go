package fetch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/triton-leases/tms/internal/limitread"
)

const (
	longestDelay = time.Minute
	// longestRetryAfter limits what a server may ask for.
	longestRetryAfter = 5 * time.Minute
)

// download downloads the archive of one model to its part file.
type download struct {
	client   *client
	root     *os.Root
	quota    *quota
	model    Model
	progress *modelProgress
	logger   *slog.Logger
	retries  int
	delay    time.Duration
	// have are the validators of the model that the volume holds.
	have validators
	// changed is called before the archive is accepted.
	changed func() error

	got    validators // of the part file
	size   int64      // of the part file; charged to the quota
	credit *Credential
	secret secret
}

// retryError is an error after which the download is tried again.
type retryError struct {
	error
	after time.Duration // that the server asks for; 0 if it does not
}

// run downloads the archive, unless the server says that the volume has it. It tries again
// as long as new data arrive, and then a number of times.
func (d *download) run(ctx context.Context) (modified bool, err error) {
	d.credit = match(d.client.credentials, d.model.URI)
	if d.credit != nil {
		if d.secret, err = d.credit.read(); err != nil {
			return false, err
		}
	}
	if err := d.open(); err != nil {
		return false, err
	}
	d.progress.set(stateDownloading, d.size, 0)
	fresh := wait.Backoff{Duration: d.delay, Factor: 2, Jitter: 0.5, Steps: 1 << 30, Cap: longestDelay}
	backoff, failures := fresh, 0
	for {
		before := d.size
		modified, err := d.attempt(ctx)
		if err == nil || ctx.Err() != nil || errors.As(err, new(permanentError)) {
			return modified, err
		}
		if d.size > before {
			backoff, failures = fresh, 0
		}
		if failures++; failures > d.retries {
			return false, fmt.Errorf("%w (failed %d times)", err, failures)
		}
		delay := backoff.Step()
		if asked := (retryError{}); errors.As(err, &asked) && asked.after > 0 {
			delay = min(asked.after, longestRetryAfter)
		}
		d.logger.Info("retry a download", "model", d.model.Name, "error", err.Error(), "delay", delay.String())
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(delay):
		}
	}
}

// open finds what an earlier process downloaded. Without validators it is of no use.
func (d *download) open() error {
	info, err := d.root.Stat(partName(d.model))
	if err != nil {
		return d.discard()
	}
	text, err := limitread.FileFS(d.root.FS(), validatorsName(d.model), limitread.Config)
	if err != nil || json.Unmarshal(text, &d.got) != nil || d.got == (validators{}) {
		d.got = validators{}
		return d.discard()
	}
	if err := d.quota.charge(info.Size(), 0); err != nil {
		return errors.Join(d.charge(err), d.discard())
	}
	d.size = info.Size()
	return nil
}

// discard deletes the part file.
func (d *download) discard() error {
	d.quota.release(d.size, 0)
	d.size, d.got = 0, validators{}
	return errors.Join(d.root.RemoveAll(partName(d.model)), d.root.RemoveAll(validatorsName(d.model)))
}

// ifRange returns the validator that a server needs to continue a download, and "" if the
// part is of no use. A weak ETag does not promise the same bytes.
func (v validators) ifRange() string {
	if v.ETag != "" && !strings.HasPrefix(v.ETag, "W/") {
		return v.ETag
	}
	return v.LastModified
}

// header returns the headers of the next request.
func (d *download) header() http.Header {
	header := http.Header{"User-Agent": {"tms-server"}, "Accept": {"*/*"}}
	if d.secret.header != "" {
		header.Set("Authorization", d.secret.header)
	}
	switch validator := d.got.ifRange(); {
	case d.size > 0 && validator != "":
		header.Set("Range", fmt.Sprintf("bytes=%d-", d.size))
		header.Set("If-Range", validator)
	case d.have.ETag != "":
		header.Set("If-None-Match", d.have.ETag)
	case d.have.LastModified != "":
		header.Set("If-Modified-Since", d.have.LastModified)
	}
	return header
}

// attempt sends one request, and appends what it gets to the part file.
func (d *download) attempt(ctx context.Context) (modified bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(2*d.client.stall, func() {
		cancel(fmt.Errorf("the server sent nothing for %s", d.client.stall))
	})
	defer watchdog.Stop()
	header := d.header()
	response, err := d.client.get(ctx, d.model.URI, header)
	if err != nil {
		return false, causeOf(ctx, fmt.Errorf("%s: %w", d.model, err))
	}
	defer func() { _ = response.Body.Close() }()
	body := response.Body
	var total int64 // -1 if it is unknown
	switch code := response.StatusCode; {
	case code == http.StatusOK:
		if err := d.discard(); err != nil {
			return false, permanentError{err}
		}
		total = response.ContentLength
		d.got = validators{ETag: response.Header.Get("ETag"), LastModified: response.Header.Get("Last-Modified")}
	case code == http.StatusNotModified && header.Get("Range") == "" && d.have != (validators{}):
		return false, nil
	case header.Get("Range") == "" || code != http.StatusPartialContent && code != http.StatusRequestedRangeNotSatisfiable:
		return false, d.refused(response)
	default:
		first, size := contentRange(response.Header.Get("Content-Range"))
		complete := code == http.StatusRequestedRangeNotSatisfiable && size == d.size
		if first != d.size && !complete {
			return false, cmp.Or(d.discard(), error(retryError{error: fmt.Errorf("%s: the server does not continue the download", d.model)}))
		}
		total = size
		if complete {
			body = http.NoBody
		}
	}
	if err := d.begin(total); err != nil {
		return false, permanentError{err}
	}
	return true, d.append(ctx, body, total, func() { watchdog.Reset(d.client.stall) })
}

// begin prepares the volume for the body of an answer.
func (d *download) begin(total int64) error {
	if err := d.changed(); err != nil {
		return err
	}
	d.have = validators{} // the volume no longer has it
	if err := d.charge(d.quota.fits(total - d.size)); err != nil {
		return err
	}
	d.progress.set(stateDownloading, d.size, total)
	return writeJSON(d.root, validatorsName(d.model), d.got)
}

func (d *download) charge(err error) error {
	if err != nil {
		return fmt.Errorf("%s: the archive: %w", d.model, err)
	}
	return nil
}

// append appends the body of an answer to the part file.
func (d *download) append(ctx context.Context, body io.Reader, total int64, alive func()) error {
	file, err := d.root.OpenFile(partName(d.model), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return permanentError{err}
	}
	defer func() { _ = file.Close() }()
	buffer := make([]byte, 256<<10)
	for {
		n, readErr := body.Read(buffer)
		if n > 0 {
			alive()
			if err := d.charge(d.quota.charge(int64(n), 0)); err != nil {
				return permanentError{errors.Join(err, d.discard())} // the next start would fail as well
			}
			d.size += int64(n)
			d.progress.add(n)
			if _, err := file.Write(buffer[:n]); err != nil {
				return permanentError{err}
			}
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			return causeOf(ctx, fmt.Errorf("%s: %w", d.model, readErr))
		}
	}
	if total >= 0 && d.size != total {
		return fmt.Errorf("%s: got %d of %d bytes", d.model, d.size, total)
	}
	d.progress.set(stateDownloading, d.size, d.size)
	if err := file.Sync(); err != nil {
		return permanentError{err}
	}
	return nil
}

// causeOf returns why a request was cancelled, if it was, and else err.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// refused returns the error of an answer that has no archive.
func (d *download) refused(response *http.Response) error {
	err := fmt.Errorf("%s: the server answers %s", d.model, response.Status)
	if host := response.Request.URL.Host; host != d.model.URI.Host {
		err = fmt.Errorf("%s: redirected to %s: the server answers %s", d.model, host, response.Status)
	}
	switch code := response.StatusCode; {
	case code == http.StatusRequestTimeout || code == http.StatusTooManyRequests || code >= 500:
		return retryError{error: err, after: retryAfter(response.Header.Get("Retry-After"))}
	case code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusNotFound:
		return permanentError{fmt.Errorf("%w: %s", err, hint(d.credit, d.secret))}
	}
	return permanentError{err}
}

// retryAfter parses the header Retry-After: seconds, or a date.
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(time.Until(date), 0)
	}
	return 0
}

// contentRange parses "bytes 5-9/10" and "bytes */10". A number that is missing is -1.
func contentRange(value string) (first, total int64) {
	span, size, _ := strings.Cut(strings.TrimPrefix(value, "bytes "), "/")
	start, _, _ := strings.Cut(span, "-")
	number := func(text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	return number(start), number(size)
}

// verify compares the digest of an archive, if one is given.
func verify(ctx context.Context, archive io.Reader, want string) error {
	if want == "" {
		return nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, contextReader{ctx, archive}); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("the SHA-256 digest of the archive differs: expected %s, got %s", want, got)
	}
	return nil
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// contextReader is a reader that fails when the context ends.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(buffer []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(buffer)
}

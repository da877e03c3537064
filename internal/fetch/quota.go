package fetch

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
)

// quota counts what is on the volume. It is for one goroutine.
type quota struct {
	maxBytes, maxFiles int64 // 0: no limit
	bytes, files       int64
}

// charge counts bytes and files before they are written. It counts nothing if it fails.
func (q *quota) charge(bytes, files int64) error {
	if err := q.fits(bytes); err != nil {
		return err
	}
	if q.maxFiles > 0 && files > q.maxFiles-q.files {
		return fmt.Errorf("the models have more than %d files, folders and links: raise --max-files (server.modelDownloads.maximumFiles)", q.maxFiles)
	}
	q.bytes += bytes
	q.files += files
	return nil
}

// fits returns an error if there is no space for bytes.
func (q *quota) fits(bytes int64) error {
	if q.maxBytes > 0 && bytes > q.maxBytes-q.bytes {
		return fmt.Errorf("the models need more than %s, for archives and unpacked files together: raise --max-size (server.modelDownloads.sizeLimit)",
			resource.NewQuantity(q.maxBytes, resource.BinarySI))
	}
	return nil
}

// release counts what was deleted.
func (q *quota) release(bytes, files int64) {
	q.bytes -= bytes
	q.files -= files
}

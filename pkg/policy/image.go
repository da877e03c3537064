package policy

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// Image is what the tag of a Triton image says: NVIDIA's release, such as 26.08, and the
// engine. If the tag says nothing, it is the zero value.
type Image struct {
	// Year and Month are those of the release. Both are 0 if they are not known.
	Year, Month int
	// Engine is vllm, trtllm or empty.
	Engine string
}

var (
	// releaseTag matches tags such as 26.08-py3 and 24.05-vllm-python-py3. A tag without a
	// hyphen, such as 1.12 or 24.04, may be a version of anything.
	releaseTag = regexp.MustCompile(`:([0-9]{2})\.(0[1-9]|1[0-2])-[^:/@]*(@|$)`)
	engineTag  = regexp.MustCompile(`:[^:/@]*(vllm|trtllm)[^:/@]*(@|$)`)
)

// ParseImage reads the tag of an image.
func ParseImage(reference string) Image {
	var image Image
	if tag := releaseTag.FindStringSubmatch(reference); tag != nil {
		image.Year, _ = strconv.Atoi(tag[1])
		image.Month, _ = strconv.Atoi(tag[2])
	}
	if tag := engineTag.FindStringSubmatch(reference); tag != nil {
		image.Engine = tag[1]
	}
	return image
}

// Release returns the release, such as 26.08, or "" if it is not known.
func (i Image) Release() string {
	if i.Year == 0 {
		return ""
	}
	return fmt.Sprintf("%02d.%02d", i.Year, i.Month)
}

// AtLeast reports whether the release is known, and is this one or a later one.
func (i Image) AtLeast(year, month int) bool { return i.Year != 0 && i.compare(year, month) >= 0 }

// Before reports whether the release is known, and is earlier than this one.
func (i Image) Before(year, month int) bool { return i.Year != 0 && i.compare(year, month) < 0 }

func (i Image) compare(year, month int) int {
	return cmp.Or(cmp.Compare(i.Year, year), cmp.Compare(i.Month, month))
}

// ConnectionAge reports whether the Triton of the image is known to have the option
// --grpc-max-connection-age. An older Triton does not start with it.
func (i Image) ConnectionAge() bool { return i.AtLeast(24, 1) }

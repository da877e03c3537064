// Command verdicts is the side of objectrules in the comparison with Kubernetes, which is
// another module: test/e2e/objectrules. It first writes the valid objects and the cases as
// one line of JSON. Then it reads one object a line, and writes what Validate returns.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"k8s.io/client-go/kubernetes/scheme"

	"github.com/triton-leases/tms/internal/objectrules"
	"github.com/triton-leases/tms/internal/testing/objectcases"
)

// verdict is the answer for one object.
type verdict struct {
	// Undecodable is the error of an object that does not decode.
	Undecodable string `json:"undecodable,omitempty"`
	// Faults are the messages by path.
	Faults map[string]string `json:"faults,omitempty"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	valid, err := objectcases.Valid()
	if err != nil {
		return err
	}
	refused, err := objectcases.Refused()
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	if err := encoder.Encode(map[string]any{"valid": valid, "refused": refused}); err != nil {
		return err
	}
	reader := bufio.NewReader(in)
	for {
		line, err := reader.ReadBytes('\n')
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := encoder.Encode(judge(line)); err != nil {
			return err
		}
	}
}

func judge(manifest []byte) verdict {
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(manifest, nil, nil)
	if err != nil {
		return verdict{Undecodable: err.Error()}
	}
	v := verdict{Faults: map[string]string{}}
	for _, fault := range objectrules.Validate(object) {
		v.Faults[fault.Field] = fault.Error()
	}
	return v
}

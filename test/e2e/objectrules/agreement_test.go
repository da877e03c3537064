package objectrules

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var (
	seed = flag.Uint64("seed", 1, "seed of the random changes")
	n    = flag.Int("n", 5000, "number of randomly changed Deployments")
)

// left are the refusals that internal/objectrules leaves to the API server. Each matches
// the path and the message of a cause.
var left = []*regexp.Regexp{
	regexp.MustCompile(`^metadata\.finalizers\[\d+\]: .*fully qualified`),
	regexp.MustCompile(`spec\.resources\S*: .*must be (greater|less) than or equal to`), // sums over containers
}

// rules is a running verdicts program of the main module.
type rules struct {
	in  io.Writer
	out *json.Decoder
	// Valid and Refused are described in the package objectcases of the main module.
	Valid   []json.RawMessage
	Refused []struct {
		Name, Path, KubernetesPath string
		Apply                      bool
		Manifest                   json.RawMessage
	}
}

func startRules(t *testing.T) *rules {
	program := filepath.Join(t.TempDir(), "verdicts")
	build := exec.Command("go", "build", "-o", program, "./internal/testing/objectcases/verdicts")
	build.Dir = "../../.."
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %s", err, output)
	}
	command := exec.CommandContext(t.Context(), program)
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := command.Wait(); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	r := &rules{in: in, out: json.NewDecoder(bufio.NewReader(out))}
	if err := r.out.Decode(r); err != nil {
		t.Fatal(err)
	}
	return r
}

// faults returns the faults of an object by path. ok is false if it does not decode.
func (r *rules) faults(t *testing.T, manifest []byte) (faults map[string]string, ok bool) {
	if _, err := r.in.Write(append(slices.Clone(manifest), '\n')); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Undecodable string
		Faults      map[string]string
	}
	if err := r.out.Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Faults, answer.Undecodable == ""
}

func TestKubernetesAcceptsTheValidObjects(t *testing.T) {
	for _, manifest := range startRules(t).Valid {
		if v := judge(manifest); v.undecodable != nil || v.refused() {
			t.Errorf("%s\n%v\n%s", manifest, v.undecodable, v)
		}
	}
}

func TestKubernetesRefusesTheCases(t *testing.T) {
	for _, c := range startRules(t).Refused {
		t.Run(c.Name, func(t *testing.T) {
			v := judge(c.Manifest)
			if v.undecodable != nil {
				t.Fatal(v.undecodable)
			}
			if c.Apply {
				if v.apply == nil || len(v.create) > 0 {
					t.Errorf("not only server-side apply refuses it:\n%s", v)
				}
				return
			}
			if !slices.ContainsFunc(v.create, func(cause metav1.StatusCause) bool {
				rest, ok := strings.CutPrefix(c.Path, cause.Field)
				return cause.Field == c.KubernetesPath ||
					ok && c.KubernetesPath == "" && (rest == "" || strings.ContainsAny(rest[:1], ".["))
			}) {
				t.Errorf("Kubernetes does not refuse %s:\n%s", c.Path, v)
			}
		})
	}
}

func TestAgreementOnRandomObjects(t *testing.T) {
	r := startRules(t)
	var accepted, refused, undecodable, disagreements int
	leftTo := map[string]int{}
	for i, valid := range r.Valid {
		var object any
		if err := json.Unmarshal(valid, &object); err != nil {
			t.Fatal(err)
		}
		count := *n
		if i > 0 {
			count /= 10
		}
		mutator := newMutator(*seed, object)
		for range count {
			manifest, changes := mutator.mutate()
			faults, ok := r.faults(t, manifest)
			v := judge(manifest)
			switch {
			case v.undecodable != nil || !ok:
				undecodable++
			case v.refused() && len(faults) > 0:
				refused++
			case !v.refused() && len(faults) == 0:
				accepted++
			case len(faults) == 0 && isLeft(v, leftTo):
				refused++
			default:
				disagreements++
				if disagreements <= 40 {
					t.Errorf("after\n%s\nwe refuse: %q\nKubernetes refuses:\n%s", strings.Join(changes, "\n"), faults, v)
				}
			}
		}
	}
	t.Logf("both accept %d objects and refuse %d; %d do not decode; %d disagreements; left to the API server: %v",
		accepted, refused, undecodable, disagreements, leftTo)
	if accepted == 0 || refused == 0 {
		t.Error("the random changes test nothing")
	}
}

// isLeft reports whether all causes are left to the API server.
func isLeft(v verdict, counts map[string]int) bool {
	if v.apply != nil {
		return false
	}
	for _, cause := range v.create {
		text := fmt.Sprintf("%s: %s", cause.Field, cause.Message)
		i := slices.IndexFunc(left, func(pattern *regexp.Regexp) bool { return pattern.MatchString(text) })
		if i < 0 {
			return false
		}
		counts[left[i].String()]++
	}
	return true
}

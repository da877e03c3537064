// Package progress reads from the pods of a TritonLease what its models do while it starts.
//
// The pods belong to a tenant. Their answers are limited in time and in size, they cannot
// redirect, and only printable text of them, and names of the lease itself, reach the result.
package progress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/shorten"
)

const (
	// fetchContainer is the init container that downloads models, and fetchPort is where it
	// serves its progress.
	fetchContainer, fetchPort = "fetch-models", "8004"
	// tritonContainer is the container of Triton, and tritonPort its port for HTTP.
	tritonContainer, tritonPort = "triton", "8000"
)

// maxPods bounds the pods that are read for one lease, and maxAnswer the bytes of an answer.
const (
	maxPods   = 10
	maxAnswer = 256 << 10
)

// Prober reads the progress of leases. It is safe for concurrent use.
type Prober struct {
	pods client.Reader
	http *http.Client
	// address returns the address of a port of a pod.
	address func(ip netip.Addr, port string) string
}

// New returns a Prober that reads the pods from the API server.
func New(pods client.Reader) *Prober {
	return &Prober{
		pods: pods,
		http: &http.Client{
			Transport: &http.Transport{
				DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 16 << 10, // and no proxy
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		address: func(ip netip.Addr, port string) string { return net.JoinHostPort(ip.String(), port) },
	}
}

// Lease is a lease that starts.
type Lease struct {
	Namespace string
	// Selector matches the labels of its pods.
	Selector map[string]string
	Models   []v1alpha1.Model
}

// States returns the states of the models of a lease in its newest pod, at most
// v1alpha1.MaxModels. The error is that of the API server. A pod that does not answer is no
// error.
func (p *Prober) States(ctx context.Context, lease Lease) ([]v1alpha1.ModelState, error) {
	var pods corev1.PodList
	if err := p.pods.List(ctx, &pods, client.InNamespace(lease.Namespace), client.MatchingLabels(lease.Selector), client.Limit(maxPods)); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	states := statesOf(lease.Models, v1alpha1.ModelPending, "")
	pod := newest(pods.Items)
	if pod == nil {
		return states, nil
	}
	problem := problemOf(pod)
	switch ip, reachable := addressOf(pod); {
	case problem != "":
		return statesOf(lease.Models, v1alpha1.ModelPending, problem), nil
	case isRunning(pod.Status.InitContainerStatuses, fetchContainer):
		states = statesOf(lease.Models, v1alpha1.ModelDownloading, "")
		if reachable {
			p.addDownloads(ctx, ip, states)
		}
	case isRunning(pod.Status.ContainerStatuses, tritonContainer):
		states = statesOf(lease.Models, v1alpha1.ModelLoading, "")
		if reachable {
			p.addIndex(ctx, ip, states)
		}
	}
	return states, nil
}

// statesOf returns the same state for each model.
func statesOf(models []v1alpha1.Model, state, message string) []v1alpha1.ModelState {
	states := make([]v1alpha1.ModelState, 0, min(len(models), v1alpha1.MaxModels))
	for _, model := range models[:cap(states)] {
		states = append(states, v1alpha1.ModelState{Name: model.Name, State: state, Message: message})
	}
	return states
}

// newest returns the pod that was created last and is not being deleted, or nil. In a rollout,
// an earlier pod has an earlier spec.
func newest(pods []corev1.Pod) *corev1.Pod {
	var found *corev1.Pod
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp == nil && (found == nil || found.CreationTimestamp.Before(&pod.CreationTimestamp)) {
			found = pod
		}
	}
	return found
}

// addressOf returns the IP of a pod. A pod that has the network of its node, or an address
// that no pod has, could direct a probe to something else.
func addressOf(pod *corev1.Pod) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(pod.Status.PodIP)
	ip = ip.Unmap()
	usable := err == nil && !pod.Spec.HostNetwork && ip.Zone() == "" &&
		!ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsMulticast() && !ip.IsUnspecified()
	return ip, usable
}

func isRunning(containers []corev1.ContainerStatus, name string) bool {
	return slices.ContainsFunc(containers, func(c corev1.ContainerStatus) bool { return c.Name == name && c.State.Running != nil })
}

// problemOf returns why a pod does not run, in the words of Kubernetes. It is empty if the pod
// only needs time.
func problemOf(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return clean(c.Reason + ": " + c.Message)
		}
	}
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		waiting, ended := c.State.Waiting, c.State.Terminated
		if ended != nil && ended.ExitCode != 0 {
			return clean("container " + c.Name + ": " + exitOf(ended))
		}
		if waiting == nil || waiting.Reason == "" || waiting.Reason == "PodInitializing" || waiting.Reason == "ContainerCreating" {
			continue
		}
		problem := "container " + c.Name + ": " + waiting.Reason
		if last := c.LastTerminationState.Terminated; last != nil {
			return clean(problem + ": " + exitOf(last))
		}
		return clean(problem + ": " + waiting.Message)
	}
	return ""
}

// exitOf returns how a container ended. The last line of a termination message is the error: for
// fetchContainer, Kubernetes takes the end of its log.
func exitOf(ended *corev1.ContainerStateTerminated) string {
	lines := strings.Split(strings.TrimSpace(ended.Message), "\n")
	if last := strings.TrimPrefix(lines[len(lines)-1], "Error: "); last != "" {
		return fmt.Sprintf("exit code %d: %s", ended.ExitCode, last)
	}
	return fmt.Sprintf("the last run ended with exit code %d (%s): see its logs", ended.ExitCode, ended.Reason)
}

// addDownloads adds the progress of fetchContainer to the states.
func (p *Prober) addDownloads(ctx context.Context, ip netip.Addr, states []v1alpha1.ModelState) {
	var answer struct {
		Models []struct {
			Name, State string
			Done, Total int64
		}
	}
	if err := p.call(ctx, http.MethodGet, "http://"+p.address(ip, fetchPort)+"/", &answer); err != nil {
		return
	}
	for i := range states {
		s := &states[i]
		s.State = v1alpha1.ModelPending // Triton itself reads the other models
		for _, model := range answer.Models {
			if model.Name != s.Name && model.Name != "*" {
				continue
			}
			s.State = v1alpha1.ModelDownloading
			switch model.State {
			case "downloading":
				s.Message = bytesText(model.Done, model.Total)
			case "unpacking", "done", "waiting":
				s.Message = model.State
			}
			break
		}
	}
}

// addIndex adds the states of Triton's model repository index to the states. Triton may not
// answer until all models are loaded.
func (p *Prober) addIndex(ctx context.Context, ip netip.Addr, states []v1alpha1.ModelState) {
	var index []struct{ Name, State, Reason string }
	if err := p.call(ctx, http.MethodPost, "http://"+p.address(ip, tritonPort)+"/v2/repository/index", &index); err != nil {
		return
	}
	for i := range states {
		s := &states[i]
		for _, model := range index { // one entry for each version
			switch {
			case model.Name != s.Name || s.State == v1alpha1.ModelReady:
			case model.State == "READY":
				s.State, s.Message = v1alpha1.ModelReady, ""
			case model.State == "UNAVAILABLE" && model.Reason != "" && model.Reason != "unloaded":
				s.State, s.Message = v1alpha1.ModelFailed, clean(model.Reason)
			}
		}
	}
}

// call decodes the answer of a pod.
func (p *Prober) call(ctx context.Context, method, url string, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(""))
	if err != nil {
		return err
	}
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(answer)
}

// maxMessage is the longest message of a model in bytes: a lease has up to v1alpha1.MaxModels.
const maxMessage = 256

// clean returns a text of another party as one printable line of at most maxMessage bytes.
func clean(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text[:min(len(text), 4*maxMessage)], ""), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	return shorten.Middle(text, maxMessage)
}

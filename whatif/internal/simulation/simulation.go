package simulation

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	scalefake "k8s.io/client-go/scale/fake"
	core "k8s.io/client-go/testing"
	"k8s.io/klog/v2"
	autoscalingdefaults "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
)

const (
	namespace = "inference"
	name      = "triton"
)

// More flags of kube-controller-manager, at their defaults.
const (
	downscaleStabilisation   = 5 * time.Minute
	cpuInitializationPeriod  = 5 * time.Minute
	initialReadinessDelay    = 30 * time.Second
	concurrentHorizontalSync = 1
)

// The errors of the controller (no metric yet) are expected. Their handlers are
// removed, because one of them sleeps until the last error is a millisecond old:
// the last error may be from another bubble, 26 years later by the clock of this
// bubble.
func init() {
	utilruntime.ErrorHandlers = nil
	klog.SetLogger(logr.Discard())
}

// running is a running case. The clock ticks at half seconds, the controller just
// after whole seconds. They never run at the same instant, so a run is
// deterministic.
type running struct {
	sync.Mutex
	began      time.Time
	api        *fake.Clientset
	fleet      *Fleet
	monitoring *monitoring
	known      map[string]*Pod // the pods in the API server
	seconds    []Second
	err        error // the first error of the API server
}

func (r *running) now() float64 { return time.Since(r.began).Seconds() }

// Run runs a case in a testing/synctest bubble. It must not be called in one. It is safe for
// concurrent use.
func Run(c Case) (result *Result, err error) {
	// Only synctest.Test starts a bubble, and it needs a T. It uses the T only as the parent
	// of the T that the function gets, so the zero value suffices outside of tests.
	synctest.Test(new(testing.T), func(t *testing.T) { result, err = run(t.Context(), c) })
	return result, err
}

func run(ctx context.Context, c Case) (*Result, error) {
	ctx, cancel := context.WithCancel(klog.NewContext(ctx, logr.Discard()))
	defer cancel()
	start := max(warm(c.Traffic, c.Model, int(c.System.Maximum)), int(c.System.Minimum))
	r := &running{
		// NewClientset also tracks managed fields, which nothing reads here, and is fifteen times slower.
		began: time.Now(), api: fake.NewSimpleClientset(), known: map[string]*Pod{},
		fleet: newFleet(c.Model, c.ReadyAfter, start, c.Seed), monitoring: newMonitoring(c.System, c.Cluster.RelistInterval.Seconds(), c.Seed),
	}
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name},
			MinReplicas:    &c.System.Minimum,
			MaxReplicas:    c.System.Maximum,
			Metrics:        r.monitoring.specs(),
			Behavior:       c.System.Behavior.DeepCopy(),
		},
	}
	autoscalingdefaults.SetDefaults_HorizontalPodAutoscaler(hpa)
	if _, err := r.api.AutoscalingV2().HorizontalPodAutoscalers(namespace).Create(ctx, hpa, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	r.publish(ctx, r.fleet.pods)

	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{appsv1.SchemeGroupVersion})
	mapper.Add(appsv1.SchemeGroupVersion.WithKind("Deployment"), meta.RESTScopeNamespace)
	shared := informers.NewSharedInformerFactory(r.api, 0)
	controller := podautoscaler.NewHorizontalController(ctx, r.api.CoreV1(), r.scales(ctx), r.api.AutoscalingV2(), mapper, client{r},
		shared.Autoscaling().V2().HorizontalPodAutoscalers(), shared.Core().V1().Pods(),
		c.Cluster.SyncPeriod, downscaleStabilisation, c.Cluster.Tolerance, cpuInitializationPeriod, initialReadinessDelay)
	shared.Start(ctx.Done())
	done := make(chan struct{})
	go func() { controller.Run(ctx, concurrentHorizontalSync); close(done) }()

	r.clock(ctx, c)
	cancel()
	<-done
	shared.Shutdown()
	if r.err != nil {
		return nil, fmt.Errorf("%s, %s: %w", c.Traffic.Name, c.System.Name, r.err)
	}
	return &Result{Figures: r.fleet.finish(), Waits: r.fleet.waits, Seconds: r.seconds}, nil
}

// warm returns the number of pods that are ready when the run begins: enough for the first
// second at 80 % of their capacity, but at most the maximum.
func warm(traffic Traffic, model Model, maximum int) int {
	pods := 1
	for pods < maximum && float64(pods)*model.Capacity()*0.8 < traffic.Rate(0) {
		pods++
	}
	return pods
}

// clock advances everything except the controller, once a second, at half seconds.
func (r *running) clock(ctx context.Context, c Case) {
	arrivals := newArrivals(c.Traffic, c.Model, c.Seed)
	var requests []arrival
	time.Sleep(500 * time.Millisecond)
	for second := 0; float64(second) < c.Traffic.Length && r.err == nil; second++ {
		r.Lock()
		from := r.fleet.now
		requests = arrivals.second(from, requests[:0])
		before := *r.fleet.waits
		changed := r.fleet.advance(from+1, requests)
		r.monitoring.tick(r.fleet)
		r.publish(ctx, changed)
		r.measure(len(requests), before)
		if second%3600 == 0 {
			r.api.ClearActions() // the fake client records each call
		}
		r.Unlock()
		time.Sleep(time.Second)
	}
}

// measure adds the last second to the result. before is the waits before it.
func (r *running) measure(requests int, before Waits) {
	r.seconds = append(r.seconds, Second{
		Requests: requests, Replicas: len(r.fleet.pods), Ready: r.fleet.ready(),
		Begun: r.fleet.waits.Count - before.Count, Waited: r.fleet.waits.Sum - before.Sum,
	})
}

// publish updates the pods in the API server to those of the fleet. It deletes a
// terminating pod at once, because the HPA ignores pods with a deletion timestamp.
func (r *running) publish(ctx context.Context, changed []*Pod) {
	api := r.api.CoreV1().Pods(namespace)
	wanted := map[string]bool{}
	for _, pod := range r.fleet.pods {
		wanted[pod.name] = true
		if r.known[pod.name] == nil {
			r.known[pod.name] = pod
			_, err := api.Create(ctx, object(pod, r.began), metav1.CreateOptions{})
			r.note(err)
		}
	}
	for _, pod := range changed {
		_, err := api.UpdateStatus(ctx, object(pod, r.began), metav1.UpdateOptions{})
		r.note(err)
	}
	for known := range r.known {
		if !wanted[known] {
			delete(r.known, known)
			r.note(api.Delete(ctx, known, metav1.DeleteOptions{}))
		}
	}
}

func (r *running) note(err error) {
	if r.err == nil {
		r.err = err
	}
}

// object returns the API object of a pod.
func object(pod *Pod, began time.Time) *corev1.Pod {
	at := func(second float64) metav1.Time {
		return metav1.NewTime(began.Add(time.Duration(second * float64(time.Second))))
	}
	status, since := corev1.ConditionFalse, at(pod.created)
	if pod.ready {
		status, since = corev1.ConditionTrue, at(pod.readyAt)
	}
	phase := corev1.PodPending
	if pod.running {
		phase = corev1.PodRunning
	}
	created := at(pod.created)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: pod.name, Namespace: namespace, Labels: map[string]string{"app": name}, CreationTimestamp: created},
		Status: corev1.PodStatus{
			Phase: phase, StartTime: &created,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: since}},
		},
	}
}

// scales returns a client of the Deployment's scale subresource.
func (r *running) scales(ctx context.Context) *scalefake.FakeScaleClient {
	scales := &scalefake.FakeScaleClient{}
	scale := func() *autoscalingv1.Scale {
		replicas := int32(len(r.fleet.pods))
		return &autoscalingv1.Scale{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
			Spec:       autoscalingv1.ScaleSpec{Replicas: replicas},
			Status:     autoscalingv1.ScaleStatus{Replicas: replicas, Selector: "app=" + name},
		}
	}
	scales.AddReactor("get", "deployments", func(core.Action) (bool, runtime.Object, error) {
		r.Lock()
		defer r.Unlock()
		return true, scale(), nil
	})
	scales.AddReactor("update", "deployments", func(action core.Action) (bool, runtime.Object, error) {
		r.Lock()
		defer r.Unlock()
		update, ok := action.(core.UpdateAction)
		if !ok {
			return true, nil, fmt.Errorf("not an update: %v", action)
		}
		wanted, ok := update.GetObject().(*autoscalingv1.Scale)
		if !ok {
			return true, nil, fmt.Errorf("not a scale: %v", update.GetObject())
		}
		r.fleet.Scale(int(wanted.Spec.Replicas))
		r.publish(ctx, nil)
		return true, scale(), nil
	})
	return scales
}

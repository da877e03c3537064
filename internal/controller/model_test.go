package controller

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/config"
)

// modelConfigurations are the configurations that the administrator switches between.
var modelConfigurations = []string{
	modelConfiguration(6, `{}`),
	modelConfiguration(6, `{gpus: 8}`),
	modelConfiguration(6, `{gpus: 5}`),
	modelConfiguration(6, `{gpus: 2}`),
	modelConfiguration(2, `{gpus: 8}`),
	modelConfiguration(6, `{gpus: 0, namespaces: {one: {gpus: 10}}}`),
	modelConfiguration(3, `{gpus: 6, namespaces: {one: {}}}`),
	strings.Replace(modelConfiguration(6, `{gpus: 7}`), "enable: true", "enable: false", 1),
}

func modelConfiguration(maximum int, budget string) string {
	return fmt.Sprintf(`server: {autoscaling: {enable: true, replicas: {default: {maximum: 2}, limits: {maximum: %d, minimum: {upperBound: 2}}}, metrics: {queueTime: {enabled: true}}}, leases: {limits: {replicas: %d}, budget: %s}}`, maximum, maximum, budget)
}

// model is a cluster with several tenants, and what happens in it.
type model struct {
	t *testing.T
	r *rand.Rand
	*store
	*reconciler
	mortality     *mortality
	configuration *config.Config
	// due are the leases to reconcile.
	due map[client.ObjectKey]bool
	// history is what happened, to print if the test fails.
	history []string
	// charged is the charge of each namespace at the last write.
	charged map[string]int64
	// problem is what checkCharge found, in another goroutine than that of the test.
	problem string
	// used is what the objects of each lease could use at the last write, and held is what
	// the lease held. byUsers reports whether users write.
	used, held map[string]int64
	byUsers    bool
}

// modelQueue adds to the leases that are due.
type modelQueue struct {
	queue
	*model
}

func (q modelQueue) Add(item reconcile.Request) {
	q.store.lock.Lock()
	defer q.store.lock.Unlock()
	q.due[item.NamespacedName] = true
}

type noEvents struct{ events.EventRecorder }

func (noEvents) Eventf(_, _ runtime.Object, _, _, _, _ string, _ ...any) {}

func newModel(t *testing.T, seed uint64) *model {
	t.Helper()
	scheme, err := Scheme()
	require.NoError(t, err)
	m := &model{
		t: t, r: rand.New(rand.NewPCG(seed, 0)), store: newStore(scheme), configuration: configuration(t, modelConfigurations[seed%4]),
		due: map[client.ObjectKey]bool{}, charged: map[string]int64{}, used: map[string]int64{}, held: map[string]int64{},
	}
	m.written = m.checkCharge
	m.elect()
	return m
}

func (m *model) note(format string, args ...any) {
	m.history = append(m.history, fmt.Sprintf(format, args...))
}

func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	var state []string
	for _, namespace := range tenants {
		for _, lease := range m.leases(namespace) {
			budget, _ := json.Marshal(lease.Status.Budget)
			state = append(state, fmt.Sprintf("%s: budget %s, granted %+v, %s, uses %d", keyOf(lease), budget, lease.Status.Granted,
				conditionText(&lease.Status, v1alpha1.ConditionGranted), m.uses(lease)))
		}
	}
	m.t.Fatalf("%s\n\n%s\n\n%s", fmt.Sprintf(format, args...), strings.Join(m.history, "\n"), strings.Join(state, "\n"))
}

// elect starts a new leader. Its cache may be behind what its predecessor wrote.
func (m *model) elect() {
	kinds, err := newWatchedKinds(m.scheme)
	require.NoError(m.t, err)
	for _, k := range kinds {
		k.watched.Store(k.Kind == deploymentKind || k.Kind == autoscalerKind)
	}
	m.mortality = new(mortality)
	m.reconciler = &reconciler{
		Client: process{store: m.store, mortality: m.mortality}, live: process{store: m.store, live: true, mortality: m.mortality},
		configuration: m.configuration, installation: "system/tms", kinds: kinds, recorder: noEvents{}, now: func() time.Time { return m.store.now },
	}
	var q queue = modelQueue{model: m}
	m.queue.Store(&q)
	for key := range m.cache { // a new leader starts with a full queue
		m.enqueueKey(key)
	}
}

// enqueueKey enqueues the lease of an object, as the watches do.
func (m *model) enqueueKey(key string) {
	kind, name, _ := strings.Cut(key, " ")
	namespace, name, _ := strings.Cut(name, "/")
	if kind != "TritonLease" {
		name = strings.TrimPrefix(name, "tms-")
	}
	m.due[client.ObjectKey{Namespace: namespace, Name: name}] = true
}

// syncOne brings one object of the cache up to date. The watch of leases ignores changes of
// the status.
func (m *model) syncOne(key string) {
	before := m.cache[key]
	if !m.sync(key) {
		return
	}
	now := m.cache[key]
	_, isLease := before.(*v1alpha1.TritonLease)
	if isLease && now != nil && before.GetUID() == now.GetUID() && before.GetGeneration() == now.GetGeneration() {
		return
	}
	m.enqueueKey(key)
}

var (
	tenants    = []string{"one", "two"}
	leaseNames = []string{"a", "b", "c"}
)

func (m *model) leases(namespace string) []*v1alpha1.TritonLease {
	var all []*v1alpha1.TritonLease
	for _, name := range leaseNames {
		if lease, ok := m.objects["TritonLease "+namespace+"/"+name].(*v1alpha1.TritonLease); ok {
			all = append(all, lease)
		}
	}
	return all
}

func (m *model) budget(namespace string) (int64, bool) {
	budget, ok := m.configuration.LeaseRenderer().Bounds().Budget(namespace)
	return budget.GPUs, ok
}

func chargeOf(lease *v1alpha1.TritonLease) int64 {
	if lease.Status.Budget == nil {
		return 0
	}
	return lease.Status.Budget.Charged
}

// heldOf returns what a lease holds, also if it was granted without a budget.
func heldOf(lease *v1alpha1.TritonLease) int64 {
	granted := lease.Status.Granted
	switch {
	case lease.Status.Budget != nil || granted == nil:
		return chargeOf(lease)
	case granted.Autoscaled:
		return granted.MaxReplicas * granted.GPUs
	default:
		return granted.Replicas * granted.GPUs
	}
}

// checkCharge checks after each write that no charge was added beyond the budget.
func (m *model) checkCharge(key string) {
	m.checkUse(key)
	for _, namespace := range tenants {
		budget, ok := m.budget(namespace)
		sum := int64(0)
		for _, lease := range m.leases(namespace) {
			sum += heldOf(lease)
		}
		if ok && sum > max(budget, m.charged[namespace]) {
			m.problem = fmt.Sprintf("namespace %s: the charge is raised to %d of %d GPUs", namespace, sum, budget)
		}
		m.charged[namespace] = sum
	}
}

// checkUse checks that the controller lets no object of a lease use more than the lease is
// charged. While a Deployment gets other GPUs, its HorizontalPodAutoscaler may still have the
// earlier replicas.
func (m *model) checkUse(key string) {
	kind, name, _ := strings.Cut(key, " ")
	namespace, name, _ := strings.Cut(name, "/")
	name = strings.TrimPrefix(name, "tms-")
	lease, ok := m.objects["TritonLease "+namespace+"/"+name].(*v1alpha1.TritonLease)
	_, scales := m.objects[autoscalerKind+" "+namespace+"/tms-"+name]
	if _, hasBudget := m.budget(namespace); !ok || !hasBudget {
		return
	}
	uses := m.uses(lease)
	before := m.used[namespace+"/"+name]
	m.used[namespace+"/"+name] = uses
	held := m.held[namespace+"/"+name]
	m.held[namespace+"/"+name] = heldOf(lease)
	if kind == "TritonLease" && uses <= held && uses > heldOf(lease) && !m.byUsers {
		m.problem = fmt.Sprintf("%s: the charge is lowered to %d, but the lease may use %d GPUs", key, heldOf(lease), uses)
	}
	if uses == 0 || kind == "TritonLease" || kind == deploymentKind && scales || m.byUsers || metav1.GetControllerOf(m.objects[deploymentKind+" "+namespace+"/tms-"+name]).UID != lease.UID {
		return
	}
	if uses > before && uses > heldOf(lease) {
		m.problem = fmt.Sprintf("%s: the lease may use %d GPUs and is charged %d", key, uses, heldOf(lease))
	}
}

// randomSpec returns a spec. A few of them are refused.
func (m *model) randomSpec() string {
	r := m.r
	triton := fmt.Sprintf(`resources: {limits: {nvidia.com/gpu: %d}}`, r.IntN(4))
	if r.IntN(8) == 0 {
		return `{models: [{name: m, uri: s3://m}], image: forbidden}`
	}
	switch r.IntN(3) {
	case 0:
		return fmt.Sprintf(`{models: [{name: m, uri: s3://m}], triton: {%s}}`, triton)
	case 1:
		return fmt.Sprintf(`{models: [{name: m, uri: s3://m}], triton: {%s, replicas: %d}}`, triton, r.IntN(8))
	default:
		minimum := 1 + r.IntN(3)
		return fmt.Sprintf(`{models: [{name: m, uri: s3://m}], triton: {%s}, autoscaling: {enable: true, replicas: {minimum: %d, maximum: %d}}}`, triton, minimum, minimum+r.IntN(7))
	}
}

func pick[T any](m *model, all []T) T { return all[m.r.IntN(len(all))] }

// step does one thing that a tenant, the administrator or the cluster may do.
func (m *model) step() {
	m.store.lock.Lock()
	defer m.store.lock.Unlock()
	m.byUsers = true
	defer func() { m.byUsers = false }()
	namespace, name := pick(m, tenants), pick(m, leaseNames)
	key := "TritonLease " + namespace + "/" + name
	lease, _ := m.objects[key].(*v1alpha1.TritonLease)
	if lease != nil {
		lease = lease.DeepCopy()
	}
	switch action := m.r.IntN(16); {
	case lease == nil:
		spec := m.randomSpec()
		lease = newLease(m.t, name, spec)
		lease.Namespace, lease.UID, lease.CreationTimestamp = namespace, "", metav1.Time{}
		if m.r.IntN(3) == 0 {
			lease.Finalizers = []string{"example.com/keep"}
		}
		m.note("create %s %s", key, spec)
		m.put(lease)
	case action < 4 && lease.DeletionTimestamp.IsZero():
		spec := m.randomSpec()
		m.note("change %s %s", key, spec)
		lease.Spec = newLease(m.t, name, spec).Spec
		m.put(lease)
	case action < 5 && lease.DeletionTimestamp.IsZero():
		m.note("renew %s", key)
		lease.Spec.RenewTime = new(metav1.NewTime(m.store.now))
		m.put(lease)
	case action < 8 && lease.DeletionTimestamp.IsZero():
		m.note("delete %s", key)
		m.remove(key)
	case action < 8:
		m.note("finalize %s", key)
		lease.Finalizers = nil
		m.objects[key] = lease
		m.remove(key)
	case action < 11:
		text := pick(m, modelConfigurations)
		m.note("configure %s", text)
		m.configuration = configuration(m.t, text)
		m.reconciler.configuration = m.configuration
		for key := range m.cache {
			m.enqueueKey(key)
		}
	case action < 13:
		m.note("a new leader")
		m.elect()
	case action < 14:
		m.mortality.writes, m.mortality.takesPart = 1+m.r.IntN(4), m.r.IntN(2) == 0
		m.note("the leader dies at write %d (it takes effect: %t)", m.mortality.writes, m.mortality.takesPart)
	case action < 15 && m.r.IntN(2) == 0:
		m.mortality.refusals = 1 + m.r.IntN(3)
		m.note("the API server refuses the next %d objects", m.mortality.refusals)
	case action < 15:
		if deployment, ok := m.objects["Deployment "+namespace+"/tms-"+name].(*appsv1.Deployment); ok {
			deployment = deployment.DeepCopy()
			deployment.Spec.Replicas = new(int32(m.r.IntN(6)))
			m.note("scale %s to %d", keyOf(deployment), *deployment.Spec.Replicas)
			m.put(deployment)
		}
	default:
		m.store.now = m.store.now.Add(time.Second)
	}
}

// someReconciles reconciles a few leases at once, with a cache that lags.
func (m *model) someReconciles() {
	for range m.r.IntN(4) {
		m.store.lock.Lock()
		for _, key := range m.behind() {
			if m.r.IntN(2) == 0 {
				m.syncOne(key)
			}
		}
		due := m.takeDue(1 + m.r.IntN(3))
		m.store.lock.Unlock()
		m.reconcileAll(due)
	}
}

// takeDue returns some of the leases that are due, with the lock held.
func (m *model) takeDue(most int) []client.ObjectKey {
	var due []client.ObjectKey
	for key := range m.due {
		due = append(due, key)
	}
	slices.SortFunc(due, func(a, b client.ObjectKey) int { return strings.Compare(a.String(), b.String()) })
	m.r.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	due = due[:min(len(due), most)]
	for _, key := range due {
		delete(m.due, key)
	}
	return due
}

func (m *model) reconcileAll(keys []client.ObjectKey) {
	var group sync.WaitGroup
	var failures sync.Map
	for _, key := range keys {
		m.note("reconcile %s", key)
		group.Go(func() {
			result, err := m.Reconcile(m.t.Context(), reconcile.Request{NamespacedName: key})
			again := err != nil || result.RequeueAfter == time.Second
			if err != nil && !apierrors.IsConflict(err) && !errors.Is(err, errDead) && !errors.Is(err, errRefused) {
				failures.Store(key, err)
			}
			m.store.lock.Lock()
			defer m.store.lock.Unlock()
			if again {
				m.due[key] = true
			}
		})
	}
	group.Wait()
	if m.problem != "" {
		m.fail("%s", m.problem)
	}
	failures.Range(func(key, err any) bool {
		m.fail("reconcile %v: %v", key, err)
		return true
	})
	if m.mortality.dead {
		m.store.lock.Lock()
		defer m.store.lock.Unlock()
		m.note("the leader is dead, a new one starts")
		m.elect()
	}
}

// rest reconciles until nothing is left to do: the cache is up to date, the garbage
// collector and the HorizontalPodAutoscalers have done their part.
func (m *model) rest() {
	for range 200 {
		m.store.lock.Lock()
		m.collectGarbage()
		m.autoscale()
		for _, key := range m.behind() {
			m.syncOne(key)
		}
		due := m.takeDue(1 + m.r.IntN(3))
		m.store.lock.Unlock()
		if len(due) == 0 {
			return
		}
		m.reconcileAll(due)
	}
	m.fail("the controller does not come to rest")
}

func (m *model) collectGarbage() {
	for key, object := range m.objects {
		owner := metav1.GetControllerOf(object)
		if owner == nil {
			continue
		}
		lease := m.objects["TritonLease "+object.GetNamespace()+"/"+owner.Name]
		if lease == nil || lease.GetUID() != owner.UID {
			m.remove(key)
		}
	}
}

// autoscale does what HorizontalPodAutoscalers do: the replicas are within their bounds.
func (m *model) autoscale() {
	for _, namespace := range tenants {
		for _, name := range leaseNames {
			autoscaler, ok := m.objects[autoscalerKind+" "+namespace+"/tms-"+name].(*autoscalingv2.HorizontalPodAutoscaler)
			deployment, has := m.objects[deploymentKind+" "+namespace+"/tms-"+name].(*appsv1.Deployment)
			if !ok || !has || *deployment.Spec.Replicas == 0 {
				continue
			}
			if n := min(max(*deployment.Spec.Replicas, *autoscaler.Spec.MinReplicas), autoscaler.Spec.MaxReplicas); n != *deployment.Spec.Replicas {
				deployment = deployment.DeepCopy()
				deployment.Spec.Replicas = &n
				m.put(deployment)
			}
		}
	}
}

// uses returns how many GPUs the objects of a lease can use at most.
func (m *model) uses(lease *v1alpha1.TritonLease) int64 {
	deployment, ok := m.objects[deploymentKind+" "+lease.Namespace+"/tms-"+lease.Name].(*appsv1.Deployment)
	if !ok {
		return 0
	}
	most := *deployment.Spec.Replicas
	if autoscaler, ok := m.objects[autoscalerKind+" "+lease.Namespace+"/tms-"+lease.Name].(*autoscalingv2.HorizontalPodAutoscaler); ok {
		most = max(most, autoscaler.Spec.MaxReplicas)
	}
	gpus := deployment.Spec.Template.Spec.Containers[0].Resources.Limits["nvidia.com/gpu"]
	return int64(most) * gpus.Value()
}

// check checks the invariants of a cluster at rest.
func (m *model) check() {
	bounds := m.configuration.LeaseRenderer().Bounds()
	deployments := 0
	for _, namespace := range tenants {
		budget, hasBudget := m.budget(namespace)
		charged, floor := int64(0), int64(0)
		leases := m.leases(namespace)
		for _, lease := range leases {
			charged += heldOf(lease)
			floor += floorOf(lease)
		}
		if hasBudget && charged > max(budget, floor) {
			m.fail("namespace %s is charged %d of %d GPUs, and at least %d run", namespace, charged, budget, floor)
		}
		for _, lease := range leases {
			status, key := lease.Status, keyOf(lease)
			deployment, runs := m.objects[deploymentKind+" "+namespace+"/tms-"+lease.Name].(*appsv1.Deployment)
			if runs {
				deployments++
			}
			if !lease.DeletionTimestamp.IsZero() {
				continue
			}
			granted := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionGranted)
			switch {
			case granted == nil || status.ObservedGeneration != lease.Generation:
				m.fail("%s is not reconciled", key)
			case runs && status.Granted == nil,
				!runs && status.Granted != nil && granted.Status == metav1.ConditionTrue: // a leader may die before it creates it, and the lease be refused after that
				m.fail("%s: there is a Deployment: %t, granted: %+v", key, runs, status.Granted)
			case granted.Status == metav1.ConditionTrue && status.Granted == nil:
				m.fail("%s is lost", key)
			case granted.Status == metav1.ConditionFalse && len(status.Refusals) == 0:
				m.fail("%s is refused and does not say why", key)
			case hasBudget && m.uses(lease) > chargeOf(lease):
				m.fail("%s can use %d GPUs", key, m.uses(lease))
			case hasBudget && status.Budget != nil && status.Budget.GPUs != budget:
				m.fail("%s shows a budget of %d GPUs", key, status.Budget.GPUs)
			}
			if !runs || granted.Status == metav1.ConditionFalse {
				m.checkRefused(lease, granted, budget-charged, hasBudget)
				continue
			}
			m.checkGranted(lease, deployment, budget-charged, bounds.Limits().Replicas, hasBudget)
		}
	}
	for key := range m.objects {
		if strings.HasPrefix(key, deploymentKind) {
			deployments--
		}
	}
	if deployments != 0 {
		m.fail("there are Deployments without a lease")
	}
}

// floorOf returns the GPUs that a running lease keeps in any budget.
func floorOf(lease *v1alpha1.TritonLease) int64 {
	granted := lease.Status.Granted
	if !lease.DeletionTimestamp.IsZero() {
		return heldOf(lease)
	}
	if granted == nil {
		return 0
	}
	minimum := min(granted.Replicas, 1)
	if granted.Autoscaled {
		minimum = granted.MinReplicas
	}
	return min(minimum*granted.GPUs, chargeOf(lease))
}

// asks returns the GPUs of one replica that the spec asks for.
func asks(lease *v1alpha1.TritonLease) (gpus int64) {
	if triton := lease.Spec.Triton; triton != nil {
		_ = json.Unmarshal(triton.Resources.Limits["nvidia.com/gpu"], &gpus)
	}
	return gpus
}

// checkRefused checks that a lease is not refused for a budget that it fits in.
func (m *model) checkRefused(lease *v1alpha1.TritonLease, granted *metav1.Condition, free int64, hasBudget bool) {
	if !strings.Contains(granted.Message, "server.leases.budget") {
		return
	}
	need := asks(lease)
	if scaling := lease.Spec.Autoscaling; scaling.Enable && m.configuration != configuration(m.t, modelConfigurations[7]) {
		need *= min(*scaling.Replicas.Minimum, 2)
	}
	if !hasBudget || need <= free+chargeOf(lease) && free >= 0 {
		m.fail("%s is refused, but %d GPUs are free", keyOf(lease), free)
	}
}

// checkGranted checks that a lease has what it asks for, or the most that fits in the
// bounds and the budget.
func (m *model) checkGranted(lease *v1alpha1.TritonLease, deployment *appsv1.Deployment, free, limit int64, hasBudget bool) {
	key, granted := keyOf(lease), lease.Status.Granted
	most, asked := granted.Replicas, int64(*deployment.Spec.Replicas)
	if granted.Autoscaled {
		most, asked = granted.MaxReplicas, *lease.Spec.Autoscaling.Replicas.Maximum
	} else if triton := lease.Spec.Triton; triton != nil && triton.Replicas != nil {
		asked = *triton.Replicas
	}
	replicas := slices.IndexFunc(granted.Adjustments, func(a v1alpha1.Adjustment) bool { return !strings.HasSuffix(a.Field, "minimum") && a.Unit == "" })
	switch {
	case granted.GPUs != asks(lease):
		m.fail("%s is granted %d GPUs for each replica", key, granted.GPUs)
	case !granted.Autoscaled && int64(*deployment.Spec.Replicas) != most:
		m.fail("%s has %d replicas", key, *deployment.Spec.Replicas)
	case asked != most && replicas < 0:
		m.fail("%s asks for %d replicas, is granted %d, and does not say why", key, asked, most)
	case hasBudget && granted.GPUs > 0 && replicas >= 0 && granted.Adjustments[replicas].Reason != "" && granted.GPUs <= free:
		m.fail("%s has %d replicas, but %d GPUs are free", key, most, free)
	case (!hasBudget || granted.GPUs == 0) && (granted.Autoscaled || lease.Spec.Triton.Replicas != nil) && most != min(asked, limit):
		m.fail("%s has %d replicas", key, most)
	case hasBudget && granted.GPUs > 0 && chargeOf(lease) != most*granted.GPUs:
		m.fail("%s is charged for other replicas than its %d", key, most)
	}
}

// sequences is the number of sequences of TestModel. make fuzz runs more of them.
var sequences = flag.Uint64("sequences", 200, "number of sequences that TestModel runs; with -short it runs a tenth of them")

// TestModel runs random sequences of what tenants, administrators and crashes do. After
// each step the controller comes to rest, and the invariants hold: no budget is exceeded, no
// lease is lost, and each lease has what it asks for or says why not.
func TestModel(t *testing.T) {
	t.Parallel()
	const shards = 4
	total := *sequences
	if testing.Short() {
		total /= 10
	}
	for shard := range uint64(shards) {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			for seed := shard; seed < total; seed += shards {
				newModel(t, seed).run(seed)
			}
		})
	}
}

func (m *model) run(seed uint64) {
	m.note("seed %d", seed)
	for range 3 {
		for range 1 + m.r.IntN(3) {
			m.step()
			m.someReconciles()
		}
		m.rest()
		m.check()
	}
	// The leases show what the others use now. After that, nothing changes any more.
	version := 0
	for range 2 {
		version = m.version
		for key := range m.cache {
			m.enqueueKey(key)
		}
		m.rest()
	}
	if m.version != version {
		m.fail("the controller writes without end")
	}
	m.check()
}

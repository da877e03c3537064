package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// store is an API server for TritonLeases, Deployments and HorizontalPodAutoscalers, and
// the cache of one process, which may lag. It is much faster than the fake client, which
// keeps managed fields.
type store struct {
	lock    sync.Mutex
	scheme  *runtime.Scheme
	objects map[string]client.Object // by kind, namespace and name
	cache   map[string]client.Object
	version int
	now     time.Time
	// written is called after each write, with the lock held.
	written func(key string)
	// slow is how long a write of a status takes.
	slow time.Duration
}

func newStore(scheme *runtime.Scheme) *store {
	return &store{scheme: scheme, objects: map[string]client.Object{}, cache: map[string]client.Object{}, now: epoch}
}

func kindOf(object runtime.Object) string {
	switch object.(type) {
	case *v1alpha1.TritonLease, *v1alpha1.TritonLeaseList:
		return "TritonLease"
	case *appsv1.Deployment, *appsv1.DeploymentList:
		return deploymentKind
	case *autoscalingv2.HorizontalPodAutoscaler, *autoscalingv2.HorizontalPodAutoscalerList:
		return autoscalerKind
	}
	return object.GetObjectKind().GroupVersionKind().Kind
}

func keyOf(object client.Object) string {
	return kindOf(object) + " " + object.GetNamespace() + "/" + object.GetName()
}

// put stores an object, with the lock held. It gives a changed spec a new generation.
func (s *store) put(object client.Object) {
	key := keyOf(object)
	s.version++
	object.SetResourceVersion(strconv.Itoa(s.version))
	before, exists := s.objects[key]
	if !exists {
		object.SetUID(types.UID(fmt.Sprint("uid-", s.version)))
		object.SetCreationTimestamp(metav1.NewTime(s.now))
		object.SetGeneration(1)
	} else if specOf(before) != specOf(object) || before.GetDeletionTimestamp().IsZero() != object.GetDeletionTimestamp().IsZero() {
		object.SetGeneration(before.GetGeneration() + 1)
	}
	if deployment, ok := object.(*appsv1.Deployment); ok {
		deployment.Status.ObservedGeneration = deployment.Generation // its pods are replaced at once
	}
	s.objects[key] = object
	s.changed(key)
}

func (s *store) changed(key string) {
	if s.written != nil {
		s.written(key)
	}
}

func specOf(object client.Object) string {
	var spec any = object
	if lease, ok := object.(*v1alpha1.TritonLease); ok {
		spec = lease.Spec
	}
	text, _ := json.Marshal(spec)
	return string(text)
}

// remove deletes an object, or marks it as deleted if it has finalizers.
func (s *store) remove(key string) {
	object, exists := s.objects[key]
	if !exists {
		return
	}
	if len(object.GetFinalizers()) == 0 {
		s.version++
		delete(s.objects, key)
		s.changed(key)
		return
	}
	if object.GetDeletionTimestamp().IsZero() {
		object = object.DeepCopyObject().(client.Object)
		object.SetDeletionTimestamp(new(metav1.NewTime(s.now)))
		s.put(object)
	}
}

// sync brings one object of the cache up to date, and reports whether that changed
// anything.
func (s *store) sync(key string) bool {
	now, exists := s.objects[key]
	before, had := s.cache[key]
	if exists {
		s.cache[key] = now
	} else {
		delete(s.cache, key)
	}
	return exists != had || exists && before.GetResourceVersion() != now.GetResourceVersion()
}

// behind returns the keys of the objects that the cache does not show as they are, sorted.
func (s *store) behind() []string {
	stale := map[string]bool{}
	for key, object := range s.objects {
		if cached, ok := s.cache[key]; !ok || cached.GetResourceVersion() != object.GetResourceVersion() {
			stale[key] = true
		}
	}
	for key := range s.cache {
		if _, ok := s.objects[key]; !ok {
			stale[key] = true
		}
	}
	return slices.Sorted(maps.Keys(stale))
}

var (
	errDead    = errors.New("this process is dead")
	errRefused = errors.New("a webhook refuses it")
)

// process is the client of one process. Its other methods are not called.
type process struct {
	client.Client
	*store
	live bool
	// mortality is shared by both clients of a process.
	*mortality
}

// mortality is when a process dies.
type mortality struct {
	dead bool
	// writes until it dies: that write takes effect or not, and the process does not know.
	writes    int
	takesPart bool
	// refusals is how many objects the API server refuses to apply.
	refusals int
	// fail returns the error of a write, if it is set.
	fail func() error
}

// begin reports whether a write takes effect, and its error.
func (p process) begin() (effective bool, err error) {
	if p.dead {
		return false, errDead
	}
	if p.fail != nil {
		if err := p.fail(); err != nil {
			return false, err
		}
	}
	if p.writes > 0 {
		if p.writes--; p.writes == 0 {
			p.dead = true
			return p.takesPart, errDead
		}
	}
	return true, nil
}

func (p process) Scheme() *runtime.Scheme { return p.scheme }

func (p process) view() map[string]client.Object {
	if p.live {
		return p.objects
	}
	return p.cache
}

func notFound(key string) error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: "objects"}, key)
}

func (p process) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	goruntime.Gosched() // to other reconciliations
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.dead {
		return errDead
	}
	name := kindOf(object) + " " + key.String()
	found, ok := p.view()[name]
	if !ok {
		return notFound(name)
	}
	return assign(found, object)
}

// assign copies an object.
func assign(from, to client.Object) error {
	switch to := to.(type) {
	case *v1alpha1.TritonLease:
		from.(*v1alpha1.TritonLease).DeepCopyInto(to)
	case *appsv1.Deployment:
		from.(*appsv1.Deployment).DeepCopyInto(to)
	case *autoscalingv2.HorizontalPodAutoscaler:
		from.(*autoscalingv2.HorizontalPodAutoscaler).DeepCopyInto(to)
	default:
		return fmt.Errorf("no %T is stored", to)
	}
	return nil
}

func (p process) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	goruntime.Gosched() // to other reconciliations
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.dead {
		return errDead
	}
	asked := new(client.ListOptions).ApplyOptions(options)
	prefix := kindOf(list) + " "
	if asked.Namespace != "" {
		prefix += asked.Namespace + "/"
	}
	view := p.view()
	var found []runtime.Object
	for _, key := range slices.Sorted(maps.Keys(view)) {
		if strings.HasPrefix(key, prefix) && (asked.FieldSelector == nil || slices.Contains(indexOwner(view[key]), asked.FieldSelector.Requirements()[0].Value)) {
			found = append(found, view[key].DeepCopyObject())
		}
	}
	return meta.SetList(list, found)
}

func (p process) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	goruntime.Gosched() // to other reconciliations
	p.lock.Lock()
	defer p.lock.Unlock()
	effective, err := p.begin()
	if !effective {
		return err
	}
	if p.refusals > 0 {
		p.refusals--
		return errRefused
	}
	key := keyOf(object)
	if _, exists := p.objects[key]; exists {
		return apierrors.NewAlreadyExists(schema.GroupResource{Resource: "objects"}, key)
	}
	object = object.DeepCopyObject().(client.Object)
	if deployment, ok := object.(*appsv1.Deployment); ok && deployment.Spec.Replicas == nil {
		deployment.Spec.Replicas = new(int32(1))
	}
	p.put(object)
	return err
}

func (p process) Apply(_ context.Context, config runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
	goruntime.Gosched() // to other reconciliations
	p.lock.Lock()
	defer p.lock.Unlock()
	effective, err := p.begin()
	if !effective {
		return err
	}
	if p.refusals > 0 {
		p.refusals--
		return errRefused
	}
	content := config.(interface{ UnstructuredContent() map[string]any }).UnstructuredContent()
	kind := content["kind"].(string)
	metadata := content["metadata"].(map[string]any)
	key := kind + " " + fmt.Sprint(metadata["namespace"]) + "/" + fmt.Sprint(metadata["name"])
	before, exists := p.objects[key]
	if version, has := metadata["resourceVersion"]; has && (!exists || version != before.GetResourceVersion()) {
		return conflict(key)
	}
	var object client.Object = new(appsv1.Deployment)
	if kind == autoscalerKind {
		object = new(autoscalingv2.HorizontalPodAutoscaler)
	}
	if exists {
		object = before.DeepCopyObject().(client.Object)
	}
	if mergeErr := merge(object, content); mergeErr != nil {
		return mergeErr
	}
	if deployment, ok := object.(*appsv1.Deployment); ok && deployment.Spec.Replicas == nil {
		deployment.Spec.Replicas = new(int32(1))
	}
	p.put(object)
	return err
}

// merge applies a JSON merge patch.
func merge(object client.Object, changes map[string]any) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	mergeMap(content, changes)
	fresh := reflect.New(reflect.TypeOf(object).Elem())
	text, err := json.Marshal(content)
	if err == nil {
		err = json.Unmarshal(text, fresh.Interface())
	}
	reflect.ValueOf(object).Elem().Set(fresh.Elem())
	return err
}

func mergeMap(to, changes map[string]any) {
	for key, value := range changes {
		inner, isMap := value.(map[string]any)
		before, wasMap := to[key].(map[string]any)
		switch {
		case value == nil:
			delete(to, key)
		case isMap && wasMap:
			mergeMap(before, inner)
		default:
			to[key] = value
		}
	}
}

func conflict(key string) error {
	return apierrors.NewConflict(schema.GroupResource{Resource: "objects"}, key, errors.New("changed"))
}

func (p process) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	goruntime.Gosched() // to other reconciliations
	p.lock.Lock()
	defer p.lock.Unlock()
	effective, err := p.begin()
	if !effective {
		return err
	}
	before, exists := p.objects[keyOf(object)]
	if !exists {
		return notFound(keyOf(object))
	}
	data, patchErr := patch.Data(object)
	if patchErr != nil {
		return patchErr
	}
	var changes map[string]any
	if patchErr := json.Unmarshal(data, &changes); patchErr != nil {
		return patchErr
	}
	patched := before.DeepCopyObject().(client.Object)
	if patchErr := merge(patched, changes); patchErr != nil {
		return patchErr
	}
	p.put(patched)
	return err
}

func (p process) Delete(_ context.Context, object client.Object, options ...client.DeleteOption) error {
	goruntime.Gosched() // to other reconciliations
	p.lock.Lock()
	defer p.lock.Unlock()
	effective, err := p.begin()
	if !effective {
		return err
	}
	asked, key := new(client.DeleteOptions).ApplyOptions(options), keyOf(object)
	found, ok := p.objects[key]
	switch {
	case !ok:
		return notFound(key)
	case asked.Preconditions != nil && (*asked.Preconditions.UID != found.GetUID() ||
		asked.Preconditions.ResourceVersion != nil && *asked.Preconditions.ResourceVersion != found.GetResourceVersion()):
		return conflict(key)
	}
	p.remove(key)
	return err
}

func (p process) Status() client.SubResourceWriter { return statusWriter{process: p} }

type statusWriter struct {
	client.SubResourceWriter
	process
}

func (w statusWriter) Create(context.Context, client.Object, client.Object, ...client.SubResourceCreateOption) error {
	panic("not called")
}

func (w statusWriter) Apply(context.Context, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
	panic("not called")
}

func (w statusWriter) Patch(context.Context, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
	panic("not called")
}

func (w statusWriter) Update(_ context.Context, object client.Object, _ ...client.SubResourceUpdateOption) error {
	time.Sleep(w.slow)
	w.lock.Lock()
	defer w.lock.Unlock()
	effective, err := w.begin()
	if !effective {
		return err
	}
	found, ok := w.objects[keyOf(object)]
	switch {
	case !ok:
		return notFound(keyOf(object))
	case found.GetResourceVersion() != object.GetResourceVersion():
		return conflict(keyOf(object))
	}
	lease := found.DeepCopyObject().(*v1alpha1.TritonLease)
	object.(*v1alpha1.TritonLease).Status.DeepCopyInto(&lease.Status)
	w.put(lease)
	object.SetResourceVersion(lease.ResourceVersion)
	return err
}

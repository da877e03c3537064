package node

import (
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"
)

// TestConfigMapVolume mounts a ConfigMap with items, and finds its files by their paths in
// the container.
func TestConfigMapVolume(t *testing.T) {
	client := fake.NewClientset(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "model"}, Data: map[string]string{"config": "c", "code": "m", "other": "o"},
	})
	mounted := func(items ...corev1.KeyToPath) (*pod, corev1.Volume) {
		v := corev1.Volume{Name: "models"}
		v.ConfigMap = &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "model"}, Items: items}
		n := &Node{config: Config{Client: client, Dir: t.TempDir()}}
		object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b"}}
		object.Spec.Volumes = []corev1.Volume{v, {Name: "claim"}, {Name: "empty", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		return newPod(n, object, ""), v
	}
	p, _ := mounted(corev1.KeyToPath{Key: "config", Path: "echo/config.pbtxt"}, corev1.KeyToPath{Key: "code", Path: "echo/1/model.py"})
	if err := p.writeVolumes(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := &Container{Pod: p.object, dir: p.dir, Container: corev1.Container{VolumeMounts: []corev1.VolumeMount{
		{Name: "claim", MountPath: "/models/claim"}, {Name: "empty", MountPath: "/fetched"}, {Name: "models", MountPath: "/models/"}, {Name: "models", MountPath: "/echo", SubPath: "echo"},
	}}}
	for path, want := range map[string]string{"/models/echo/config.pbtxt": "c", "/models/echo/1/model.py": "m", "/echo/1/model.py": "m"} {
		file, ok := c.Mounted(path)
		if text, err := os.ReadFile(file); !ok || string(text) != want {
			t.Errorf("%s: %v, %q, %v", path, ok, text, err)
		}
	}
	if file, ok := c.Mounted("/models/other"); !ok {
		t.Error("/models/other is in the volume")
	} else if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("a key that is no item: %v", err)
	}
	if file, ok := c.Mounted("/fetched"); !ok {
		t.Error("/fetched is an emptyDir")
	} else if info, err := os.Stat(file); err != nil || !info.IsDir() {
		t.Errorf("/fetched is at %s: %v", file, err)
	}
	for _, path := range []string{"/models/claim", "/models/claim/x", "/modelsx", "/", "s3://models"} {
		if file, ok := c.Mounted(path); ok {
			t.Errorf("%s is at %s", path, file)
		}
	}

	p, v := mounted(corev1.KeyToPath{Key: "absent", Path: "x"})
	if err := p.writeVolumes(t.Context()); err == nil {
		t.Error("the volume has an item without a key")
	}
	v.ConfigMap.Optional = ptr.To(true)
	if err := p.writeVolumes(t.Context()); err != nil {
		t.Errorf("an optional volume: %v", err)
	}
}

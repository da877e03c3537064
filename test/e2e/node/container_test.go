package node

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"
)

// TestSecretVariables resolves variables from a Secret.
func TestSecretVariables(t *testing.T) {
	client := fake.NewClientset(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "s"}, Data: map[string][]byte{"id": []byte("$(FIRST)")}})
	n := &Node{config: Config{Client: client, Dir: t.TempDir(), Logs: t.TempDir()}}
	p := newPod(n, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b"}}, "")
	variable := func(name, secret, key string, optional bool) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: key, Optional: ptr.To(optional),
		}}}
	}
	c, err := p.container(t.Context(), corev1.Container{Env: []corev1.EnvVar{
		{Name: "FIRST", Value: "1"}, variable("ID", "s", "id", false), variable("TOKEN", "s", "token", true), variable("REGION", "absent", "region", true),
	}})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Log.Close()
	if c.Environment["ID"] != "$(FIRST)" {
		t.Errorf("ID is %q", c.Environment["ID"])
	}
	for _, name := range []string{"TOKEN", "REGION"} {
		if value, ok := c.Environment[name]; ok {
			t.Errorf("%s is set: %q", name, value)
		}
	}
	for _, v := range []corev1.EnvVar{variable("TOKEN", "s", "token", false), variable("REGION", "absent", "region", false)} {
		if _, err := p.container(t.Context(), corev1.Container{Env: []corev1.EnvVar{v}}); err == nil {
			t.Errorf("%s is resolved", v.Name)
		}
	}
}

package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	volumeutil "k8s.io/kubernetes/pkg/volume/util"
	"k8s.io/utils/ptr"
)

// mount writes the volumes of the pod, and keeps them up to date. It retries until
// their sources exist. It reports whether it succeeded before the context was done.
func (p *pod) mount(ctx context.Context) bool {
	for {
		err := p.writeVolumes(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return false
		}
		sleep(ctx, 300*time.Millisecond)
	}
	for _, v := range p.object.Spec.Volumes {
		if written(v) {
			go func() {
				for ctx.Err() == nil {
					sleep(ctx, time.Second)
					_ = p.writeVolumes(ctx) // the next iteration retries
				}
			}()
			break
		}
	}
	return true
}

func (p *pod) writeVolumes(ctx context.Context) error {
	for _, v := range p.object.Spec.Volumes {
		dir := p.volumeDir(v.Name)
		if v.Image != nil {
			if err := errors.Join(os.MkdirAll(filepath.Dir(dir), 0o755), p.node.config.Registry.mount(ctx, v.Image.Reference, dir)); err != nil {
				return fmt.Errorf("volume %s: %w", v.Name, err)
			}
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("volume %s: %w", v.Name, err)
		}
		files, err := p.contents(ctx, v)
		if err != nil {
			return fmt.Errorf("volume %s: %w", v.Name, err)
		}
		if files == nil { // an emptyDir or a claim is a folder
			if err := makeShared(dir); err != nil {
				return fmt.Errorf("volume %s: %w", v.Name, err)
			}
			continue
		}
		writer, err := volumeutil.NewAtomicWriter(dir, "e2e")
		if err != nil {
			return fmt.Errorf("volume %s: %w", v.Name, err)
		}
		if err := writer.Write(files, nil); err != nil {
			return fmt.Errorf("volume %s: %w", v.Name, err)
		}
	}
	return nil
}

func (p *pod) volumeDir(volume string) string { return filepath.Join(p.dir, "volumes", volume) }

// Mounted returns the path on this machine of a path in the container, if the path is in a
// volume whose files the node or another container of the pod writes: a ConfigMap, a Secret,
// a projected volume, an image or an emptyDir.
func (c *Container) Mounted(path string) (string, bool) {
	path = filepath.Clean(path)
	var found corev1.VolumeMount
	for _, m := range c.VolumeMounts {
		below := path == filepath.Clean(m.MountPath) || strings.HasPrefix(path, filepath.Clean(m.MountPath)+"/")
		if below && len(m.MountPath) > len(found.MountPath) {
			found = m
		}
	}
	i := slices.IndexFunc(c.Pod.Spec.Volumes, func(v corev1.Volume) bool {
		return v.Name == found.Name && (written(v) || v.EmptyDir != nil || v.Image != nil)
	})
	if i < 0 {
		return "", false
	}
	rest, err := filepath.Rel(filepath.Clean(found.MountPath), path)
	return filepath.Join(c.dir, "volumes", found.Name, found.SubPath, rest), err == nil
}

// written reports whether the node writes the files of a volume.
func written(v corev1.Volume) bool {
	return v.Secret != nil || v.ConfigMap != nil || v.Projected != nil
}

type files map[string]volumeutil.FileProjection

// contents returns the files of a volume, or nil if the volume is an empty folder.
func (p *pod) contents(ctx context.Context, v corev1.Volume) (files, error) {
	f := files{}
	switch {
	case v.Secret != nil:
		return f, p.secret(ctx, f, v.Secret.SecretName, v.Secret.Items, v.Secret.Optional)
	case v.ConfigMap != nil:
		return f, p.configMap(ctx, f, v.ConfigMap.Name, v.ConfigMap.Items, v.ConfigMap.Optional)
	case v.Projected == nil:
		return nil, nil
	}
	for _, s := range v.Projected.Sources {
		var err error
		switch {
		case s.Secret != nil:
			err = p.secret(ctx, f, s.Secret.Name, s.Secret.Items, s.Secret.Optional)
		case s.ConfigMap != nil:
			err = p.configMap(ctx, f, s.ConfigMap.Name, s.ConfigMap.Items, s.ConfigMap.Optional)
		case s.DownwardAPI != nil:
			for _, item := range s.DownwardAPI.Items {
				if item.FieldRef != nil {
					f[item.Path] = volumeutil.FileProjection{Data: []byte(p.field(item.FieldRef.FieldPath)), Mode: 0o644}
				}
			}
		case s.ServiceAccountToken != nil:
			err = p.token(ctx, f, v.Name, s.ServiceAccountToken)
		}
		if err != nil {
			return nil, err
		}
	}
	return f, nil
}

// add adds the items, or all keys. A key that does not exist is an error unless the
// source is optional.
func (f files) add(data map[string][]byte, items []corev1.KeyToPath, optional *bool) error {
	if len(items) == 0 {
		for key := range data {
			items = append(items, corev1.KeyToPath{Key: key, Path: key})
		}
	}
	for _, item := range items {
		text, ok := data[item.Key]
		if !ok && !ptr.Deref(optional, false) {
			return fmt.Errorf("references non-existent key: %s", item.Key)
		}
		if ok {
			f[item.Path] = volumeutil.FileProjection{Data: text, Mode: 0o644}
		}
	}
	return nil
}

func (p *pod) secret(ctx context.Context, f files, name string, items []corev1.KeyToPath, optional *bool) error {
	secret, err := p.node.config.Client.CoreV1().Secrets(p.object.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && ptr.Deref(optional, false) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.add(secret.Data, items, optional)
}

func (p *pod) configMap(ctx context.Context, f files, name string, items []corev1.KeyToPath, optional *bool) error {
	configMap, err := p.node.config.Client.CoreV1().ConfigMaps(p.object.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && ptr.Deref(optional, false) {
		return nil
	}
	if err != nil {
		return err
	}
	data := map[string][]byte{}
	for key, text := range configMap.Data {
		data[key] = []byte(text)
	}
	for key, text := range configMap.BinaryData {
		data[key] = text
	}
	return f.add(data, items, optional)
}

// token requests a token of the pod's service account. It does so once, because the token
// is valid for longer than a run.
func (p *pod) token(ctx context.Context, f files, volume string, source *corev1.ServiceAccountTokenProjection) error {
	path := filepath.Join(p.dir, "token-"+volume)
	token, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
			ExpirationSeconds: ptr.To[int64](24 * 3600),
			BoundObjectRef:    &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: p.object.Name, UID: p.object.UID},
		}}
		if source.Audience != "" {
			request.Spec.Audiences = []string{source.Audience}
		}
		granted, err := p.node.config.Client.CoreV1().ServiceAccounts(p.object.Namespace).CreateToken(ctx, p.object.Spec.ServiceAccountName, request, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("token: %w", err)
		}
		token = []byte(granted.Status.Token)
		if err := os.WriteFile(path, token, 0o600); err != nil {
			return fmt.Errorf("token: %w", err)
		}
	} else if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	f[source.Path] = volumeutil.FileProjection{Data: token, Mode: 0o644}
	return nil
}

//go:build e2e

package e2e

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/test/e2e/fileserver"
	"github.com/triton-leases/tms/test/e2e/netns"
)

// echoModel is the files of a model that the simulated Triton loads, below its folder.
var echoModel = map[string]string{
	"config.pbtxt": `name: "echo" backend: "python" max_batch_size: 4
input [ { name: "TEXT", data_type: TYPE_STRING, dims: [ 1 ] } ]
output [ { name: "ECHO", data_type: TYPE_STRING, dims: [ 1 ] } ]
`,
	"1/model.py": "# the model\n",
}

// zipped returns a zip of a model in its folder, with a file of random bytes.
func (s *scenario) zipped(name string, size int) []byte {
	s.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for _, file := range slices.Sorted(maps.Keys(echoModel)) {
		w, err := archive.Create(name + "/" + file)
		s.must(err)
		_, err = w.Write([]byte(echoModel[file]))
		s.must(err)
	}
	w, err := archive.CreateHeader(&zip.FileHeader{Name: name + "/1/weights.bin", Method: zip.Store})
	s.must(err)
	weights := make([]byte, size)
	_, _ = rand.Read(weights) // does not fail
	_, err = w.Write(weights)
	s.must(err)
	s.must(archive.Close())
	return out.Bytes()
}

// tarred returns a tar of a model in a folder.
func (s *scenario) tarred(folder string) []byte {
	s.Helper()
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	for _, file := range slices.Sorted(maps.Keys(echoModel)) {
		s.must(archive.WriteHeader(&tar.Header{Name: folder + "/" + file, Mode: 0o644, Size: int64(len(echoModel[file])), ModTime: time.Now()}))
		_, err := archive.Write([]byte(echoModel[file]))
		s.must(err)
	}
	s.must(archive.Close())
	return out.Bytes()
}

// compressed returns a gzip file.
func (s *scenario) compressed(content []byte) []byte {
	s.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(content)
	s.must(err)
	s.must(w.Close())
	return out.Bytes()
}

// fileServer starts a file server for hosts outside the cluster, with a certificate of an own
// authority.
func (s *scenario) fileServer(hosts ...string) (*fileserver.Server, *authority) {
	s.Helper()
	a := s.newAuthority(s.name + "-files")
	_, certificate, key := s.issue(a, hosts...)
	pair, err := tls.X509KeyPair(certificate, key)
	s.must(err)
	server, err := fileserver.Start(s.Context(), netns.NodeIP, pair)
	s.must(err)
	for _, host := range hosts {
		h.Network.AddHost(host, netns.NodeIP)
	}
	return server, a
}

// secret creates a Secret.
func (s *scenario) secret(namespace, name string, data map[string]string) {
	s.Helper()
	args := []string{"create", "secret", "generic", name, "-n", namespace}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		args = append(args, "--from-literal="+key+"="+data[key])
	}
	_, err := h.Cluster.Kubectl(s.Context(), "", args...)
	s.must(err)
}

// answers checks that the Tritons of a lease have the model echo: they read its files.
func (l *leases) answers(lease string) {
	l.Helper()
	pods, err := l.pods(lease)
	l.must(err)
	for _, pod := range pods {
		request, err := http.NewRequestWithContext(l.Context(), http.MethodGet, "http://"+pod.Status.PodIP+":8000/v2/models/echo", nil)
		l.must(err)
		response, err := http.DefaultClient.Do(request)
		l.must(err)
		var metadata bytes.Buffer
		_, err = metadata.ReadFrom(response.Body)
		_ = response.Body.Close()
		l.must(err)
		if response.StatusCode != http.StatusOK || !strings.Contains(metadata.String(), `"ECHO"`) {
			l.fatal("the model of %s: %s %s", lease, response.Status, metadata.String())
		}
		l.step("%s answers for the model: %s", pod.Name, strings.TrimSpace(metadata.String()))
	}
}

// logs waits until the log of a container of a lease has all parts, and checks that the lease
// does not serve.
func (l *leases) logs(lease, container string, parts ...string) {
	l.Helper()
	l.eventually(fmt.Sprintf("the log of %s of %s has %q", container, lease, parts), func() (bool, string) {
		out, err := l.cluster.Kubectl(l.Context(), "", "logs", "deployment/"+objectName(lease), "-c", container, "-n", l.namespace, "--tail=5")
		so := err == nil
		for _, part := range parts {
			so = so && strings.Contains(out.Stdout, part)
		}
		return so, out.Stdout + out.Stderr
	})
	if c := l.mustGet(lease).condition("Ready"); c.Status != metav1.ConditionFalse {
		l.fatal("%s is Ready=%s: %s", lease, c.Status, c.Message)
	}
}

// keptSecret checks that no object of namespaces except Secrets, and no log of their pods,
// has the values of Secrets.
func (s *scenario) keptSecret(namespaces []string, values ...string) {
	s.Helper()
	out, err := h.Cluster.Kubectl(s.Context(), "", "api-resources", "--namespaced", "--verbs=list", "-o", "name")
	s.must(err)
	kinds := slices.DeleteFunc(strings.Fields(out.Stdout), func(kind string) bool { return kind == "secrets" || strings.HasSuffix(kind, "metrics.k8s.io") })
	for _, namespace := range namespaces {
		texts := map[string]string{}
		out, err := h.Cluster.Kubectl(s.Context(), "", "get", strings.Join(kinds, ","), "-n", namespace, "-o", "yaml", "--show-managed-fields")
		s.must(err)
		if !strings.Contains(out.Stdout, "kind: Deployment") || !strings.Contains(out.Stdout, "kind: Pod\n") {
			s.fatal("kubectl get prints no Deployment or Pod of %s", namespace)
		}
		texts["the objects"] = out.Stdout
		logs, err := filepath.Glob(filepath.Join(h.Logs(), "pod-"+namespace+"-*.log"))
		s.must(err)
		for _, log := range logs {
			text, err := os.ReadFile(log)
			s.must(err)
			texts[log] = string(text)
		}
		for where, text := range texts {
			for _, value := range values {
				if strings.Contains(text, value) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(value))) {
					s.fatal("%s of %s have the value of a Secret", where, namespace)
				}
			}
		}
		s.step("the objects and %d logs of %s do not have the values of the Secret", len(logs), namespace)
	}
}

// TestRepositoryHTTPS serves models that an init container downloads from a file server,
// with the Authorization header of a Secret.
func TestRepositoryHTTPS(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "repository-https")
	const host, other, sole = "models.example.com", "cdn.example.net", "models: [{name: echo, uri: %q}]"
	a := s.ownAPI(3, fmt.Sprintf(`server: {modelRepositories: {https: [
  {secretName: vision-models, targetUri: example.com/vision}, {secretName: other-authority, targetUri: https://%s}]}}`, other))
	files, authority := s.fileServer(host, other)
	roots, err := os.ReadFile(authority.file)
	s.must(err)
	token := rand.Text()
	header := "Bearer " + token
	s.secret(a.namespace, "vision-models", map[string]string{"authorization": header, "ca.crt": string(roots)})
	s.secret(a.namespace, "other-authority", map[string]string{"ca.crt": string(roots)})
	expect := func(host, path, authorization string, status int) {
		s.Helper()
		requests := files.Requests(host, path)
		for _, r := range requests {
			if r.Authorization != authorization || r.Status != status {
				s.fatal("a request for %s%s: %d, with the header: %t", host, path, r.Status, r.Authorization == header)
			}
		}
		if len(requests) == 0 {
			s.fatal("%s%s was not requested", host, path)
		}
		s.step("%d requests for %s%s: %d, with the header: %t", len(requests), host, path, status, authorization == header)
	}

	archive := s.compressed(s.tarred("."))
	digest := fmt.Sprintf("#sha256=%x", sha256.Sum256(archive))
	wrong := fmt.Sprintf("#sha256=%x", sha256.Sum256(nil))
	uris := map[string]string{
		"zip": files.Put(host, "/vision/echo.zip", fileserver.File{Content: s.zipped("echo", 1000), Authorization: header}),
		"tar": files.Put(host, "/vision/echo.tar.gz", fileserver.File{Content: archive, Authorization: header}) + digest,
		"moved": files.Put(host, "/vision/moved.zip", fileserver.File{
			Redirect: files.Put(other, "/echo.zip", fileserver.File{Content: s.zipped("echo", 1000)}), Authorization: header,
		}),
		"denied":  files.Put(host, "/vision/denied.zip", fileserver.File{Content: s.zipped("echo", 1000), Authorization: "Bearer other"}),
		"altered": files.Put(host, "/vision/altered.tar.gz", fileserver.File{Content: archive, Authorization: header}) + wrong,
	}
	for name, uri := range uris {
		a.apply(name, fmt.Sprintf("{"+sole+"}", uri))
	}
	for _, name := range []string{"zip", "tar", "moved"} {
		a.serves(name)
		a.answers(name)
	}
	expect(host, "/vision/echo.zip", header, http.StatusOK)
	expect(host, "/vision/echo.tar.gz", header, http.StatusOK)
	expect(host, "/vision/moved.zip", header, http.StatusFound)
	expect(other, "/echo.zip", "", http.StatusOK)
	a.logs("altered", "fetch-models", "the SHA-256 digest of the archive differs")
	a.is("denied", "Ready", metav1.ConditionFalse, "Starting", "container fetch-models", "exit code 1", "401 Unauthorized")
	a.logs("denied", "fetch-models", "401 Unauthorized", "the Secret of targetUri example.com/vision")
	expect(host, "/vision/denied.zip", header, http.StatusUnauthorized)
	files.Put(host, "/vision/denied.zip", fileserver.File{Content: s.zipped("echo", 1000), Authorization: header})
	a.serves("denied")

	a.slowDownload(files, host, header)
	s.keptSecret([]string{a.namespace}, token)
}

// slowDownload acquires a lease with tmsctl while the download of its model stops halfway.
// The status and tmsctl show the progress.
func (a *api) slowDownload(files *fileserver.Server, host, header string) {
	a.Helper()
	me := a.user("me", allVerbs...)
	a.waitAuthorized(me, "List", fields{"namespace": a.namespace})
	const lease = "slow"
	hold := make(chan struct{})
	uri := files.Put(host, "/vision/slow.zip", fileserver.File{Content: a.zipped("echo", 8<<20), Authorization: header, Hold: hold})
	screen, terminal := a.terminal()
	var printed buffer
	create := exec.CommandContext(a.Context(), h.Tmsctl, "lease", "create", "--name", lease, "-m", "name=echo,uri="+uri, "-n", a.namespace,
		"--target", a.url, "--ca-file", a.file, "--token-file", me.tokenFile)
	create.Env = []string{"HOME=" + a.TempDir(), "PATH=/usr/bin:/bin"}
	create.Stdout, create.Stderr = terminal, terminal
	a.must(create.Start())
	_ = terminal.Close() // tmsctl has its own
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&printed, screen) // fails when tmsctl ends
	}()
	shown := regexp.MustCompile(`downloading echo: [0-9.]+ of 8(\.0)? MiB`)
	a.eventually("the status shows the download", func() (bool, string) {
		l, err := a.get(lease)
		if err != nil {
			return false, err.Error()
		}
		message := l.condition("Ready").Message
		states := l.Status.ModelStates
		return shown.MatchString(message) && len(states) == 1 && states[0].Name == "echo" && states[0].State == "Downloading", fmt.Sprint(message, states)
	})
	a.eventually("tmsctl shows the download", func() (bool, string) { return shown.MatchString(printed.String()), printed.String() })
	if requests := files.Requests(host, "/vision/slow.zip"); len(requests) == 0 {
		a.fatal("the model was not requested")
	}
	close(hold)
	err := create.Wait()
	<-read
	if err != nil || !strings.Contains(printed.String(), "Lease "+lease) {
		a.fatal("tmsctl lease create: %v: %s", err, printed.String())
	}
	a.serves(lease)
	a.answers(lease)
	a.eventually("the status no longer has the progress", func() (bool, string) {
		states := a.mustGet(lease).Status.ModelStates
		return len(states) == 0, fmt.Sprint(states)
	})
}

// terminal returns the two ends of a new terminal: tmsctl shows the progress only on one.
func (s *scenario) terminal() (screen, terminal *os.File) {
	s.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	s.must(err)
	s.Cleanup(func() { _ = screen.Close() })
	control := func(request uintptr, value *int32) {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, screen.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			s.fatal("terminal: %v", errno)
		}
	}
	control(syscall.TIOCSPTLCK, new(int32))
	number := new(int32)
	control(syscall.TIOCGPTN, number)
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", *number), os.O_RDWR|syscall.O_NOCTTY, 0)
	s.must(err)
	return screen, terminal
}

// buffer is a bytes.Buffer that can be read while a process writes to it.
type buffer struct {
	mu  sync.Mutex
	out bytes.Buffer
}

// Write implements io.Writer.
func (b *buffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(text)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.String()
}

// TestRepositoryS3 serves models of named repositories on an S3 server that checks
// signatures: of TritonLeases and of leases in values.
func TestRepositoryS3(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "repository-s3")
	s3, err := h.StartS3("s3.example.com")
	s.must(err)
	for file, text := range echoModel {
		name := filepath.Join(s3.Dir, "models", "vision", "echo", filepath.FromSlash(file))
		s.must(os.MkdirAll(filepath.Dir(name), 0o755))
		s.must(os.WriteFile(name, []byte(text), 0o644))
	}
	own := s.namespace("", nil)
	var others [3]string
	for i, suffix := range []string{"-wrong", "-excluded", "-values"} {
		others[i] = s.namespace(suffix, nil)
	}
	repositories := func(namespaces ...string) string {
		return fmt.Sprintf(`
server:
  modelRepositories:
    vision: {uri: "s3://http://%[1]s/models", secretName: vision-s3, namespaces: [%[2]s]}
    file: {uri: "s3://http://%[1]s/models", secretName: vision-file, credentialFile: credentials.json}
`, s3.Endpoint, strings.Join(namespaces, ", "))
	}
	s.sharedServer() // installs the CustomResourceDefinition
	server := s.installServer(3, own, fmt.Sprintf("server: {namespaces: [%s, %s, %s], crd: {enabled: false}}", own, others[0], others[1]), repositories(own, others[0]))
	l, wrongKey, excluded, values := s.leasesIn(server, own), s.leasesIn(server, others[0]), s.leasesIn(server, others[1]), others[2]
	key := map[string]string{"AWS_ACCESS_KEY_ID": s3.KeyID, "AWS_SECRET_ACCESS_KEY": s3.Secret}
	s.secret(l.namespace, "vision-s3", key)
	s.secret(l.namespace, "vision-file", map[string]string{"credentials.json": fmt.Sprintf(`{"s3": {"": {"key_id": %q, "secret_key": %q}}}`, s3.KeyID, s3.Secret)})
	s.secret(wrongKey.namespace, "vision-s3", map[string]string{"AWS_ACCESS_KEY_ID": s3.KeyID, "AWS_SECRET_ACCESS_KEY": rand.Text()})

	lease := func(repository string) string {
		return fmt.Sprintf(`{models: [{name: echo, uri: "repo://%s"}]}`, path.Join(repository, "vision"))
	}
	l.apply("key", lease("vision"))
	l.apply("file", lease("file"))
	l.apply("absent", `{models: [{name: ocho, uri: "repo://vision/vision"}]}`)
	l.apply("unknown", lease("audio"))
	wrongKey.apply("key", lease("vision"))
	excluded.apply("key", lease("vision"))
	for _, name := range []string{"key", "file"} {
		l.serves(name)
		l.answers(name)
	}
	l.logs("absent", "triton", "failed to poll model 'ocho': model not found in any model repository.")
	l.is("unknown", "Granted", metav1.ConditionFalse, "Refused", "audio")
	l.has("unknown", "")
	excluded.is("key", "Granted", metav1.ConditionFalse, "Refused", "repo://vision")
	excluded.has("key", "")
	const denied = "Unable to create S3 filesystem client. Check account credentials."
	wrongKey.logs("key", "triton", denied)
	_, err = h.Cluster.Kubectl(s.Context(), "", "delete", "secret", "vision-s3", "-n", wrongKey.namespace)
	s.must(err)
	s.secret(wrongKey.namespace, "vision-s3", key) // a restarted container reads it again
	wrongKey.serves("key")
	wrongKey.answers("key")

	s.secret(values, "vision-s3", key)
	s.install(4, values, "values", repositories(), `leases: {echo: `+lease("vision")+`}`)
	pods, err := h.Cluster.Client.CoreV1().Pods(values).List(s.Context(), metav1.ListOptions{LabelSelector: "tms.triton-leases.dev/lease=echo"})
	s.must(err)
	if len(pods.Items) != 1 {
		s.fatal("the lease in the values has %d pods", len(pods.Items))
	}
	s.keptSecret([]string{l.namespace, wrongKey.namespace, values}, s3.KeyID, s3.Secret)
}

// TestRepositoryImage serves a model of an image, which Kubernetes mounts as a volume.
func TestRepositoryImage(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "repository-image")
	l := s.leases()
	const image = "registry.example.com/models/vision:1"
	layer := filepath.Join(s.TempDir(), "layer.tar")
	s.must(os.WriteFile(layer, s.tarred("models/echo"), 0o644))
	s.must(h.Registry.PushFiles(s.Context(), layer, image))
	l.apply("folder", fmt.Sprintf(`{models: [{name: echo, uri: "oci://%s//models"}]}`, image))
	l.apply("absent", fmt.Sprintf(`{models: [{name: echo, uri: "oci://%s//other"}]}`, image))
	l.serves("folder")
	l.answers("folder")
	l.logs("absent", "triton", "repository path is not a valid directory")
}

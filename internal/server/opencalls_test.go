package server

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	kuberuntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/auth"
)

// reviewer returns a Reviewer that takes a token as the name of its user, and refuses the
// token garbage. wait runs before each review.
func reviewer(wait func()) *auth.Reviewer {
	clients := fake.NewClientset()
	clients.PrependReactor("create", "tokenreviews", func(action clienttesting.Action) (bool, kuberuntime.Object, error) {
		wait()
		review := action.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
		review.Status.User.Username, review.Status.Authenticated = review.Spec.Token, review.Spec.Token != "garbage"
		return true, review, nil
	})
	return auth.New(clients)
}

// open starts a call whose request has no end. It returns the HTTP status of the response,
// and the status of gRPC or else the body.
func open(t *testing.T, client *http.Client, path, kind, token string) (status int, text string) {
	t.Helper()
	body, write := io.Pipe()
	t.Cleanup(func() { _ = write.Close() })
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://server"+path, body)
	require.NoError(t, err)
	request.Header.Set("Content-Type", kind)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	received, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, cmp.Or(response.Trailer.Get("Grpc-Status"), response.Header.Get("Grpc-Status"), string(received))
}

// handlers returns the number of goroutines that handle an HTTP/2 stream of a server.
func handlers() int {
	buffer := make([]byte, 64<<20)
	return strings.Count(string(buffer[:runtime.Stack(buffer, true)]), ".runHandler(")
}

// TestStreamsWithoutToken opens hundreds of streams without a valid token, whose requests
// have no end. The server responds to each at once, without reading a request, and holds
// nothing afterwards.
//
//nolint:paralleltest // It counts the goroutines of the process.
func TestStreamsWithoutToken(t *testing.T) {
	paths := append(slices.Collect(maps.Keys(procedures())),
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
		"/grpc.health.v1.Health/Watch", "/unknown")
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", http2), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := serve(t, &leases{}, func(s *Server) { s.config.Reviewer = reviewer(func() {}) })
				client := r.Client(http2)
				refused := 0
				for range 4 {
					for _, path := range paths {
						for _, kind := range []string{"application/grpc", "application/grpc-web", "application/connect+proto", "application/proto", "application/json"} {
							for _, token := range []string{"", "garbage"} {
								began := time.Now()
								_, text := open(t, client, path, kind, token)
								if strings.Contains(text, "unauthenticated") || text == "16" {
									refused++
								} else if !http2 {
									continue // HTTP/1.1 reads the request first, until its deadline
								}
								require.Equal(t, began, time.Now(), "%s of %s waits for the request", kind, path)
							}
						}
					}
				}
				require.GreaterOrEqual(t, refused, 4*2*(4*len(procedures())-1), "all protocols of all procedures")
				synctest.Wait() // no time passes, so that no timeout ends anything
				require.Zero(t, handlers())
				client.CloseIdleConnections()
			})
		})
	}
}

// TestReflectionNeedsToken checks reflection with a token.
func TestReflectionNeedsToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, &leases{}, func(s *Server) { s.config.Reviewer = reviewer(func() {}) })
		client := r.Client(true)
		defer client.CloseIdleConnections()
		for token, valid := range map[string]bool{"ann": true, "garbage": false, "": false} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
				"http://server/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", bytes.NewReader([]byte("\x00\x00\x00\x00\x03\x3a\x01*")))
			require.NoError(t, err)
			request.Header = http.Header{"Content-Type": {"application/grpc"}, "Authorization": {"Bearer " + token}}
			response, err := client.Do(request)
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, valid, bytes.Contains(body, []byte("tms.v1.LeaseService")), token)
			require.Equal(t, valid, response.Trailer.Get("Grpc-Status") == "0", token)
		}
	})
}

// TestHealthLimit checks that calls of health, which need no token, are limited.
func TestHealthLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, &leases{})
		client := r.Client(true)
		defer client.CloseIdleConnections()
		const check = "/" + grpchealth.HealthV1ServiceName + "/Check"
		began := time.Now()
		for range healthLimits.PerUser {
			go open(t, client, check, "application/json", "") // the server waits for the request
		}
		synctest.Wait()
		status, text := open(t, client, check, "application/json", "")
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Contains(t, text, "resource_exhausted")
		require.Equal(t, began, time.Now())
		time.Sleep(2 * r.limits.ioTimeout) // synctest time
		response, err := client.Post("http://server"+check, "application/json", strings.NewReader("{}"))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.NoError(t, response.Body.Close())
	})
}

// TestOpenCalls checks the limits of open calls by user and in total.
func TestOpenCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		r := serve(t, &leases{acquire: func(context.Context, *tmsv1.AcquireRequest, func(*tmsv1.AcquireResponse) error) error {
			<-end
			return nil
		}}, func(s *Server) {
			s.config.Reviewer, s.config.OpenCalls = reviewer(func() {}), CallLimits{PerUser: 2, Maximum: 3}
		})
		client, _ := r.client(t, protocols["gRPC"])
		acquire := func(user string) error {
			request := connect.NewRequest(new(tmsv1.AcquireRequest))
			request.Header().Set("Authorization", "Bearer "+user)
			stream, err := client.Acquire(t.Context(), request)
			require.NoError(t, err)
			for stream.Receive() {
			}
			return stream.Err()
		}
		results := make(chan error, 3)
		for _, user := range []string{"ann", "ann", "bob"} {
			go func() { results <- acquire(user) }()
			synctest.Wait()
		}
		require.EqualError(t, acquire("ann"), `resource_exhausted: user "ann" has 2 open calls, the most that the server allows; end one, or retry later`)
		require.EqualError(t, acquire("carol"), "resource_exhausted: the server has 3 open calls, the most that it allows; retry")
		close(end)
		for range cap(results) {
			require.NoError(t, <-results)
		}
		synctest.Wait()
		require.NoError(t, acquire("ann"))
		require.Equal(t, map[string]float64{"/tms.v1.LeaseService/Acquire ok": 4, "/tms.v1.LeaseService/Acquire resource_exhausted": 2}, r.calls(t))
	})
}

// TestPendingCalls checks that calls whose tokens are being reviewed are limited.
func TestPendingCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		r := serve(t, &leases{}, func(s *Server) {
			s.config.Reviewer, s.config.OpenCalls = reviewer(func() { <-answer }), CallLimits{PerUser: 2, Maximum: 100}
		})
		client, _ := r.client(t, protocols["gRPC"])
		results := make(chan error, 5)
		for range cap(results) {
			go func() {
				request := connect.NewRequest(new(tmsv1.StatusRequest))
				request.Header().Set("Authorization", "Bearer ann")
				_, err := client.Status(t.Context(), request)
				results <- err
			}()
		}
		for range 3 {
			requireCode(t, connect.CodeResourceExhausted, <-results)
		}
		close(answer)
		for range 2 {
			require.NoError(t, <-results)
		}
	})
}

package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// TestProtocols checks for each protocol that a call may take longer than the deadlines
// of requests, and that the connection can be used again.
func TestProtocols(t *testing.T) {
	t.Parallel()
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				load := func(ctx context.Context) error {
					select {
					case <-time.After(20 * time.Minute):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				r := serve(t, &leases{
					status: func(ctx context.Context, request *tmsv1.StatusRequest) (*tmsv1.StatusResponse, error) {
						return &tmsv1.StatusResponse{Lease: &tmsv1.Lease{Id: request.GetId()}}, load(ctx)
					},
					acquire: func(ctx context.Context, request *tmsv1.AcquireRequest, send func(*tmsv1.AcquireResponse) error) error {
						for range 3 {
							if err := errors.Join(send(&tmsv1.AcquireResponse{Lease: &tmsv1.Lease{Id: request.GetName()}}), load(ctx)); err != nil {
								return err
							}
						}
						return send(&tmsv1.AcquireResponse{Lease: &tmsv1.Lease{Id: request.GetName()}, Complete: true})
					},
				})
				client, _ := r.client(t, p)
				for range 2 {
					lease, err := status(client, "a")
					require.NoError(t, err)
					require.Equal(t, "a", lease.GetId())
				}
				stream, err := client.Acquire(context.Background(), connect.NewRequest(&tmsv1.AcquireRequest{Name: "b"}))
				require.NoError(t, err)
				responses, complete := 0, false
				for stream.Receive() {
					require.Equal(t, "b", stream.Msg().GetLease().GetId())
					complete = stream.Msg().GetComplete()
					responses++
				}
				require.NoError(t, stream.Err())
				require.NoError(t, stream.Close())
				require.Equal(t, 4, responses)
				require.True(t, complete)

				time.Sleep(r.limits.ioTimeout + time.Second) // synctest time: the deadlines of a call do not end the next one
				_, err = status(client, "")
				require.NoError(t, err, "a request without a body")
				_, err = status(client, "c")
				require.NoError(t, err)
			})
		})
	}
}

// TestCurl checks requests as curl sends them.
func TestCurl(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, &leases{})
		_, httpClient := r.client(t, protocol{})
		const path = "http://server/tms.v1.LeaseService/Status"
		post := func(text, kind string) (int, string) {
			t.Helper()
			response, err := httpClient.Post(path, kind, strings.NewReader(text))
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			return response.StatusCode, string(body)
		}
		code, body := post(`{"id": "a"}`, "application/json")
		require.Equal(t, http.StatusOK, code)
		require.JSONEq(t, `{"lease": {"id": "a"}}`, body)
		code, body = post(`{"id": `, "application/json")
		require.Equal(t, http.StatusBadRequest, code)
		require.Contains(t, body, `"code":"invalid_argument"`)
		code, _ = post(`id: a`, "application/yaml")
		require.Equal(t, http.StatusUnsupportedMediaType, code)

		response, err := httpClient.Get(path + `?encoding=json&message={"id":"a"}`)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode, "a link must not call a method")
		response, err = httpClient.Post("http://server/tms.v1.LeaseService/Unknown", "application/json", strings.NewReader("{}"))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusNotFound, response.StatusCode)
	})
}

// TestPanic checks that the caller does not see the reason of a panic.
func TestPanic(t *testing.T) {
	t.Parallel()
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := serve(t, &leases{
					status: func(context.Context, *tmsv1.StatusRequest) (*tmsv1.StatusResponse, error) { panic("secret") },
					acquire: func(context.Context, *tmsv1.AcquireRequest, func(*tmsv1.AcquireResponse) error) error {
						panic("secret")
					},
				})
				client, _ := r.client(t, p)
				_, err := status(client, "a")
				requireCode(t, connect.CodeInternal, err)
				require.NotContains(t, err.Error(), "secret")
				stream, err := client.Acquire(context.Background(), connect.NewRequest(&tmsv1.AcquireRequest{}))
				require.NoError(t, err)
				require.False(t, stream.Receive())
				requireCode(t, connect.CodeInternal, stream.Err())
				require.NotContains(t, stream.Err().Error(), "secret")
				require.NoError(t, stream.Close())
			})
		})
	}
}

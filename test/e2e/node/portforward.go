package node

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// portForward serves kubectl port-forward: each forwarded connection has two streams, one
// for its data and one for an error.
func (n *Node) portForward(w http.ResponseWriter, r *http.Request) {
	p, err := n.pod(r.PathValue("namespace"), r.PathValue("pod"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{"portforward.k8s.io"}); err != nil {
		return // Handshake has answered
	}
	streams := make(chan httpstream.Stream)
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		select {
		case streams <- s:
		case <-ctx.Done():
		}
		return nil
	})
	if connection == nil {
		return // UpgradeResponse has answered
	}
	defer func() { _ = connection.Close() }()
	waiting := map[string]httpstream.Stream{} // streams without their pair, by request
	for {
		select {
		case <-connection.CloseChan():
			return
		case <-p.ended:
			return
		case s := <-streams:
			request := s.Headers().Get(corev1.PortForwardRequestIDHeader)
			other, ok := waiting[request]
			if !ok {
				waiting[request] = s
				continue
			}
			delete(waiting, request)
			data, failed := s, other
			if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				data, failed = other, s
			}
			go func() {
				defer connection.RemoveStreams(data, failed)
				if err := forward(ctx, data, net.JoinHostPort(p.ip, data.Headers().Get(corev1.PortHeader))); err != nil {
					_, _ = fmt.Fprint(failed, err)
				}
				_, _ = failed.Close(), data.Close()
			}()
		}
	}
}

// forward copies a stream to an address and back, until the address ends the connection.
func forward(ctx context.Context, stream io.ReadWriter, address string) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("failed to connect to the pod: %w", err)
	}
	defer func() { _ = connection.Close() }()
	go func() {
		_, _ = io.Copy(connection, stream)
		_ = connection.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(stream, connection)
	return err
}

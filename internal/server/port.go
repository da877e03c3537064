package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// portConnections limit the connections of ports that serve the cluster: Prometheus and
// the kubelet, which have a few connections.
var portConnections = ConnectionLimits{Maximum: 64, PerAddress: 16}

// NewPort returns a server of plain HTTP/1.1 for metrics or probes. Its limits are its own,
// so that it serves while the API is flooded.
func NewPort(ctx context.Context, name, address string, handler http.Handler, registry prometheus.Registerer, logger logr.Logger) (*manager.Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on the port of %s: %w", name, err)
	}
	logger = logger.WithName(name)
	limited, err := limitConnections(listener, name, portConnections, registry, logger)
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("metrics: %w", err)
	}
	const timeout = 10 * time.Second
	return &manager.Server{Name: name, Listener: limited, ShutdownTimeout: new(time.Second), Server: &http.Server{
		Handler: handler, MaxHeaderBytes: 8 << 10,
		ReadHeaderTimeout: timeout, ReadTimeout: timeout, WriteTimeout: 3 * timeout, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(logr.ToSlogHandler(logger), slog.LevelDebug), // clients cause these errors
	}}, nil
}

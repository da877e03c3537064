package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/triton-leases/tms/internal/auth"
	"github.com/triton-leases/tms/internal/metric"
)

// ConnectionLimits limit the connections that are open at once.
type ConnectionLimits struct {
	// Maximum limits all connections, PerAddress those of one source (see auth.Source).
	Maximum, PerAddress int
}

// Reasons for which limitedListener closes a connection. They are values of a label.
const (
	// overAddress is a new connection of a source that has PerAddress connections.
	overAddress = "address"
	// overMaximum is a new connection when there are Maximum connections.
	overMaximum = "maximum"
	// preempted is a connection without an open call, which makes room for a new one.
	preempted = "preempted"
)

// limitedListener limits the connections of a listener. It closes a connection beyond a
// limit at once, before TLS.
//
// At Maximum, it does not refuse a source that has fewer connections than another: it
// closes the oldest connection without an open call of the source with the most such
// connections. So silent connections from many addresses do not lock out callers.
type limitedListener struct {
	net.Listener
	limits ConnectionLimits
	logger logr.Logger
	open   prometheus.Gauge
	closed *prometheus.CounterVec
	// log limits the log messages, which clients cause.
	log rate.Sometimes

	lock  sync.Mutex
	count int
	// sources are the open connections by source, the oldest first.
	sources map[netip.Prefix][]*limitedConn
}

// limitConnections returns a limitedListener. The registry gets its metrics, with the name
// of the port as a label.
func limitConnections(listener net.Listener, port string, limits ConnectionLimits, registry prometheus.Registerer, logger logr.Logger) (*limitedListener, error) {
	labels := prometheus.Labels{"port": port}
	l := &limitedListener{
		Listener: listener, limits: limits, logger: logger, log: rate.Sometimes{Interval: time.Minute}, sources: map[netip.Prefix][]*limitedConn{},
		closed: metric.LimitedConnections.CounterVec(labels),
	}
	open := metric.Connections.GaugeVec(labels)
	l.open = open.WithLabelValues()
	for _, collector := range []prometheus.Collector{open, l.closed} {
		if err := registry.Register(collector); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Accept implements net.Listener. It returns only connections within the limits.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		limited := &limitedConn{Conn: conn, listener: l, source: auth.Source(conn.RemoteAddr().String())}
		excess, reason := l.add(limited)
		if excess != nil {
			l.closed.WithLabelValues(reason).Inc()
			l.log.Do(func() {
				l.logger.Info("closed a connection beyond a limit; further ones are only counted for a minute", "reason", reason, "source", excess.source.String())
			})
			reset(excess.Conn)
			_ = excess.Close()
		}
		if excess != limited {
			return limited, nil
		}
	}
}

// reset makes Close discard what a connection has not sent, so that a closed connection
// costs the kernel nothing.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// add adds a connection. It returns the connection to close and the reason if a limit is
// reached: the new one, or another.
func (l *limitedListener) add(conn *limitedConn) (excess *limitedConn, reason string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if len(l.sources[conn.source]) >= l.limits.PerAddress {
		return conn, overAddress
	}
	if l.count >= l.limits.Maximum {
		if excess = l.preemptible(len(l.sources[conn.source]) + 1); excess == nil {
			return conn, overMaximum
		}
		reason = preempted
		l.remove(excess)
	}
	conn.counted = true
	l.count++
	l.sources[conn.source] = append(l.sources[conn.source], conn)
	l.open.Set(float64(l.count))
	return excess, reason
}

// preemptible returns the oldest connection without an open call of the source with the
// most such connections, and nil if no source has at least that many.
func (l *limitedListener) preemptible(atLeast int) (oldest *limitedConn) {
	for _, conns := range l.sources {
		var first *limitedConn
		idle := 0
		for _, conn := range conns {
			if conn.calls == 0 {
				if idle++; idle == 1 {
					first = conn
				}
			}
		}
		if idle >= atLeast && first != nil {
			oldest, atLeast = first, idle+1
		}
	}
	return oldest
}

// remove removes a connection if it is counted. The caller holds the lock.
func (l *limitedListener) remove(conn *limitedConn) {
	if !conn.counted {
		return
	}
	conn.counted = false
	l.count--
	l.open.Set(float64(l.count))
	conns := l.sources[conn.source]
	if conns = slices.DeleteFunc(conns, func(c *limitedConn) bool { return c == conn }); len(conns) == 0 {
		delete(l.sources, conn.source)
		return
	}
	l.sources[conn.source] = conns
}

// limitedConn is a connection of a limitedListener.
type limitedConn struct {
	net.Conn
	listener *limitedListener
	source   netip.Prefix
	// counted reports whether the connection counts, and calls is the number of its open
	// calls. The lock of listener guards both.
	counted bool
	calls   int
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.listener.lock.Lock()
	c.listener.remove(c)
	c.listener.lock.Unlock()
	return c.Conn.Close()
}

// beginCall protects the connection from preemption until endCall.
func (c *limitedConn) beginCall() { c.addCalls(1) }
func (c *limitedConn) endCall()   { c.addCalls(-1) }

func (c *limitedConn) addCalls(n int) {
	c.listener.lock.Lock()
	defer c.listener.lock.Unlock()
	c.calls += n
}

type limitedConnKey struct{}

// connContext is for http.Server.ConnContext. It returns a context with the limitedConn of
// a connection.
func connContext(ctx context.Context, conn net.Conn) context.Context {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if limited, ok := conn.(*limitedConn); ok {
		return context.WithValue(ctx, limitedConnKey{}, limited)
	}
	return ctx
}

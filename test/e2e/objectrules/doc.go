// Package objectrules compares internal/objectrules of the main module with Kubernetes:
// with the code that kube-apiserver runs when it creates an object, and with its
// server-side apply. The tests need no cluster.
package objectrules

package main

import (
	"errors"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// allowlistName is the value of --allowlist: NAMESPACE/NAME, or empty.
type allowlistName string

// Set implements pflag.Value.
func (a *allowlistName) Set(text string) error {
	namespace, name, ok := strings.Cut(text, "/")
	if text != "" && (!ok || namespace == "" || name == "" || strings.Contains(name, "/")) {
		return errors.New("must be NAMESPACE/NAME")
	}
	*a = allowlistName(text)
	return nil
}

// String implements pflag.Value.
func (a *allowlistName) String() string { return string(*a) }

// Type implements pflag.Value.
func (a *allowlistName) Type() string { return "NAMESPACE/NAME" }

func (a *allowlistName) key() client.ObjectKey {
	namespace, name, _ := strings.Cut(string(*a), "/")
	return client.ObjectKey{Namespace: namespace, Name: name}
}

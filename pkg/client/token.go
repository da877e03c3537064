package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/triton-leases/tms/internal/limitread"
)

// TokenSource returns the Kubernetes token for a call.
type TokenSource func(ctx context.Context) (string, error)

func staticToken(token string) TokenSource {
	return func(context.Context) (string, error) { return token, nil }
}

func fileToken(name string) TokenSource {
	return func(context.Context) (string, error) { return ReadTokenFile(name) }
}

// ReadTokenFile returns the token in a file. It returns an error if the content of the file
// cannot be a token.
func ReadTokenFile(name string) (string, error) {
	text, err := limitread.File(name, limitread.Config)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("%s: the file is empty", name)
	}
	if err := checkToken(token); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return token, nil
}

// checkToken returns an error if the text cannot be a token. The error does not repeat it,
// because errors are logged.
func checkToken(token string) error {
	if token == "" {
		return errors.New("must not be empty")
	}
	for _, r := range token {
		if r <= ' ' || r > '~' {
			return errors.New("must be one line of printable ASCII characters without spaces")
		}
	}
	return nil
}

package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// TokenSource returns the token of Kubernetes that a call is made with.
type TokenSource func(ctx context.Context) (string, error)

func staticToken(token string) TokenSource {
	return func(context.Context) (string, error) { return token, nil }
}

func fileToken(name string) TokenSource {
	return func(context.Context) (string, error) {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		token := strings.TrimSpace(string(text))
		if token == "" {
			return "", fmt.Errorf("%s: is empty", name)
		}
		return token, nil
	}
}

// checkToken refuses what cannot be a token. It does not repeat it: errors are logged.
func checkToken(token string) error {
	if token == "" {
		return errors.New("is empty")
	}
	for _, r := range token {
		if r <= ' ' || r > '~' {
			return errors.New("has a character that no token has: is it a token, and all of it one line?")
		}
	}
	return nil
}

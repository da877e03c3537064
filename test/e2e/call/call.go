// Package call is a client of the API of tms-server. It implements
// connectrpc.com/docs/protocol with HTTP and JSON, and shares no code with the server.
package call

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Caller calls a server with a token.
type Caller struct {
	HTTP       *http.Client
	URL, Token string
}

// Error is an error of the API.
type Error struct{ Code, Message string }

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Code returns the code of an error: "ok" if err is nil, and "unavailable" if no server
// answered.
func Code(err error) string {
	var failure *Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &failure):
		return failure.Code
	}
	return "unavailable"
}

func (c Caller) request(ctx context.Context, method, kind string, body []byte) (*http.Response, error) {
	if !strings.Contains(method, "/") {
		method = "LeaseService/" + method
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/tms.v1."+method, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Connect-Protocol-Version", "1")
	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if deadline, ok := ctx.Deadline(); ok {
		request.Header.Set("Connect-Timeout-Ms", strconv.FormatInt(max(1, time.Until(deadline).Milliseconds()), 10))
	}
	return c.HTTP.Do(request)
}

// Unary calls a unary method. A method without a slash is one of LeaseService.
func (c Caller) Unary(ctx context.Context, method string, request, response any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	answer, err := c.request(ctx, method, "application/json", body)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		failure := new(Error)
		if err := json.Unmarshal(text, failure); err != nil || failure.Code == "" {
			return fmt.Errorf("HTTP %s: %s", answer.Status, text)
		}
		return failure
	}
	if response == nil {
		return nil
	}
	return json.Unmarshal(text, response)
}

// ErrBroken is the error of a stream that ends without its final message.
var ErrBroken = errors.New("the stream broke")

// Acquire calls Acquire, and calls onUpdate with the lease of each answer.
func (c Caller) Acquire(ctx context.Context, request any, onUpdate func(lease json.RawMessage) error) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	answer, err := c.request(ctx, "Acquire", "application/connect+json", append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...))
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP %s", answer.Status)
	}
	complete := false
	for {
		last, text, err := frame(answer.Body)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBroken, err)
		}
		if last {
			var end struct{ Error *Error }
			switch err := json.Unmarshal(text, &end); {
			case err != nil:
				return err
			case end.Error != nil:
				return end.Error
			case !complete:
				return ErrBroken
			}
			return nil
		}
		var one struct {
			Lease    json.RawMessage
			Complete bool
		}
		if err := json.Unmarshal(text, &one); err != nil {
			return err
		}
		complete = one.Complete
		if err := onUpdate(one.Lease); err != nil {
			return err
		}
	}
}

// frame reads a frame of a stream, and reports whether it is the last one.
func frame(from io.Reader) (last bool, text []byte, err error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(from, head); err != nil {
		return false, nil, err
	}
	text = make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err = io.ReadFull(from, text)
	return head[0]&2 != 0, text, err
}

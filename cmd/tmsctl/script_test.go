package main

import (
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/testing/faketms"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tmsctl": func() {
		if at, err := time.Parse(time.RFC3339, os.Getenv("NOW")); err == nil {
			now = func() time.Time { return at }
		}
		main()
	}})
}

// TestScripts runs testdata/script/*.txtar, which document the command. Each script has its
// own fake tms-server at $URL, which is also $TMSCTL_TARGET.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			fake := faketms.New()
			server := fake.Start()
			env.Defer(server.Close)
			env.Values["fake"] = fake
			env.Values["kube"] = new(*kube)
			env.Setenv("GORACE", "atexit_sleep_ms=0") // otherwise -race makes each command a second slower
			env.Setenv("NOW", "2026-01-02T12:00:00Z") // the fake creates leases at 03:04:05
			env.Setenv("URL", server.URL)
			env.Setenv("TMSCTL_TARGET", server.URL)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status, "server": server, "kube": kubeCommand},
	})
}

// status runs a command that must exit with a status: status 3 tmsctl ...
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status code command...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := err.(interface{ ExitCode() int }); ok {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if args[0] != strconv.Itoa(code) {
		ts.Fatalf("%v ended with status %d, not %s", args[1:], code, args[0])
	}
}

// server controls the fake server, or checks what it received:
//
//	server fail <method> <code> <message> [<field>=<message>...]
//	server break <n>           break the next n Acquire streams
//	server hold                keep leases from serving
//	server stall               keep Release calls from ending
//	server wait                wait until an Acquire is held or a Release stalls
//	server called <method> [n] wait until a method is called n times more, once by default
//	server lease <file>        add the lease of a file
//	server leases <n>          check the number of leases
//	server got <method> <file> write the last request to a file
//	server token <token>       check the token of the last List, or that it had none
//	server tls                 serve TLS at $TLS_URL, and write its authority to ca.pem
func server(ts *testscript.TestScript, _ bool, args []string) {
	fake := ts.Value("fake").(*faketms.Server)
	switch args[0] {
	case "fail":
		fake.Fail(args[1], refusal(ts, args[2], args[3], args[4:]...))
	case "break":
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		fake.Break(n)
	case "hold":
		fake.Hold()
	case "stall":
		fake.Stall()
	case "wait":
		select {
		case <-fake.Held():
		case <-time.After(time.Minute):
			ts.Fatalf("no call is held")
		}
	case "called":
		n := 1
		if len(args) > 2 {
			var err error
			n, err = strconv.Atoi(args[2])
			ts.Check(err)
		}
		for before := len(fake.Calls(args[1])); len(fake.Calls(args[1])) < before+n; {
			time.Sleep(time.Millisecond)
		}
	case "lease":
		lease := new(tmsv1.Lease)
		ts.Check(protojson.Unmarshal([]byte(ts.ReadFile(args[1])), lease))
		fake.Put(lease)
	case "leases":
		if n := strconv.Itoa(len(fake.Leases())); n != args[1] {
			ts.Fatalf("the server has %s leases", n)
		}
	case "got":
		calls := fake.Calls(args[1])
		if len(calls) == 0 {
			ts.Fatalf("the server received no %s", args[1])
		}
		text, err := protojson.Marshal(calls[len(calls)-1].Message)
		ts.Check(err)
		text = []byte(strings.ReplaceAll(string(text), " ", "")) // protojson uses random spaces
		ts.Check(os.WriteFile(ts.MkAbs(args[2]), append(text, '\n'), 0o600))
	case "token":
		calls := fake.Calls("List")
		if got := strings.TrimPrefix(calls[len(calls)-1].Header.Get("Authorization"), "Bearer "); got != strings.Join(args[1:], "") {
			ts.Fatalf("the token is %q", got)
		}
	case "tls":
		secure := fake.StartTLS()
		ts.Defer(secure.Close)
		ts.Setenv("TLS_URL", secure.URL)
		authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
		ts.Check(os.WriteFile(ts.MkAbs("ca.pem"), authority, 0o600))
	default:
		ts.Fatalf("unknown command: server %v", args)
	}
}

// refusal returns an error of the server. Its texts can contain escapes of Go strings.
func refusal(ts *testscript.TestScript, code, message string, fields ...string) error {
	var c connect.Code
	ts.Check(c.UnmarshalText([]byte(code)))
	unescape := func(text string) string {
		unquoted, err := strconv.Unquote(`"` + text + `"`)
		ts.Check(err)
		return unquoted
	}
	err := connect.NewError(c, errors.New(unescape(message)))
	bad := new(errdetails.BadRequest)
	for _, field := range fields {
		path, description, _ := strings.Cut(field, "=")
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: unescape(path), Description: unescape(description)})
	}
	if len(fields) > 0 {
		detail, detailErr := connect.NewErrorDetail(bad)
		ts.Check(detailErr)
		err.AddDetail(detail)
	}
	return err
}

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
	testscript.Main(m, map[string]func(){"tmsctl": main})
}

// TestScripts runs testdata/script/*.txtar, which read as the documentation of the
// command: each shows what a user types, and what comes back. Each script has a fake
// tms-server of its own at $URL, which $TMSCTL_TARGET names.
func TestScripts(t *testing.T) {
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
			env.Setenv("GORACE", "atexit_sleep_ms=0") // or each command ends a second later
			env.Setenv("URL", server.URL)
			env.Setenv("TMSCTL_TARGET", server.URL)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status, "server": server},
	})
}

// status runs a command that must end with a status: status 3 tmsctl ...
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

// server tells the fake server what to do, or looks at what it got:
//
//	server fail <method> <code> <message> [<field>=<message>...]
//	server break <n>           the next acquisitions break off
//	server hold                acquisitions get no further than to start
//	server stall               releases do not come to an end
//	server wait                until an acquisition is held, or a release stalls
//	server lease <file>        there is the lease in a file
//	server leases <n>          there are so many leases
//	server got <method> <file> the last request is written to a file
//	server token <token>       the last call had this token, or none
//	server tls                 there is TLS at $TLS_URL, and its authority is in ca.pem
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
			ts.Fatalf("nothing is held")
		}
	case "lease":
		lease := new(tmsv1.Lease)
		ts.Check(protojson.Unmarshal([]byte(ts.ReadFile(args[1])), lease))
		fake.Put(lease)
	case "leases":
		if n := strconv.Itoa(len(fake.Leases())); n != args[1] {
			ts.Fatalf("there are %s leases", n)
		}
	case "got":
		calls := fake.Calls(args[1])
		if len(calls) == 0 {
			ts.Fatalf("no call of %s came", args[1])
		}
		text, err := protojson.Marshal(calls[len(calls)-1].Message)
		ts.Check(err)
		text = []byte(strings.ReplaceAll(string(text), " ", "")) // which protojson varies
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
		ts.Fatalf("server %v?", args)
	}
}

// refusal is an error of the server. In its texts, escapes are what they stand for.
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
		path, sentence, _ := strings.Cut(field, "=")
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: unescape(path), Description: unescape(sentence)})
	}
	if len(fields) > 0 {
		detail, detailErr := connect.NewErrorDetail(bad)
		ts.Check(detailErr)
		err.AddDetail(detail)
	}
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/fetch"
)

const fetchHelp = `fetch downloads models over HTTPS, and unpacks them into a model repository of Triton. It
runs in an init container of the pods of a lease.

Each archive is a zip, tar or tar.gz file. It holds one model: a folder with the name of the
model, or config.pbtxt and a folder for each version. The archive of the model "*" holds a
folder for each model. A URI may end with #sha256= and the digest of the archive.

A credential is the folder of a mounted Secret, for URIs that match its targetUri,
HOST[:PORT][/PATH]. The domain is compared right to left, label by label: example.com
matches models.example.com. An IP address must be equal. The path is compared by prefix, in
whole segments. The longest match wins. The keys of the Secret give the Authorization header:
authorization (the whole header), token (Bearer), username and password (Basic), or a single
key with the whole header. fetch also trusts the certificates in the key ca.crt.

A restart resumes downloads, and downloads nothing that the folder has.`

// fetchOptions are the flags of fetch.
type fetchOptions struct {
	to, maxSize, progressAddress string
	models, credentials          []string
	maxFiles                     int64
	retries                      int
}

// newFetch returns the command of the init container that downloads models.
func newFetch() *cobra.Command {
	var o fetchOptions
	command := &cobra.Command{
		Use: "fetch --to FOLDER --model NAME=URI", Short: "Download models over HTTPS", Long: fetchHelp,
		Example: "  tms-server fetch --to /mnt/fetched-models --model resnet50=https://models.example.com/vision/resnet50.zip \\\n" +
			"    --credential models.example.com/vision=/var/run/secrets/tms/fetch/0",
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return o.run(command.Context()) },
	}
	flags := command.Flags()
	flags.StringVar(&o.to, "to", "", "folder of the model repository; fetch removes its models that are no longer given")
	flags.StringArrayVar(&o.models, "model", nil, "name and https:// URI of a model, NAME=URI; repeat the flag for several")
	flags.StringArrayVar(&o.credentials, "credential", nil, "targetUri and folder of a mounted Secret, TARGET_URI=FOLDER; repeat the flag for several")
	flags.StringVar(&o.maxSize, "max-size", "", "most disk space for archives and unpacked files of all models together, such as 50Gi; 0 is no limit (default no limit)")
	flags.Int64Var(&o.maxFiles, "max-files", 0, "most files, folders and links of all models together; 0 is no limit (default no limit)")
	flags.StringVar(&o.progressAddress, "progress-address", "", "address that serves the progress as JSON, such as :8004 (default none)")
	flags.IntVar(&o.retries, "retries", 8, "failed attempts in a row, without any new data, after which a download fails")
	return command
}

// config returns what the flags say, or all of their errors.
func (o *fetchOptions) config() (fetch.Config, error) {
	var errs []error
	check := func(format string, err error, arguments ...any) {
		if err != nil {
			errs = append(errs, fmt.Errorf(format+": %w", append(arguments, err)...))
		}
	}
	config := fetch.Config{
		To: o.to, MaxFiles: o.maxFiles, Retries: o.retries,
		RetryDelay: time.Second, StallTimeout: time.Minute, LogInterval: 5 * time.Second,
		Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	}
	if o.to == "" {
		errs = append(errs, errors.New("--to must not be empty"))
	}
	for i, text := range o.models {
		model, err := fetch.ParseModel(text)
		check("--model, number %d", err, i+1) // the URI may hold a signature
		if err == nil {
			config.Models = append(config.Models, model)
		}
	}
	if len(config.Models) == len(o.models) {
		check("--model", fetch.CheckModels(config.Models))
	}
	for _, text := range o.credentials {
		credential, err := fetch.ParseCredential(text)
		check("--credential %s", err, text)
		config.Credentials = append(config.Credentials, credential)
	}
	if o.maxSize != "" {
		size, err := resource.ParseQuantity(o.maxSize)
		if err != nil || size.Sign() < 0 {
			errs = append(errs, fmt.Errorf("--max-size %s: must be a quantity that is not negative, such as 50Gi", o.maxSize))
		}
		config.MaxBytes = size.Value()
	}
	if o.maxFiles < 0 {
		errs = append(errs, fmt.Errorf("--max-files %d: must not be negative", o.maxFiles))
	}
	if o.retries < 0 {
		errs = append(errs, fmt.Errorf("--retries %d: must not be negative", o.retries))
	}
	if err := errors.Join(errs...); err != nil {
		return config, cli.UsageError{Reason: err}
	}
	config.Progress = fetch.NewProgress(config.Models)
	return config, nil
}

func (o *fetchOptions) run(ctx context.Context) error {
	config, err := o.config()
	if err != nil {
		return err
	}
	if o.progressAddress != "" {
		stop, err := serveProgress(ctx, o.progressAddress, config.Progress)
		if err != nil {
			return fmt.Errorf("--progress-address %s: %w", o.progressAddress, err)
		}
		defer stop()
	}
	return fetch.Run(ctx, config)
}

// serveProgress serves the progress until stop is called.
func serveProgress(ctx context.Context, address string, progress http.Handler) (stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	const timeout = 10 * time.Second
	server := &http.Server{
		Handler: progress, MaxHeaderBytes: 8 << 10,
		ReadHeaderTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // clients cause these errors
	}
	go func() { _ = server.Serve(listener) }() // ends with Close
	return func() { _ = server.Close() }, nil
}

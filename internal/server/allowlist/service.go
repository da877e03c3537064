// Package allowlist implements tms.v1.AllowlistService with a ConfigMap, which adds
// images to those of the administrator's values.
package allowlist

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
	"github.com/triton-leases/tms/internal/auth"
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/internal/server/audit"
	"github.com/triton-leases/tms/internal/server/violations"
)

// Config configures a Service.
type Config struct {
	Client client.Client
	// APIReader reads from the API server.
	APIReader client.Reader
	// Reviewer authorizes the calls.
	Reviewer      *auth.Reviewer
	Configuration *config.Config
	// ConfigMap is the ConfigMap of the list. If its name is empty, all calls fail.
	ConfigMap client.ObjectKey
}

// Service implements tmsv1connect.AllowlistServiceHandler.
type Service struct{ Config }

var _ tmsv1connect.AllowlistServiceHandler = (*Service)(nil)

// New returns a Service.
func New(config Config) *Service { return &Service{config} }

// Append implements tmsv1connect.AllowlistServiceHandler.
func (s *Service) Append(ctx context.Context, request *connect.Request[tmsv1.AppendRequest]) (*connect.Response[tmsv1.AppendResponse], error) {
	response := new(tmsv1.AppendResponse)
	err := s.update(ctx, request.Msg.GetImages(), nil, func(list []string) []string {
		response.Added = nil
		for _, image := range request.Msg.GetImages() {
			if !slices.Contains(list, image) {
				list, response.Added = append(list, image), append(response.Added, image)
			}
		}
		return list
	})
	return connect.NewResponse(response), err
}

// Remove implements tmsv1connect.AllowlistServiceHandler.
func (s *Service) Remove(ctx context.Context, request *connect.Request[tmsv1.RemoveRequest]) (*connect.Response[tmsv1.RemoveResponse], error) {
	response := new(tmsv1.RemoveResponse)
	check := func() error { return s.checkRemovable(request.Msg.GetImages()) }
	err := s.update(ctx, request.Msg.GetImages(), check, func(list []string) []string {
		response.Removed = nil
		return slices.DeleteFunc(list, func(image string) bool {
			remove := slices.Contains(request.Msg.GetImages(), image)
			if remove {
				response.Removed = append(response.Removed, image)
			}
			return remove
		})
	})
	return connect.NewResponse(response), err
}

// List implements tmsv1connect.AllowlistServiceHandler.
func (s *Service) List(ctx context.Context, _ *connect.Request[tmsv1.AllowlistServiceListRequest]) (*connect.Response[tmsv1.AllowlistServiceListResponse], error) {
	if err := s.authorize(ctx, "get"); err != nil {
		return nil, err
	}
	list := new(corev1.ConfigMap)
	if err := s.APIReader.Get(ctx, s.ConfigMap, list); client.IgnoreNotFound(err) != nil {
		return nil, apiServerError(ctx, err)
	}
	response := new(tmsv1.AllowlistServiceListResponse)
	inValues := s.Configuration.Images()
	for _, image := range inValues {
		response.Images = append(response.Images, &tmsv1.AllowedImage{Image: image, InValues: true})
	}
	for _, image := range config.AllowedBy(list) {
		if !slices.Contains(inValues, image) {
			response.Images = append(response.Images, &tmsv1.AllowedImage{Image: image})
		}
	}
	return connect.NewResponse(response), nil
}

// imagePattern is the pattern of images in the schema of the values.
var imagePattern = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9._:/@]*$`)

const maxImageLength = 1024

// update validates and authorizes a call, runs check if it is not nil, and applies change
// to the list. It repeats change if the list was updated at the same time.
func (s *Service) update(ctx context.Context, images []string, check func() error, change func([]string) []string) error {
	if err := validate(images); err != nil {
		return err
	}
	if err := s.authorize(ctx, "update"); err != nil {
		return err
	}
	audit.SetImages(ctx, images)
	if check != nil {
		if err := check(); err != nil {
			return err
		}
	}
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		list := new(corev1.ConfigMap)
		if err := s.APIReader.Get(ctx, s.ConfigMap, list); err != nil {
			return err
		}
		before := list.DeepCopy()
		if list.Data == nil {
			list.Data = map[string]string{}
		}
		list.Data[config.AllowlistKey] = strings.Join(change(config.AllowedBy(list)), "\n")
		return s.Client.Patch(ctx, list, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
	if err != nil {
		return apiServerError(ctx, err)
	}
	return nil
}

// checkRemovable returns an error if one of the images is in the administrator's values:
// leases could still use it.
func (s *Service) checkRemovable(images []string) error {
	var fixed violations.List
	for i, image := range images {
		if slices.Contains(s.Configuration.Images(), image) {
			fixed.Add(imagePath(i), strconv.QuoteToASCII(image)+" is in the administrator's values: remove it there")
		}
	}
	return fixed.WithCode(connect.CodeFailedPrecondition)
}

func validate(images []string) error {
	var invalid violations.List
	if len(images) == 0 {
		invalid.Add("images", "at least one image is required")
	}
	for i, image := range images {
		if len(image) > maxImageLength || !imagePattern.MatchString(image) {
			invalid.Add(imagePath(i), strconv.QuoteToASCII(image)+" must be an image reference: registry/name:tag or registry/name@sha256:digest")
		}
	}
	return invalid.InvalidArgument()
}

func imagePath(i int) string { return fmt.Sprintf("images[%d]", i) }

func (s *Service) authorize(ctx context.Context, verb string) error {
	if s.ConfigMap.Name == "" {
		return connect.NewError(connect.CodeUnimplemented, errors.New("the allowlist of this server cannot be changed: it runs without --allowlist"))
	}
	return s.Reviewer.Authorize(ctx, auth.Attributes{
		Verb: verb, Resource: "configmaps", Namespace: s.ConfigMap.Namespace, Name: s.ConfigMap.Name,
	})
}

// apiServerError returns the error for the caller if the API server returns err. Other
// details are only logged.
func apiServerError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if apierrors.IsNotFound(err) {
		return connect.NewError(connect.CodeFailedPrecondition, errors.New("the ConfigMap of the allowlist does not exist: upgrade the Helm release of the server"))
	}
	if apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err) {
		return connect.NewError(connect.CodeResourceExhausted, errors.New("the allowlist has reached the size limit of a ConfigMap: remove images first"))
	}
	if apierrors.IsConflict(err) {
		return connect.NewError(connect.CodeAborted, errors.New("other calls update the allowlist at the same time; retry"))
	}
	log.FromContext(ctx).Error(err, "get or patch the allowlist")
	return connect.NewError(connect.CodeUnavailable, errors.New("the Kubernetes API server failed; retry"))
}

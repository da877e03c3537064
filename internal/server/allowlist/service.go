// Package allowlist serves tms.v1.AllowlistService. The list is a ConfigMap in the
// namespace of the server, beside the list of the administrator's values.
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
	"github.com/triton-leases/tms/internal/server/problem"
	"github.com/triton-leases/tms/internal/config"
)

// Config is what the service works with.
type Config struct {
	Client client.Client
	// Live reads from the API server.
	Live          client.Reader
	Access        *auth.Control
	Configuration *config.Config
	// ConfigMap holds the list.
	ConfigMap client.ObjectKey
}

// Service implements tmsv1connect.AllowlistServiceHandler.
type Service struct{ Config }

var _ tmsv1connect.AllowlistServiceHandler = (*Service)(nil)

// New returns the service.
func New(config Config) *Service { return &Service{config} }

// Append implements tmsv1connect.AllowlistServiceHandler.
func (s *Service) Append(ctx context.Context, request *connect.Request[tmsv1.AppendRequest]) (*connect.Response[tmsv1.AppendResponse], error) {
	response := new(tmsv1.AppendResponse)
	err := s.change(ctx, request.Msg.GetImages(), nil, func(list []string) []string {
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
	fixed := func() error { return s.inValues(request.Msg.GetImages()) }
	err := s.change(ctx, request.Msg.GetImages(), fixed, func(list []string) []string {
		response.Removed = nil
		return slices.DeleteFunc(list, func(image string) bool {
			gone := slices.Contains(request.Msg.GetImages(), image)
			if gone {
				response.Removed = append(response.Removed, image)
			}
			return gone
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
	if err := s.Live.Get(ctx, s.ConfigMap, list); client.IgnoreNotFound(err) != nil {
		return nil, failed(ctx, err)
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

// image is what the schema of the values calls an image, of at most longest characters.
var image = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9._:/@]*$`)

const longest = 1024

// change changes the list, where nothing forbids it, and once more where somebody else
// changed it meanwhile.
func (s *Service) change(ctx context.Context, images []string, forbids func() error, change func([]string) []string) error {
	if err := validate(images); err != nil {
		return err
	}
	if err := s.authorize(ctx, "update"); err != nil {
		return err
	}
	if forbids != nil {
		if err := forbids(); err != nil {
			return err
		}
	}
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		list := new(corev1.ConfigMap)
		if err := s.Live.Get(ctx, s.ConfigMap, list); err != nil {
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
		return failed(ctx, err)
	}
	return nil
}

// inValues says which images cannot be removed here: leases would have them all the same.
func (s *Service) inValues(images []string) error {
	var wrong problem.Violations
	for i, one := range images {
		if slices.Contains(s.Configuration.Images(), one) {
			wrong.Add(fmt.Sprintf("images[%d]", i), "%s is in the administrator's values: remove it there", strconv.QuoteToASCII(one))
		}
	}
	return wrong.As(connect.CodeFailedPrecondition)
}

func validate(images []string) error {
	var wrong problem.Violations
	if len(images) == 0 {
		wrong.Add("images", "name at least one image")
	}
	for i, one := range images {
		if len(one) > longest || !image.MatchString(one) {
			wrong.Add(fmt.Sprintf("images[%d]", i), "%s must be an image reference: registry/name:tag or registry/name@sha256:digest", strconv.QuoteToASCII(one))
		}
	}
	return wrong.Err()
}

func (s *Service) authorize(ctx context.Context, verb string) error {
	if s.ConfigMap.Name == "" {
		return connect.NewError(connect.CodeUnimplemented, errors.New("this server has no allowlist that can be changed: it was started without --allowlist"))
	}
	return s.Access.Authorize(ctx, auth.Attributes{
		Verb: verb, Resource: "configmaps", Namespace: s.ConfigMap.Namespace, Name: s.ConfigMap.Name,
	})
}

func failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if apierrors.IsNotFound(err) {
		return connect.NewError(connect.CodeFailedPrecondition, errors.New("the ConfigMap of the allowlist is gone: upgrade the release of the server"))
	}
	if apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err) {
		return connect.NewError(connect.CodeResourceExhausted, errors.New("the allowlist is as long as a ConfigMap can be: remove images first"))
	}
	if apierrors.IsConflict(err) {
		return connect.NewError(connect.CodeAborted, errors.New("others change the allowlist all the time; try again"))
	}
	log.FromContext(ctx).Error(err, "read or write the allowlist")
	return connect.NewError(connect.CodeUnavailable, errors.New("the API server of Kubernetes does not answer as it should; try again"))
}

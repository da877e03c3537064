package policy

import "k8s.io/apimachinery/pkg/util/validation/field"

// checkContainerImages refuses images of containers that are not in the list. The first of
// pod.containers is the pod itself, which has no image.
func checkContainerImages(pod podRequest, images Allowlist) field.ErrorList {
	var reasons field.ErrorList
	for _, container := range pod.containers[1:] {
		image, _ := container.value["image"].(string)
		reasons = append(reasons, Reasons(images.Check(container.path, image))...)
	}
	return reasons
}

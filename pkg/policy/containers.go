package policy

import "k8s.io/apimachinery/pkg/util/validation/field"

// checkImages refuses images of containers and of volumes that are not in the list. The
// first of pod.containers is the pod itself, which has no image.
func checkImages(pod podRequest, images Allowlist) field.ErrorList {
	var reasons field.ErrorList
	for _, container := range pod.containers[1:] {
		image, _ := container.value["image"].(string)
		reasons = append(reasons, Reasons(images.Check(container.path, image))...)
	}
	for volume := range pod.items("volumes") {
		image := volume.child("image")
		reference, _ := image.value["reference"].(string)
		reasons = append(reasons, Reasons(images.check(image.path.Child("reference"), reference))...)
	}
	return reasons
}

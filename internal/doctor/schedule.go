package doctor

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// schedule is a ConfigMap from which tms-server makes the HorizontalPodAutoscaler of a lease
// of the values. Both have the same name.
type schedule struct {
	metav1.ObjectMeta `json:"metadata"`
}

// readSchedules reads the ConfigMaps with the schedules of leases.
func (d *Doctor) readSchedules(ctx context.Context) error {
	var list struct {
		Items []schedule `json:"items"`
	}
	err := d.client.list(ctx, "/api/v1", d.options.Namespace, "configmaps", d.selector()+","+scheduleLabel+"=true", &list)
	d.schedules = list.Items
	return unreadable(err)
}

const scheduleLabel = "tms.triton-leases.dev/schedule"

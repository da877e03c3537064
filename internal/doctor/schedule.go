package doctor

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// schedule is a ConfigMap from which tms-server creates the HorizontalPodAutoscaler of a lease
// in the values. Both have the same name.
type schedule struct {
	metav1.ObjectMeta `json:"metadata"`
}

// readSchedules reads the ConfigMaps with the schedules of leases.
func (d *Doctor) readSchedules(ctx context.Context) error {
	var list struct {
		Items []schedule `json:"items"`
	}
	err := d.client.list(ctx, "/api/v1", d.options.Namespace, "configmaps", d.selector()+","+v1alpha1.ScheduleLabel+"=true", &list)
	d.schedules = list.Items
	return unreadable(err)
}

package cut_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/triton-leases/tms/internal/cut"
)

func ExampleMarks_Text() {
	marks := cut.Marks{"NAME", "1717000001"}
	text := marks.Text("name: NAME\nreplicas: 1717000001\nselector: NAME\n")
	fmt.Print(text.Fill([]string{"resnet50", "4"}))
	// Output:
	// name: resnet50
	// replicas: 4
	// selector: resnet50
}

func TestText(t *testing.T) {
	marks := cut.Marks{"M1x", "", "M11x"}
	fillings := []string{"a", "never", "b"}
	for text, wanted := range map[string]string{
		"":               "",
		"nothing":        "nothing",
		"M1x":            "a",
		"M11xM1xM11x":    "bab",
		"-M1x-M11x-M1":   "-a-b-M1",
		"M1xM1x and all": "aa and all",
	} {
		cut := marks.Text(text)
		require.Equal(t, wanted, cut.Fill(fillings), text)
		require.Equal(t, "> "+wanted, string(cut.Append([]byte("> "), fillings)))
		require.Equal(t, wanted != text, cut.Marked())
		require.Equal(t, wanted, cut.Intern(map[string]string{}).Fill(fillings))
	}
}

func TestObject(t *testing.T) {
	marks := cut.Marks{"MARK", "1717000001", "1717000002"}
	replicas := int32(1717000001)
	marked := autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "tms-MARK", Labels: map[string]string{"lease": "MARK", "other": "x"}},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			MinReplicas: &replicas, MaxReplicas: 1717000002,
			Metrics: []autoscalingv2.MetricSpec{{Pods: &autoscalingv2.PodsMetricSource{Target: autoscalingv2.MetricTarget{
				AverageValue: resource.NewQuantity(1717000002, resource.DecimalSI),
			}}}},
		},
	}
	object := cut.NewObject(marks, marked, (*autoscalingv2.HorizontalPodAutoscaler).DeepCopyInto)
	first, err := object.Fill([]string{"a", "1", "4"})
	require.NoError(t, err)
	second, err := object.Fill([]string{"b", "2", "8"})
	require.NoError(t, err)
	require.Equal(t, "tms-a", first.Name)
	require.Equal(t, map[string]string{"lease": "a", "other": "x"}, first.Labels)
	require.Equal(t, []int32{1, 4}, []int32{*first.Spec.MinReplicas, first.Spec.MaxReplicas})
	require.Equal(t, "4", first.Spec.Metrics[0].Pods.Target.AverageValue.String())
	require.Equal(t, "tms-b", second.Name)
	require.Equal(t, "8", second.Spec.Metrics[0].Pods.Target.AverageValue.String())

	_, err = object.Fill([]string{"a", "many", "4"})
	require.Error(t, err, "not a number")
	_, err = object.Fill([]string{"a", "1", "99999999999"})
	require.Error(t, err, "does not fit")
}

func TestObjectFillsMapsAndUnions(t *testing.T) {
	marks := cut.Marks{"1717000001"}
	pod := corev1.PodSpec{Containers: []corev1.Container{{
		Resources:     corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("1717000001")}},
		LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(1717000001)}}},
	}}}
	filled, err := cut.NewObject(marks, pod, (*corev1.PodSpec).DeepCopyInto).Fill([]string{"2"})
	require.NoError(t, err)
	require.Equal(t, int64(2), filled.Containers[0].Resources.Limits.Cpu().Value())
	require.Equal(t, 2, filled.Containers[0].LivenessProbe.HTTPGet.Port.IntValue())
	require.Equal(t, int64(1717000001), pod.Containers[0].Resources.Limits.Cpu().Value(), "the marked one stays")
}

// The groups of a lease's PrometheusRule. std.strReplace inserts the values of
// each lease: go-jsonnet implements it in Go. It implements the % operator in
// jsonnet, which takes a hundred times as long.

local queueDuration = |||-
  sum by (namespace, pod) (rate(nv_inference_queue_duration_us{@pods}[@window]))
    / (sum by (namespace, pod) (rate(nv_inference_request_success{@pods}[@window])) > 0)
  or
  @microseconds + 0 * (
    sum by (namespace, pod) (rate(nv_inference_request_success{@pods}[@window])) == 0
    and (
      (
        max by (namespace, pod) (min_over_time(nv_inference_pending_request_count{@pods}[@window])) > 0
        and
        group by (namespace, pod) (nv_inference_pending_request_count{@pods} offset @window)
      )
      or
      sum by (namespace, pod) (rate(nv_inference_request_failure{@pods,reason="REJECTED"}[@window])) > 0
    )
  )
  or
  0 * group by (namespace, pod) (rate(nv_inference_queue_duration_us{@pods}[@window]))
|||;

local atMaximum = |||-
  max by (namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_target_metric{@metric})
  >
  max by (namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_spec_target_metric{@metric})
  and
  max by (namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_current_replicas{@hpa})
  >=
  max by (namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_spec_max_replicas{@hpa})
|||;

local runbook = 'https://github.com/triton-leases/tms/blob/main/docs/troubleshooting.md#';

// microseconds parses a duration with a single unit, as the fleet has it.
local microseconds(duration) =
  std.parseInt(std.rstripChars(duration, 'hms')) * { h: 3600e6, m: 60e6, s: 1e6, ms: 1e3 }[std.lstripChars(duration, '0123456789')];

function(prometheus, namespace)
  local window = prometheus.rateWindow;
  // What all leases share is inserted once.
  local queueDurationOf = std.strReplace(std.strReplace(queueDuration, '@window', window), '@microseconds', '' + microseconds(window));
  local atMaximumOf = std.strReplace(atMaximum, '@metric', '@hpa,metric_name="tms_avg_request_queue_duration",metric_target_type="average"');

  function(lease, name, grant)
    local pods = 'namespace="' + namespace + '",job="' + namespace + '/' + name + '"';
    local hpa = 'namespace="' + namespace + '",horizontalpodautoscaler="' + name + '"';
    local labels = { severity: 'warning', tms_lease: lease };
    [
      {
        name: name + '.signals',
        interval: prometheus.evaluationInterval,
        rules: [
          {
            record: 'tms_avg_request_queue_duration',
            expr: std.strReplace(queueDurationOf, '@pods', pods),
          },
          {
            record: 'tms_avg_gpu_utilization',
            expr: '100 * avg by (namespace, pod) (avg_over_time(nv_gpu_utilization{' + pods + '}[' + window + ']))',
          },
          {
            record: 'tms_pending_requests',
            expr: 'sum by (namespace, pod) (nv_inference_pending_request_count{' + pods + '})',
          },
        ],
      },
    ] + if !prometheus.alerts.enabled then [] else [
      {
        name: name + '.alerts',
        interval: prometheus.evaluationInterval,
        rules: [
          {
            alert: 'TMSLeaseMetricsMissing',
            expr: 'absent_over_time(nv_inference_request_success{' + pods + '}[' + window + '])',
            'for': '5m',
            labels: labels,
            annotations: {
              summary: 'Prometheus reads no Triton metrics of lease ' + lease + '.',
              description: 'No Triton series has come from the pods of PodMonitor ' + namespace + '/' + name
                           + ' for 5 minutes, so the lease cannot scale by the metrics of Triton. See whether the pods run, then compare'
                           + ' the labels of the PodMonitor with .spec.podMonitorSelector of the Prometheus, and the labels of the'
                           + ' namespace with its .spec.podMonitorNamespaceSelector.',
              runbook_url: runbook + 'tmsleasemetricsmissing',
            },
          },
          {
            alert: 'TMSLeaseRequestsRejected',
            expr: 'sum by (namespace) (rate(nv_inference_request_failure{' + pods + ',reason="REJECTED"}[' + window + '])) > 0',
            'for': '1m',
            labels: labels,
            annotations: {
              summary: 'Triton rejects requests of lease ' + lease + '.',
              description: 'Triton has rejected requests of lease ' + lease + ' in namespace ' + namespace + ' for a minute,'
                           + " because they waited in a model's queue for as long as its queue policy allows. Let the lease scale"
                           + ' earlier (a lower threshold) or further (a higher maximum), or allow a longer timeout.',
              runbook_url: runbook + 'tmsleaserequestsrejected',
            },
          },
          {
            alert: 'TMSLeaseAtMaximum',
            expr: std.strReplace(atMaximumOf, '@hpa', hpa),
            'for': '10m',
            labels: labels { tms_metric: 'queueTime' },
            annotations: {
              summary: 'Lease ' + lease + ' is at its maximum, and queueTime is still above its threshold.',
              description: 'HorizontalPodAutoscaler ' + namespace + '/' + name + ' has had its maximum of '
                           + grant.maxReplicas + ' replicas for 10 minutes, and queueTime is above its threshold of '
                           + grant.threshold + ' microseconds. Raise leases.' + lease + '.autoscaling.replicas.maximum. If'
                           + ' server.autoscaling.replicas.limits.maximum is the bound, raise it too.',
              runbook_url: runbook + 'tmsleaseatmaximum',
            },
          },
        ],
      },
    ]

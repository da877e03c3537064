// The objects that the chart charts/tms renders from a fleet, as a jsonnet
// program: the same defaults, the same policy, the same objects. It is written
// to be fast in go-jsonnet, and supports what the fleet of the benchmark uses:
// autoscaled leases with models and resources. It reads the same values file
// (JSON is no faster), and does not validate it against the schema.
local grant = import 'grant.libsonnet';
local rules = import 'rules.libsonnet';

local chart = std.parseYaml(importstr '../../../charts/tms/Chart.yaml');
local defaults = std.parseYaml(importstr '../../../charts/tms/values.yaml');

local distinct(uris) = std.foldl(function(seen, uri) if std.member(seen, uri) then seen else seen + [uri], uris, []);

function(fleet, release='tms', namespace='ns')
  local given = std.parseYaml(fleet);
  // The leases have no defaults to merge, so they skip std.mergePatch, which is slow.
  local values = std.mergePatch(defaults, { [key]: given[key] for key in std.objectFields(given) if key != 'leases' });
  local config = values.server.autoscaling;
  local prometheus = config.prometheus;
  local fullname = if std.length(std.findSubstr(chart.name, release)) > 0 then release else release + '-' + chart.name;
  local groups = rules(prometheus, namespace);

  local orDefault(labels) = if labels == {} then { release: 'prometheus' } else labels;
  local podMonitorLabels = orDefault(prometheus.podMonitorLabels);
  local ruleLabels = orDefault(prometheus.ruleLabels);

  local selectorLabels = {
    'app.kubernetes.io/name': chart.name,
    'app.kubernetes.io/instance': release,
  };
  local podLabels = selectorLabels {
    'app.kubernetes.io/component': 'triton',
    'app.kubernetes.io/managed-by': 'Helm',
  };
  local objectLabels = podLabels {
    'app.kubernetes.io/version': chart.appVersion,
    'helm.sh/chart': chart.name + '-' + chart.version,
  };

  local probe(path, timing) = { httpGet: { path: path, port: 'http' } } + timing;
  local triton = values.triton;
  local container = {
    name: 'triton',
    image: values.images.triton,
    lifecycle: triton.lifecycle,
    ports: [
      { name: 'http', containerPort: 8000 },
      { name: 'grpc', containerPort: 8001 },
      { name: 'metrics', containerPort: 8002 },
    ],
    startupProbe: probe('/v2/health/ready', triton.probes.startup),
    readinessProbe: probe('/v2/health/ready', triton.probes.readiness),
    livenessProbe: probe('/v2/health/live', triton.probes.liveness),
    resources: triton.resources,
    securityContext: triton.securityContext,
    volumeMounts: [{ name: 'shm', mountPath: '/dev/shm' }],
  };
  local pod = {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: triton.podSecurityContext,
    terminationGracePeriodSeconds: triton.terminationGracePeriodSeconds,
    volumes: [{ name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: triton.sharedMemorySize } }],
  };

  local ports = [
    { name: 'http', port: 8000, targetPort: 'http' },
    { name: 'grpc', port: 8001, targetPort: 'grpc' },
  ];

  local objects(lease, spec) =
    local name = fullname + '-' + lease;
    local granted = grant(spec.autoscaling, 'leases.' + lease, config);
    local own = { 'tms.triton-leases.dev/lease': lease };
    local selector = selectorLabels + own;
    local metadata = { name: name, namespace: namespace, labels: objectLabels + own };
    local resources = std.get(std.get(spec, 'triton', {}), 'resources');
    [
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: metadata,
        spec: {
          progressDeadlineSeconds: triton.progressDeadlineSeconds,
          selector: { matchLabels: selector },
          template: {
            metadata: { labels: podLabels + own },
            spec: pod {
              containers: [
                container {
                  args: ['tritonserver']
                        + ['--model-repository=' + uri for uri in distinct([model.uri for model in spec.models])]
                        + ['--model-control-mode=explicit']
                        + ['--load-model=' + model.name for model in spec.models]
                        + ['--exit-timeout-secs=' + (triton.terminationGracePeriodSeconds - triton.lifecycle.preStop.sleep.seconds - 5)]
                        + ['--grpc-max-connection-age=' + 1000 * triton.connectionAgeSeconds]
                        + triton.args,
                  [if resources != null then 'resources']: std.mergePatch(triton.resources, resources),
                },
              ],
            },
          },
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: metadata,
        spec: {
          selector: selector,
          ports: ports,
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: metadata { name: name + '-headless' },
        spec: { clusterIP: 'None', selector: selector, ports: ports },
      },
      {
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: metadata {
          [if granted.adjustments != [] then 'annotations']: {
            'tms.triton-leases.dev/adjustments': std.join('\n', granted.adjustments),
          },
        },
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: name },
          minReplicas: granted.minReplicas,
          maxReplicas: granted.maxReplicas,
          metrics: [{
            type: 'Pods',
            pods: {
              metric: { name: 'tms_avg_request_queue_duration' },
              target: { type: 'AverageValue', averageValue: '' + granted.threshold },
            },
          }],
          behavior: config.behavior,
        },
      },
      {
        apiVersion: 'monitoring.coreos.com/v1',
        kind: 'PodMonitor',
        metadata: metadata { labels+: podMonitorLabels },
        spec: {
          selector: { matchLabels: selector },
          podMetricsEndpoints: [{ port: 'metrics', path: '/metrics', interval: prometheus.scrapeInterval }],
        },
      },
      {
        apiVersion: 'monitoring.coreos.com/v1',
        kind: 'PrometheusRule',
        metadata: metadata { labels+: ruleLabels },
        spec: { groups: groups(lease, name, granted) },
      },
    ];

  local test = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: fullname + '-test',
      namespace: namespace,
      labels: selectorLabels { 'app.kubernetes.io/component': 'test' },
      annotations: {
        'helm.sh/hook': 'test',
        'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded',
      },
    },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      securityContext: triton.podSecurityContext,
      containers: [{
        name: 'ready',
        image: values.images.triton,
        command: ['curl'],
        args: ['--fail', '--fail-early', '--silent', '--show-error', '--max-time', '10', '--retry', '5', '--retry-connrefused']
              + ['http://' + fullname + '-' + lease + ':8000/v2/health/ready' for lease in std.objectFields(given.leases)],
        resources: { requests: { cpu: '10m', memory: '32Mi' } },
        securityContext: triton.securityContext,
      }],
    },
  };

  std.flatMap(function(lease) objects(lease, given.leases[lease]), std.objectFields(given.leases)) + [test]

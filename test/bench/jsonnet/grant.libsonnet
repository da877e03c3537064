// The grant of a lease, and its adjustments: the rules of
// charts/tms/templates/_policy_lease.tpl for the settings that the fleet uses,
// which are replicas and queueTime.

// clamp limits a number to a range, and names the bound that applied. A high
// of 0 means no upper bound.
local clamp(from, low, lowPath, high, highPath) =
  if from < low then { to: low, limit: lowPath }
  else if high != 0 && from > high then { to: high, limit: highPath }
  else { to: from };

local adjustment(field, origin, from, granted) =
  if granted.to == from then []
  else [field + ': ' + origin + ' ' + from + ', granted ' + granted.to + ' (' + granted.limit + ')'];

function(autoscaling, path, config)
  local replicas = std.get(autoscaling, 'replicas', {});
  local hasMinimum = std.objectHas(replicas, 'minimum');
  local hasMaximum = std.objectHas(replicas, 'maximum');
  local minimum = if hasMinimum then replicas.minimum else config.replicas.default.minimum;
  local maximum = if hasMaximum then replicas.maximum else config.replicas.default.maximum;
  local minimumPath = path + '.autoscaling.replicas.minimum';
  local maximumPath = path + '.autoscaling.replicas.maximum';
  local limits = config.replicas.limits;
  local limitsPath = 'server.autoscaling.replicas.limits.';
  local lowest = limits.minimum.lowerBound;
  local min = clamp(minimum, lowest, limitsPath + 'minimum.lowerBound', limits.minimum.upperBound, limitsPath + 'minimum.upperBound');
  local max = clamp(maximum, lowest, limitsPath + 'minimum.lowerBound', limits.maximum, limitsPath + 'maximum');
  // If minimum exceeds maximum, the default yields to the value that the lease asks for.
  local crossed = max.to < min.to;
  local min2 = if crossed && !hasMinimum then { to: max.to, limit: maximumPath } else min;
  local max2 = if crossed && hasMinimum then { to: min.to, limit: minimumPath } else max;

  local queueTime = config.metrics.queueTime.threshold;
  local asked = std.get(std.get(std.get(autoscaling, 'metrics', {}), 'queueTime', {}), 'threshold');
  local threshold = if asked == null then queueTime.default else asked;
  local thresholdPath = 'server.autoscaling.metrics.queueTime.threshold.';
  local granted = clamp(threshold, queueTime.minimum, thresholdPath + 'minimum', queueTime.maximum, thresholdPath + 'maximum');

  assert !(hasMinimum && hasMaximum && minimum > maximum) : minimumPath + ': must not exceed ' + maximumPath;
  {
    minReplicas: min2.to,
    maxReplicas: max2.to,
    threshold: granted.to,
    adjustments:
      adjustment(minimumPath, if hasMinimum then 'asked' else 'default', minimum, min2) +
      adjustment(maximumPath, if hasMaximum then 'asked' else 'default', maximum, max2) +
      adjustment(path + '.autoscaling.metrics.queueTime.threshold', if asked == null then 'default' else 'asked', threshold, granted),
  }

import {
  child,
  has,
  items,
  keys,
  nonEmptyText,
  number,
  optionalText,
  type SpecNode,
  specError,
} from './spec-reader.ts'

/** How many units of a metric one consumer project may use in a minute. */
export type QuotaLimit = {
  readonly name: string
  readonly label: string
  readonly metric: string
  readonly metricLabel: string
  readonly perMinute: number
}

const UNIT = '1/min/{project}'

/** Reads `x-google-management`: per minute and project is the only unit API Gateway has. */
export function readQuotaLimits(root: SpecNode): QuotaLimit[] {
  const management = child(root, 'x-google-management')
  if (management.value === undefined) return []
  const metrics = new Map<string, string>()
  for (const metric of has(management, 'metrics') ? items(child(management, 'metrics')) : []) {
    const name = nonEmptyText(child(metric, 'name'))
    metrics.set(name, optionalText(child(metric, 'displayName')) ?? name)
  }
  const limits = child(child(management, 'quota'), 'limits')
  return limits.value === undefined ? [] : items(limits).map((limit) => readLimit(limit, metrics))
}

function readLimit(node: SpecNode, metrics: ReadonlyMap<string, string>): QuotaLimit {
  const name = nonEmptyText(child(node, 'name'))
  const metric = nonEmptyText(child(node, 'metric'))
  const metricLabel = metrics.get(metric)
  if (metricLabel === undefined)
    throw specError(child(node, 'metric').place, `metric "${metric}" is not declared`)
  const unit = nonEmptyText(child(node, 'unit'))
  if (unit !== UNIT)
    throw specError(child(node, 'unit').place, `"${unit}" is not "${UNIT}", the only unit there is`)
  const perMinute = number(child(child(node, 'values'), 'STANDARD'))
  return { name, label: optionalText(child(node, 'displayName')) ?? name, metric, metricLabel, perMinute }
}

/** Reads an operation's `x-google-quota.metricCosts`. */
export function readMetricCosts(
  operation: SpecNode,
  limits: readonly QuotaLimit[],
): Array<{ metric: string; cost: number }> {
  const costs = child(child(operation, 'x-google-quota'), 'metricCosts')
  if (costs.value === undefined) return []
  return keys(costs).map((metric) => {
    if (!limits.some((limit) => limit.metric === metric)) {
      throw specError(costs.place, `metric "${metric}" has no limit in x-google-management`)
    }
    return { metric, cost: number(child(costs, metric)) }
  })
}

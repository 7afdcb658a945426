export type Meter = {
  /** How events become a quantity over a period. */
  readonly aggregation: 'count' | 'sum' | 'level_hours' | 'unique_count' | 'max'
  readonly unit: string
  /** Decimal places a value may have. */
  readonly scale: number
  /** Dimensions an event may carry; any other is refused, so that cardinality stays bounded. */
  readonly dimensions: readonly string[]
  /** Whether `data.resource` must name the measured thing. */
  readonly needsResource: boolean
}

/** What is measured (billing.md §3). A meter's meaning never changes: a change is a new version. */
export const METERS = {
  workflow_runs: meter('count', 'run', 0, ['outcome', 'workflow_class']),
  agent_minutes: meter('sum', 'second', 3, ['workflow_class']),
  vcpu_seconds: meter('sum', 'vCPU second', 6, ['pool']),
  memory_gib_seconds: meter('sum', 'GiB second', 6, ['pool']),
  storage_gib_hours: { ...meter('level_hours', 'GiB', 6, ['volume']), needsResource: true },
  llm_tokens_in: meter('sum', 'token', 0, ['model', 'provider']),
  llm_tokens_out: meter('sum', 'token', 0, ['model', 'provider']),
  egress_bytes: meter('sum', 'byte', 0, ['region']),
  active_users: { ...meter('unique_count', 'user', 0, []), needsResource: true },
  concurrent_workflows_peak: meter('max', 'run', 0, []),
} as const satisfies Record<string, Meter>

export type MeterId = keyof typeof METERS

export const METER_IDS = Object.keys(METERS) as readonly MeterId[]

function meter(
  aggregation: Meter['aggregation'],
  unit: string,
  scale: number,
  dimensions: readonly string[],
): Meter {
  return { aggregation, unit, scale, dimensions, needsResource: false }
}

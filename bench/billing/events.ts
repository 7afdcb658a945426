/** Usage as collectors send it: nine meters, ids as long as UUIDs, 200 to 300 bytes an event. */
export const BENCH_METERS = [
  'agent_minutes',
  'workflow_runs',
  'vcpu_seconds',
  'memory_gib_seconds',
  'llm_tokens_in',
  'llm_tokens_out',
  'egress_bytes',
  'active_users',
  'concurrent_workflows_peak',
] as const

export function benchEvent(tenantId: string, at: number, timeMs: number) {
  const meter = BENCH_METERS[at % BENCH_METERS.length] ?? 'agent_minutes'
  return {
    specversion: '1.0',
    id: `018f2c5e-7b1d-7c3a-9a41-${String(at).padStart(12, '0')}`,
    source: '//agents.example/clusters/eu1/namespaces/t-42/pods/agent-7',
    type: `ai.energent.usage.${meter}.v1`,
    subject: `tenants/${tenantId}`,
    time: new Date(timeMs).toISOString(),
    data: {
      value: String(1 + (at % 90)),
      ...(meter === 'active_users' ? { resource: `user-${at % 1_000}` } : {}),
      ...(meter.startsWith('llm_') ? { dimensions: { model: `m${at % 3}`, provider: 'p' } } : {}),
    },
  }
}

/** The median of some rounds. */
export function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** Milliseconds of processor time that `work` took, of this process. */
export async function cpuMsOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

export const whole = (value: number): string => Math.round(value).toLocaleString('en-US')

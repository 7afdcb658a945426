import type { FunctionId } from './functions.ts'

export type Job = {
  readonly function: FunctionId
  readonly path: string
  readonly everySeconds: number
}

/** What Cloud Scheduler calls (contracts §9). Later parts of the system add their jobs here. */
export const JOBS = {
  'auth-sweep': { function: 'auth', path: '/internal/sweep/run', everySeconds: 60 },
  'billing-sweep': { function: 'billing-api', path: '/internal/sweep/run', everySeconds: 60 },
  'billing-rollups': { function: 'billing-api', path: '/internal/rollups/run', everySeconds: 300 },
  'billing-close': { function: 'billing-api', path: '/internal/close/run', everySeconds: 3600 },
  'lifecycle-sweep': { function: 'tenants-api', path: '/internal/sweep/run', everySeconds: 60 },
  'lifecycle-timers': { function: 'tenants-api', path: '/internal/timers/run', everySeconds: 3600 },
} as const satisfies Record<string, Job>

export type JobName = keyof typeof JOBS

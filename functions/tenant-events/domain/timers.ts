import type { Timer } from './work.ts'

/** `{yyyymmddHH}_{operationId}`: timers of an hour lie beside each other. */
export function timerId(timer: Pick<Timer, 'dueAtMs' | 'operationId'>): string {
  const hour = new Date(timer.dueAtMs).toISOString().slice(0, 13).replaceAll(/[-T]/g, '')
  return `${hour}_${timer.operationId}`
}

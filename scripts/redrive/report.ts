import type { Verdict } from '#shared/pubsub/redrive.ts'
import type { Surroundings } from '../command-line.ts'
import type { Wanted } from './arguments.ts'

/** What became of one entry. `stands`: it was so already. */
export type Done = {
  readonly id: string
  readonly outcome: 'done' | 'would be' | 'stands' | 'failed'
  readonly why?: string
}

export const VERDICTS: Readonly<Record<'redrive' | 'discard', Verdict>> = {
  redrive: 'redriven',
  discard: 'discarded',
}

/** Says what was done, entry by entry and in sum; answers the exit code. */
export function report(done: readonly Done[], wanted: Wanted, io: Surroundings, more: boolean): number {
  const verdict = wanted.action === 'discard' ? 'discarded' : 'redriven'
  const failed = done.filter(({ outcome }) => outcome === 'failed')
  if (wanted.json) {
    io.out(JSON.stringify({ verdict, dryRun: wanted.dryRun, results: done }))
    return failed.length === 0 ? 0 : 1
  }
  for (const { id, outcome, why } of done) {
    if (outcome === 'failed') io.err(`${id}  not ${verdict}: ${why ?? 'for no known reason'}`)
    else if (outcome === 'stands') io.out(`${id}  is ${verdict} already`)
    else io.out(`${id}  ${outcome === 'would be' ? 'would be ' : ''}${verdict}`)
  }
  const made = done.filter(({ outcome }) => outcome === 'done' || outcome === 'would be').length
  io.out(`${made} ${wanted.dryRun ? 'would be ' : ''}${verdict}, ${failed.length} not.`)
  if (more) io.out('There may be more: run it again.')
  return failed.length === 0 ? 0 : 1
}

export function when(ms: number): string {
  return new Date(ms).toISOString()
}

import { payloadOf } from '#shared/pubsub/dead-letters.ts'
import type { Entry, QuarantineDesk } from '#shared/pubsub/quarantine-desk.ts'
import { checkEntry, type RedriveDeps, settleEntry, type Verdict } from '#shared/pubsub/redrive.ts'
import type { Surroundings } from '../command-line.ts'
import type { Wanted } from './arguments.ts'
import { type Done, report, VERDICTS, when } from './report.ts'
import type { OpenTenant } from './run.ts'

type QuarantineWanted = Extract<Wanted, { area: 'quarantine' }>

type Deps = RedriveDeps & {
  readonly desk: QuarantineDesk
  readonly open: OpenTenant
  readonly nowMs: number
}

/** Lists, shows or settles what a group has in quarantine; answers the exit code. */
export async function runOnQuarantine(
  deps: Deps,
  wanted: QuarantineWanted,
  io: Surroundings,
): Promise<number> {
  if (wanted.action === 'list') return list(deps, wanted, io)
  if (wanted.action === 'show') return show(deps, wanted, io)
  const verdict = VERDICTS[wanted.action]
  const entries = wanted.all ? await found(deps, wanted) : wanted.ids
  const done: Done[] = []
  for (const entry of entries) done.push(await settle(deps, wanted, entry, verdict))
  return report(done, wanted, io, entries.length === wanted.limit)
}

function found({ desk }: Deps, { status, tenant, code, limit }: QuarantineWanted): Promise<readonly Entry[]> {
  return desk.list({
    status,
    limit,
    ...(tenant === undefined ? {} : { tenantId: tenant }),
    ...(code === undefined ? {} : { code }),
  })
}

async function list(deps: Deps, wanted: QuarantineWanted, io: Surroundings): Promise<number> {
  const entries = await found(deps, wanted)
  if (wanted.json) io.out(JSON.stringify(entries))
  else if (entries.length === 0) io.out(`Nothing is ${wanted.status} in the quarantine of ${wanted.group}.`)
  for (const entry of wanted.json ? [] : entries) {
    const { atMs, attempt, code, id, tenantId, traceId, type } = entry
    io.out(`${id}  ${when(atMs)}  ${code}  ${tenantId ?? '-'}  ${type ?? '-'}`)
    io.out(
      `    ${entry.detail}  (delivery ${attempt ?? '?'}, trace ${traceId ?? '?'}, ${entry.payloadBytes ?? '?'} bytes)`,
    )
  }
  if (!wanted.json && entries.length === wanted.limit) io.out('There may be more: see --limit.')
  return 0
}

async function show(deps: Deps, wanted: QuarantineWanted, io: Surroundings): Promise<number> {
  const [id = ''] = wanted.ids
  const entry = await findEntry(deps, id)
  if (entry === undefined) {
    io.err(missing(id, wanted.group))
    return 1
  }
  const { attributes, data, topic } = await deps.desk.messageOf(entry)
  const shown = { ...entry, topic, attributes, ...payloadOf(Buffer.from(data)) }
  io.out(JSON.stringify(shown, undefined, wanted.json ? undefined : 2))
  return 0
}

/** One entry; a failure concerns it alone, and the others are settled all the same. */
async function settle(
  deps: Deps,
  wanted: QuarantineWanted,
  which: Entry | string,
  verdict: Verdict,
): Promise<Done> {
  const id = typeof which === 'string' ? which : which.id
  try {
    const entry = typeof which === 'string' ? await findEntry(deps, which) : which
    if (entry === undefined) return { id, outcome: 'failed', why: missing(id, wanted.group) }
    const by = { ctx: deps.open(entry.tenantId), nowMs: deps.nowMs }
    const settled = wanted.dryRun ? checkEntry(entry, verdict) : await settleEntry(deps, entry, verdict, by)
    if (settled.ok) return { id, outcome: wanted.dryRun ? 'would be' : 'done' }
    // Asked twice is done once: what stands already is no failure.
    const stands = entry.status === verdict
    return { id, outcome: stands ? 'stands' : 'failed', why: settled.hint ?? settled.detail }
  } catch (error) {
    return { id, outcome: 'failed', why: error instanceof Error ? error.message : String(error) }
  }
}

async function findEntry({ desk }: Deps, id: string): Promise<Entry | undefined> {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/.test(id) ? desk.find(id) : undefined
}

function missing(id: string, group: string): string {
  return `There is no ${id} in the quarantine of ${group}.`
}

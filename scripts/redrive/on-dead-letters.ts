import { type DeadLetter, type DeadLetterBox, payloadOf } from '#shared/pubsub/dead-letters.ts'
import { eachLetter, type Selection } from '#shared/pubsub/each-letter.ts'
import { type RedriveDeps, settleLetter } from '#shared/pubsub/redrive.ts'
import type { Surroundings } from '../command-line.ts'
import type { Wanted } from './arguments.ts'
import { type Done, report, VERDICTS, when } from './report.ts'
import type { OpenTenant } from './run.ts'

type LettersWanted = Extract<Wanted, { area: 'dead-letters' }>

type Deps = RedriveDeps & { readonly box: DeadLetterBox; readonly open: OpenTenant }

/** Lists or settles a topic's dead letters; answers the exit code. What was only looked at is given back. */
export async function runOnDeadLetters(deps: Deps, wanted: LettersWanted, io: Surroundings): Promise<number> {
  if (wanted.action === 'list') return list(deps, wanted, io)
  if (wanted.action === 'show') return show(deps, wanted, io)
  const verdict = wanted.action === 'discard' ? VERDICTS.discard : VERDICTS.redrive
  const done: Done[] = []
  await eachLetter(deps.box, selectionOf(wanted), async (letter) => {
    if (wanted.dryRun) {
      done.push({ id: letter.messageId, outcome: 'would be' })
      return 'back'
    }
    try {
      // A message does not prove whose it is, so the audit of all of them is the platform's own.
      const about = { topic: wanted.topic, ctx: deps.open(undefined) }
      const settled = await settleLetter(deps, letter, verdict, about)
      if (!settled.ok) throw new Error(`${settled.code}: ${settled.detail}`)
      done.push({ id: letter.messageId, outcome: 'done' })
      return 'gone'
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      done.push({ id: letter.messageId, outcome: 'failed', why })
      return 'back'
    }
  })
  const missing = wanted.ids.filter((id) => !done.some((one) => one.id === id))
  done.push(...missing.map((id): Done => ({ id, outcome: 'failed', why: missingText(wanted) })))
  return report(done, wanted, io, wanted.all && done.length === wanted.limit)
}

async function list(deps: Deps, wanted: LettersWanted, io: Surroundings): Promise<number> {
  const letters: DeadLetter[] = []
  await eachLetter(deps.box, selectionOf(wanted), async (letter) => {
    letters.push(letter)
    return 'back'
  })
  if (wanted.json) {
    io.out(
      JSON.stringify(
        letters.map(({ ackId: _ackId, data, ...letter }) => ({ ...letter, bytes: data.length })),
      ),
    )
    return 0
  }
  if (letters.length === 0) io.out(`${wanted.topic} has no dead letters.`)
  for (const { attributes, data, deliveries, messageId, publishedAtMs, subscription } of letters) {
    const about = `${attributes['tenantid'] ?? '-'}  ${attributes['type'] ?? '-'}`
    io.out(`${messageId}  ${when(publishedAtMs)}  ${about}`)
    io.out(`    ${subscription ?? '?'} gave up after ${deliveries ?? '?'} deliveries  (${data.length} bytes)`)
  }
  if (letters.length === wanted.limit) io.out('There may be more: see --limit.')
  return 0
}

async function show(deps: Deps, wanted: LettersWanted, io: Surroundings): Promise<number> {
  const letters: DeadLetter[] = []
  await eachLetter(deps.box, selectionOf(wanted), async (letter) => {
    letters.push(letter)
    return 'back'
  })
  const [letter] = letters
  if (letter === undefined) {
    io.err(missingText(wanted))
    return 1
  }
  const { ackId: _ackId, data, ...rest } = letter
  const shown = { ...rest, topic: wanted.topic, bytes: data.length, ...payloadOf(data) }
  io.out(JSON.stringify(shown, undefined, wanted.json ? undefined : 2))
  return 0
}

function missingText({ topic }: LettersWanted): string {
  return `There is no such dead letter of ${topic}; it may be redriven already, or just held by another run.`
}

function selectionOf(wanted: LettersWanted): Selection {
  return { ids: wanted.ids, limit: wanted.limit, selects: (letter) => selects(wanted, letter) }
}

function selects({ ids, tenant }: LettersWanted, { attributes, messageId }: DeadLetter): boolean {
  if (ids.length > 0 && !ids.includes(messageId)) return false
  return tenant === undefined || attributes['tenantid'] === tenant
}

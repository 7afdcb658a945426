import type { DeadLetter, DeadLetterBox } from '#shared/pubsub/dead-letters.ts'
import { type RedriveDeps, settleLetter } from '#shared/pubsub/redrive.ts'
import type { Surroundings } from '../command-line.ts'
import type { Wanted } from './arguments.ts'
import { type Done, report, VERDICTS, when } from './report.ts'
import type { OpenTenant } from './run.ts'

type LettersWanted = Extract<Wanted, { area: 'dead-letters' }>

type Deps = RedriveDeps & { readonly box: DeadLetterBox; readonly open: OpenTenant }

const PAGE = 100
/** Pulls that bring nothing before the box counts as empty: Pub/Sub may answer one with less than it has. */
const EMPTY_PULLS = 3

/** Lists or settles a topic's dead letters; answers the exit code. What was only looked at is given back. */
export async function runOnDeadLetters(deps: Deps, wanted: LettersWanted, io: Surroundings): Promise<number> {
  if (wanted.action === 'list') return list(deps, wanted, io)
  const verdict = wanted.action === 'discard' ? VERDICTS.discard : VERDICTS.redrive
  const done: Done[] = []
  await eachLetter(deps, wanted, async (letter) => {
    if (wanted.dryRun) {
      done.push({ id: letter.messageId, outcome: 'would be' })
      return 'back'
    }
    try {
      // A message does not prove whose it is, so the audit of all of them is the platform's own.
      await settleLetter(deps, letter, verdict, { topic: wanted.topic, ctx: deps.open(undefined) })
      done.push({ id: letter.messageId, outcome: 'done' })
      return 'gone'
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      done.push({ id: letter.messageId, outcome: 'failed', why })
      return 'back'
    }
  })
  const missing = wanted.ids.filter((id) => !done.some((one) => one.id === id))
  const why = `There is no such dead letter of ${wanted.topic}; it may be redriven already, or just held by another run.`
  done.push(...missing.map((id): Done => ({ id, outcome: 'failed', why })))
  return report(done, wanted, io, wanted.all && done.length === wanted.limit)
}

async function list(deps: Deps, wanted: LettersWanted, io: Surroundings): Promise<number> {
  const letters: DeadLetter[] = []
  await eachLetter(deps, wanted, async (letter) => {
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

/**
 * Gives each wanted letter to `act`, and back to Pub/Sub what it did not take, at the end: a letter given
 * back at once would come again with the next pull.
 */
async function eachLetter(
  { box }: Deps,
  wanted: LettersWanted,
  act: (letter: DeadLetter) => Promise<'gone' | 'back'>,
): Promise<void> {
  const held: DeadLetter[] = []
  const seen = new Set<string>()
  let taken = 0
  try {
    for (let empty = 0; empty < EMPTY_PULLS && taken < wanted.limit; ) {
      const letters = await box.pull(PAGE)
      empty = letters.length === 0 ? empty + 1 : 0
      for (const letter of letters) {
        const isWanted = taken < wanted.limit && !seen.has(letter.messageId) && selects(wanted, letter)
        seen.add(letter.messageId)
        if (!isWanted) {
          held.push(letter)
          continue
        }
        taken += 1
        if ((await act(letter)) === 'back') held.push(letter)
      }
      if (wanted.ids.length > 0 && wanted.ids.every((id) => seen.has(id))) return
    }
  } finally {
    for (let at = 0; at < held.length; at += PAGE) await box.giveBack(held.slice(at, at + PAGE))
  }
}

function selects({ ids, tenant }: LettersWanted, { attributes, messageId }: DeadLetter): boolean {
  if (ids.length > 0 && !ids.includes(messageId)) return false
  return tenant === undefined || attributes['tenantid'] === tenant
}

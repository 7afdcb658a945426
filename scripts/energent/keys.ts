import { PLATFORM_TENANT } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { compromiseKey, rotateKeysNow } from '../../functions/auth/operations/manage-keys.ts'
import type { KeyRings, RingView } from '../../functions/auth/ports.ts'
import { type Answer, type Command, instantText, type Run, tableLines } from './command.ts'

const RING = {
  ring: {
    value: 'NAME',
    meaning: 'access (tokens) or events (what listeners are told). Default: access.',
  },
} as const

/** What an operator does with the keys that sign. */
export const KEY_COMMANDS: Readonly<Record<string, Command>> = {
  'show-keyring': {
    summary: 'Show the signing keys: which signs, which waits, which are over.',
    options: RING,
    run: async (run) => shown(run, ok(undefined)),
  },
  'rotate-keys': {
    summary: 'Let the standby sign from now on and publish a new one.',
    details:
      'For a change ahead of time, without any suspicion: tokens stay valid and nobody notices.\n' +
      'A standby younger than eleven minutes signs when every cache knows it.',
    options: RING,
    run: (run) => change(run, (request) => rotateKeysNow(run.deps, request)),
  },
  'compromise-key': {
    summary: 'Take a key out of use at once: nothing it signed is believed any more.',
    details:
      'For a key that may be in wrong hands. Everybody whose token it signed must fetch a new one.\n' +
      'See docs/runbooks/keys.md.',
    options: {
      kid: { value: 'KID', required: true, meaning: 'The key, as show-keyring names it.' },
      ...RING,
    },
    run: (run) =>
      change(run, (request) => compromiseKey(run.deps, { ...request, kid: run.given.text('kid') ?? '' })),
  },
}

type Change = Parameters<typeof rotateKeysNow>[1]

/** Does it in the operators' own tenant, whose audit says who did, and shows what came of it. */
async function change(run: Run, act: (request: Change) => Promise<Result<unknown>>): Promise<Result<Answer>> {
  const ring = ringOf(run)
  if (!ring.ok) return ring
  const ctx = await run.open(PLATFORM_TENANT)
  if (!ctx.ok) return ctx
  return shown(run, await act({ ctx: ctx.value, ring: ring.value, nowMs: run.nowMs }))
}

async function shown(run: Run, done: Result<unknown>): Promise<Result<Answer>> {
  const ring = ringOf(run)
  if (!done.ok) return done
  if (!ring.ok) return ring
  return ok(answerOf(await run.deps.keyRings[ring.value].upkeep.show(run.nowMs)))
}

function ringOf({ given }: Run): Result<keyof KeyRings> {
  const name = given.text('ring') ?? 'access'
  if (name === 'access' || name === 'events') return ok(name)
  return refuse('request.malformed', 'ring', `There is no ring '${name}': it is access or events.`)
}

function answerOf(view: RingView): Answer {
  const rows = view.keys.map((key) => [
    key.kid,
    key.state,
    instantText(key.publishAt),
    instantText(key.activateAt),
    instantText(key.compromisedAt),
    key.secretVersion,
  ])
  return {
    json: {
      ...view,
      lastRotation: view.lastRotation && { ...view.lastRotation, at: instantText(view.lastRotation.at) },
      keys: view.keys.map(({ publishAt, activateAt, compromisedAt, disabledAt, destroyedAt, ...key }) => ({
        ...key,
        publishAt: isoOf(publishAt),
        activateAt: isoOf(activateAt),
        compromisedAt: isoOf(compromisedAt),
        disabledAt: isoOf(disabledAt),
        destroyedAt: isoOf(destroyedAt),
      })),
    },
    lines: [
      `Ring ${view.ring}, generation ${view.generation}, last rotated ${instantText(view.lastRotation?.at)}`,
      ...tableLines(['key', 'state', 'published', 'signs from', 'compromised', 'version'], rows),
    ],
  }
}

function isoOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}

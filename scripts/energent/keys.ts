import { PLATFORM_TENANT } from '#shared/ids.ts'
import { ok, type Result } from '#shared/result.ts'
import { compromiseKey, rotateKeysNow } from '../../functions/auth/operations/manage-keys.ts'
import type { RingView } from '../../functions/auth/ports.ts'
import { type Answer, type Command, instantText, type Run, tableLines } from './command.ts'

/** What an operator does with the keys that sign access tokens. */
export const KEY_COMMANDS: Readonly<Record<string, Command>> = {
  'show-keyring': {
    summary: 'Show the signing keys: which signs, which waits, which are over.',
    options: {},
    run: async ({ deps, nowMs }) => ok(answerOf(await deps.keyUpkeep.show(nowMs))),
  },
  'rotate-keys': {
    summary: 'Let the standby sign from now on and publish a new one.',
    details:
      'For a change ahead of time, without any suspicion: tokens stay valid and nobody notices.\n' +
      'A standby younger than eleven minutes signs when every cache knows it.',
    options: {},
    run: async (run) => {
      const ctx = await run.open(PLATFORM_TENANT)
      if (!ctx.ok) return ctx
      return shown(run, await rotateKeysNow(run.deps, { ctx: ctx.value, nowMs: run.nowMs }))
    },
  },
  'compromise-key': {
    summary: 'Take a key out of use at once: nothing it signed is believed any more.',
    details:
      'For a key that may be in wrong hands. Everybody whose token it signed must fetch a new one.\n' +
      'See docs/runbooks/keys.md.',
    options: { kid: { value: 'KID', required: true, meaning: 'The key, as show-keyring names it.' } },
    run: async (run) => {
      const ctx = await run.open(PLATFORM_TENANT)
      if (!ctx.ok) return ctx
      const kid = run.given.text('kid') ?? ''
      return shown(run, await compromiseKey(run.deps, { ctx: ctx.value, kid, nowMs: run.nowMs }))
    },
  },
}

async function shown({ deps, nowMs }: Run, done: Result<unknown>): Promise<Result<Answer>> {
  return done.ok ? ok(answerOf(await deps.keyUpkeep.show(nowMs))) : done
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

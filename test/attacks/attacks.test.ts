import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ledger, startLedger } from './support/ledger.ts'
import { type Secrets, secretsOf, toldBy } from './support/secrets.ts'
import { startWorld, type World } from './support/world.ts'
import { ATTACK_GROUPS } from './table/index.ts'

// One stack for all: an attack is over in a few milliseconds, and what it leaves behind is looked for after each.
let world: World
let ledger: Ledger
let secrets: Secrets
let pids: readonly unknown[]
let close = async (): Promise<void> => undefined

beforeAll(async () => {
  const started = await startWorld()
  ;({ world, close } = started)
  ledger = startLedger(world.stack)
  secrets = secretsOf(world)
  pids = processes()
}, 90_000)
afterAll(async () => {
  ledger?.close()
  await close()
})

const processes = (): unknown[] => Object.values(world.stack.info().functions).map(({ pid }) => pid)

describe.each(ATTACK_GROUPS)('$title', ({ attacks }) => {
  test.each(attacks)('$name', async ({ send, answers, leaves, check }) => {
    ledger.written()

    const sent = await send(world)

    const seen = 'said' in sent ? [sent] : sent
    const said = seen.map((answer) => answer.said)
    expect(said, said.join(' · ')).toEqual(answers)
    expect(toldBy(secrets, seen)).toEqual([])
    if (leaves === undefined) expect(ledger.written().join()).toBe('')
    await check?.(world, seen)
  })
})

describe('after all of it', () => {
  test('nobody was led to a server inside', () => {
    expect(world.canary.visits()).toEqual([])
  })

  test('no process had ended', () => {
    expect(processes()).toEqual(pids)
  })

  test('the logs hold no token, no secret and no address of a person', () => {
    const file = join(resolve(world.stack.info().dataDir), 'logs/functions.ndjson')
    const lines = readFileSync(file, 'utf8').split('\n')
    const credential = /eyJ[\w-]{20,}\.[\w-]{20,}|\b(?:dcs|drt|dco|dak)_[\w-]{20,}|@globex\.example/
    expect(lines.length).toBeGreaterThan(1_000)
    expect(lines.filter((line) => credential.test(line)).slice(0, 3)).toEqual([])
  })

  test('its owners still use what was attacked', async () => {
    const { machine, modest } = world.victim
    for (const client of [machine, modest]) {
      const token = await world.stack.api().token(client)
      expect((await world.read(token)).said).toBe('200')
    }
    expect((await world.people.session('owner')).userId).toBe(world.people.of.owner.userId)
    const directory = `/scim/v2/globex/Users`
    const headers = [['authorization', `Bearer ${world.apiKeys.victim}`]] as const
    expect((await world.at(directory, { headers })).said).toBe('200')
  })
})

import { randomUUID } from 'node:crypto'
import { Firestore, type Settings } from '@google-cloud/firestore'
import { afterAll, describe, expect, test } from 'vitest'
import { type EngineName, firestoreEngines, type TestEngine } from '../../support/engines.ts'
import { retrySooner } from '../../support/quick-retries.ts'
import { DIFFERENCES } from './differences.ts'

retrySooner()

/** What a case works with: the official client on a project nobody else uses. */
export type ContractContext = {
  engine: EngineName
  db: Firestore
  /** Another client, of another project or database when the settings say so. */
  client(settings?: Settings): Firestore
}

/**
 * One guarantee. `run` returns what it observed, and that must equal `expected` on every engine that
 * `differences.ts` does not name; on those it must equal what the table says the engine does.
 */
export type ContractCase = {
  id: string
  guarantee: string
  run(context: ContractContext): Promise<unknown>
  expected: unknown
}

/** Runs the cases on every engine of this run. */
export function firestoreContract(title: string, cases: readonly ContractCase[]): void {
  describe.each(firestoreEngines())(`${title} on $name`, (engine) => {
    afterAll(() => engine.close())
    // Cases share nothing, and the client waits between its tries: they run side by side.
    test.concurrent.each(cases)('$id: $guarantee', async (contract) => {
      const difference = DIFFERENCES[contract.id]?.[engine.name]
      const observed = await observe(engine, contract)
      expect(observed).toEqual(difference === undefined ? contract.expected : difference.observed)
    })
  })
}

async function observe(engine: TestEngine, contract: ContractCase): Promise<unknown> {
  const host = await engine.host()
  const projectId = `demo-${randomUUID().slice(0, 8)}`
  const clients: Firestore[] = []
  const client = (settings: Settings = {}) => {
    const [name, port] = host.split(':')
    const db = new Firestore({
      projectId,
      host: `${name}:${port}`,
      ssl: false,
      customHeaders: { Authorization: 'Bearer owner' },
      ...settings,
    })
    clients.push(db)
    return db
  }
  try {
    return await contract.run({ engine: engine.name, db: client(), client })
  } finally {
    await Promise.all(clients.map((db) => db.terminate()))
  }
}

/** The ids of a query's answer, in its order. */
export async function idsOf(query: FirebaseFirestore.Query): Promise<string[]> {
  return (await query.get()).docs.map((document) => document.id)
}

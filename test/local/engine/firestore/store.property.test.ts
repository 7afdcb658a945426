import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createStore, type Store } from '#local/engine/firestore/store.ts'
import type { WireWrite } from '#local/engine/firestore/wire.ts'
import { parseWrite } from '#local/engine/firestore/writes.ts'
import { isRpcError } from '#local/engine/rpc-error.ts'

const DATABASE = 'projects/demo-p/databases/(default)'
const IDS = ['a', 'b', 'c'] as const
const FIELDS = ['x', 'y'] as const

type Command = {
  id: (typeof IDS)[number]
  field: (typeof FIELDS)[number]
  value: number
  kind: 'set' | 'update' | 'create' | 'delete' | 'increment' | 'guarded'
}
type Model = Map<string, { fields: Map<string, number>; version: number }>

const command: fc.Arbitrary<Command> = fc.record({
  id: fc.constantFrom(...IDS),
  field: fc.constantFrom(...FIELDS),
  value: fc.integer({ min: 0, max: 3 }),
  kind: fc.constantFrom('set', 'update', 'create', 'delete', 'increment', 'guarded'),
})
const batches = fc.array(fc.array(command, { minLength: 1, maxLength: 4 }), { maxLength: 25 })

test('any sequence of batches leaves what a plain model leaves, with the same refusals', () => {
  fc.assert(
    fc.property(batches, (sequence) => {
      const store = createStore({ now: () => 1_700_000_000_000 })
      let model: Model = new Map()
      // What each document's time was when a caller last read it, one batch ago.
      let seen = timesOf(store)
      let seenVersions = versionsOf(model)
      for (const [index, batch] of sequence.entries()) {
        const before = { seen: timesOf(store), versions: versionsOf(model) }
        const expected = applyToModel(model, batch, index + 1, seenVersions)
        expect(commit(store, batch, seen)).toBe(expected.code)
        model = expected.model
        expect(contentsOf(store)).toEqual(contentsOfModel(model))
        seen = before.seen
        seenVersions = before.versions
      }
    }),
    { numRuns: 500 },
  )
})

test('every past state can be read at its time', () => {
  fc.assert(
    fc.property(batches, (sequence) => {
      const store = createStore({ now: () => 1_700_000_000_000 })
      const past: { time: number; contents: unknown }[] = []
      for (const batch of sequence) {
        commit(store, batch, timesOf(store))
        past.push({ time: store.timeline.read(), contents: contentsOf(store) })
      }
      for (const { time, contents } of past) expect(contentsOf(store, time)).toEqual(contents)
    }),
    { numRuns: 200 },
  )
})

function applyToModel(
  model: Model,
  batch: readonly Command[],
  version: number,
  seen: Map<string, number>,
): { model: Model; code: number } {
  const next: Model = new Map(model)
  for (const { id, field, value, kind } of batch) {
    const document = next.get(id)
    if (kind === 'create' && document !== undefined) return { model, code: 6 }
    if ((kind === 'update' || kind === 'increment') && document === undefined) return { model, code: 5 }
    if (kind === 'guarded' && (seen.get(id) === undefined || document?.version !== seen.get(id))) {
      return { model, code: 9 }
    }
    if (kind === 'delete') {
      next.delete(id)
      continue
    }
    const replaces = kind === 'set' || kind === 'create'
    const fields = new Map(replaces ? [] : document?.fields)
    fields.set(field, kind === 'increment' ? (fields.get(field) ?? 0) + value : value)
    const same =
      document !== undefined &&
      document.fields.size === fields.size &&
      [...fields].every(([name, n]) => document.fields.get(name) === n)
    if (!same) next.set(id, { fields, version })
  }
  return { model: next, code: 0 }
}

function commit(store: Store, batch: readonly Command[], seen: Map<string, number>): number {
  try {
    store.commit(
      DATABASE,
      batch.map((item) => parseWrite(toWire(item, seen))),
    )
    return 0
  } catch (error) {
    if (isRpcError(error)) return error.code
    throw error
  }
}

function toWire({ id, field, value, kind }: Command, seen: Map<string, number>): WireWrite {
  const name = `${DATABASE}/documents/c/${id}`
  const integer = { integerValue: String(value) }
  const update = { name, fields: { [field]: integer } }
  const updateMask = { fieldPaths: [field] }
  switch (kind) {
    case 'set':
      return { update }
    case 'create':
      return { update, currentDocument: { exists: false } }
    case 'delete':
      return { delete: name }
    case 'update':
      return { update, updateMask, currentDocument: { exists: true } }
    case 'increment':
      return {
        update: { name },
        updateMask: {},
        updateTransforms: [{ fieldPath: field, increment: integer }],
        currentDocument: { exists: true },
      }
    case 'guarded': {
      const time = seen.get(id) ?? 1
      const updateTime = { seconds: Math.floor(time / 1e6), nanos: (time % 1e6) * 1000 }
      return { update, updateMask, currentDocument: { updateTime } }
    }
  }
}

function contentsOf(store: Store, time?: number): Record<string, Record<string, number>> {
  const contents: Record<string, Record<string, number>> = {}
  for (const id of IDS) {
    const state = store.tree(DATABASE).read(`c/${id}`, time)
    if (state === undefined) continue
    contents[id] = Object.fromEntries(
      [...state.fields].map(([name, value]) => [
        name,
        value.kind === 'integer' ? Number(value.value) : Number.NaN,
      ]),
    )
  }
  return contents
}

function contentsOfModel(model: Model): Record<string, Record<string, number>> {
  return Object.fromEntries([...model].map(([id, { fields }]) => [id, Object.fromEntries(fields)]))
}

function timesOf(store: Store): Map<string, number> {
  return new Map(
    IDS.flatMap((id) => {
      const state = store.tree(DATABASE).read(`c/${id}`)
      return state === undefined ? [] : [[id, state.updateTime] as const]
    }),
  )
}

function versionsOf(model: Model): Map<string, number> {
  return new Map([...model].map(([id, { version }]) => [id, version]))
}

import type { Store } from '#local/engine/firestore/store.ts'
import type { WireWrite } from '#local/engine/firestore/wire.ts'
import { parseWrite } from '#local/engine/firestore/writes.ts'
import { DATABASE } from '../simulation/ground/firestore-client.ts'

export type NaiveDesign = 'transaction' | 'event and counter' | 'event documents'

type Event = {
  readonly id: string
  readonly type: string
  readonly time: string
  readonly data: { value: string }
}
type Design = { ingest(events: readonly Event[]): void; settle(): void }

/** Three ways to count each event once that come to mind first, as operations on the store. */
export const NAIVE: Readonly<Record<NaiveDesign, (store: Store) => Design>> = {
  /** Looks whether the event is known, adds to the counter, and writes both. */
  transaction: (store) => ({
    ingest: (events) => {
      for (const event of events) {
        const view = store.view(DATABASE, {})
        if (store.read(view, eventPath(event)) !== undefined) continue
        store.read(view, counterPath(event))
        commit(store, [createEvent(event), addTo(event)])
      }
    },
    settle: () => {},
  }),
  /** Creates the event and increments, in one commit that reads nothing. */
  'event and counter': (store) => ({
    ingest: (events) => {
      for (const event of events) commit(store, [createEvent(event), addTo(event)])
    },
    settle: () => {},
  }),
  /** Creates the events of a message; a job reads them all when the hour is over. */
  'event documents': (store) => {
    const known: Event[] = []
    return {
      ingest: (events) => {
        commit(store, events.map(createEvent))
        known.push(...events)
      },
      settle: () => {
        for (const event of known) store.read(store.view(DATABASE, {}), eventPath(event))
        for (const event of new Map(known.map((one) => [one.type, one])).values())
          commit(store, [addTo(event)])
      },
    }
  },
}

const eventPath = ({ id }: Event): string => `tenants/acme/events/${id}`
const counterPath = ({ type, time }: Event): string => `tenants/acme/counters/${type}_${time.slice(0, 13)}`
const nameOf = (path: string): string => `${DATABASE}/documents/${path}`

function createEvent(event: Event): WireWrite {
  return {
    update: { name: nameOf(eventPath(event)), fields: { value: { stringValue: event.data.value } } },
    currentDocument: { exists: false },
  }
}

function addTo(event: Event): WireWrite {
  return {
    update: { name: nameOf(counterPath(event)), fields: {} },
    updateMask: { fieldPaths: [] },
    updateTransforms: [{ fieldPath: 'sum', increment: { integerValue: event.data.value } }],
  }
}

function commit(store: Store, writes: readonly WireWrite[]): void {
  store.commit(DATABASE, writes.map(parseWrite))
}

import { applyMask, type FieldMask } from '../field-mask.ts'
import type { UnaryHandler } from '../grpc.ts'
import { rpcError, status } from '../rpc-error.ts'
import type { Broker, Snapshot } from './broker.ts'
import { getAttached, getSubscription, pageOfProject } from './lookup.ts'
import { alreadyExists, checkName, notFound, projectOf } from './rules.ts'
import {
  deleteSnapshot,
  saveSnapshot,
  seekToSnapshot,
  seekToTime,
  sweepRetained,
  takeSnapshot,
} from './seek.ts'
import { durationMs, type SnapshotConfig, type Timestamp } from './wire.ts'

/** The snapshot methods of google.pubsub.v1.Subscriber, and Seek. */
export function snapshotHandlers(broker: Broker): Readonly<Record<string, UnaryHandler>> {
  return {
    CreateSnapshot: (request: { name: string; subscription: string; labels: Record<string, string> }) => {
      const name = request.name || generatedName(broker, request.subscription)
      checkName(name, 'snapshots')
      if (findSnapshot(broker, name) !== undefined) throw alreadyExists(name)
      return takeSnapshot(broker, getAttached(broker, request.subscription), name, request.labels).config
    },
    GetSnapshot: (request: { snapshot: string }) => getSnapshot(broker, request.snapshot).config,
    ListSnapshots: (request: { project: string; pageSize: number; pageToken: string }) => {
      sweepRetained(broker)
      const page = pageOfProject(broker.snapshots.values(), request)
      return { snapshots: page.items, nextPageToken: page.nextPageToken }
    },
    UpdateSnapshot: (request: { snapshot: SnapshotConfig | null; updateMask: FieldMask }) => {
      if (request.snapshot === null) throw rpcError(status.INVALID_ARGUMENT, 'The snapshot is missing.')
      const snapshot = getSnapshot(broker, request.snapshot.name)
      snapshot.config = applyMask(snapshot.config, request.snapshot, request.updateMask, UPDATABLE)
      saveSnapshot(broker, snapshot)
      return snapshot.config
    },
    DeleteSnapshot: (request: { snapshot: string }) => {
      deleteSnapshot(broker, getSnapshot(broker, request.snapshot))
      return {}
    },
    Seek: (request: { subscription: string; time?: Timestamp | null; snapshot?: string }) => {
      const subscription = getAttached(broker, request.subscription)
      sweepRetained(broker)
      if (request.time) seekToTime(broker, subscription, durationMs(request.time))
      else if (request.snapshot) {
        seekToSnapshot(broker, subscription, getSnapshot(broker, request.snapshot))
      } else throw rpcError(status.INVALID_ARGUMENT, 'A seek needs a time or a snapshot.')
      return {}
    },
  }
}

const UPDATABLE = new Set(['labels', 'expireTime'])

function findSnapshot(broker: Broker, name: string): Snapshot | undefined {
  sweepRetained(broker)
  return broker.snapshots.get(name)
}

function getSnapshot(broker: Broker, name: string): Snapshot {
  checkName(name, 'snapshots')
  const snapshot = findSnapshot(broker, name)
  if (snapshot === undefined) throw notFound(name)
  return snapshot
}

function generatedName(broker: Broker, subscription: string): string {
  getSubscription(broker, subscription)
  return `projects/${projectOf(subscription)}/snapshots/snapshot-${broker.snapshots.size + 1}-${broker.nextSeq()}`
}

import type { FaultHook } from '#local/faults.ts'
import { systemClock } from '#shared/clock.ts'
import { type GrpcServer, startGrpcServer } from '../grpc.ts'
import { getService, loadServices } from '../protos.ts'
import { type Broker, createBroker } from './broker.ts'
import { createControl, type MessageControl } from './control.ts'
import { openJournal } from './journal.ts'
import { publisherHandlers } from './publisher.ts'
import { restore } from './restore.ts'
import { subscriberHandlers } from './subscriber.ts'
import { createTimers } from './timers.ts'

type PubsubEngineOptions = {
  /** 0 or absent: any free port. */
  readonly port?: number
  /** SQLite file; without one the engine forgets everything when it closes. */
  readonly file?: string
  /** What publish times say, in milliseconds; may be a clock that tests move. */
  readonly now?: () => number
  /** What message retention and snapshot lifetimes count on; real time unless a test says otherwise. */
  readonly retentionNow?: () => number
}

export type PubsubEngine = MessageControl & {
  /** For PUBSUB_EMULATOR_HOST. */
  readonly host: string
  readonly port: number
  /** The state itself, for a pusher in the same process. */
  readonly broker: Broker
  /** Asks the hook about every RPC from now on; undefined takes the faults away. */
  setFault(hook: FaultHook | undefined): void
  /** What the hook is asked about. */
  readonly rpcs: readonly string[]
  /** Forgets all topics, subscriptions, snapshots and messages. */
  reset(): void
  close(): Promise<void>
}

/**
 * Starts Pub/Sub in this process: Google's unchanged client reaches it over gRPC.
 *
 * A publish is answered after its messages are in the file, so that a process killed right after the
 * answer loses nothing; leases are not stored, so what was out is delivered again after a restart.
 */
export async function startPubsubEngine(options: PubsubEngineOptions = {}): Promise<PubsubEngine> {
  const journal = openJournal(options.file)
  const timers = createTimers()
  const now = options.now ?? systemClock.now
  const broker = createBroker({ now, retentionNow: options.retentionNow ?? systemClock.now, journal, timers })
  restore(broker)
  let fault: FaultHook | undefined
  const server = await serve(broker, options.port ?? 0, (rpc, request) => fault?.(rpc, request))
  return {
    ...createControl(broker),
    host: server.host,
    port: server.port,
    broker,
    rpcs: server.rpcs,
    setFault: (hook) => {
      fault = hook
    },
    reset: () => broker.reset(),
    close: async () => {
      await server.close()
      timers.close()
      journal.close()
    },
  }
}

function serve(broker: Broker, port: number, fault: FaultHook): Promise<GrpcServer> {
  const services = loadServices('@google-cloud/pubsub')
  return startGrpcServer({
    port,
    fault,
    services: [
      { definition: getService(services, 'google.pubsub.v1.Publisher'), handlers: publisherHandlers(broker) },
      {
        definition: getService(services, 'google.pubsub.v1.Subscriber'),
        handlers: subscriberHandlers(broker),
      },
      { definition: getService(services, 'google.pubsub.v1.SchemaService'), handlers: {} },
    ],
  })
}

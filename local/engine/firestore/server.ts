import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { type FaultPlan, underFault } from './faults.ts'
import { type Listening, listen } from './listen.ts'
import { DOCUMENT_RPCS, type Rpc } from './rpc-documents.ts'
import { QUERY_RPCS } from './rpc-queries.ts'
import { CODES, invalid, isRpcError } from './status.ts'
import type { Store } from './store.ts'
import type { WireListenRequest, WireListenResponse, WireRequest } from './wire.ts'

export type FirestoreServer = { host: string; close(): Promise<void> }

export type ServerOptions = {
  store: Store
  service: ServiceDefinition
  /** 0 or none: any free port. */
  port?: number | undefined
  fault: FaultPlan
}

/** What production takes in one request. */
const MAX_REQUEST_BYTES = 11_534_336
const TRANSPORT_LIMIT_BYTES = 64 * 1024 * 1024

/** Serves a store over gRPC on 127.0.0.1, without TLS, as emulators are. */
export async function serve(options: ServerOptions): Promise<FirestoreServer> {
  const server = new Server({
    'grpc.max_receive_message_length': TRANSPORT_LIMIT_BYTES,
    'grpc.max_send_message_length': -1,
  })
  const sizes = new WeakMap<object, number>()
  const service = measured(options.service, sizes)
  server.addService(service, implementation(options, service, sizes))
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${options.port ?? 0}`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  return {
    host: `127.0.0.1:${port}`,
    close: async () => {
      // Listening streams never end by themselves, so nothing is waited for.
      server.forceShutdown()
    },
  }
}

function implementation(
  options: ServerOptions,
  service: ServiceDefinition,
  sizes: WeakMap<object, number>,
): UntypedServiceImplementation {
  const handlers: UntypedServiceImplementation = { Listen: listenHandler(options) }
  for (const [name, rpc] of Object.entries({ ...DOCUMENT_RPCS, ...QUERY_RPCS })) {
    const run = (request: WireRequest) =>
      underFault(options.fault(name, request), () => {
        if ((sizes.get(request) ?? 0) > MAX_REQUEST_BYTES) {
          throw invalid(`Request payload size exceeds the limit: ${MAX_REQUEST_BYTES} bytes.`)
        }
        return answer(rpc, options.store, request)
      })
    handlers[name] = service[name]?.responseStream ? streaming(run) : unary(run)
  }
  return handlers
}

function answer(rpc: Rpc, store: Store, request: WireRequest): object[] {
  return rpc(store, request)
}

function unary(run: (request: WireRequest) => Promise<object[]>): handleUnaryCall<WireRequest, object> {
  return (call, callback) => {
    run(call.request).then(
      ([response]) => callback(null, response ?? {}),
      (error: unknown) => callback(toStatus(error)),
    )
  }
}

function streaming(
  run: (request: WireRequest) => Promise<object[]>,
): handleServerStreamingCall<WireRequest, object> {
  return (call) => {
    run(call.request).then(
      (responses) => {
        for (const response of responses) call.write(response)
        call.end()
      },
      (error: unknown) => call.emit('error', toStatus(error)),
    )
  }
}

function listenHandler(
  options: ServerOptions,
): handleBidiStreamingCall<WireListenRequest, WireListenResponse> {
  return (call) => {
    let listening: Listening | undefined
    const fail = (error: unknown) => {
      listening?.close()
      call.emit('error', toStatus(error))
    }
    call.on('data', (request: WireListenRequest) => {
      underFault(options.fault('Listen', request), () => {
        if (call.cancelled) return
        listening ??= listen(options.store, (response) => call.write(response))
        listening.receive(request)
      }).catch(fail)
    })
    call.on('cancelled', () => listening?.close())
    call.on('error', () => listening?.close())
    call.on('end', () => {
      listening?.close()
      call.end()
    })
  }
}

function toStatus(error: unknown): { code: number; details: string } {
  if (isRpcError(error)) return { code: error.code, details: error.message }
  console.error('the Firestore engine failed', error)
  return { code: CODES.internal, details: error instanceof Error ? error.message : String(error) }
}

/** The service with the size of every request kept: the limit is on bytes, which handlers never see. */
function measured(service: ServiceDefinition, sizes: WeakMap<object, number>): ServiceDefinition {
  return Object.fromEntries(
    Object.entries(service).map(([name, method]) => [
      name,
      {
        ...method,
        requestDeserialize: (bytes: Buffer) => {
          const request = method.requestDeserialize(bytes)
          sizes.set(request, bytes.length)
          return request
        },
      },
    ]),
  )
}

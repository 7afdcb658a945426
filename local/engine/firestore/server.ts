import type { handleBidiStreamingCall, ServiceDefinition } from '@grpc/grpc-js'
import type { FaultHook } from '#local/faults.ts'
import { type GrpcServer, type ServiceHandlers, startGrpcServer } from '../grpc.ts'
import { asRpcError, invalid } from '../rpc-error.ts'
import { type Listening, listen } from './listen.ts'
import { DOCUMENT_RPCS } from './rpc-documents.ts'
import { QUERY_RPCS } from './rpc-queries.ts'
import type { Store } from './store.ts'
import type { WireListenRequest, WireListenResponse, WireRequest } from './wire.ts'

/** What production takes in one request. */
const MAX_REQUEST_BYTES = 11_534_336
const TRANSPORT_LIMIT_BYTES = 64 * 1024 * 1024

/** Serves a store over gRPC on 127.0.0.1, without TLS, as emulators are. */
export function serve(options: {
  readonly store: Store
  readonly service: ServiceDefinition
  /** 0 or none: any free port. */
  readonly port: number | undefined
  readonly fault: FaultHook
}): Promise<GrpcServer> {
  const sizes = new WeakMap<object, number>()
  const definition = measured(options.service, sizes)
  return startGrpcServer({
    port: options.port,
    maxRequestBytes: TRANSPORT_LIMIT_BYTES,
    services: [{ definition, handlers: handlersOf(options.store, definition, sizes) }],
    fault: options.fault,
  })
}

function handlersOf(
  store: Store,
  service: ServiceDefinition,
  sizes: WeakMap<object, number>,
): ServiceHandlers {
  const answers = Object.entries({ ...DOCUMENT_RPCS, ...QUERY_RPCS }).map(([name, rpc]) => {
    const answer = (request: WireRequest): object[] => {
      if ((sizes.get(request) ?? 0) > MAX_REQUEST_BYTES) {
        throw invalid(`Request payload size exceeds the limit: ${MAX_REQUEST_BYTES} bytes.`)
      }
      return rpc(store, request)
    }
    return { name, answer, streams: service[name]?.responseStream ?? false }
  })
  return {
    unary: Object.fromEntries(
      answers
        .filter(({ streams }) => !streams)
        .map(({ name, answer }) => [name, (request: WireRequest) => answer(request)[0] ?? {}]),
    ),
    serverStream: Object.fromEntries(
      answers.filter(({ streams }) => streams).map(({ name, answer }) => [name, answer]),
    ),
    stream: { Listen: listenHandler(store) },
  }
}

function listenHandler(store: Store): handleBidiStreamingCall<WireListenRequest, WireListenResponse> {
  return (call) => {
    let listening: Listening | undefined
    call.on('data', (request: WireListenRequest) => {
      if (call.cancelled) return
      try {
        listening ??= listen(store, (response) => call.write(response))
        listening.receive(request)
      } catch (error) {
        call.emit('error', asRpcError(error))
      }
    })
    call.on('cancelled', () => listening?.close())
    call.on('error', () => listening?.close())
    call.on('end', () => {
      listening?.close()
      call.end()
    })
  }
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

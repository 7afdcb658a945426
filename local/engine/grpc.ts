import {
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
} from '@grpc/grpc-js'
import { type Fault, type FaultHook, underFault } from '../faults.ts'
import { asRpcError, type RpcError, rpcError, status } from './rpc-error.ts'

/** `cancelled` fires when the caller has gone: whatever waits for it should stop. */
export type UnaryContext = { readonly cancelled: AbortSignal }

export type UnaryHandler = (request: never, context: UnaryContext) => unknown
export type StreamHandler = (call: never) => void

/** A service's methods by their name in the proto (`CreateTopic`); a missing one is UNIMPLEMENTED. */
export type ServiceHandlers = {
  readonly unary?: Readonly<Record<string, UnaryHandler>>
  /** One request, answered with a list of messages that are all known at once. */
  readonly serverStream?: Readonly<Record<string, (request: never) => readonly unknown[]>>
  /** Streams that live on; a handler answers on the call itself. */
  readonly stream?: Readonly<Record<string, StreamHandler>>
}

export type GrpcServer = {
  /** `127.0.0.1:port`, as the emulator variables of Google's clients want it. */
  readonly host: string
  readonly port: number
  /** The names of all RPCs, as a fault hook is asked about them. */
  readonly rpcs: readonly string[]
  /** Breaks open streams and stops listening. */
  close(): Promise<void>
}

type GrpcServerOptions = {
  /** 0 or absent: any free port. */
  readonly port?: number | undefined
  readonly services: readonly { readonly definition: ServiceDefinition; readonly handlers: ServiceHandlers }[]
  /** Asked about every call by its RPC's name; of a client's stream it sees no request. */
  readonly fault?: FaultHook
  /** Largest request in bytes. */
  readonly maxRequestBytes?: number
}

/** Starts a plain-text gRPC server on the loopback interface only. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': options.maxRequestBytes ?? 32 * 1024 * 1024,
    'grpc.max_send_message_length': -1,
  })
  const fault = options.fault ?? (() => undefined)
  for (const { definition, handlers } of options.services) {
    for (const [name, method] of Object.entries(definition))
      register(server, { name, method, handlers, fault })
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(
      `127.0.0.1:${options.port ?? 0}`,
      ServerCredentials.createInsecure(),
      (error, boundPort) => {
        if (error === null) resolve(boundPort)
        else reject(error)
      },
    )
  })
  return {
    host: `127.0.0.1:${port}`,
    port,
    rpcs: options.services.flatMap(({ definition }) => Object.keys(definition)),
    // Streams that live on never end by themselves, so nothing is waited for.
    close: async () => server.forceShutdown(),
  }
}

type Registration = {
  readonly name: string
  readonly method: MethodDefinition<object, object>
  readonly handlers: ServiceHandlers
  readonly fault: FaultHook
}

function register(server: Server, registration: Registration): void {
  const { path, requestDeserialize, responseSerialize, requestStream, responseStream } = registration.method
  const type = requestStream
    ? responseStream
      ? 'bidi'
      : 'clientStream'
    : responseStream
      ? 'serverStream'
      : 'unary'
  const answer = type === 'unary' ? answerUnary(registration) : answerStream(registration)
  const serialize = responseSerialize as (value: unknown) => Buffer
  server.register(path, answer as never, serialize, requestDeserialize as (bytes: Buffer) => unknown, type)
}

type UnaryCallback = (error: RpcError | null, response?: unknown) => void

function answerUnary({ name, handlers, fault }: Registration) {
  const handler = handlers.unary?.[name]
  return (call: ServerUnaryCall<unknown, unknown>, callback: UnaryCallback): void => {
    const caller = new AbortController()
    call.on('cancelled', () => caller.abort())
    underFault(
      fault(name, call.request),
      () => known(handler, name)(call.request as never, { cancelled: caller.signal }),
      (wrong) => failOnPurpose(name, wrong),
    ).then(
      (response) => callback(null, response),
      (error: unknown) => callback(asRpcError(error)),
    )
  }
}

type StreamCall = ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>

function answerStream({ name, handlers, fault }: Registration) {
  const list = handlers.serverStream?.[name]
  const stream = list === undefined ? handlers.stream?.[name] : undefined
  return (call: StreamCall): void => {
    const request = 'request' in call ? call.request : undefined
    underFault(
      fault(name, request),
      () => (list === undefined ? known(stream, name)(call as never) : list(request as never)),
      (wrong) => failOnPurpose(name, wrong),
    ).then(
      (responses) => {
        if (list === undefined) return
        for (const response of responses ?? []) call.write(response)
        call.end()
      },
      (error: unknown) => call.emit('error', asRpcError(error)),
    )
  }
}

function known<Handler>(handler: Handler | undefined, rpc: string): Handler {
  if (handler === undefined) throw rpcError(status.UNIMPLEMENTED, `${rpc} is not implemented here`)
  return handler
}

function failOnPurpose(rpc: string, fault: Fault): never {
  const usual = fault.mode === 'error' ? status.INTERNAL : status.UNAVAILABLE
  throw rpcError(fault.code ?? usual, `injected fault on ${rpc}: ${fault.mode}`)
}

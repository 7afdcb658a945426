import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import {
  type Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js'
import { fromJSON, type Options } from '@grpc/proto-loader'

export { status }

/** What a caller of an RPC is told: a gRPC status code, its message, its trailers. Thrown by handlers. */
export type RpcError = Error & {
  readonly code: status
  readonly details: string
  readonly metadata?: Metadata
}

/** An error that crosses the wire as this status; anything else a handler throws becomes INTERNAL. */
export function rpcError(code: status, details: string, metadata?: Metadata): RpcError {
  return Object.assign(new Error(details), { code, details, ...(metadata && { metadata }) })
}

/** What a fault hook may ask of one call; `code` is a gRPC status by name or number. */
export type Fault = {
  readonly mode: 'refuse' | 'delay' | 'error' | 'lostAnswer'
  readonly code?: string | number
  readonly delayMs?: number
}

/** Decides, for one call, whether it goes wrong and how. `request` is undefined for client streams. */
export type FaultHook = (rpc: string, request: unknown) => Fault | undefined

/** `cancelled` fires when the caller has gone: whatever waits for it should stop. */
export type UnaryContext = { readonly cancelled: AbortSignal }

export type UnaryHandler = (request: never, context: UnaryContext) => unknown
export type StreamCall = ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>
export type StreamHandler = (call: never) => void

/** A service's methods by their name in the proto (`CreateTopic`); a missing one is UNIMPLEMENTED. */
export type ServiceHandlers = {
  readonly unary?: Readonly<Record<string, UnaryHandler>>
  readonly stream?: Readonly<Record<string, StreamHandler>>
}

export type GrpcService = { readonly definition: ServiceDefinition; readonly handlers: ServiceHandlers }

export type GrpcServer = {
  /** `127.0.0.1:port`, as the emulator variables of Google's clients want it. */
  readonly host: string
  readonly port: number
  /** Breaks open streams and stops listening. */
  close(): Promise<void>
}

const DECODING: Options = {
  longs: String,
  enums: String,
  defaults: true,
  arrays: true,
  objects: true,
  oneofs: true,
}

/**
 * The services described by a proto JSON file that a Google client package ships, by full name.
 *
 * The file is not among the package's exports, so the package's main file is resolved and the
 * folders above it are searched.
 */
export function loadServices(
  packageName: string,
  protoPath = 'build/protos/protos.json',
  decoding: Options = DECODING,
): ReadonlyMap<string, ServiceDefinition> {
  const json: unknown = JSON.parse(readFileSync(findInPackage(packageName, protoPath), 'utf8'))
  const services = new Map<string, ServiceDefinition>()
  for (const [name, definition] of Object.entries(
    fromJSON(json as Parameters<typeof fromJSON>[0], decoding),
  )) {
    if (!('format' in definition)) services.set(name, definition as ServiceDefinition)
  }
  return services
}

/** Looks up one service; a name the package does not have is a broken installation and throws. */
export function getService(
  services: ReadonlyMap<string, ServiceDefinition>,
  fullName: string,
): ServiceDefinition {
  const definition = services.get(fullName)
  if (definition === undefined) throw new Error(`no service ${fullName} in the proto file`)
  return definition
}

function findInPackage(packageName: string, path: string): string {
  let folder = dirname(createRequire(import.meta.url).resolve(packageName))
  for (;;) {
    const candidate = join(folder, path)
    if (existsSync(candidate)) return candidate
    const above = dirname(folder)
    if (above === folder) throw new Error(`${packageName} has no ${path}`)
    folder = above
  }
}

export type GrpcServerOptions = {
  /** 0 or absent: any free port. */
  readonly port?: number
  readonly services: readonly GrpcService[]
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
    for (const [name, method] of Object.entries(definition)) register(server, name, method, handlers, fault)
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
    close: async () => server.forceShutdown(),
  }
}

function register(
  server: Server,
  name: string,
  method: MethodDefinition<object, object>,
  handlers: ServiceHandlers,
  fault: FaultHook,
): void {
  const { path, requestDeserialize, responseSerialize } = method
  const serialize = responseSerialize as (value: unknown) => Buffer
  const deserialize = requestDeserialize as (bytes: Buffer) => unknown
  if (!method.requestStream && !method.responseStream) {
    const handler = handlers.unary?.[name]
    server.register(
      path,
      (call: ServerUnaryCall<unknown, unknown>, callback: UnaryCallback) => {
        const caller = new AbortController()
        call.on('cancelled', () => caller.abort())
        answerUnary(name, handler, call.request, fault, { cancelled: caller.signal }).then(
          (response) => callback(null, response),
          (error: unknown) => callback(asRpcError(error)),
        )
      },
      serialize,
      deserialize,
      'unary',
    )
    return
  }
  const handler = handlers.stream?.[name]
  const type = method.requestStream ? (method.responseStream ? 'bidi' : 'clientStream') : 'serverStream'
  const onCall = (call: StreamCall): void => void answerStream(name, handler, call, fault)
  server.register(path, onCall as never, serialize, deserialize, type)
}

type UnaryCallback = (error: RpcError | null, response?: unknown) => void

async function answerUnary(
  rpc: string,
  handler: UnaryHandler | undefined,
  request: unknown,
  fault: FaultHook,
  context: UnaryContext,
): Promise<unknown> {
  if (handler === undefined) throw rpcError(status.UNIMPLEMENTED, `${rpc} is not implemented here`)
  const wrong = fault(rpc, request)
  if (wrong !== undefined) await sufferBefore(rpc, wrong)
  const response = await handler(request as never, context)
  if (wrong?.mode === 'lostAnswer') throw faultError(rpc, wrong, status.UNAVAILABLE)
  return response
}

async function answerStream(
  rpc: string,
  handler: StreamHandler | undefined,
  call: StreamCall,
  fault: FaultHook,
): Promise<void> {
  try {
    if (handler === undefined) throw rpcError(status.UNIMPLEMENTED, `${rpc} is not implemented here`)
    const wrong = fault(rpc, 'request' in call ? call.request : undefined)
    if (wrong !== undefined) await sufferBefore(rpc, wrong)
    if (wrong?.mode === 'lostAnswer') throw faultError(rpc, wrong, status.UNAVAILABLE)
    handler(call as never)
  } catch (error) {
    call.emit('error', asRpcError(error))
  }
}

async function sufferBefore(rpc: string, fault: Fault): Promise<void> {
  if (fault.mode === 'refuse') throw faultError(rpc, fault, status.UNAVAILABLE)
  if (fault.mode === 'error') throw faultError(rpc, fault, status.INTERNAL)
  if (fault.mode === 'delay') await new Promise((resolve) => setTimeout(resolve, fault.delayMs ?? 1000))
}

function faultError(rpc: string, fault: Fault, otherwise: status): RpcError {
  const named = typeof fault.code === 'string' ? STATUS_BY_NAME.get(fault.code) : fault.code
  return rpcError(named ?? otherwise, `injected fault on ${rpc}: ${fault.mode}`)
}

const STATUS_BY_NAME: ReadonlyMap<string, status> = new Map(
  Object.entries(status).flatMap(([name, code]) => (typeof code === 'number' ? [[name, code] as const] : [])),
)

function asRpcError(error: unknown): RpcError {
  if (error instanceof Error && 'code' in error && typeof error.code === 'number') {
    return Object.assign(error, { code: error.code, details: error.message })
  }
  return rpcError(status.INTERNAL, error instanceof Error ? error.message : String(error))
}

import {
  Client,
  credentials,
  type Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
} from '@grpc/grpc-js'
import { getService, loadServices } from '#local/engine/protos.ts'

/** One call that reached the store, decoded: 64-bit integers as text, enums by name. */
export type StoreCall = { readonly rpc: string; readonly request: Readonly<Record<string, unknown>> }

export type RecordingProxy = {
  /** `127.0.0.1:port`: what the client under test is given for the store. */
  readonly host: string
  /** Everything sent since the last time it was taken. */
  take(): StoreCall[]
  close(): Promise<void>
}

/** Headers that HTTP/2 and gRPC make anew for the next hop. */
const HOP = /^(?::|grpc-|te$|content-type$|user-agent$)/

/**
 * Stands between a client and a Firestore and writes down every request, byte for byte as it was sent.
 *
 * What it records is what left the process under test, so it says the same of our engine and of Google's.
 */
export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const services = loadServices('@google-cloud/firestore', 'build/protos/v1.json', {
    longs: String,
    enums: String,
    defaults: false,
  })
  const service = getService(services, 'google.firestore.v1.Firestore')
  const upstream = new Client(target, credentials.createInsecure())
  const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 })
  const calls: StoreCall[] = []
  for (const [rpc, method] of Object.entries(service)) {
    // What streams both ways is not used by us; it fails loudly as not implemented.
    if (method.requestStream) continue
    const note = (bytes: Buffer): void =>
      void calls.push({ rpc, request: method.requestDeserialize(bytes) as Record<string, unknown> })
    if (method.responseStream)
      server.register(method.path, stream(upstream, method, note), same, same, 'serverStream')
    else server.register(method.path, unary(upstream, method, note), same, same, 'unary')
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  return {
    host: `127.0.0.1:${port}`,
    take: () => calls.splice(0),
    close: async () => {
      server.forceShutdown()
      upstream.close()
    },
  }
}

const same = (bytes: Buffer): Buffer => bytes

type AnyMethod = MethodDefinition<object, object>
type Note = (bytes: Buffer) => void

function unary(upstream: Client, method: AnyMethod, note: Note) {
  return (
    call: ServerUnaryCall<Buffer, Buffer>,
    callback: (error: Partial<ServiceError> | null, answer?: Buffer) => void,
  ): void => {
    note(call.request)
    upstream.makeUnaryRequest(method.path, same, same, call.request, onward(call.metadata), callback)
  }
}

function stream(upstream: Client, method: AnyMethod, note: Note) {
  return (call: ServerWritableStream<Buffer, Buffer>): void => {
    note(call.request)
    const answers = upstream.makeServerStreamRequest(
      method.path,
      same,
      same,
      call.request,
      onward(call.metadata),
    )
    answers.on('data', (bytes: Buffer) => call.write(bytes))
    answers.on('end', () => call.end())
    answers.on('error', (error) => call.emit('error', error))
    call.on('cancelled', () => answers.cancel())
  }
}

function onward(metadata: Metadata): Metadata {
  const copy = metadata.clone()
  for (const key of Object.keys(metadata.getMap())) if (HOP.test(key)) copy.remove(key)
  return copy
}

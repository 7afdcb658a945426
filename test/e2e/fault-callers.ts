import { credentials, makeGenericClientConstructor, type ServiceDefinition } from '@grpc/grpc-js'
import { getService, loadServices } from '#local/engine/protos.ts'
import type { FaultTarget } from '#local/stack/fault-order.ts'
import type { Stack } from '#local/stack/stack.ts'

/**
 * One call to a part of the stack as a bare client makes it: no official client repeats what failed.
 *
 * `call` resolves with `ok`, with the code that was answered, or with `cut`; `happened` says whether a
 * call took effect, of the parts that show it.
 */
export type FaultCaller = {
  readonly operation: string
  call(name: string): Promise<'ok' | 'cut' | number>
  happened?(name: string): Promise<boolean>
}

export function faultCallers(stack: Stack): Readonly<Record<FaultTarget, FaultCaller>> {
  const info = stack.info()
  const project = `projects/${info.project}`
  const database = `${project}/databases/(default)`
  const firestore = rpcs('@google-cloud/firestore', 'google.firestore.v1.Firestore', info.firestoreHost)
  const pubsub = rpcs('@google-cloud/pubsub', 'google.pubsub.v1.Publisher', info.pubsubHost)
  const secrets = secretManagerRpcs(info.secretManagerHost)
  const post = (url: string, body: string, headers: Record<string, string>) =>
    outcome(fetch(url, { method: 'POST', body, headers }))
  const parts = stack.parts()
  const google = (url: string, body: object) =>
    post(url, JSON.stringify(body), {
      authorization: `Bearer ${parts.google.mintAccessToken(parts.accounts.runtime('tenant-events'))}`,
      'content-type': 'application/json',
    })
  return {
    firestore: {
      operation: 'Commit',
      call: (name) => {
        const document = { name: `${database}/documents/faultTests/${name}`, fields: {} }
        return firestore('Commit', { database, writes: [{ update: document }] })
      },
      happened: async (name) =>
        (stack.parts().engines.firestore?.dump(`faultTests/${name}`) ?? []).length === 1,
    },
    pubsub: {
      operation: 'CreateTopic',
      call: (name) => pubsub('CreateTopic', { name: `${project}/topics/${name}` }),
      happened: async (name) => (await pubsub('GetTopic', { topic: `${project}/topics/${name}` })) === 'ok',
    },
    secrets: {
      operation: 'CreateSecret',
      call: (name) =>
        secrets('CreateSecret', {
          parent: project,
          secretId: name,
          secret: { replication: { automatic: {} } },
        }),
      happened: async (name) => (await secrets('GetSecret', { name: `${project}/secrets/${name}` })) === 'ok',
    },
    stripe: {
      operation: 'POST /v1/customers',
      call: (name) =>
        post(`${info.stripe.url}/v1/customers`, `name=${name}`, {
          authorization: 'Bearer sk_test_local',
          'content-type': 'application/x-www-form-urlencoded',
        }),
      happened: async (name) =>
        (stack.parts().stripe.dump()['customer'] ?? []).some((customer) => customer['name'] === name),
    },
    kubernetes: {
      operation: 'create namespaces',
      call: (name) => {
        const { accounts, google } = stack.parts()
        const labels = { 'energent.ai/tenant': name, 'energent.ai/managed-by': 'tenant-events' }
        const namespace = {
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name: `tenant-${name}`, labels },
        }
        return post(`${info.kubernetes.url}/api/v1/namespaces`, JSON.stringify(namespace), {
          authorization: `Bearer ${google.mintAccessToken(accounts.runtime('tenant-events'))}`,
          'content-type': 'application/json',
        })
      },
      happened: async (name) =>
        stack
          .parts()
          .kubernetes.dump()
          .some(({ metadata }) => metadata.name === `tenant-${name}`),
    },
    kms: {
      operation: 'CreateCryptoKey',
      call: (name) =>
        google(`${parts.kms.url}/v1/${parts.kms.keyRing}/cryptoKeys?cryptoKeyId=${name}`, {
          purpose: 'ENCRYPT_DECRYPT',
        }),
      happened: async (name) => parts.kms.dump().some((key) => key.name.endsWith(`/${name}`)),
    },
    container: {
      operation: 'CreateCluster',
      call: (name) =>
        google(`${parts.container.url}/v1/${project}/locations/us-central1/clusters`, {
          cluster: { name, autopilot: { enabled: true } },
        }),
      happened: async (name) => JSON.stringify(parts.container.dump().clusters).includes(`"${name}"`),
    },
    fleet: {
      operation: 'CreateMembership',
      call: (name) =>
        google(`${parts.fleet.url}/v1/${project}/locations/global/memberships?membershipId=${name}`, {}),
      happened: async (name) => JSON.stringify(parts.fleet.dump()).includes(`/${name}"`),
    },
    idp: {
      operation: '/jwks',
      call: () => outcome(fetch(`${info.idp.issuer}/jwks`)),
    },
  }
}

async function outcome(answer: Promise<Response>): Promise<'ok' | 'cut' | number> {
  try {
    const { ok, status, body } = await answer
    await body?.cancel()
    return ok ? 'ok' : status
  } catch {
    return 'cut'
  }
}

/** Bare calls to Secret Manager. */
export function secretManagerRpcs(host: string): Rpc {
  return rpcs('@google-cloud/secret-manager', 'google.cloud.secretmanager.v1.SecretManagerService', host)
}

type Rpc = (name: string, request: object) => Promise<'ok' | number>

function rpcs(packageName: string, service: string, host: string): Rpc {
  const protos = packageName.endsWith('firestore') ? 'build/protos/v1.json' : 'build/protos/protos.json'
  const definition: ServiceDefinition = getService(loadServices(packageName, protos), service)
  const Client = makeGenericClientConstructor(definition, service)
  return (name, request) =>
    new Promise((resolve) => {
      const client = new Client(host, credentials.createInsecure())
      const method = client[name] as (request: object, done: (error: { code: number } | null) => void) => void
      method.call(client, request, (error) => {
        client.close()
        resolve(error === null ? 'ok' : error.code)
      })
    })
}

import { type ContainerServer, startContainer } from '#local/container/index.ts'
import { type SecretManagerEngine, startSecretManagerEngine } from '#local/engine/secrets/index.ts'
import { type FleetServer, startFleet } from '#local/fleet/index.ts'
import { type KmsServer, startKms } from '#local/kms/index.ts'

export type TestCloud = {
  readonly kms: KmsServer
  readonly secrets: SecretManagerEngine
  readonly container: ContainerServer
  readonly fleet: FleetServer
  /** What a function is configured with to find them. */
  readonly settings: Readonly<Record<string, string>>
  close(): Promise<void>
}

export const TEST_PROJECT_NUMBER = '100000000001'

/** Whatever of Google Cloud lifecycle speaks to beside Kubernetes, for functions that run in a test. */
export async function startTestCloud(options: {
  readonly now: () => number
  /** Whose access token it is. */
  readonly whose: (token: string) => string | undefined
  /** Whom the platform's role is bound to. */
  readonly provisioner: string
  readonly project?: string
  /** The engine of the test, where it has one of its own. */
  readonly secrets?: SecretManagerEngine
}): Promise<TestCloud> {
  const { now, project = 'demo-test', provisioner, whose } = options
  const keyRing = `projects/${project}/locations/us-central1/keyRings/energent-tenants`
  const servers = {
    now,
    provisioner,
    authenticate: (token: string) => {
      const user = whose(token)
      return user === undefined ? undefined : { user, groups: [] }
    },
  }
  const shared = { now, project, authenticate: whose, servers }
  const [kms, secrets, container, fleet] = await Promise.all([
    startKms({ now, keyRing, authenticate: whose }),
    options.secrets ?? startSecretManagerEngine({ now }),
    startContainer(shared),
    startFleet({ ...shared, projectNumber: TEST_PROJECT_NUMBER }),
  ])
  return {
    kms,
    secrets,
    container,
    fleet,
    settings: {
      PROJECT_NUMBER: TEST_PROJECT_NUMBER,
      KMS_API_URL: kms.url,
      KMS_KEY_RING: keyRing,
      SECRET_MANAGER_EMULATOR_HOST: secrets.host,
      CONTAINER_API_URL: container.url,
      GKEHUB_API_URL: fleet.url,
      CONNECT_GATEWAY_URL: fleet.gateway.url,
    },
    close: async () => {
      const own = options.secrets === undefined ? [secrets] : []
      await Promise.all([kms, container, fleet, ...own].map((server) => server.close()))
    },
  }
}

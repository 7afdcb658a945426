import { createPrivateKey } from 'node:crypto'
import { systemClock } from '#shared/clock.ts'
import { secretManagerStore } from '#shared/secrets.ts'
import type { TestStack } from '../../e2e/test-stack.ts'
import type { Signer } from './forge.ts'

const SECRETS = { access: 'auth-access-keys', events: 'auth-event-keys' } as const

/** A signing key of ours, which no attacker has: with it a test says what we never say. */
export async function ringKey(stack: TestStack, ring: keyof typeof SECRETS): Promise<Signer> {
  const { engines } = stack.parts()
  const [document] = engines.firestore?.dump(`keyrings/${ring}`) ?? []
  const data = document?.data as { keys: { kid: string; secretVersion: string }[] } | undefined
  const key = data?.keys[0]
  if (key === undefined) throw new Error(`no key in ${ring}`)
  const { project } = stack.info()
  const secrets = secretManagerStore({ project, emulatorHost: engines.secretsHost, clock: systemClock })
  const pem = await secrets.access(SECRETS[ring], key.secretVersion)
  return { kid: key.kid, key: createPrivateKey(pem.toString('utf8')) }
}

import { generateKeyPairSync } from 'node:crypto'
import { z } from 'zod'
import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import { KEY_FACTS, type KeyFact, type KeyFactKind } from '#shared/contracts/events/key-fact.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { PLATFORM_TENANT } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import type { SecretStore } from '#shared/secrets.ts'
import { publicJwkOf, thumbprintOf } from '../domain/access-key.ts'
import { keyChanges } from '../domain/key-facts.ts'
import type { KeyMaterial, Keyring } from '../domain/keyring.ts'
import type { RingKind } from './ring-document.ts'
import { addSecretVersion } from './secret-versions.ts'

const instant = z.number().int()
/** Absent in rings that were written before there was such an instant. */
const laterInstant = instant.nullable().default(null)

const parseRing = parser<Keyring>(
  z.object({
    keys: z
      .array(
        z.object({
          kid: z.string(),
          jwk: z.strictObject({
            kty: z.literal('EC'),
            crv: z.literal('P-256'),
            x: z.string(),
            y: z.string(),
          }),
          secretVersion: z.string().regex(/^\d+$/),
          publishAt: instant,
          activateAt: instant.nullable(),
          compromisedAt: laterInstant,
          disabledAt: laterInstant,
          destroyedAt: laterInstant,
        }),
      )
      .min(1),
    generation: z.number().int(),
    lastRotation: z.object({ at: instant, messageId: z.string() }).nullable(),
  }),
)

/** The document of a ring of signing keys, `keyrings/{name}`. */
export function signingRing(name: string): RingKind<Keyring> {
  return {
    name,
    parse: parseRing,
    fields: ({ keys, generation, lastRotation }) => ({ keys, generation, lastRotation }),
    versionsOf: (ring) => ring.keys.map((key) => key.secretVersion),
    facts: (before, after, nowMs) =>
      keyChanges(before, after).map(({ kind, kid, atMs }) => keyFact(kind, name, kid, after, atMs, nowMs)),
  }
}

function keyFact(
  kind: KeyFactKind,
  ring: string,
  kid: string,
  { generation }: Keyring,
  atMs: number,
  nowMs: number,
): CloudEvent {
  return newEvent<KeyFact>({
    // Each of these happens to a key once, but for an activation that an emergency brings forward.
    id: `key-${kind}:${ring}:${kid}:${generation}`,
    source: '//energent.ai/auth',
    type: KEY_FACTS[kind].type,
    tenantId: PLATFORM_TENANT,
    nowMs,
    data: { ring, kid, generation, at: new Date(atMs).toISOString() },
  })
}

/** A new key pair whose private half is safe in Secret Manager before anybody hears of the public one. */
export async function addSigningKey(secrets: SecretStore, secretName: string): Promise<KeyMaterial> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const jwk = publicJwkOf(publicKey)
  const secretVersion = await addSecretVersion(secrets, secretName, Buffer.from(pem, 'utf8'))
  return { kid: thumbprintOf(jwk), jwk, secretVersion }
}

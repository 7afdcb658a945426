import { createPublicKey, verify } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { type KmsServer, startKms } from '#local/kms/index.ts'
import { EVIDENCE_KEY, evidenceSigner } from '../../../functions/tenant-events/adapters/evidence-signer.ts'
import type { Signature, SigningKey } from '../../../functions/tenant-events/ports/purge.ts'

const KEY_RING = 'projects/demo-test/locations/us-central1/keyRings/tenants'
const running: KmsServer[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()))
})

async function aKms() {
  const server = await startKms({
    keyRing: KEY_RING,
    authenticate: (token) => (token === 'good' ? 'lifecycle@demo' : undefined),
  })
  running.push(server)
  const tokens = { token: async () => 'good', forget: () => {} }
  const call = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${server.url}/v1/${KEY_RING}/cryptoKeys/${path}`, {
      method,
      headers: { authorization: 'Bearer good' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return response.status
  }
  return { call, signer: () => evidenceSigner({ apiUrl: server.url, keyRing: KEY_RING, tokens }) }
}

function holds(key: SigningKey, bytes: Uint8Array, { kid, value }: Signature): boolean {
  const publicKey = createPublicKey({ key: { ...key.jwk }, format: 'jwk' })
  const signature = Buffer.from(value, 'base64url')
  return kid === key.kid && verify('sha256', bytes, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)
}

// The stand-in computes ECDSA by hand, and lengths of r and s vary: one signature would prove little.
test('what is signed is verified with the published key alone, every time', async () => {
  const kms = await aKms()
  const signer = kms.signer()
  const key = await signer.key()
  for (let round = 0; round < 40; round += 1) {
    const bytes = Buffer.from(`evidence ${round}`)
    const signature = await signer.sign(bytes)
    expect(holds(key, bytes, signature)).toBe(true)
    expect(holds(key, Buffer.from('something else'), signature)).toBe(false)
  }
})

test('two instances make one key', async () => {
  const kms = await aKms()

  const [left, right] = await Promise.all([kms.signer().key(), kms.signer().key()])

  expect(left).toEqual(right)
})

test('a new version signs, and what the old one signed is still vouched for', async () => {
  const kms = await aKms()
  const running = kms.signer()
  const old = await running.sign(Buffer.from('before'))
  expect(await kms.call('POST', `${EVIDENCE_KEY}/cryptoKeyVersions`, {})).toBe(200)
  expect(await kms.call('PATCH', `${EVIDENCE_KEY}/cryptoKeyVersions/1`, { state: 'DISABLED' })).toBe(200)

  await expect(running.sign(Buffer.from('with the old one'))).rejects.toThrow(/400/)
  const signer = running
  const [current, former] = await signer.keys()

  expect(current?.kid).toBe(`${EVIDENCE_KEY}-2`)
  expect((await signer.sign(Buffer.from('after'))).kid).toBe(current?.kid)
  expect(former !== undefined && holds(former, Buffer.from('before'), old)).toBe(true)
})

test('a key whose every version is out of use signs nothing', async () => {
  const kms = await aKms()
  await kms.signer().key()
  await kms.call('PATCH', `${EVIDENCE_KEY}/cryptoKeyVersions/1`, { state: 'DISABLED' })

  await expect(kms.signer().sign(Buffer.from('x'))).rejects.toThrow(/enabled/)
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type KmsServer, startKms } from '#local/kms/index.ts'
import { json, serveLoopback } from '#local/loopback.ts'
import { manualClock } from '#shared/clock.ts'
import { crc32c } from '#shared/crc32c.ts'
import { cloudKms } from '../../../functions/auth/adapters/cloud-kms.ts'
import { NoSuchKey } from '../../../functions/auth/ports/kms.ts'

const KEY_RING = 'projects/demo-test/locations/us-central1/keyRings/tenants'
const DAY_MS = 86_400_000
const folder = mkdtempSync(join(tmpdir(), 'energent-kms-'))
const running: Pick<KmsServer, 'close'>[] = []

async function aKms(file?: string) {
  const clock = manualClock(Date.parse('2026-11-23T09:00:00Z'))
  const server = await startKms({
    keyRing: KEY_RING,
    now: clock.now,
    authenticate: (token) => (token === 'good' ? 'auth@demo' : undefined),
    ...(file === undefined ? {} : { file: join(folder, file) }),
  })
  running.push(server)
  const call = async (method: string, path: string, body: object = {}, token = 'good') => {
    const response = await fetch(`${server.url}/v1/${KEY_RING}/cryptoKeys${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(method === 'GET' ? {} : { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: (await response.json()) as Record<string, never> }
  }
  const tokens = { token: async () => 'good', forget: () => {} }
  return { server, clock, call, kms: cloudKms({ apiUrl: server.url, keyRing: KEY_RING, tokens }) }
}
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const bytes = (text: string) => Buffer.from(text, 'utf8')

describe('the stand-in of Cloud KMS answers as the service does', () => {
  test('what is encrypted under a key is decrypted by it, with the same bound data alone', async () => {
    const { call, kms } = await aKms()
    await kms.ensureKey('tenant-acme')
    await kms.ensureKey('tenant-acme')
    await kms.ensureKey('tenant-globex')

    const { ciphertext, keyVersion } = await kms.encrypt('tenant-acme', bytes('secret'), bytes('acme'))

    expect(keyVersion).toBe(`${KEY_RING}/cryptoKeys/tenant-acme/cryptoKeyVersions/1`)
    expect(await kms.decrypt('tenant-acme', ciphertext, bytes('acme'))).toMatchObject({
      plaintext: bytes('secret'),
    })
    await expect(kms.decrypt('tenant-acme', ciphertext, bytes('globex'))).rejects.toThrow(
      /verify that 'name'/,
    )
    await expect(kms.decrypt('tenant-globex', ciphertext, bytes('acme'))).rejects.toThrow(
      /verify that 'name'/,
    )
    expect((await call('GET', '/tenant-acme')).body).toMatchObject({ primary: { state: 'ENABLED' } })
  })

  test.each([
    ['a key that is not there', 'POST', '/none:encrypt', { plaintext: 'YQ==' }, 404, 'NOT_FOUND'],
    ['a version that is not there', 'GET', '/key/cryptoKeyVersions/9', {}, 404, 'NOT_FOUND'],
    ['a verb that is none', 'POST', '/key:sign', {}, 404, 'NOT_FOUND'],
    [
      'a key that is there',
      'POST',
      '?cryptoKeyId=key',
      { purpose: 'ENCRYPT_DECRYPT' },
      409,
      'ALREADY_EXISTS',
    ],
    [
      'an id that is none',
      'POST',
      '?cryptoKeyId=a.b',
      { purpose: 'ENCRYPT_DECRYPT' },
      400,
      'INVALID_ARGUMENT',
    ],
    ['another purpose', 'POST', '?cryptoKeyId=k', { purpose: 'MAC' }, 400, 'INVALID_ARGUMENT'],
    ['what is not base64', 'POST', '/key:encrypt', { plaintext: 'a b' }, 400, 'INVALID_ARGUMENT'],
    [
      'a wrong checksum',
      'POST',
      '/key:encrypt',
      { plaintext: 'YQ==', plaintextCrc32c: '1' },
      400,
      'INVALID_ARGUMENT',
    ],
    ['what nobody encrypted', 'POST', '/key:decrypt', { ciphertext: 'YWJj' }, 400, 'INVALID_ARGUMENT'],
    [
      'to restore what is enabled',
      'POST',
      '/key/cryptoKeyVersions/1:restore',
      {},
      400,
      'FAILED_PRECONDITION',
    ],
  ])('%s', async (_name, method, path, body, code, status) => {
    const { call, kms } = await aKms()
    await kms.ensureKey('key')

    const answer = await call(method, path, body)

    expect(answer).toMatchObject({ status: code, body: { error: { code, status } } })
  })

  test('nobody comes in without an access token', async () => {
    const { call } = await aKms()
    expect(await call('GET', '/key', {}, 'bad')).toMatchObject({
      status: 401,
      body: { error: { status: 'UNAUTHENTICATED' } },
    })
  })

  test('a version that is scheduled for destruction can be restored, and after its day never', async () => {
    const { call, clock, kms } = await aKms()
    await kms.ensureKey('key')
    const { ciphertext } = await kms.encrypt('key', bytes('secret'), bytes(''))
    const version = '/key/cryptoKeyVersions/1'

    expect((await call('POST', `${version}:destroy`)).body).toMatchObject({ state: 'DESTROY_SCHEDULED' })
    expect(await kms.decrypt('key', ciphertext, bytes(''))).toBe('destroyed')
    await expect(kms.encrypt('key', bytes('x'), bytes(''))).rejects.toThrow(/DESTROY_SCHEDULED/)
    clock.advance(29 * DAY_MS)
    expect((await call('POST', `${version}:restore`)).body).toMatchObject({ state: 'DISABLED' })
    await expect(kms.decrypt('key', ciphertext, bytes(''))).rejects.toThrow(/current state is: DISABLED/)
    await call('PATCH', version, { state: 'ENABLED' })
    expect(await kms.decrypt('key', ciphertext, bytes(''))).toMatchObject({ plaintext: bytes('secret') })
    await call('POST', `${version}:destroy`)
    clock.advance(30 * DAY_MS)

    expect((await call('GET', version)).body).toMatchObject({ state: 'DESTROYED' })
    expect((await call('POST', `${version}:restore`)).status).toBe(400)
    expect(await kms.decrypt('key', ciphertext, bytes(''))).toBe('destroyed')
  })

  test('a new primary version encrypts, and the old one still decrypts', async () => {
    const { call, kms } = await aKms()
    await kms.ensureKey('key')
    const old = await kms.encrypt('key', bytes('old'), bytes(''))
    await call('POST', '/key/cryptoKeyVersions')
    await call('POST', '/key:updatePrimaryVersion', { cryptoKeyVersionId: '2' })

    const young = await kms.encrypt('key', bytes('young'), bytes(''))

    expect(young.keyVersion).toMatch(/\/2$/)
    expect(await kms.decrypt('key', old.ciphertext, bytes(''))).toEqual({
      plaintext: bytes('old'),
      usedPrimary: false,
    })
    expect((await call('GET', '/key/cryptoKeyVersions')).body).toMatchObject({ totalSize: 2 })
  })

  test('keys survive a restart', async () => {
    const first = await aKms('kept.jsonl')
    await first.kms.ensureKey('key')
    const { ciphertext } = await first.kms.encrypt('key', bytes('secret'), bytes(''))
    await first.server.close()
    running.length = 0

    const { kms } = await aKms('kept.jsonl')

    expect(await kms.decrypt('key', ciphertext, bytes(''))).toMatchObject({ plaintext: bytes('secret') })
  })
})

describe('versions and keys that are deleted', () => {
  test('only what is destroyed can be, and a deleted name is nobody’s again', async () => {
    const { call, clock } = await aKms()
    await call('POST', '?cryptoKeyId=gone', { purpose: 'ENCRYPT_DECRYPT' })
    expect((await call('DELETE', '/gone/cryptoKeyVersions/1')).status).toBe(400)
    expect((await call('DELETE', '/gone')).status).toBe(400)
    await call('POST', '/gone/cryptoKeyVersions/1:destroy')
    clock.advance(30 * DAY_MS)
    expect((await call('GET', '/gone/cryptoKeyVersions/1')).body).toMatchObject({
      state: 'DESTROYED',
      destroyEventTime: expect.any(String),
    })

    expect((await call('DELETE', '/gone/cryptoKeyVersions/1')).body).toMatchObject({ done: true })
    expect((await call('DELETE', '/gone')).body).toMatchObject({ done: true })

    expect((await call('GET', '/gone')).status).toBe(404)
    expect((await call('POST', '?cryptoKeyId=gone', { purpose: 'ENCRYPT_DECRYPT' })).status).toBe(409)
    expect((await call('GET', '/gone')).status).toBe(404)
  })

  test('versions are listed in pages, and a number is not given twice', async () => {
    const { call, clock } = await aKms()
    await call('POST', '?cryptoKeyId=many', { purpose: 'ENCRYPT_DECRYPT' })
    for (let more = 0; more < 4; more += 1) await call('POST', '/many/cryptoKeyVersions')
    await call('POST', '/many/cryptoKeyVersions/2:destroy')
    clock.advance(30 * DAY_MS)
    await call('DELETE', '/many/cryptoKeyVersions/2')
    await call('POST', '/many/cryptoKeyVersions')

    const first = await call('GET', '/many/cryptoKeyVersions?pageSize=3')
    const rest = await call('GET', `/many/cryptoKeyVersions?pageToken=${String(first.body['nextPageToken'])}`)

    const numbers = [first, rest].flatMap(({ body }) =>
      (body['cryptoKeyVersions'] as unknown as { name: string }[]).map(({ name }) => name.split('/').at(-1)),
    )
    expect(numbers).toEqual(['1', '3', '4', '5', '6'])
    expect(rest.body['nextPageToken']).toBeUndefined()
  })
})

describe('the client of Cloud KMS trusts nothing that came over the wire', () => {
  const answering = async (...answers: object[]) => {
    const asked: string[] = []
    const server = await serveLoopback(0, async (call) => {
      asked.push(call.url.pathname)
      const [answer = {}] = answers.length > 1 ? answers.splice(0, 1) : answers
      return json(200, answer)
    })
    running.push(server)
    const tokens = { token: async () => 't', forget: () => {} }
    return { kms: cloudKms({ apiUrl: server.url, keyRing: KEY_RING, tokens }), asked }
  }
  const good = {
    name: `${KEY_RING}/cryptoKeys/key/cryptoKeyVersions/1`,
    ciphertext: bytes('sealed').toString('base64'),
    ciphertextCrc32c: String(crc32c(bytes('sealed'))),
    verifiedPlaintextCrc32c: true,
    verifiedAdditionalAuthenticatedDataCrc32c: true,
  }

  test.each([
    ['its checksum does not fit', { ...good, ciphertextCrc32c: '7' }],
    ['KMS did not see our checksum', { ...good, verifiedPlaintextCrc32c: false }],
    ['another key encrypted', { ...good, name: `${KEY_RING}/cryptoKeys/key2/cryptoKeyVersions/1` }],
    ['a key whose name only begins alike', { ...good, name: `${KEY_RING}/cryptoKeys/key` }],
  ])('what was wrapped is asked for again when %s', async (_name, damaged) => {
    const once = await answering(damaged, good)
    const always = await answering(damaged)

    expect((await once.kms.encrypt('key', bytes('dek'), bytes('a'))).keyVersion).toBe(good.name)
    await expect(always.kms.encrypt('key', bytes('dek'), bytes('a'))).rejects.toThrow(/damaged/)

    expect([once.asked.length, always.asked.length]).toEqual([2, 3])
  })

  test('a missing key has an error of its own', async () => {
    const { kms } = await aKms()
    await expect(kms.encrypt('none', bytes('x'), bytes(''))).rejects.toBeInstanceOf(NoSuchKey)
  })
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { systemIds } from '#shared/ids.ts'
import { googleEngine } from '../support/engines.ts'

const RULES = readFileSync(join(import.meta.dirname, '../../firestore.rules'), 'utf8')

test('the rules hold one answer for everything: no', () => {
  const statements =
    RULES.replace(/\/\/.*$/gm, '').match(/\b(?:allow|match)\b[^;{]*(?:\{document=\*\*\})?[^;{]*/g) ?? []
  expect(statements.filter((text) => text.startsWith('allow'))).toEqual(['allow read, write: if false'])
  expect(RULES).toContain('match /{document=**}')
})

// Our engine has no rules (DIFFERENCES.md); Google's emulator holds them against whoever is not `owner`.
describe.runIf(inject('engines').includes('google'))('Google’s emulator under these rules', () => {
  const project = `demo-rules-${systemIds.bytes(4).toString('hex')}`
  let host = ''
  const root = (): string => `http://${host}/v1/projects/${project}/databases/(default)/documents`
  const fields = { fields: { n: { integerValue: '1' } } }
  const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    fetch(`${root()}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const owner = { authorization: 'Bearer owner' }
  /** An ID token of some signed-in person; the emulator takes it unsigned. */
  const person = () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = {
      sub: 'ada',
      user_id: 'ada',
      aud: project,
      iss: `https://securetoken.google.com/${project}`,
      tenant: 'acme',
    }
    return { authorization: `Bearer ${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.` }
  }

  beforeAll(async () => {
    host = await googleEngine('firestore').host()
    const installed = await fetch(`http://${host}/emulator/v1/projects/${project}:securityRules`, {
      method: 'PUT',
      body: JSON.stringify({ rules: { files: [{ name: 'firestore.rules', content: RULES }] } }),
    })
    expect(installed.status, await installed.text()).toBe(200)
    for (const path of [
      '/tenants/acme',
      '/tenants/acme/auth_clients/c1',
      '/keyrings/access',
      '/auth_outbox/x',
    ]) {
      expect((await ask('PATCH', path, fields, owner)).status).toBe(200)
    }
  }, 90_000)

  test.each([
    ['nobody', () => ({})],
    ['a signed-in person', person],
  ])('%s reads, lists, queries and writes nothing', async (_who, headers) => {
    for (const path of [
      '/tenants/acme',
      '/tenants/acme/auth_clients/c1',
      '/keyrings/access',
      '/auth_outbox/x',
      '/no/such',
    ]) {
      expect((await ask('GET', path, undefined, headers())).status, `GET ${path}`).toBe(403)
      expect((await ask('PATCH', path, fields, headers())).status, `PATCH ${path}`).toBe(403)
      expect((await ask('DELETE', path, undefined, headers())).status, `DELETE ${path}`).toBe(403)
    }
    for (const path of ['/tenants', '/tenants/acme/auth_clients', '/authFeed']) {
      expect((await ask('GET', path, undefined, headers())).status, `list ${path}`).toBe(403)
      expect((await ask('POST', path, fields, headers())).status, `create in ${path}`).toBe(403)
    }
    const everything = { structuredQuery: { from: [{ collectionId: 'auth_clients', allDescendants: true }] } }
    expect((await ask('POST', ':runQuery', everything, headers())).status).toBe(403)
    const write = {
      writes: [
        { update: { name: `projects/${project}/databases/(default)/documents/tenants/evil`, ...fields } },
      ],
    }
    expect((await ask('POST', ':commit', write, headers())).status).toBe(403)
  })

  test('and the functions’ own account is not bound by them', async () => {
    expect((await ask('GET', '/tenants/acme', undefined, owner)).status).toBe(200)
    expect((await ask('GET', '/tenants/evil', undefined, owner)).status).toBe(404)
  })
})

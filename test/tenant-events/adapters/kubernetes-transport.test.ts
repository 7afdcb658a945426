import { writeFileSync } from 'node:fs'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { selfSignedCertificate } from '#local/certificate.ts'
import { kubernetesTransport } from '../../../functions/tenant-events/adapters/kubernetes-transport.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const own = selfSignedCertificate('cluster')
const another = selfSignedCertificate('another cluster')
const signal = AbortSignal.timeout(30_000)
let server: https.Server
let url = ''
const tokensSeen: (string | undefined)[] = []

beforeAll(async () => {
  server = https.createServer({ cert: own.certificate, key: own.key }, (request, response) => {
    tokensSeen.push(request.headers.authorization)
    response.end(JSON.stringify({ path: request.url, method: request.method }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const ask = (options: Parameters<typeof kubernetesTransport>[0]) =>
  kubernetesTransport(options)({ method: 'GET', path: '/readyz', token: 't', signal })

// The private address of a cluster has a certificate of the cluster's own authority, and nobody else's.
describe('an API server by its private address', () => {
  test('is trusted by the authority that was pinned, given as text or as a file', async () => {
    const caFile = join(temporaryFolder(), 'ca.pem')
    writeFileSync(caFile, own.certificate)
    for (const options of [
      { url, caCertificate: own.certificate },
      { url, caFile },
    ]) {
      expect(await ask(options)).toMatchObject({ status: 200, body: { path: '/readyz' } })
    }
  })

  test.each([
    ['another cluster’s authority', { caCertificate: another.certificate }],
    ['no authority but the system’s', { caCertificate: null }],
  ])('is refused with %s, before it sees a token', async (_what, options) => {
    tokensSeen.length = 0
    await expect(ask({ url, ...options })).rejects.toThrow(/certificate/)
    expect(tokensSeen).toEqual([])
  })

  test('keeps a path before its own, as the Connect gateway has one', async () => {
    const gateway = `${url}/v1/projects/7/locations/global/gkeMemberships/t-acme`
    expect(await ask({ url: gateway, caCertificate: own.certificate })).toMatchObject({
      body: { path: '/v1/projects/7/locations/global/gkeMemberships/t-acme/readyz' },
    })
  })
})

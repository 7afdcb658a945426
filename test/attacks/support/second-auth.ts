import { functionEnv } from '#local/stack/function-env.ts'
import { startFunction } from '#local/stack/function-process.ts'
import { parseOptions } from '#local/stack/options.ts'
import { freePort } from '#local/tcp-ports.ts'
import type { TestStack } from '../../e2e/test-stack.ts'

/**
 * Another process of the function auth on the same stores: what one remembers the other has not seen. It
 * may call the hosts `allowed` too, which so play the public internet.
 */
export async function secondAuth(
  stack: TestStack,
  allowed: readonly string[],
): Promise<{ url: string; close(): Promise<void> }> {
  const parts = stack.parts()
  const options = parseOptions([], {})
  if (options === 'help') throw new Error('no help wanted')
  const { project } = stack.info()
  const env = functionEnv(
    {
      stack: { ...options, project },
      accounts: parts.accounts,
      engines: parts.engines,
      publicBaseUrl: parts.gateway.url,
      clockFile: parts.clockFile.path,
      dnsFile: parts.dns.path,
      callerIssuer: parts.google.issuer,
      callerJwksUri: parts.google.jwksUri,
      metadataHost: parts.google.metadataHost,
      kubernetesUrl: parts.kubernetes.url,
      kms: parts.kms,
      storage: parts.storage,
      container: parts.container,
      fleet: parts.fleet,
      clusterIssuer: parts.cluster.issuer,
      outboundAllow: [
        ...[stack.info().idp.issuer, parts.cluster.issuer, parts.google.jwksUri].map(
          (url) => new URL(url).host,
        ),
        ...allowed,
      ],
    },
    'auth',
  )
  const running = await startFunction({
    id: 'auth',
    port: await freePort(),
    env,
    onLine: () => undefined,
    onCrash: () => undefined,
  })
  return { url: running.url, close: running.stop }
}

import { spawnSync } from 'node:child_process'
import { createHash, createPublicKey } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from '../support/temporary-folder.ts'
import type { TestStack } from './test-stack.ts'

export function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 12)
}

/** What the customer's script says of a certificate, with the keys that this stack publishes. */
export async function deletionsOf(stack: TestStack, certificate: Record<string, unknown>): Promise<string> {
  const folder = temporaryFolder()
  const files = { certificate: join(folder, 'certificate.json'), keys: join(folder, 'keys.json') }
  writeFileSync(files.certificate, JSON.stringify(certificate))
  const { keys } = (await (await fetch(`${stack.info().gatewayUrl}/v1/evidence-keys`)).json()) as {
    keys: { kid: string }[]
  }
  for (const key of keys) createPublicKey({ key, format: 'jwk' })
  writeFileSync(files.keys, JSON.stringify({ keys }))
  const script = join(import.meta.dirname, '../../docs/verify-certificate.mjs')
  return spawnSync(process.execPath, [script, files.certificate, files.keys], { encoding: 'utf8' }).stdout
}

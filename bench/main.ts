import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** `npm run bench -- <name> [options]`: each benchmark prints ratios against a peer or a limit of the same run. */
const BENCHES = {
  auth: 'what a token costs, beside node:http, functions-framework and oidc-provider',
  billing: 'usage from its bytes to its invoice, beside JSON.parse and the store alone',
  drain: 'requests in flight when an instance is told to end',
  flood: 'memory under bodies far beyond the limit',
  overload: 'what an instance still does at ten times its best rate',
} as const

const [name, ...options] = process.argv.slice(2)
if (name === undefined || !Object.hasOwn(BENCHES, name)) {
  if (name !== undefined && name !== '--help') console.error(`There is no benchmark '${name}'.`)
  console.log('Usage: npm run bench -- <name> [options]\n')
  for (const [known, about] of Object.entries(BENCHES)) console.log(`  ${known.padEnd(10)}${about}`)
  process.exit(name === undefined || name === '--help' ? 0 : 2)
}
const child = spawn(process.execPath, [join(import.meta.dirname, `${name}.ts`), ...options], {
  stdio: 'inherit',
})
const [code] = (await once(child, 'exit')) as [number | null]
process.exit(code ?? 1)

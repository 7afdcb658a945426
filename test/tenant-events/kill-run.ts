import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { keepToOwnStack } from '#local/stack/clean-env.ts'
import { parseOptions } from '#local/stack/options.ts'
import { startStack } from '#local/stack/stack.ts'
import { killDuringProvisioning } from './kill/kills.ts'

const HELP = `Ends the process of tenant-events with kill -9 at random while tenants are provisioned on the local stack.

  npm run kill-run -- [--tenants 200] [--kills 40] [--seed 1]

Ends with 1 unless every tenant is active and has exactly what one has that was provisioned in peace.`

const { values } = parseArgs({
  options: {
    tenants: { type: 'string', default: '200' },
    kills: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

if (values.help) say(HELP)
else {
  const [tenants = 0, kills = 0, seed = 0] = [values.tenants, values.kills, values.seed].map(Number)
  keepToOwnStack(process.env)
  const folder = mkdtempSync(join(tmpdir(), 'kill-run-'))
  const options = parseOptions(['--port', '0', '--data', folder, '--no-seed'], {})
  if (options === 'help') throw new Error('no help wanted')
  const stack = await startStack(options, { print: () => {} })
  try {
    const figures = await killDuringProvisioning(stack, { tenants, kills, seed, print: say })
    for (const wrong of figures.wrong.slice(0, 40)) say(`WRONG ${wrong}`)
    const { interrupted, kills: done, seconds, wrong } = figures
    say(
      `${tenants} tenants, ${done} kills (${interrupted} with work in hand), ${seconds.toFixed(0)} s: ${wrong.length} wrong`,
    )
    process.exitCode = wrong.length === 0 ? 0 : 1
  } finally {
    await stack.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

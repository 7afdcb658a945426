// The properties of invoices with ten thousand cases each: `node test/billing/domain/invoice/run.ts`.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../../..')
const vitest = join(root, 'node_modules/.bin/vitest')
const { status } = spawnSync(vitest, ['run', 'test/billing/domain/invoice', '--testTimeout=900000'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, CASES: process.env['CASES'] ?? '10000' },
})
process.exit(status ?? 1)

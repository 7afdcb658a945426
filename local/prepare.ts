import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { keepToOwnStack } from './stack/clean-env.ts'
import { ROOT } from './stack/data-dir.ts'
import { parseOptions } from './stack/options.ts'
import { isCurrent, keepAsPrepared } from './stack/prepared.ts'
import { startStack } from './stack/stack.ts'

/**
 * Makes the stack that a first `npm start` begins with; does nothing when it is there. A machine where
 * this fails loses nothing but a few seconds at its first start.
 */
keepToOwnStack(process.env)
try {
  if (!(await isCurrent())) {
    const folder = await mkdtemp(join(ROOT, 'dist', '.preparing-'))
    const options = parseOptions(['--port', '0', '--data', folder], {})
    if (options !== 'help')
      await (await startStack({ ...options, preparing: true }, { print: () => {} })).close()
    await keepAsPrepared(folder)
    console.log('prepared the demo tenants')
  }
} catch (error) {
  console.log(`the demo tenants will be made at the first start (${String(error).split('\n')[0]})`)
}
process.exit()

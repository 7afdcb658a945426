import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { infoIn, ROOT } from './npm-start.ts'
import { eventually } from './test-stack.ts'

const HAS_TERMINAL = spawnSync('script', ['--version']).stdout?.includes('util-linux') === true

// A terminal sends Ctrl-C to the whole group - npm, its shell and the stack - and npm passes it on once more.
test.runIf(HAS_TERMINAL)(
  'Ctrl-C in a terminal, which reaches the stack twice, ends everything once and in order',
  async () => {
    const data = temporaryFolder()
    const command = `npm start -- --port 0 --data ${data} --no-seed`
    const terminal = spawn('script', ['-qec', command, '/dev/null'], {
      cwd: ROOT,
      env: { PATH: process.env['PATH'] ?? '' },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    onTestFinished(() => void terminal.kill('SIGKILL'))
    const exited = new Promise((resolve) => terminal.once('exit', resolve))
    let output = ''
    terminal.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    await eventually(
      'ready',
      async () => (output.includes('Ctrl-C stops everything') ? true : undefined),
      60_000,
    )
    const { functions, idp } = infoIn(data)
    const pids = [...Object.values(functions), idp].flatMap(({ pid }) => pid ?? [])
    expect(pids).toHaveLength(7)

    terminal.stdin.write('\x03')
    await exited

    const [, ending = ''] = output.split('^C')
    expect(ending.trim()).toBe('stopping')
    expect(pids.filter(isAlive)).toEqual([])
    expect(existsSync(join(data, 'lock'))).toBe(false)
  },
  90_000,
)

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { StackInfo } from '#local/stack/stack.ts'
import { eventually } from './test-stack.ts'

// What a stranger does: the command in a terminal, nothing imported.
export const ROOT = join(import.meta.dirname, '../..')
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

export type Started = {
  readonly child: ChildProcess
  readonly output: () => string
  readonly exited: Promise<number | null>
}

/** Runs what `npm start` runs, with an environment of its own; it is ended with the test. */
export function npmStart(flags: readonly string[], env: Readonly<Record<string, string>> = {}): Started {
  const child = spawn(process.execPath, ['local/main.ts', ...flags], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
  }
  return { child, output: () => text, exited: new Promise((resolve) => child.once('exit', resolve)) }
}

/** Waits for the banner; throws what was printed if the process ends before it. */
export async function ready(started: Started): Promise<void> {
  await eventually(
    'ready',
    async () => {
      if (started.child.exitCode !== null) throw new Error(started.output())
      return started.output().includes('Ctrl-C stops everything') ? true : undefined
    },
    60_000,
  )
}

export async function stop(started: Started): Promise<number | null> {
  started.child.kill('SIGINT')
  return started.exited
}

export function infoIn(data: string): StackInfo {
  return JSON.parse(readFileSync(join(data, 'stack.json'), 'utf8')) as StackInfo
}

export function lastLine(started: Started): string {
  return started.output().trim().split('\n').at(-1) ?? ''
}

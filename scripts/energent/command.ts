import { parseArgs } from 'node:util'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { AuthDeps } from '../../functions/auth/deps.ts'
import type { ApiDeps } from '../../functions/tenant-events/deps.ts'

/** One option of a command: `value` is what stands for its value in the help; without one it is a flag. */
export type Option = {
  readonly meaning: string
  readonly value?: string
  readonly required?: boolean
  /** May be given more than once. */
  readonly multiple?: boolean
}

/** What the command line was given, by the name of the option. */
export type Given = {
  text(name: string): string | undefined
  texts(name: string): readonly string[]
  flag(name: string): boolean
}

/** What a command works with. */
export type Run = {
  readonly deps: AuthDeps
  /** The tenants' side; built when it is first asked for. */
  lifecycle(): ApiDeps
  readonly given: Given
  readonly nowMs: number
  /** The Google identity that runs the command; it stands in the audit. */
  deployer(): Promise<string>
  /** The address of the person who runs it, if Google has verified one; in a demo project nobody is asked. */
  person(): Promise<string | 'demo' | undefined>
  /** Tells the person who waits how it goes; the answer itself comes at the end. */
  note(line: string): void
  /** The right to act on a tenant, in the name of whoever runs the command. */
  open(tenantId: string): Promise<Result<TenantContext>>
}

/** A command's answer: for a program, and for a person. */
export type Answer = {
  readonly json: unknown
  readonly lines: readonly string[]
  /** It was done, and what it found is bad: the exit code is 1. */
  readonly failed?: boolean
}

export type Command = {
  readonly summary: string
  /** What one should know before running it. */
  readonly details?: string
  readonly options: Readonly<Record<string, Option>>
  run(run: Run): Promise<Result<Answer>>
}

/** Options that every command takes. */
export const COMMON_OPTIONS: Readonly<Record<string, Option>> = {
  project: { value: 'ID', meaning: 'The Google Cloud project. Default: GOOGLE_CLOUD_PROJECT.' },
  stack: { meaning: 'Work on the local stack that runs now.' },
  data: { value: 'DIR', meaning: 'Its data folder. Default: .local' },
  json: { meaning: 'Print the result as JSON.' },
  help: { meaning: 'Print this.' },
}

/** Reads the arguments of one command, or says what is wrong with them. */
export function readOptions(
  name: string,
  command: Command,
  args: readonly string[],
): { readonly given: Given } | { readonly wrong: string } {
  const options = { ...COMMON_OPTIONS, ...command.options }
  try {
    const { values, positionals } = parseArgs({
      args: withValues(args, options),
      allowPositionals: true,
      options: Object.fromEntries(
        Object.entries(options).map(([option, { value, multiple }]) => [
          option,
          {
            type: value === undefined ? 'boolean' : 'string',
            multiple: multiple === true,
            ...(option === 'help' ? { short: 'h' } : {}),
          },
        ]),
      ),
    })
    if (positionals.length > 0) return { wrong: `'${positionals.join(' ')}' is more than ${name} takes.` }
    const given = givenOf(values)
    const missing = Object.entries(command.options).find(
      ([option, { required }]) => required === true && given.texts(option).length === 0,
    )
    if (missing !== undefined && !given.flag('help')) return { wrong: `${name} needs --${missing[0]}.` }
    return { given }
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error) }
  }
}

/** Ties each value to its option: an id may begin with a hyphen, and is no option for that. */
function withValues(args: readonly string[], options: Readonly<Record<string, Option>>): string[] {
  const tied: string[] = []
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? ''
    const option = arg.startsWith('--') ? options[arg.slice(2)] : undefined
    const value = args[at + 1]
    if (option?.value === undefined || value === undefined || value.startsWith('--')) tied.push(arg)
    else {
      tied.push(`${arg}=${value}`)
      at += 1
    }
  }
  return tied
}

function givenOf(values: Readonly<Record<string, unknown>>): Given {
  const texts = (name: string): string[] => {
    const value = values[name]
    return [value].flat().filter((each): each is string => typeof each === 'string')
  }
  return { text: (name) => texts(name)[0], texts, flag: (name) => values[name] === true }
}

/** A table for the terminal: columns as wide as their widest cell. */
export function tableLines(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd()
  return [line(head), ...rows.map(line)]
}

/** An instant as people read it; a dash where there is none. */
export function instantText(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? '-' : new Date(ms).toISOString().replace('.000Z', 'Z')
}

/** The help of one command. */
export function helpOf(name: string, command: Command): string {
  const required = Object.entries(command.options)
    .filter(([, option]) => option.required)
    .map(([option, { value }]) => ` --${option} ${value ?? ''}`.trimEnd())
  return [
    `Usage: npm run energent -- ${name}${required.join('')} [options]`,
    '',
    command.summary,
    ...(command.details === undefined ? [] : ['', command.details]),
    '',
    'Options',
    ...optionLines({ ...command.options, ...COMMON_OPTIONS }),
  ].join('\n')
}

/** One line for each option. */
export function optionLines(options: Readonly<Record<string, Option>>): string[] {
  const left = Object.entries(options).map(([name, { value }]) => `  --${name} ${value ?? ''}`.trimEnd())
  const width = Math.max(...left.map((text) => text.length)) + 2
  return Object.values(options).map(({ meaning }, at) => `${(left[at] ?? '').padEnd(width)}${meaning}`)
}

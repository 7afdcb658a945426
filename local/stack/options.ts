import { parseArgs } from 'node:util'
import { isDemoProject } from '#shared/config.ts'

/** Something a user can mend; shown as one line, without a stack. */
export class StackError extends Error {
  override readonly name = 'StackError'
}

export type EngineName = 'embedded' | 'google'

export type StackOptions = {
  readonly project: string
  readonly engine: EngineName
  /** The gateway's port; the console, the control door and the issuers take the next ones. 0: any free ports. */
  readonly port: number
  /** Where everything the stack keeps is: absolute, or relative to the repository. */
  readonly dataDir: string
  /** `platform` puts a front before each function that removes signatures, as Cloud Run does. */
  readonly callerCheck: 'jwks' | 'platform'
  /** Begin without what an earlier run kept. */
  readonly fresh: boolean
  readonly logs: 'quiet' | 'all' | 'json'
  /** Whether to create the demo tenants. */
  readonly seed: boolean
  /** Whether what comes of it is copied elsewhere, to other ports. */
  readonly preparing?: boolean
}

export const DEFAULT_OPTIONS: StackOptions = {
  project: 'demo-energent',
  engine: 'embedded',
  port: 8080,
  dataDir: '.local',
  callerCheck: 'jwks',
  fresh: false,
  logs: 'quiet',
  seed: true,
}

export const USAGE = `Runs the whole control plane on this machine.

Usage: npm start -- [options]

  --port N             gateway on port N, console, control door and issuers on the next ones (default 8080)
  --engine NAME        embedded (default) needs only Node; google runs Google's emulators, which need Java
  --caller-check MODE  jwks (default), or platform: a front before each function, as Cloud Run has
  --fresh              forget what an earlier run kept
  --data DIR           where to keep it (default .local)
  --project ID         project id, must start with demo- (default demo-energent)
  --logs WHICH         quiet (default: warnings and errors), all, or json
  --no-seed            without demo tenants
  --help               this text`

/** Reads the command line and the environment; throws `StackError` in words a user can act on. */
export function parseOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): StackOptions | 'help' {
  const values = readArguments(argv)
  if (values.help === true) return 'help'
  const project =
    values.project ?? env['GOOGLE_CLOUD_PROJECT'] ?? env['GCLOUD_PROJECT'] ?? DEFAULT_OPTIONS.project
  if (!isDemoProject(project)) {
    const source = values.project === undefined ? 'The environment names the project' : 'The project is'
    throw new StackError(
      `${source} '${project}', but the local stack only runs with a project id that starts with demo- (try --project demo-energent).`,
    )
  }
  return {
    project,
    engine: oneOf('--engine', values.engine, ['embedded', 'google'], DEFAULT_OPTIONS.engine),
    port: portOf(values.port),
    dataDir: values.data ?? DEFAULT_OPTIONS.dataDir,
    callerCheck: oneOf(
      '--caller-check',
      values['caller-check'],
      ['jwks', 'platform'],
      DEFAULT_OPTIONS.callerCheck,
    ),
    fresh: values.fresh === true,
    logs: oneOf('--logs', values.logs, ['quiet', 'all', 'json'], DEFAULT_OPTIONS.logs),
    seed: values['no-seed'] !== true,
  }
}

function readArguments(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        port: { type: 'string' },
        engine: { type: 'string' },
        'caller-check': { type: 'string' },
        fresh: { type: 'boolean' },
        data: { type: 'string' },
        project: { type: 'string' },
        logs: { type: 'string' },
        'no-seed': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    throw new StackError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
  }
}

function portOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_OPTIONS.port
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_500)
    throw new StackError(`--port must be a number from 0 to 65500, not '${text}'.`)
  return port
}

function oneOf<const T extends string>(
  flag: string,
  value: string | undefined,
  known: readonly T[],
  fallback: T,
): T {
  if (value === undefined) return fallback
  const found = known.find((candidate) => candidate === value)
  if (found === undefined) throw new StackError(`${flag} must be one of ${known.join(', ')}, not '${value}'.`)
  return found
}

import { ConfigError, isDemoProject } from '#shared/config.ts'
import { closeDatabase } from '#shared/firestore/database.ts'
import { parseTenantId } from '#shared/ids.ts'
import { ok } from '#shared/result.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { wireAuth } from '../functions/auth/wiring.ts'
import { type Lifecycle, wireLifecycle } from '../functions/tenant-events/wiring.ts'
import {
  commandConfig,
  deployerEmailOf,
  deployerOf,
  type Surroundings,
  stackEnv,
  terminalLog,
} from './command-line.ts'
import { AUDIT_COMMANDS } from './energent/audit.ts'
import { CLIENT_COMMANDS } from './energent/clients.ts'
import {
  COMMON_OPTIONS,
  type Command,
  type Given,
  helpOf,
  optionLines,
  readOptions,
} from './energent/command.ts'
import { KEY_COMMANDS } from './energent/keys.ts'
import { OPERATOR_COMMANDS } from './energent/operators.ts'
import { SESSION_COMMANDS } from './energent/sessions.ts'
import { TENANT_COMMANDS } from './energent/tenants.ts'
import { isRedriveCommand, runRedrive } from './redrive/run.ts'

/**
 * The operator's command line: what an operator does by hand.
 *
 * It works with the Google credentials of whoever runs it, or with the emulators that the environment
 * names, and writes to the same audit as everything else.
 */
const COMMANDS: Readonly<Record<string, Command>> = {
  ...OPERATOR_COMMANDS,
  ...CLIENT_COMMANDS,
  ...SESSION_COMMANDS,
  ...KEY_COMMANDS,
  ...AUDIT_COMMANDS,
  ...TENANT_COMMANDS,
}

/** Runs one command; answers the exit code: 0 done, 1 refused or failed, 2 asked wrongly: by what was typed alone. */
export async function run(args: readonly string[], io: Surroundings): Promise<number> {
  if (isRedriveCommand(args)) return runRedrive(args, io)
  const { name, rest } = commandOf(args)
  if (name === '--help' || name === '-h' || name === 'help') {
    io.out(generalHelp())
    return 0
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  const family = Object.entries(COMMANDS).filter(([known]) => known.startsWith(`${name} `))
  if (command === undefined && family.length > 0 && rest.every(isHelp)) {
    io.out(familyHelp(name, family))
    return 0
  }
  if (command === undefined) {
    io.err(`There is no command '${name}'.\nTry: npm run energent -- --help`)
    return 2
  }
  const read = readOptions(name, command, rest)
  if ('wrong' in read) {
    io.err(`${read.wrong}\nTry: npm run energent -- ${name} --help`)
    return 2
  }
  if (read.given.flag('help')) {
    io.out(helpOf(name, command))
    return 0
  }
  try {
    return await runCommand(command, read.given, io)
  } catch (error) {
    io.err(error instanceof Error ? error.message : String(error))
    return error instanceof ConfigError ? 2 : 1
  }
}

/** Some commands have two words: the second is part of the name if the two together are one. */
function commandOf(args: readonly string[]): { readonly name: string; readonly rest: readonly string[] } {
  const [first = '--help', second, ...rest] = args
  const both = `${first} ${second}`
  if (second !== undefined && Object.hasOwn(COMMANDS, both)) return { name: both, rest }
  return { name: first, rest: args.slice(1) }
}

function isHelp(arg: string): boolean {
  return arg === '--help' || arg === '-h'
}

function familyHelp(name: string, family: readonly (readonly [string, Command])[]): string {
  const width = Math.max(...family.map(([known]) => known.length)) + 3
  return [
    `Usage: npm run energent -- ${name} <command> [options]`,
    '',
    'Commands',
    ...family.map(([known, { summary }]) => `  ${known.padEnd(width)}${summary}`),
    '',
    `Each has its own help: npm run energent -- ${name} <command> --help`,
  ].join('\n')
}

async function runCommand(command: Command, given: Given, io: Surroundings): Promise<number> {
  const env = given.flag('stack') ? { ...io.env, ...stackEnv(given.text('data') ?? '.local') } : io.env
  const config = commandConfig(env, given.flag('stack') ? undefined : given.text('project'))
  const log = terminalLog(config, io)
  const deps = wireAuth(config, { log })
  let lifecycle: Lifecycle | undefined
  const nowMs = deps.platform.clock.now()
  const deployer = (): Promise<string> => deployerOf(config)
  try {
    const answer = await command.run({
      deps,
      given,
      nowMs,
      deployer,
      note: io.err,
      person: async () =>
        isDemoProject(config.GOOGLE_CLOUD_PROJECT) ? ('demo' as const) : deployerEmailOf(config),
      lifecycle: () => {
        lifecycle ??= wireLifecycle(config, { log, database: deps.platform.database })
        return lifecycle.deps
      },
      open: async (tenantId) => {
        const known = parseTenantId(tenantId)
        return known.ok ? ok(openAsDeployer(known.value, await deployer(), 'command line', nowMs)) : known
      },
    })
    if (!answer.ok) {
      io.err(`${answer.code}: ${answer.hint ?? answer.detail}`)
      return answer.code === 'request.malformed' ? 2 : 1
    }
    if (given.flag('json')) io.out(JSON.stringify(answer.value.json))
    else for (const line of answer.value.lines) io.out(line)
    return answer.value.failed === true ? 1 : 0
  } finally {
    await lifecycle?.deps.deadLetters.close()
    await closeDatabase(deps.platform.database)
  }
}

function generalHelp(): string {
  const listed = {
    ...Object.fromEntries(
      Object.entries(COMMANDS)
        .filter(([name]) => !name.startsWith('tenants '))
        .map(([name, { summary }]) => [name, summary]),
    ),
    tenants: 'Create, change, suspend, offboard and purge tenants, and see how far it has come.',
    quarantine: 'Look at messages that were refused for good, send them again or give them up.',
    'dead-letters': 'The same for messages that Pub/Sub gave up on.',
  }
  const width = Math.max(...Object.keys(listed).map((name) => name.length)) + 3
  return [
    'Usage: npm run energent -- <command> [options]',
    '',
    'Commands',
    ...Object.entries(listed).map(([name, summary]) => `  ${name.padEnd(width)}${summary}`),
    '',
    'Each has its own help: npm run energent -- <command> --help',
    '',
    'Options of all commands',
    ...optionLines(COMMON_OPTIONS),
    '',
    "Credentials are Google's application default credentials (gcloud auth application-default login).",
    'They need access to Firestore, Secret Manager and Pub/Sub of the project.',
    'In a project whose id starts with demo-, FIRESTORE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST and',
    'SECRET_MANAGER_EMULATOR_HOST name local ones; --stack takes those of the local stack.',
  ].join('\n')
}

if (import.meta.main) {
  // The local stack is not on Google's machines: looking for their metadata server costs time and a warning.
  if (process.argv.includes('--stack')) process.env['METADATA_SERVER_DETECTION'] ??= 'none'
  const code = await run(process.argv.slice(2), {
    env: process.env,
    out: (line) => console.log(line),
    err: (line) => console.error(line),
  })
  // The clients of Pub/Sub and Secret Manager keep connections open that nothing else ends.
  process.exit(code)
}

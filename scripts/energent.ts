import { parseArgs } from 'node:util'
import { ConfigError } from '#shared/config.ts'
import { closeDatabase } from '#shared/firestore/database.ts'
import {
  addOperator,
  bootstrapOperator,
  type NewOperator,
} from '../functions/auth/operations/bootstrap-operator.ts'
import { wireAuth } from '../functions/auth/wiring.ts'
import { commandConfig, deployerOf, type Surroundings, terminalLog } from './command-line.ts'
import { isRedriveCommand, runRedrive } from './redrive/run.ts'

/**
 * The operator's command line: what must be done before anybody has a token.
 *
 * It works with the Google credentials of whoever runs it, or with the emulators that the environment
 * names, and writes to the same audit as everything else.
 */
const HELP = `Usage: npm run energent -- <command> [options]

Commands
  bootstrap-operator   Create the platform tenant and its first operator. Works once.
  add-operator         Add another operator; approvals that need two need two people.
  quarantine           Look at messages that were refused for good, send them again or give them up.
  dead-letters         The same for messages that Pub/Sub gave up on.
                       Both have their own help: npm run energent -- quarantine --help

Options
  --email ADDRESS      Whose client it is. Only a keyed hash of the address is stored.
  --project ID         The Google Cloud project. Default: GOOGLE_CLOUD_PROJECT.
  --json               Print the result as JSON.
  --help               Print this.

Credentials are Google's application default credentials (gcloud auth application-default login).
They need access to Firestore, Secret Manager and Pub/Sub of the project.
In a project whose id starts with demo-, FIRESTORE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST and
SECRET_MANAGER_EMULATOR_HOST name local ones.

The client secret is printed once. Nobody can show it again.`

const COMMANDS = { 'bootstrap-operator': bootstrapOperator, 'add-operator': addOperator } as const

type Wanted = {
  readonly command: keyof typeof COMMANDS
  readonly email: string
  readonly project: string | undefined
  readonly json: boolean
}

/** Runs one command; answers the exit code: 0 done, 1 refused or failed, 2 asked wrongly. */
export async function run(args: readonly string[], io: Surroundings): Promise<number> {
  if (isRedriveCommand(args)) return runRedrive(args, io)
  const wanted = readArguments(args)
  if (wanted === 'help') {
    io.out(HELP)
    return 0
  }
  if (typeof wanted === 'string') {
    io.err(`${wanted}\nTry: npm run energent -- --help`)
    return 2
  }
  try {
    return await runCommand(wanted, io)
  } catch (error) {
    io.err(error instanceof Error ? error.message : String(error))
    return error instanceof ConfigError ? 2 : 1
  }
}

async function runCommand(wanted: Wanted, io: Surroundings): Promise<number> {
  const config = commandConfig(io.env, wanted.project)
  const log = terminalLog(config, io)
  const deps = wireAuth(config, { log })
  try {
    const deployer = await deployerOf(config)
    const command = { email: wanted.email, deployer, nowMs: deps.platform.clock.now() }
    const made = await COMMANDS[wanted.command](deps, command)
    if (!made.ok) {
      io.err(`${made.code}: ${made.hint ?? made.detail}`)
      return 1
    }
    print(made.value, wanted, io)
    return 0
  } finally {
    await closeDatabase(deps.platform.database)
  }
}

function readArguments(args: readonly string[]): Wanted | 'help' | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        email: { type: 'string' },
        project: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help || positionals.length === 0) return 'help'
    const [name, ...rest] = positionals
    const command = (Object.keys(COMMANDS) as (keyof typeof COMMANDS)[]).find((known) => known === name)
    if (command === undefined) return `There is no command '${name}'.`
    if (rest.length > 0) return `'${rest.join(' ')}' is more than ${command} takes.`
    if (values.email === undefined) return `${command} needs --email.`
    return { command, email: values.email, project: values.project, json: values.json }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function print({ client, clientSecret, ownerUserId }: NewOperator, wanted: Wanted, io: Surroundings): void {
  if (wanted.json) {
    io.out(JSON.stringify({ clientId: client.clientId, clientSecret, ownerUserId, scopes: client.scopes }))
    return
  }
  io.out(`Operator client created for ${wanted.email}`)
  io.out(`  client id      ${client.clientId}`)
  io.out(`  client secret  ${clientSecret}`)
  io.out('Keep the secret now: it is stored nowhere and cannot be shown again.')
}

if (import.meta.main) {
  const code = await run(process.argv.slice(2), {
    env: process.env,
    out: (line) => console.log(line),
    err: (line) => console.error(line),
  })
  // The clients of Pub/Sub and Secret Manager keep connections open that nothing else ends.
  process.exit(code)
}

import { FUNCTIONS, type Group } from '#shared/catalogue/functions.ts'
import { type Config, ConfigError } from '#shared/config.ts'
import { SUBSCRIPTIONS } from '#shared/contracts/topics.ts'
import { closeDatabase } from '#shared/firestore/database.ts'
import { PLATFORM_TENANT, parseTenantId } from '#shared/ids.ts'
import { openDeadLetters } from '#shared/pubsub/dead-letters.ts'
import { quarantineDesk } from '#shared/pubsub/quarantine-desk.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { wirePlatform } from '#shared/wiring.ts'
import { commandConfig, deployerOf, type Surroundings, stackEnv, terminalLog } from '../command-line.ts'
import { HELP, readArguments, type Wanted } from './arguments.ts'
import { runOnDeadLetters } from './on-dead-letters.ts'
import { runOnQuarantine } from './on-quarantine.ts'

export { isRedriveCommand } from './arguments.ts'

/** Makes the right to act on a tenant, for the one whose message it is; the platform's where nobody is known. */
export type OpenTenant = (tenantId: string | undefined) => TenantContext

/** Runs one command on quarantine or dead letters; answers the exit code. */
export async function runRedrive(args: readonly string[], io: Surroundings): Promise<number> {
  const wanted = readArguments(args)
  if (wanted === 'help') {
    io.out(HELP)
    return 0
  }
  if (typeof wanted === 'string') {
    io.err(`${wanted}\nTry: npm run energent -- ${args[0]} --help`)
    return 2
  }
  try {
    return await runWanted(wanted, io)
  } catch (error) {
    io.err(error instanceof Error ? error.message : String(error))
    return error instanceof ConfigError ? 2 : 1
  }
}

async function runWanted(wanted: Wanted, io: Surroundings): Promise<number> {
  const env = wanted.stack ? { ...io.env, ...stackEnv(wanted.dataDir) } : io.env
  const config = commandConfig(env, wanted.stack ? undefined : wanted.project)
  requirePubsub(config)
  const platform = wirePlatform(config, groupOf(wanted), { log: terminalLog(config, io) })
  const { clock, database, ids, publisher, system, tenants } = platform
  try {
    // Looking at something asks nobody who is looking; the credentials decide what can be read.
    const looks = wanted.dryRun || wanted.action === 'list' || wanted.action === 'show'
    const deployer = looks ? '' : await deployerOf(config)
    const nowMs = clock.now()
    const open: OpenTenant = (tenantId) => {
      const known = parseTenantId(tenantId)
      return openAsDeployer(known.ok ? known.value : PLATFORM_TENANT, deployer, 'redrive', nowMs)
    }
    const deps = { tenants, publisher, open, nowMs }
    if (wanted.area === 'quarantine') {
      return await runOnQuarantine({ ...deps, desk: quarantineDesk(wanted.group, system, ids) }, wanted, io)
    }
    const options = { project: config.GOOGLE_CLOUD_PROJECT, emulatorHost: config.PUBSUB_EMULATOR_HOST }
    const box = await openDeadLetters(options, wanted.topic)
    try {
      return await runOnDeadLetters({ ...deps, box }, wanted, io)
    } finally {
      await box.close()
    }
  } finally {
    await closeDatabase(database)
  }
}

/** Whose audit and quarantine it is: of a topic's dead letters, the first group that listens. */
function groupOf(wanted: Wanted): Group {
  if (wanted.area === 'quarantine') return wanted.group
  const listener = SUBSCRIPTIONS.find(({ topic }) => topic === wanted.topic)?.listener ?? 'tenants-api'
  return FUNCTIONS[listener].group
}

function requirePubsub(config: Config): void {
  if (config.FIRESTORE_EMULATOR_HOST === undefined || config.PUBSUB_EMULATOR_HOST !== undefined) return
  throw new ConfigError(
    'FIRESTORE_EMULATOR_HOST is set and PUBSUB_EMULATOR_HOST is not: set both or neither.',
  )
}

import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { systemClock } from '#shared/clock.ts'
import { type Config, ConfigError, isDemoProject, readConfig } from '#shared/config.ts'
import { createLogger, type Logger } from '#shared/log.ts'

/** Where a run reads and writes: the process, or a test. */
export type Surroundings = {
  readonly env: Readonly<Record<string, string | undefined>>
  out(line: string): void
  err(line: string): void
}

/** The configuration of a command; throws `ConfigError` when a demo project has no emulators named. */
export function commandConfig(env: Surroundings['env'], project: string | undefined): Config {
  // No token is made and no request taken here, so the settings of a function stand empty.
  const unused = 'https://command-line.invalid'
  const config = readConfig({
    FUNCTION_TARGET: 'energent',
    FUNCTION_URI: unused,
    PUBLIC_BASE_URL: unused,
    // Only its function goes to the cluster and to IAM: the command line orders, and waits for what comes of it.
    KUBERNETES_API_URL: unused,
    PROJECT_NUMBER: '100000',
    ...env,
    GOOGLE_CLOUD_PROJECT: project ?? env['GOOGLE_CLOUD_PROJECT'],
  })
  if (
    isDemoProject(config.GOOGLE_CLOUD_PROJECT) &&
    (config.FIRESTORE_EMULATOR_HOST === undefined || config.SECRET_MANAGER_EMULATOR_HOST === undefined)
  ) {
    throw new ConfigError(
      'A demo project has no Google behind it: set FIRESTORE_EMULATOR_HOST and SECRET_MANAGER_EMULATOR_HOST.',
    )
  }
  return config
}

const ROOT = join(import.meta.dirname, '..')

/** The settings of the stack that runs now, its clock included. */
export function stackEnv(dataDir: string): Record<string, string> {
  const folder = resolve(ROOT, dataDir)
  const file = join(folder, 'stack.json')
  let info: Record<string, unknown>
  try {
    info = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    throw new ConfigError(
      `No local stack runs: there is no ${file}. Start one with npm start, or name it with --data.`,
    )
  }
  const clock = join(folder, 'clock')
  return {
    GOOGLE_CLOUD_PROJECT: String(info['project']),
    PUBLIC_BASE_URL: String(info['gatewayUrl']),
    FIRESTORE_EMULATOR_HOST: String(info['firestoreHost']),
    PUBSUB_EMULATOR_HOST: String(info['pubsubHost']),
    SECRET_MANAGER_EMULATOR_HOST: String(info['secretManagerHost']),
    ...(existsSync(clock) ? { CLOCK_FILE: clock } : {}),
  }
}

/** A log for the terminal: it is for the answer, and what went right on the way is not news there. */
export function terminalLog(config: Config, io: Surroundings): Logger {
  return createLogger({
    clock: systemClock,
    project: config.GOOGLE_CLOUD_PROJECT,
    service: 'energent',
    write: (line) => (line.includes('"severity":"INFO"') ? undefined : io.err(line)),
  })
}

/** The person who runs this, by the address Google has verified; undefined for a machine, and locally. */
export async function deployerEmailOf(config: Config): Promise<string | undefined> {
  if (isDemoProject(config.GOOGLE_CLOUD_PROJECT)) return undefined
  const { email, email_verified: isVerified } = await googleIdentity()
  const isMachine = email === undefined || email.endsWith('.gserviceaccount.com')
  return isMachine || isVerified !== true ? undefined : email
}

/** Who runs this, as Google says: an id for the audit, which keeps no e-mail addresses. */
export async function deployerOf(config: Config): Promise<string> {
  if (isDemoProject(config.GOOGLE_CLOUD_PROJECT)) return 'deployer:local'
  const info = await googleIdentity()
  return `google:${info.sub ?? info.azp ?? info.aud}`
}

async function googleIdentity() {
  const { GoogleAuth, OAuth2Client } = await import('google-auth-library')
  const auth = new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'] })
  const token = await auth.getAccessToken()
  if (!token) throw new Error('No Google credentials found: run gcloud auth application-default login.')
  return new OAuth2Client().getTokenInfo(token)
}

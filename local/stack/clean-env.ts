/** Settings of Google's clients that point a program at some other emulator or server. */
const POINTERS = [
  'FIRESTORE_EMULATOR_HOST',
  'PUBSUB_EMULATOR_HOST',
  'SECRET_MANAGER_EMULATOR_HOST',
  'STORAGE_EMULATOR_HOST',
  'GCE_METADATA_HOST',
  'GOOGLE_APPLICATION_CREDENTIALS',
] as const

/**
 * Makes this process talk to its own stack alone. Google's clients prefer what the environment says to
 * what they are told, and a shell often still points at another stack, or at production.
 */
export function keepToOwnStack(env: Record<string, string | undefined>): void {
  for (const name of POINTERS) delete env[name]
  env['METADATA_SERVER_DETECTION'] = 'none'
}

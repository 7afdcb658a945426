import type { SecretStore } from '#shared/secrets.ts'

const NOT_FOUND = 5

/**
 * Adds a version and returns its number. The secret is only created when it is missing: where
 * Terraform made it, this function's account may add versions and nothing else.
 */
export async function addSecretVersion(
  secrets: SecretStore,
  name: string,
  payload: Uint8Array,
): Promise<string> {
  try {
    return await secrets.addVersion(name, payload)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === NOT_FOUND)) throw error
    await secrets.ensureSecret(name)
    return secrets.addVersion(name, payload)
  }
}

import { openSqlite } from '../sqlite.ts'
import type { Policy, Secret, SecretConfig, Version } from './model.ts'

export type SecretStore = {
  find(name: string): Secret | undefined
  all(): Iterable<Secret>
  /** Replaces a secret and its versions, durable against a kill once it returns. */
  save(secret: Secret): void
  delete(name: string): void
  reset(): void
  close(): void
}

type StoredVersion = Omit<Version, 'data'> & { readonly data: string | null }

const SCHEMA = 'CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL)'

/** Secrets in memory, written through to an SQLite file when there is one. */
export function openSecretStore(file: string | undefined): SecretStore {
  const secrets = new Map<string, Secret>()
  const db = file === undefined ? undefined : openSqlite(file, SCHEMA)
  for (const row of db?.prepare('SELECT value FROM secrets').all() ?? []) {
    const secret = parse(String(row['value']))
    secrets.set(secret.config.name, secret)
  }
  const put = db?.prepare('INSERT OR REPLACE INTO secrets VALUES (?, ?)')
  const drop = db?.prepare('DELETE FROM secrets WHERE name = ?')
  return {
    find: (name) => secrets.get(name),
    all: () => secrets.values(),
    save: (secret) => {
      put?.run(secret.config.name, stringify(secret))
      secrets.set(secret.config.name, secret)
    },
    delete: (name) => {
      drop?.run(name)
      secrets.delete(name)
    },
    reset: () => {
      db?.exec('DELETE FROM secrets')
      secrets.clear()
    },
    close: () => db?.close(),
  }
}

function stringify({ config, policy, versions }: Secret): string {
  return JSON.stringify({
    config,
    policy,
    versions: versions.map((version) => ({ ...version, data: version.data?.toString('base64') ?? null })),
  })
}

function parse(text: string): Secret {
  const stored = JSON.parse(text) as {
    config: SecretConfig
    versions: StoredVersion[]
    policy?: Policy
  }
  return {
    config: stored.config,
    ...(stored.policy === undefined ? {} : { policy: stored.policy }),
    versions: stored.versions.map((version) => ({
      ...version,
      data: version.data === null ? null : Buffer.from(version.data, 'base64'),
    })),
  }
}

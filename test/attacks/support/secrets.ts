import type { Seen } from './answer.ts'
import type { World } from './world.ts'

/** What no answer to an attacker and no line of a log ever says. */
export type Secrets = { findIn(text: string): string | undefined }

/** What is ours alone in whatever words: traces of the code, stored forms of credentials, keys. */
const INSIDE = /node_modules|\/functions\/|\.(?:ts|js|mjs):\d+|PRIVATE KEY|pepper|"hmac"|Sealed"|ECONNREFUSED/

export function secretsOf({ victim, apiKeys, people }: World): Secrets {
  const texts = [
    ...[victim.machine, victim.modest, victim.web, victim.bound].map(({ clientSecret }) => clientSecret),
    apiKeys.victim,
    ...Object.values(people.of).flatMap(({ refreshToken, idToken }) => [refreshToken, idToken]),
  ]
  return {
    findIn: (text) => texts.find((secret) => text.includes(secret)) ?? INSIDE.exec(text)?.[0],
  }
}

/** What an answer told that it must not tell. */
export function toldBy(secrets: Secrets, seen: readonly Seen[]): readonly string[] {
  return seen.flatMap(({ body, headers }) => secrets.findIn(body + JSON.stringify(headers)) ?? [])
}

import { ok, type Refusal, type Result, refuse, retryLater } from '#shared/result.ts'
import { openByCredential } from '#shared/tenancy/credential.ts'
import type { Revocations } from '#shared/tokens/revocations.ts'
import { ACCESS_BY_STATE } from '#shared/tokens/tenant-access.ts'
import type { Client } from '../domain/client.ts'
import { matchesSecret } from '../domain/client-secret.ts'
import { type Once, refuseUsedAssertion } from '../domain/once.ts'
import type { PresentedClient } from '../domain/presented-client.ts'
import type { FailedLoginCount, FailureWatch } from '../ports/failures.ts'
import type { ClientAssertions, Credentials, KeptCredentials, PepperStore, ReplayStore } from '../ports.ts'
import type { ProvenClient } from './grant-request.ts'
import { type TellLockoutDeps, tellLockout } from './tell-lockout.ts'

export type AuthenticateClientDeps = TellLockoutDeps & {
  readonly issuer: string
  readonly credentials: Credentials
  readonly peppers: PepperStore
  readonly assertions: ClientAssertions
  readonly replay: ReplayStore
  readonly failures: FailureWatch
  readonly failedLogins: FailedLoginCount
  readonly revocations: Pick<Revocations, 'fresh'>
}

/** When and from where a proof came. */
export type Asked = { readonly nowMs: number; readonly clientAddress: string }

/** How long a client is known without asking: the bound within which a change of it bites. */
const KNOWN_MS = 2_000
/** The same while wrong proofs are turned away: a flood of them costs a read in so many milliseconds. */
const KNOWN_WHEN_LOCKED_MS = 5_000

/** A client that proved itself, if its assertion was not shown before. */
export type CheckedClient = {
  readonly client: ProvenClient
  /** What must count once: to be written down before anything is given for it. */
  readonly assertion: Once | undefined
  /** What it comes to: proven, or not a proof after all, as when the assertion was shown before. */
  conclude(notProven: Refusal | undefined): Result<ProvenClient>
}

/**
 * Proves who a client is, for every endpoint where clients authenticate.
 *
 * One refusal for an unknown client, a wrong proof, another way than the registered one, a disabled
 * client and a tenant without access; and the same work is done for a client that is not there. Reads
 * once, and not at all for a client seen just now; only an assertion is written down, so that it counts
 * once. After many wrong proofs from one address those from there are told to come back later, and a
 * right one is taken all the same: nobody can lock out another. Throws when the store is down.
 */
export async function authenticateClient(
  deps: AuthenticateClientDeps,
  presented: PresentedClient,
  asked: Asked,
): Promise<Result<ProvenClient>> {
  const checked = await checkClient(deps, presented, asked)
  if (!checked.ok) return checked
  const { client, assertion, conclude } = checked.value
  // Last of all, so that nobody but the client can fill the store with assertions.
  return conclude(await claim(deps, client, assertion))
}

/** Writes an assertion down, in a commit of its own; a refusal if it was shown before. */
export async function claim(
  deps: Pick<AuthenticateClientDeps, 'replay'>,
  { ctx }: Pick<ProvenClient, 'ctx'>,
  assertion: Once | undefined,
): Promise<Refusal | undefined> {
  if (assertion === undefined || (await deps.replay.claimOnce(ctx, assertion))) return undefined
  return refuseUsedAssertion()
}

/** The same for whoever commits something anyway, and writes the assertion down in that commit. */
export async function checkClient(
  deps: AuthenticateClientDeps,
  presented: PresentedClient,
  { nowMs, clientAddress }: Asked,
): Promise<Result<CheckedClient>> {
  const { tenantId, clientId } = presented
  // Before the client is read: see `revokedUntil`.
  const revokedUntil = (await deps.revocations.fresh()).watermark(tenantId, { clientId })
  const attempt = { clientId, address: clientAddress }
  const lockedUntilMs = deps.failures.lockedUntilMs(attempt, nowMs)
  const look = (clientMs: number, missingMs: number): Promise<Seen> =>
    see(deps, presented, { nowMs, clientMs, missingMs })
  let seen =
    lockedUntilMs > 0 ? await look(KNOWN_WHEN_LOCKED_MS, KNOWN_WHEN_LOCKED_MS) : await look(KNOWN_MS, 0)
  // A secret may be newer than what is known of the client.
  if (!seen.proven.ok && seen.kept && lockedUntilMs === 0) seen = await look(0, 0)
  // And what the feed says of it may be newer too: disabled, changed or gone.
  if (seen.proven.ok && seen.kept && revokedUntil > watermarkOf(seen.proven.value)) seen = await look(0, 0)
  const { exists, reason } = seen
  const failed = (refusal: Refusal): Refusal => {
    const known = exists ? tenantId : undefined
    const lockout = deps.failures.failed({ ...attempt, tenantId: known }, nowMs)
    if (lockout !== undefined) tellLockout(deps, lockout)
    if (exists) deps.failedLogins.count({ tenantId, credential: 'client', id: clientId, reason }, nowMs)
    if (lockedUntilMs === 0) return refusal
    const hint = 'Too many wrong attempts for this client from here.'
    return retryLater(refuse('rate.limited', 'locked out', hint), (lockedUntilMs - nowMs) / 1000)
  }
  if (!seen.proven.ok) return failed(seen.proven)
  const { proof, ...known } = seen.proven.value
  const ctx = openByCredential(tenantId, 'client', clientId)
  const client = { ...known, revokedUntil, ctx, method: presented.method }
  const conclude = (notProven: Refusal | undefined): Result<ProvenClient> => {
    if (notProven !== undefined) return failed(notProven)
    deps.failures.proven(attempt)
    return ok(client)
  }
  return ok({ client, assertion: proof.once, conclude })
}

function watermarkOf({ client, state }: Provable): number {
  return Math.max(client.notBefore, state.notBefore)
}

type Seen = {
  readonly proven: Result<Provable>
  /** Whether there is such a client, in a tenant that is there. */
  readonly exists: boolean
  readonly kept: boolean
  /** For the sums of failed attempts: which check it was. */
  readonly reason: string
}

type Provable = Omit<ProvenClient, 'ctx' | 'method'> & { readonly proof: Proof }

async function see(
  deps: AuthenticateClientDeps,
  presented: PresentedClient,
  freshness: KeptCredentials,
): Promise<Seen> {
  const [{ client, state, kept, asOfMs }] = await Promise.all([
    deps.credentials.find(presented.tenantId, presented.clientId, freshness),
    deps.peppers.all([]),
  ])
  const proof = await checkProof(deps, presented, client, freshness.nowMs)
  const seen = { exists: client !== undefined && state !== undefined, kept, reason: presented.method }
  if (client === undefined) return { ...seen, proven: refuse('client.invalid', 'unknown client') }
  if (!proof.ok) return { ...seen, proven: proof }
  if (client.status !== 'active') {
    return { ...seen, reason: 'disabled', proven: refuse('client.invalid', 'disabled client') }
  }
  if (state === undefined) return { ...seen, proven: refuse('client.invalid', 'unknown tenant') }
  if (ACCESS_BY_STATE[state.status].kind === 'none') {
    return { ...seen, reason: 'no access', proven: refuse('client.invalid', `tenant is ${state.status}`) }
  }
  return {
    ...seen,
    proven: ok({ client, state, ...(asOfMs === undefined ? {} : { asOfMs }), proof: proof.value }),
  }
}

/** What of a proof must never count again. */
type Proof = { readonly once?: Once }

async function checkProof(
  deps: AuthenticateClientDeps,
  presented: PresentedClient,
  client: Client | undefined,
  nowMs: number,
): Promise<Result<Proof>> {
  const registered = client?.authMethod
  switch (presented.method) {
    case 'none':
      return registered === 'none' ? ok({}) : refuse('client.invalid', 'not a public client')
    case 'private_key_jwt': {
      const checked = await deps.assertions.check(
        presented.assertion,
        presented.clientId,
        registered === 'private_key_jwt' ? client : undefined,
        nowMs,
      )
      return checked.ok
        ? ok({ once: { kind: 'assertion', issuer: presented.clientId, ...checked.value } })
        : checked
    }
    default: {
      const secrets = registered?.startsWith('client_secret_') === true ? (client?.secrets ?? []) : []
      const peppers = await deps.peppers.all(secrets.map((secret) => secret.pepperVersion))
      return matchesSecret(presented.secret, secrets, peppers, nowMs)
        ? ok({})
        : refuse('client.invalid', 'wrong or expired secret')
    }
  }
}

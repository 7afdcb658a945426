import { createPublicKey, sign, verify } from 'node:crypto'
import type { ChainEnd, ChainOwner } from '#shared/contracts/audit-chain.ts'
import { canonicalJson } from '#shared/json.ts'
import type { PublicJwk } from './access-key.ts'
import type { Signer } from './access-token.ts'

const TYPE = 'audit-head+jwt'

/**
 * The end of an audit chain, signed: whoever can write to the store can forge links, and cannot forge
 * this. A JWS of a type of its own, with no claim that a token has.
 */
export function signHead(owner: ChainOwner, end: ChainEnd, signer: Signer): string {
  const signed = `${encode({ alg: 'ES256', typ: TYPE, kid: signer.kid })}.${encode({ v: 1, ...owner, ...end })}`
  const key = { key: signer.key, dsaEncoding: 'ieee-p1363' } as const
  return `${signed}.${sign('sha256', Buffer.from(signed, 'ascii'), key).toString('base64url')}`
}

/** Whether the signature is by one of our keys over this very end; `unknown-key` when the key is kept no longer. */
export function checkHead(
  signature: string,
  owner: ChainOwner,
  end: ChainEnd,
  keys: ReadonlyMap<string, PublicJwk>,
): 'good' | 'bad' | 'unknown-key' {
  const [header = '', payload = '', mark = '', ...rest] = signature.split('.')
  const kid = kidOf(header)
  const jwk = kid === undefined ? undefined : keys.get(kid)
  if (kid === undefined || rest.length > 0) return 'bad'
  if (header !== encode({ alg: 'ES256', typ: TYPE, kid })) return 'bad'
  if (payload !== encode({ v: 1, ...owner, ...end })) return 'bad'
  if (jwk === undefined) return 'unknown-key'
  const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
  const bytes = Buffer.from(`${header}.${payload}`, 'ascii')
  const given = Buffer.from(mark, 'base64url')
  return verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, given) ? 'good' : 'bad'
}

function kidOf(header: string): string | undefined {
  try {
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as { kid?: unknown }
    return typeof kid === 'string' ? kid : undefined
  } catch {
    return undefined
  }
}

/** Canonical, so that the same end is the same bytes whoever read it from where. */
function encode(value: object): string {
  return Buffer.from(canonicalJson(value), 'utf8').toString('base64url')
}

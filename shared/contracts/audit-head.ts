import { createPublicKey, verify } from 'node:crypto'
import { canonicalJson } from '../json.ts'
import type { ChainEnd, ChainOwner } from './audit-chain.ts'

const TYPE = 'audit-head+jwt'

/** A public key of whoever seals an audit (RFC 7517). */
export type HeadKey = { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }

/** What signs the end of a chain: ES256 over the bytes given, as base64url of r and s (RFC 7518 §3.4). */
export type HeadSigner = { readonly kid: string; sign(bytes: Uint8Array): string | Promise<string> }

/**
 * The end of an audit chain, signed: whoever can write to the store can forge links, and cannot forge
 * this. A JWS of a type of its own, with no claim that a token has.
 */
export async function signHead(owner: ChainOwner, end: ChainEnd, signer: HeadSigner): Promise<string> {
  const signed = `${encode({ alg: 'ES256', typ: TYPE, kid: signer.kid })}.${encode({ v: 1, ...owner, ...end })}`
  return `${signed}.${await signer.sign(Buffer.from(signed, 'ascii'))}`
}

/** Whether the signature is by one of our keys over this very end; `unknown-key` when the key is kept no longer. */
export function checkHead(
  signature: string,
  owner: ChainOwner,
  end: ChainEnd,
  keys: ReadonlyMap<string, HeadKey>,
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

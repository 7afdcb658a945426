import { createPublicKey, type KeyObject } from 'node:crypto'
import { asRecord } from '../json.ts'
import { ok, type Result, refuse } from '../result.ts'
import { findRsaFault } from './rsa-modulus.ts'

/** The signature algorithms that somebody else's keys may be used with. None is symmetric. */
export const ADMITTED_ALGS = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
] as const
export type AdmittedAlg = (typeof ADMITTED_ALGS)[number]

export type AdmittedKey = {
  readonly kid: string | undefined
  /** What the key may verify; one alone where the key names its `alg`. */
  readonly algs: readonly AdmittedAlg[]
  readonly key: KeyObject
}

export type AdmittedKeys = {
  readonly keys: readonly AdmittedKey[]
  /** What each key was left out for, for the log. */
  readonly left: readonly string[]
}

const MOST_KEYS = 50
const MOST_ID_LENGTH = 256
const RSA_ALGS: readonly AdmittedAlg[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
/** By curve: the one algorithm it has and the bytes of a coordinate. */
const EC_CURVES: Readonly<Record<string, readonly [alg: AdmittedAlg, bytes: number]>> = {
  'P-256': ['ES256', 32],
  'P-384': ['ES384', 48],
  'P-521': ['ES512', 66],
}
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

export function isAdmittedAlg(value: unknown): value is AdmittedAlg {
  return ADMITTED_ALGS.some((alg) => alg === value)
}

/**
 * Takes a public key that somebody else gave us, if it is one that can only verify signatures and is
 * strong enough (RFC 8725 §3.4 and §3.5, RFC 7517, RFC 7518 §6).
 *
 * RSA from 2048 to 8192 bits with an odd exponent from 65537, no modulus of a known weak generator;
 * P-256, P-384, P-521 with a point on the curve; Ed25519 with a point of full order. Each number in the
 * one spelling it has. `use`, `key_ops` and `alg`, where given, all have to mean verification.
 */
export function admitJwk(jwk: unknown): Result<AdmittedKey> {
  const members = asRecord(jwk)
  if (members === undefined) return refused('not an object')
  const secret = PRIVATE_MEMBERS.find((name) => Object.hasOwn(members, name))
  if (secret !== undefined || members['kty'] === 'oct') return refused('not a public key')
  const { kid, alg } = members
  if (kid !== undefined && !isId(kid)) return refused('kid')
  const purpose = findPurposeFault(members)
  if (purpose !== undefined) return refused(purpose)
  const admitted = admitByType(members)
  if (!admitted.ok) return admitted
  const { algs, key } = admitted.value
  if (alg === undefined) return ok({ kid, algs, key })
  // The fully specified name of RFC 9864 means the same key.
  const named = algs.find((known) => known === alg || (known === 'EdDSA' && alg === 'Ed25519'))
  return named === undefined ? refused('alg does not belong to the key') : ok({ kid, algs: [named], key })
}

/**
 * Takes the keys of a JWKS (RFC 7517 §5).
 *
 * Keys for something else, of unknown type or too weak are left out; the rest stays usable. A set with a
 * secret in it, or with one key id for two keys, is refused as a whole: whoever publishes that has lost
 * control of it, or wants us to take one key for the other.
 */
export function admitJwks(document: unknown): Result<AdmittedKeys> {
  const list = asRecord(document)?.['keys']
  if (!Array.isArray(list)) return refused('no key set')
  if (list.length > MOST_KEYS) return refused(`more than ${MOST_KEYS} keys`)
  const keys: AdmittedKey[] = []
  const left: string[] = []
  for (const jwk of list) {
    const members = asRecord(jwk)
    if (members === undefined) return refused('a key is not an object')
    if (members['kty'] === 'oct' || PRIVATE_MEMBERS.some((name) => Object.hasOwn(members, name))) {
      return refused('a key of the set is not public')
    }
    const admitted = admitJwk(jwk)
    if (admitted.ok) keys.push(admitted.value)
    else left.push(admitted.detail)
  }
  const ids = keys.map((key) => key.kid).filter((kid) => kid !== undefined)
  if (new Set(ids).size !== ids.length) return refused('two keys have one kid')
  return ok({ keys, left })
}

/**
 * The one key of a set for a token's header. Without a `kid` in the header, only when there is exactly
 * one key for the algorithm: trying one after the other would let the sender choose.
 */
export function selectKey(
  keys: readonly AdmittedKey[],
  wanted: { readonly kid: string | undefined; readonly alg: AdmittedAlg },
): KeyObject | undefined {
  const fitting = keys.filter(
    ({ kid, algs }) => algs.includes(wanted.alg) && (wanted.kid === undefined || kid === wanted.kid),
  )
  return fitting.length === 1 ? fitting[0]?.key : undefined
}

function findPurposeFault(members: Readonly<Record<string, unknown>>): string | undefined {
  const { use, key_ops: operations } = members
  if (use !== undefined && use !== 'sig') return 'use is not sig'
  if (operations === undefined) return undefined
  const verifies = Array.isArray(operations) && operations.length === 1 && operations[0] === 'verify'
  return verifies ? undefined : 'key_ops is not verify alone'
}

type Taken = { readonly algs: readonly AdmittedAlg[]; readonly key: KeyObject }

function admitByType(members: Readonly<Record<string, unknown>>): Result<Taken> {
  switch (members['kty']) {
    case 'RSA':
      return admitRsa(members)
    case 'EC':
      return admitEc(members)
    case 'OKP':
      return admitOkp(members)
    default:
      return refused('kty')
  }
}

function admitRsa({ n, e }: Readonly<Record<string, unknown>>): Result<Taken> {
  const modulus = bytesOf(n)
  const exponent = bytesOf(e)
  if (modulus === undefined || exponent === undefined) return refused('n or e')
  const fault = findRsaFault(modulus, exponent)
  if (fault !== undefined) return refused(fault)
  return imported({ kty: 'RSA', n, e }, RSA_ALGS)
}

function admitEc({ crv, x, y }: Readonly<Record<string, unknown>>): Result<Taken> {
  const curve = typeof crv === 'string' && Object.hasOwn(EC_CURVES, crv) ? EC_CURVES[crv] : undefined
  if (curve === undefined) return refused('crv')
  const [alg, bytes] = curve
  if (bytesOf(x)?.length !== bytes || bytesOf(y)?.length !== bytes) return refused('x or y')
  // The import checks that the point is on the curve.
  return imported({ kty: 'EC', crv, x, y }, [alg])
}

function admitOkp({ crv, x }: Readonly<Record<string, unknown>>): Result<Taken> {
  if (crv !== 'Ed25519') return refused('crv')
  const point = bytesOf(x)
  if (point?.length !== 32) return refused('x')
  if (isSmallOrder(point)) return refused('a point of small order')
  return imported({ kty: 'OKP', crv, x }, ['EdDSA'])
}

/** Imports only the members that were checked, so that no other can mean anything. */
function imported(jwk: Record<string, unknown>, algs: readonly AdmittedAlg[]): Result<Taken> {
  try {
    return ok({ algs, key: createPublicKey({ key: jwk, format: 'jwk' }) })
  } catch {
    return refused('not a key')
  }
}

const FIELD = (1n << 255n) - 19n
/** The y coordinates of the eight points of small order of edwards25519. */
const SMALL_ORDER: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  FIELD - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
])

/** With such a key one signature is good for every message. A coordinate not below the field is no spelling of a point. */
function isSmallOrder(point: Uint8Array): boolean {
  const y = BigInt(`0x${Buffer.from(point).reverse().toString('hex')}`) & ((1n << 255n) - 1n)
  return y >= FIELD || SMALL_ORDER.has(y)
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MOST_ID_LENGTH
}

/** Base64url in its one spelling, or undefined. */
function bytesOf(value: unknown): Buffer | undefined {
  if (typeof value !== 'string' || value === '' || value.length > 2048) return undefined
  const bytes = Buffer.from(value, 'base64url')
  return bytes.toString('base64url') === value ? bytes : undefined
}

function refused(why: string): ReturnType<typeof refuse> {
  return refuse('request.malformed', `key: ${why}`, 'A public key is not accepted.')
}

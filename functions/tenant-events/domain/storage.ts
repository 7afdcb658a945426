import { asRecord } from '#shared/json.ts'

type Claim = Readonly<Record<string, unknown>>

/**
 * What to do about a volume claim: `apply` what is wanted, `keep` the larger one that is there, or
 * `replace` one that wants to grow and cannot, because nothing has bound it yet.
 */
export function decideClaim(live: Claim | undefined, wanted: Claim): 'apply' | 'keep' | 'replace' {
  if (live === undefined) return 'apply'
  const [has, wants] = [bytesOf(live), bytesOf(wanted)]
  // A size we cannot read is left to the server to judge.
  if (has === undefined || wants === undefined || has === wants) return 'apply'
  if (has > wants) return 'keep'
  return asRecord(live['status'])?.['phase'] === 'Bound' ? 'apply' : 'replace'
}

const UNITS: Readonly<Record<string, number>> = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 }

function bytesOf(claim: Claim): number | undefined {
  const requests = asRecord(asRecord(asRecord(claim['spec'])?.['resources'])?.['requests'])
  const [, amount, unit = ''] = /^(\d+)(Ki|Mi|Gi|Ti)?$/.exec(String(requests?.['storage'])) ?? []
  return amount === undefined ? undefined : Number(amount) * (UNITS[unit] ?? 1)
}

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  CHAIN_START,
  type ChainEnd,
  type ChainLink,
  faultsOfLink,
  merkleRoot,
  nextLink,
} from '#shared/contracts/audit-chain.ts'

const OWNER = { tenantId: 'acme', group: 'auth' }
const hash = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 })
const segment = fc.record({ id: fc.uuid(), root: hash, atMicros: fc.nat() })
const batches = fc.array(fc.array(segment, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 6 })

function chainOf(all: readonly (readonly { id: string; root: string; atMicros: number }[])[]): ChainLink[] {
  let end = CHAIN_START
  return all.map((segments) => {
    const next = nextLink(OWNER, end, segments, 1_000)
    end = next.end
    return next.link
  })
}

function faultsOf(links: readonly ChainLink[], owner = OWNER): string[] {
  let end: ChainEnd = CHAIN_START
  return links.flatMap((link) => {
    const faults = faultsOfLink(owner, end, link)
    end = { seq: link.seq, hash: link.hash, segments: 0, sealedAtMs: 0 }
    return faults
  })
}

test('a chain as it was made has no faults', () => {
  fc.assert(
    fc.property(batches, (all) => {
      expect(faultsOf(chainOf(all))).toEqual([])
    }),
  )
})

test('any change of a link, and its place in the chain, is a fault', () => {
  const changes: ((link: ChainLink) => ChainLink)[] = [
    (link) => ({ ...link, seq: link.seq + 1 }),
    (link) => ({ ...link, prev: 'f'.repeat(64) }),
    (link) => ({ ...link, root: 'f'.repeat(64) }),
    (link) => ({ ...link, hash: 'f'.repeat(64) }),
    (link) => ({ ...link, sealedAtMs: link.sealedAtMs + 1 }),
    (link) => ({ ...link, segments: link.segments.slice(1) }),
    (link) => ({ ...link, segments: [...link.segments, { id: 'x', root: 'f'.repeat(64), atMicros: 1 }] }),
    (link) => ({ ...link, segments: link.segments.map((one) => ({ ...one, atMicros: one.atMicros + 1 })) }),
    (link) => ({ ...link, segments: link.segments.map((one) => ({ ...one, id: `${one.id}x` })) }),
    (link) => ({ ...link, segments: link.segments.map((one) => ({ ...one, root: 'e'.repeat(64) })) }),
  ]
  fc.assert(
    fc.property(batches, fc.nat(), fc.constantFrom(...changes), (all, at, change) => {
      const links = chainOf(all)
      const place = at % links.length
      const link = links[place]
      if (link === undefined) return
      expect(faultsOf(links.with(place, change(link)))).not.toEqual([])
    }),
  )
})

test('a link left out, two swapped, or a chain of another tenant is a fault', () => {
  fc.assert(
    fc.property(fc.array(fc.array(segment, { minLength: 1 }), { minLength: 3, maxLength: 6 }), (all) => {
      const links = chainOf(all)
      const [first, second, ...rest] = links
      if (first === undefined || second === undefined) return
      expect(faultsOf([first, ...rest])).not.toEqual([])
      expect(faultsOf([second, first, ...rest])).not.toEqual([])
      expect(faultsOf(links, { tenantId: 'globex', group: 'auth' })).not.toEqual([])
    }),
  )
})

test('the order of segments is part of the root, and a leaf cannot stand for a node', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(64))
  if (a === undefined || b === undefined || c === undefined) return
  expect(merkleRoot([a, b])).not.toBe(merkleRoot([b, a]))
  expect(merkleRoot([a, b, c])).not.toBe(merkleRoot([merkleRoot([a, b]), c]))
  // RFC 9162 §2.1.1: the root over nothing is the hash over nothing.
  expect(merkleRoot([])).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
})

/**
 * Whose address this is, if it is not one of the public internet: the name of the special-use range, or
 * `unreadable` for a text that is no address. Undefined means that an outbound call may go there.
 *
 * The ranges are those of the IANA special-purpose registries, multicast and reserved space, and the
 * addresses behind which clouds keep their own services. Those by which Google's APIs are reached inside
 * a VPC are not among them: they answer there what they answer everywhere, and our trusted issuers' keys
 * are among it. Every form that carries an IPv4 address inside
 * an IPv6 one is refused as a whole: no public service is known by it, and what it leads to depends on
 * the network we happen to be in (RFC 4291, 3056, 4380, 5214, 6052, 8215).
 */
export function specialUseOf(address: string): string | undefined {
  const four = parseIpv4(address)
  if (four !== undefined) return rangeOf(IPV4_RANGES, BigInt(four))
  const zone = address.indexOf('%')
  // A zone names an interface of this very machine: only link-local addresses have one.
  if (zone >= 0) return parseIpv6(address.slice(0, zone)) === undefined ? UNREADABLE : 'link-local with zone'
  const six = parseIpv6(address)
  if (six === undefined) return UNREADABLE
  const named = rangeOf(IPV6_RANGES, six)
  if (named !== undefined) return named
  if (six >> 125n !== 1n) return 'not global unicast'
  // ISATAP hides an IPv4 address in the interface part of any prefix.
  return ISATAP.includes((six >> 32n) & 0xffff_ffffn) ? 'isatap' : undefined
}

const UNREADABLE = 'unreadable'
const ISATAP = [0x0000_5efen, 0x0200_5efen]

type Range = { readonly name: string; readonly first: bigint; readonly shift: bigint }

const IPV4_RANGES = ranges(32n, (text) => {
  const parsed = parseIpv4(text)
  return parsed === undefined ? undefined : BigInt(parsed)
})({
  '0.0.0.0/8': 'this network',
  '10.0.0.0/8': 'private',
  '100.64.0.0/10': 'carrier-grade nat',
  '127.0.0.0/8': 'loopback',
  '168.63.129.16/32': 'cloud services',
  '169.254.0.0/16': 'link-local',
  '172.16.0.0/12': 'private',
  '192.0.0.0/24': 'protocol assignments',
  '192.0.2.0/24': 'documentation',
  '192.31.196.0/24': 'as112',
  '192.52.193.0/24': 'multicast tunnelling',
  '192.88.99.0/24': '6to4 relay',
  '192.168.0.0/16': 'private',
  '192.175.48.0/24': 'as112',
  '198.18.0.0/15': 'benchmarking',
  '198.51.100.0/24': 'documentation',
  '203.0.113.0/24': 'documentation',
  '224.0.0.0/4': 'multicast',
  '240.0.0.0/4': 'reserved',
})

const IPV6_RANGES = ranges(
  128n,
  parseIpv6,
)({
  '::/128': 'unspecified',
  '::1/128': 'loopback',
  '::/96': 'ipv4-compatible',
  '::ffff:0:0/96': 'ipv4-mapped',
  '::ffff:0:0:0/96': 'ipv4-translated',
  '64:ff9b::/96': 'nat64',
  '64:ff9b:1::/48': 'nat64 local use',
  '100::/64': 'discard-only',
  '100:0:0:1::/64': 'dummy prefix',
  '2001::/32': 'teredo',
  '2001:2::/48': 'benchmarking',
  '2001::/23': 'protocol assignments',
  '2001:db8::/32': 'documentation',
  '2002::/16': '6to4',
  '2620:4f:8000::/48': 'as112',
  '3ffe::/16': '6bone',
  '3fff::/20': 'documentation',
  '5f00::/16': 'segment routing',
  'fc00::/7': 'unique local',
  'fe80::/10': 'link-local',
  'fec0::/10': 'site-local',
  'ff00::/8': 'multicast',
})

function ranges(bits: bigint, parse: (text: string) => bigint | undefined) {
  return (table: Readonly<Record<string, string>>): readonly Range[] =>
    Object.entries(table).map(([range, name]) => {
      const [text = '', length = ''] = range.split('/')
      const address = parse(text)
      if (address === undefined) throw new TypeError(`${range} is no range`)
      const shift = bits - BigInt(length)
      return { name, first: address >> shift, shift }
    })
}

function rangeOf(table: readonly Range[], address: bigint): string | undefined {
  return table.find(({ first, shift }) => address >> shift === first)?.name
}

/** Four decimal numbers and nothing else: octal, hexadecimal and shortened forms mean different things to different readers. */
export function parseIpv4(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1)
  if (parts === undefined || parts.some((part) => part.length > 1 && part.startsWith('0'))) return undefined
  const octets = parts.map(Number)
  if (octets.some((octet) => octet > 255)) return undefined
  return octets.reduce((address, octet) => address * 256 + octet, 0)
}

/** All forms of RFC 4291 §2.2, without a zone. */
export function parseIpv6(text: string): bigint | undefined {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  const four = dotted === null ? undefined : parseIpv4(dotted[2] ?? '')
  if (dotted !== null && four === undefined) return undefined
  const hex =
    four === undefined
      ? text
      : `${dotted?.[1] ?? ''}${(four >>> 16).toString(16)}:${(four & 0xffff).toString(16)}`
  const halves = hex.split('::')
  if (halves.length > 2) return undefined
  const [left = [], right = []] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const missing = 8 - left.length - right.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const groups = [...left, ...Array.from({ length: missing }, () => '0'), ...right]
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  return groups.reduce((address, group) => (address << 16n) | BigInt(`0x${group}`), 0n)
}

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseIpv4, parseIpv6, specialUseOf } from '../../../functions/auth/domain/special-addresses.ts'

// First, last and middle of each range, and every way to write an IPv4 address inside an IPv6 one.
const SPECIAL: readonly (readonly [use: string, addresses: string])[] = [
  ['this network', '0.0.0.0 0.0.0.1 0.255.255.255'],
  [
    'private',
    '10.0.0.0 10.0.0.1 10.255.255.255 172.16.0.0 172.20.1.1 172.31.255.255 192.168.0.0 192.168.255.255',
  ],
  ['carrier-grade nat', '100.64.0.0 100.64.0.1 100.100.100.200 100.127.255.255'],
  ['loopback', '127.0.0.0 127.0.0.1 127.0.1.1 127.127.127.127 127.255.255.255 ::1 0:0:0:0:0:0:0:1'],
  [
    'link-local',
    '169.254.0.0 169.254.169.254 169.254.169.253 169.254.170.2 169.254.255.255 fe80:: fe80::1 fe80::a9fe:a9fe fe81::1 febf:ffff::1',
  ],
  [
    'protocol assignments',
    '192.0.0.0 192.0.0.8 192.0.0.9 192.0.0.170 192.0.0.192 192.0.0.255 2001:1::1 2001:3::1 2001:4:112::1 2001:10::1 2001:20::1 2001:1ff:ffff::1',
  ],
  [
    'documentation',
    '192.0.2.0 192.0.2.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255 2001:db8:: 2001:db8::1 2001:0db8:ffff:ffff:ffff:ffff:ffff:ffff 3fff:: 3fff:fff:ffff::1',
  ],
  ['as112', '192.31.196.1 192.175.48.1 192.175.48.255 2620:4f:8000::1'],
  ['multicast tunnelling', '192.52.193.1'],
  ['6to4 relay', '192.88.99.0 192.88.99.1 192.88.99.255'],
  ['benchmarking', '198.18.0.0 198.18.0.1 198.19.255.255 2001:2::1'],
  [
    'multicast',
    '224.0.0.0 224.0.0.1 224.0.0.251 239.255.255.250 239.255.255.255 ff00:: ff01::1 ff02::1 ff02::fb ff05::2 ff0e::1 ffff::1',
  ],
  ['reserved', '240.0.0.0 240.0.0.1 254.1.1.1 255.255.255.254 255.255.255.255'],
  ['cloud services', '168.63.129.16'],
  ['unspecified', ':: 0:0:0:0:0:0:0:0 ::0 ::0.0.0.0'],
  [
    'ipv4-compatible',
    '::2 ::127.0.0.1 ::7f00:1 ::10.0.0.1 ::169.254.169.254 ::8.8.8.8 ::ffff:1 0:0:0:0:0:0:10.0.0.1',
  ],
  [
    'ipv4-mapped',
    '::ffff:127.0.0.1 ::ffff:7f00:1 ::FFFF:7F00:0001 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:a9fe:a9fe ::ffff:192.168.1.1 ::ffff:8.8.8.8 ::ffff:0.0.0.0 0:0:0:0:0:ffff:127.0.0.1 0000:0000:0000:0000:0000:ffff:7f00:0001',
  ],
  ['ipv4-translated', '::ffff:0:127.0.0.1 ::ffff:0:7f00:1 ::ffff:0:10.0.0.1'],
  [
    'nat64',
    '64:ff9b::127.0.0.1 64:ff9b::7f00:1 64:ff9b::169.254.169.254 64:ff9b::a00:1 64:ff9b::8.8.8.8 0064:ff9b:0:0:0:0:10.0.0.1',
  ],
  [
    'nat64 local use',
    '64:ff9b:1:: 64:ff9b:1::127.0.0.1 64:ff9b:1:fffe::a00:1 64:ff9b:1:ffff:ffff:ffff:ffff:ffff',
  ],
  ['discard-only', '100:: 100::1 100::ffff:ffff:ffff:ffff'],
  ['dummy prefix', '100:0:0:1::1'],
  ['teredo', '2001:: 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:0000:7f00:1::'],
  [
    '6to4',
    '2002:: 2002:7f00:1:: 2002:7f00:0001::1 2002:a00:1:: 2002:a9fe:a9fe:: 2002:c0a8:101::1 2002:808:808::',
  ],
  ['6bone', '3ffe::1'],
  ['segment routing', '5f00::1'],
  [
    'unique local',
    'fc00:: fc00::1 fd00:: fd00:ec2::254 fd00:0ec2:0000:0000:0000:0000:0000:0254 fd20:ce::254 fdff:ffff::1',
  ],
  ['site-local', 'fec0:: fec0::1 feff::1'],
  ['link-local with zone', 'fe80::1%eth0 fe80::1%1 fe80::a9fe:a9fe%lo 2606:4700::1%eth0'],
  ['isatap', '2606:4700:0:0:0:5efe:10.0.0.1 2606:4700::5efe:7f00:1 2606:4700::200:5efe:a00:1'],
  [
    'not global unicast',
    '1::1 200::1 4000::1 6000::1 8000::1 a000::1 c000::1 e000::1 f000::1 f800::1 fe00::1 64:ff9c::1 ::1:0:0:0',
  ],
  [
    'unreadable',
    '127.1 127.0.1 0177.0.0.1 0x7f.0.0.1 0x7f000001 2130706433 017700000001 127.0.0.01 127.00.0.1 256.0.0.1 1.2.3 1.2.3.4.5 1.2.3.4. .1.2.3.4 1.2.3.-4 +1.2.3.4 1e1.0.0.1 [::1] ::1] ::: 1::2::3 1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9 12345::1 g::1 ::ffff:127.0.0.256 ::ffff:127.1 ::127.0.0.1:1 1:2:3:4:5:6:7:1.2.3.4 :1 1: localhost 8.8.8.8/32 8.8.8.8:53 １.１.１.１ 8.8.8.8%eth0 %eth0',
  ],
]

const PUBLIC =
  '1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 93.184.216.34 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 142.250.74.110 168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 199.36.153.4 199.36.153.11 223.255.255.255 2000::1 2001:200::1 2001:4860:4860::8888 2001:db7::1 2001:db9::1 2003::1 2400:cb00:2048:1::6814:1 2606:4700:4700::1111 2606:4700::5eff:7f00:1 2a00:1450:4001:82b::200e 2600:2d00:2:2000::1 3ffd::1 3fff:1000::1'

const special = SPECIAL.flatMap(([use, addresses]) =>
  addresses.split(' ').map((address) => [address, use] as const),
)

test('the table is worth its name', () => {
  expect(special.length).toBeGreaterThanOrEqual(140)
})

test.each(special)('%s is not of the public internet (%s)', (address, use) => {
  expect(specialUseOf(address)).toBe(use)
})

test.each(PUBLIC.split(' '))('%s is a neighbour of a special range and may be called', (address) => {
  expect(specialUseOf(address)).toBeUndefined()
})

describe('every address', () => {
  const ipv4 = fc.nat(0xffff_ffff)
  const dotted = (address: number): string =>
    [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
  const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 })
  const hex = (group: number): string => group.toString(16)

  test('reads back as the number it is', () => {
    fc.assert(fc.property(ipv4, (address) => parseIpv4(dotted(address)) === address))
    fc.assert(
      fc.property(groups, (parts) => {
        const value = parts.reduce((sum, part) => (sum << 16n) | BigInt(part), 0n)
        expect(parseIpv6(parts.map(hex).join(':'))).toBe(value)
        expect(parseIpv6(parts.map((part) => hex(part).padStart(4, '0').toUpperCase()).join(':'))).toBe(value)
      }),
    )
  })

  test('is judged alike in every spelling', () => {
    fc.assert(
      fc.property(groups, fc.nat(7), fc.nat(7), (parts, from, length) => {
        const end = Math.min(8, from + length + 1)
        const zeroed = parts.map((part, at) => (at >= from && at < end ? 0 : part))
        const short = `${zeroed.slice(0, from).map(hex).join(':')}::${zeroed.slice(end).map(hex).join(':')}`
        const low = ((zeroed[6] ?? 0) * 65536 + (zeroed[7] ?? 0)) >>> 0
        const mixed = `${zeroed.slice(0, 6).map(hex).join(':')}:${dotted(low)}`
        const full = specialUseOf(zeroed.map(hex).join(':'))
        expect(specialUseOf(short)).toBe(full)
        expect(specialUseOf(mixed)).toBe(full)
      }),
    )
  })

  test('that carries an IPv4 address inside is special, whatever it carries', () => {
    const forms = ['::', '::ffff:', '::ffff:0:', '64:ff9b::', '64:ff9b:1::', '2002:1::']
    fc.assert(
      fc.property(ipv4, fc.constantFrom(...forms), (address, prefix) => {
        expect(specialUseOf(`${prefix}${dotted(address)}`)).toBeDefined()
      }),
    )
  })

  test('of IPv6 outside 2000::/3 is special', () => {
    fc.assert(
      fc.property(groups, ([first = 0, ...rest]) => {
        fc.pre(first >> 13 !== 1)
        expect(specialUseOf([first, ...rest].map(hex).join(':'))).toBeDefined()
      }),
    )
  })

  test('or none: no text makes the reader throw', () => {
    fc.assert(fc.property(fc.string({ maxLength: 60 }), (text) => void specialUseOf(text)))
    fc.assert(fc.property(fc.stringMatching(/^[0-9a-f:.%]{0,45}$/), (text) => void specialUseOf(text)))
  })
})

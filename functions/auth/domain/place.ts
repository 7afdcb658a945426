/** Where an address is: of IPv6 the /64, since whoever has one has all of it. */
export function placeOf(address: string): string {
  // An IPv4 address is its own place, written as IPv6 too.
  if (address.includes('.')) return address.slice(address.lastIndexOf(':') + 1)
  if (!address.includes(':')) return address
  const [head = '', tail = ''] = address.split('::')
  const left = head.split(':').filter(Boolean)
  const right = tail.split(':').filter(Boolean)
  const missing = address.includes('::')
    ? Array.from({ length: 8 - left.length - right.length }, () => '0')
    : []
  return [...left, ...missing, ...right].slice(0, 4).join(':').toLowerCase()
}

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { normalizePath } from '#local/gateway/request-path.ts'
import { compareTemplates, parseUriTemplate } from '#local/gateway/uri-template.ts'

test.each([
  ['/', '/'],
  ['/a//b///c', '/a/b/c'],
  ['/a/./b/../c', '/a/c'],
  ['/a/b/..', '/a/'],
  ['/a/b/.', '/a/b/'],
  ['/..', '/'],
  ['/a//../b', '/a/b'],
  ['/%7Euser/%2D%5f', '/~user/-_'],
  ['/a%2Fb%2fc', '/a%2Fb%2fc'],
  ['/a%20b%3B', '/a%20b%3B'],
  ['/a"b<c>d`e{f|g}h^', '/a%22b%3Cc%3Ed%60e%7Bf%7Cg%7Dh%5E'],
  ['/a\\b\\..\\c', '/a/c'],
  ['/caf\u00c3\u00a9', '/caf%C3%A9'],
  ['/50%', '/50%'],
  ["/a;b=c,d@e!$&'()*+", "/a;b=c,d@e!$&'()*+"],
  ['/.hidden/..x/x..', '/.hidden/..x/x..'],
])('%s is normalised to %s', (path, expected) => {
  expect(normalizePath(path)).toBe(expected)
})

test.each(['', '*', 'relative', '/%00', '/a%00b', '/%2%65%2%65/secure', '/%%32%65/x'])(
  '"%s" is no path',
  (path) => {
    expect(normalizePath(path)).toBeUndefined()
  },
)

// What was checked must be what a backend makes of it, however often it normalises.
test('whatever comes in, what goes out is normal and stays so', () => {
  const piece = fc.constantFrom(
    '/',
    '.',
    '..',
    '%2e',
    '%2E',
    '%2F',
    '%',
    '2',
    '5',
    '%25',
    '%65',
    'e',
    '\\',
    'a',
    '//',
    '%5c',
    ';',
    '#',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      const normal = normalizePath(`/${pieces.join('')}`)
      if (normal === undefined) return
      expect(normal).toMatch(/^\//)
      expect(normal).not.toMatch(/\/\/|\\/)
      expect(normal.split('/')).not.toContain('..')
      expect(normal.split('/')).not.toContain('.')
      expect(normalizePath(normal)).toBe(normal)
    }),
    { numRuns: 3_000 },
  )
})

test('E3: templates are tried literal first, then variable, then **, shorter before longer', () => {
  const wanted = [
    '/',
    '/a',
    '/a/b',
    '/a/b/c',
    '/a/{x}',
    '/a/{x}/c',
    '/a/**/z',
    '/a/**',
    '/b',
    '/{x}',
    '/{x}/b',
    '/**',
  ]
  const parsed = wanted.toReversed().flatMap((source) => parseUriTemplate(source) ?? [])
  expect(parsed.toSorted(compareTemplates).map(({ source }) => source)).toEqual(wanted)
})

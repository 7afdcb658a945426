import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { domainOfEmail, isProven, parseDomainName } from '../../../functions/auth/domain/email-domain.ts'
import { readLogoutToken } from '../../../functions/auth/domain/logout-token.ts'
import { isRegisteredRedirect, withParameters } from '../../../functions/auth/domain/redirect-uri.ts'
import {
  flowSecrets,
  newBrowserKey,
  newFlowState,
  readBrowserKey,
} from '../../../functions/auth/domain/sign-in-flow.ts'

const REGISTERED = ['https://app.example/callback', 'http://127.0.0.1/native', 'http://[::1]:80/native?a=b']

describe('redirect URIs', () => {
  // Whatever a parser makes of it: what is accepted must lead where one of the registered ones leads.
  test('what is accepted leads to a registered host and path, however it is written', () => {
    const piece = fc.constantFrom(
      ...['https:', 'http:', '//', '/', '\\', '@', ':', '#', '?', '.', '%2f', '%00', '\t', ' ', '..'],
      ...[
        'app.example',
        'evil.example',
        '127.0.0.1',
        '[::1]',
        'callback',
        'native',
        '80',
        '8080',
        '0',
        'a=b',
      ],
    )
    const anything = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
    const nearly = fc.tuple(fc.constantFrom(...REGISTERED), anything).map(([uri, more]) => uri + more)
    fc.assert(
      fc.property(fc.oneof(anything, nearly), (wanted) => {
        if (!isRegisteredRedirect(REGISTERED, wanted)) return
        const url = new URL(wanted)
        expect(['app.example', '127.0.0.1', '[::1]']).toContain(url.hostname)
        expect(['/callback', '/native']).toContain(url.pathname)
        expect([url.username, url.password, url.hash]).toEqual(['', '', ''])
      }),
      { numRuns: 5_000 },
    )
  })

  test('the port of a loopback address is free, and nothing else of it', () => {
    for (const port of ['1', '80', '49152', '65535']) {
      expect(isRegisteredRedirect(REGISTERED, `http://127.0.0.1:${port}/native`)).toBe(true)
      expect(isRegisteredRedirect(REGISTERED, `http://[::1]:${port}/native?a=b`)).toBe(true)
      expect(isRegisteredRedirect(REGISTERED, `https://app.example:${port}/callback`)).toBe(false)
      expect(isRegisteredRedirect(REGISTERED, `http://127.0.0.1:${port}/other`)).toBe(false)
    }
    for (const port of ['', '0', '080', '65536', '99999', '-1', '1e3', ' 80']) {
      expect(isRegisteredRedirect(REGISTERED, `http://127.0.0.1:${port}/native`)).toBe(false)
    }
  })

  test('parameters are put behind what is there, and no value becomes a parameter of its own', () => {
    fc.assert(
      fc.property(fc.constantFrom(...REGISTERED), fc.string(), (uri, state) => {
        const whole = withParameters(uri, { code: 'c', state, gone: undefined })
        expect(whole.startsWith(uri)).toBe(true)
        const answer = new URL(whole).searchParams
        expect(answer.getAll('code')).toEqual(['c'])
        expect(answer.getAll('state')).toEqual([state.toWellFormed()])
        expect([...answer.keys()].filter((name) => !['a', 'code', 'state'].includes(name))).toEqual([])
      }),
    )
  })
})

describe('domains', () => {
  test('what is accepted is a name of DNS in its one form, and is accepted again as itself', () => {
    const label = fc.oneof(
      fc.stringMatching(/^[a-zA-Z0-9-]{1,8}$/),
      fc.string({ unit: 'grapheme', maxLength: 6 }),
    )
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 4 }), (labels) => {
        const parsed = parseDomainName(labels.join('.'))
        if (!parsed.ok) return
        expect(parsed.value).toMatch(/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]+$/)
        expect(parseDomainName(parsed.value)).toEqual(parsed)
      }),
      { numRuns: 3_000 },
    )
  })

  test.each([
    ['Ada@ACME.example', 'acme.example'],
    ['ada@bücher.example', 'xn--bcher-kva.example'],
    ['ada@acme.example@evil.example', undefined],
    ['"ada@acme.example"@evil.example', undefined],
    ['ada@acme.example\n', undefined],
    ['ada@evil.example/acme.example', undefined],
    ['ada@gmail.com', undefined],
    ['ada', undefined],
    ['@acme.example', undefined],
  ])('the domain of %j is %s', (email, domain) => {
    expect(domainOfEmail(email)).toBe(domain)
  })

  test('a proof is a whole record, not part of one', () => {
    expect(isProven(['x', 'proof'], 'proof')).toBe(true)
    expect(isProven([' proof', 'proof ', 'proofx', 'PROOF', ''], 'proof')).toBe(false)
  })
})

describe('the cookie of a sign-in', () => {
  const key = newBrowserKey(Buffer.alloc(32, 1))

  test('is read where it stands once, whole and under its own name', () => {
    expect(readBrowserKey(`a=b; __Host-flow=${key}; c=d`, '__Host-flow')).toBe(key)
    for (const cookies of [
      undefined,
      '',
      `flow=${key}`,
      `x__Host-flow=${key}`,
      `__Host-flow=${key}; __Host-flow=${key}`,
      `__Host-flow=${key}x`,
      `__Host-flow="${key}"`,
      `__host-flow=${key}`,
    ]) {
      expect(readBrowserKey(cookies, '__Host-flow')).toBeUndefined()
    }
  })

  test('and the state give nonce and verifier together: either alone gives neither', () => {
    const [one, other] = [newFlowState(Buffer.alloc(32, 2)), newFlowState(Buffer.alloc(32, 3))]
    const stranger = newBrowserKey(Buffer.alloc(32, 4))
    const all = [flowSecrets(key, one), flowSecrets(key, other), flowSecrets(stranger, one)].flatMap(
      ({ nonce, verifier }) => [nonce, verifier],
    )
    expect(new Set(all).size).toBe(6)
    for (const secret of all) expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(flowSecrets(key, one)).toEqual(flowSecrets(key, one))
  })
})

test('claims of a logout token of any shape are refused or say whom it is about', () => {
  const connection = { issuer: 'https://idp.example', clientId: 'us' }
  const valid = {
    iss: 'https://idp.example',
    aud: 'us',
    iat: 1_000,
    exp: 1_100,
    jti: 'j',
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    sid: 's',
  }
  expect(readLogoutToken(valid, connection, 1_000_000).ok).toBe(true)
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(valid)), fc.jsonValue(), (name, value) => {
      const read = readLogoutToken({ ...valid, [name]: value }, connection, 1_000_000)
      if (!read.ok) return
      expect(typeof read.value.jti).toBe('string')
      expect(read.value.sid === undefined ? read.value.sub : read.value.sid).toEqual(expect.any(String))
      expect(read.value.expSeconds).toBeGreaterThan(1_000)
    }),
    { numRuns: 2_000 },
  )
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rawExchange } from './fixtures/backend.ts'
import {
  bearer,
  localReply,
  openPaths,
  replyOf,
  type Stack,
  securedPath,
  specOf,
  startStack,
} from './fixtures/stack.ts'

const CONSTANT = (uri: string) =>
  `x-google-backend: { address: "\${backend_uri}${uri}", path_translation: CONSTANT_ADDRESS }`
const APPEND = (uri: string) =>
  `x-google-backend: { address: "\${backend_uri}${uri}", path_translation: APPEND_PATH_TO_ADDRESS }`
const route = (path: string, backend: string, method = 'get') =>
  `  "${path}": { ${method}: { ${backend}, responses: { "200": { description: ok } } } }`

let stack: Stack
beforeAll(async () => {
  const paths = [
    openPaths(
      'GET /plain',
      'POST /a/b',
      'GET /a/{x}',
      'GET /a/{x}/c',
      'GET /users/me',
      'GET /users/{id}',
      'GET /',
    ),
    openPaths(
      'GET /deep/{id}/path',
      'GET /star/*/end',
      'GET /rest/**',
      'GET /rest/known',
      'DELETE /only/{id}',
    ),
    route('/pet/{pet_id}/num/{number}', CONSTANT('/dynamicrouting/getpetbyid')),
    route('/wildcard/a/*/b/{name}/c/**', CONSTANT('/dynamicrouting/const_wildcard')),
    route('/empty_path', CONSTANT(''), 'post'),
    route('/shelves', CONSTANT('/dynamicrouting/shelves/')),
    route('/shelves/{SHELF.i_d}/books/id/{BOOK.id}', CONSTANT('/dynamicrouting/bookid')),
    route('/searchpet', APPEND('/dynamicrouting/searchpet')),
    route('/searchdog', APPEND('/dynamicrouting/searchdogs/')),
    route('/pets/{category}/year/{no}', APPEND('/dynamicrouting/listpet')),
    route('/searchroot', APPEND('/')),
    route('/echo/{id}/path', APPEND('/prefix')),
    securedPath('/secure/{id}'),
  ]
  stack = await startStack(specOf(paths.join('\n')))
})
afterAll(() => stack.close())

/** Sends the target byte for byte: `fetch` would normalise it. */
async function send(target: string, method = 'GET', headers: readonly string[] = []) {
  const before = stack.backend.seen.length
  const lines = [`${method} ${target} HTTP/1.1`, 'Host: gateway.local', 'Connection: close', ...headers]
  const answer = await rawExchange(stack.url, `${lines.join('\r\n')}\r\n\r\n`)
  const status = Number(answer.slice(9, 12))
  return { status, answer, url: stack.backend.seen[before]?.url, seen: stack.backend.seen.length - before }
}

describe('E1, E2: undeclared', () => {
  test('E1: an undeclared path is 404', async () => {
    expect(await replyOf(await fetch(`${stack.url}/nothing/here`))).toEqual(
      localReply(404, 'The current request is not defined by this API.'),
    )
  })

  test.each([
    ['POST', '/plain', '/plain'],
    ['HEAD', '/plain', '/plain'],
    ['PATCH', '/a/anything', '/a/{x}'],
    ['GET', '/only/7', '/only/{id}'],
    ['DELETE', '/a/b', '/a/b'],
  ])('E2: %s %s is 405 and names %s', async (method, path, template) => {
    const { status, answer } = await send(path, method)
    expect(status).toBe(405)
    if (method === 'HEAD') return
    const body: unknown = JSON.parse(answer.split('\r\n\r\n')[1] ?? '')
    expect(body).toEqual({
      code: 405,
      message: `The current request is matched to the defined url template "${template}" but its http method is not allowed`,
    })
  })

  test('E51: OPTIONS without allowCors is 405 on a known path and 404 elsewhere', async () => {
    expect((await send('/plain', 'OPTIONS')).status).toBe(405)
    expect((await send('/nothing', 'OPTIONS')).status).toBe(404)
  })
})

describe('E3, E4, E8: which template', () => {
  test.each([
    ['/users/me', '/users/me'],
    ['/users/you', '/users/{id}'],
    ['/a/b/c', '/a/{x}/c'],
    ['/rest/known', '/rest/known'],
    ['/rest/known/more', '/rest/**'],
    ['/rest/', '/rest/**'],
    ['/star/x/end', '/star/*/end'],
    ['/plain/', '/plain'],
    ['/users/a:b', '/users/{id}'],
    ['/users/a%2Fb', '/users/{id}'],
    ['/', '/'],
    // POST /a/b does not hide GET /a/{x}: a template that fits without the method is passed over.
    ['/a/b', '/a/{x}'],
  ])('%s is answered by %s', async (path, template) => {
    expect((await send(path)).status).toBe(200)
    expect(stack.records.at(-1)?.template).toBe(template)
  })

  test.each([
    '/PLAIN',
    '/Users/me',
    '/star/x/y/end',
    '/star//end',
    '/rest',
    '/a/',
    '/users/me/x',
    '/plain.json',
    '//',
  ])('%s matches nothing declared for it', async (path) => {
    const expected = path === '//' ? 200 : 404
    expect((await send(path)).status).toBe(expected)
  })
})

// The pairs of ESPv2's dynamic routing table, told again in our words: what the backend gets.
describe('E5–E7, E11–E16: the path a backend gets', () => {
  test.each([
    ['E11', '/pet/123/num/987', '/dynamicrouting/getpetbyid?pet_id=123&number=987'],
    ['E11', '/pet/a%20b/num/9%3B8', '/dynamicrouting/getpetbyid?pet_id=a%20b&number=9%3B8'],
    [
      'E12',
      '/pet/31/num/565?lang=US&zone=us-west1',
      '/dynamicrouting/getpetbyid?lang=US&zone=us-west1&pet_id=31&number=565',
    ],
    [
      'E12',
      '/pet/a%20b/num/9%3B8?lang=U%20S',
      '/dynamicrouting/getpetbyid?lang=U%20S&pet_id=a%20b&number=9%3B8',
    ],
    ['E11', '/shelves/221/books/id/2019', '/dynamicrouting/bookid?SHELF.i_d=221&BOOK.id=2019'],
    ['E15', '/shelves', '/dynamicrouting/shelves'],
    ['E12', '/shelves?q=story%3Bbooks', '/dynamicrouting/shelves?q=story%3Bbooks'],
    ['E11', '/wildcard/a/1/b/2/c/3', '/dynamicrouting/const_wildcard?name=2'],
    ['E12', '/wildcard/a/1/b/2/c/3/4/5?key=value', '/dynamicrouting/const_wildcard?key=value&name=2'],
    ['E11', '/wildcard/a/1/b/2/c/', '/dynamicrouting/const_wildcard?name=2'],
    ['E14', '/searchpet?timezone=PST&lang=US', '/dynamicrouting/searchpet/searchpet?timezone=PST&lang=US'],
    ['E15', '/searchdog?timezone=U%20C%3BT', '/dynamicrouting/searchdogs/searchdog?timezone=U%20C%3BT'],
    [
      'E14',
      '/pets/d%20g/year/2019%3B2020?lang=U%20S',
      '/dynamicrouting/listpet/pets/d%20g/year/2019%3B2020?lang=U%20S',
    ],
    ['E15', '/searchroot?zone=x', '/searchroot?zone=x'],
    ['E16', '/echo/123/path/', '/prefix/echo/123/path/'],
    ['E5', '/echo/123/path//', '/prefix/echo/123/path/'],
    ['E5', '/echo//123/path', '/prefix/echo/123/path'],
    ['E6', '/echo/123/../456/path', '/prefix/echo/456/path'],
    ['E6', '/echo/./123/path', '/prefix/echo/123/path'],
    ['E6', '/echo/x/%2e%2E/123/path', '/prefix/echo/123/path'],
    ['E7', '/echo/%4A/path/', '/prefix/echo/J/path/'],
    ['E7', '/echo/%4a/path/', '/prefix/echo/J/path/'],
    ['E6', '/echo/12%2F3/path/', '/prefix/echo/12%2F3/path/'],
    ['E6', '/echo/12%2f3/path', '/prefix/echo/12%2f3/path'],
    ['E7', '/echo/123/path/?param1=%4A/../test', '/prefix/echo/123/path/?param1=%4A/../test'],
    ['E6', '/../../echo/1/path', '/prefix/echo/1/path'],
    ['absolute form:', 'http://other.example/echo/1/path?x=1', '/prefix/echo/1/path?x=1'],
  ])('%s %s becomes %s', async (_row, target, expected) => {
    expect(await send(target)).toMatchObject({ status: 200, url: expected })
  })

  test('E13: CONSTANT_ADDRESS without a path is /', async () => {
    expect(await send('/empty_path//', 'POST', ['Content-Length: 0'])).toMatchObject({
      status: 200,
      url: '/',
    })
  })

  test.each([
    '/echo/123/PATH/',
    '/wildcard/a/1/b/2/c',
    '/wildcard/a/b/2/c/',
    '/wildcard/a/1/2/3/b/4/c/',
    '/searchdogs',
  ])('%s is not defined', async (target) => {
    expect(await send(target)).toMatchObject({ status: 404, seen: 0 })
  })

  // A path that is checked in one form and forwarded in another passes the check of another route.
  test('no spelling of a secured path gets past its check', async () => {
    const spellings = [
      '/secure/1',
      '/SECURE/1',
      '/secure//1',
      '/a/../secure/1',
      '/%73ecure/1',
      '//secure/1',
      '/secure/%31/',
    ]
    for (const target of [
      ...spellings,
      '/rest/../secure/1',
      '/rest/%2e%2e/secure/1',
      '\\secure\\1',
      '/rest/..%2fsecure/1',
    ]) {
      const { status, url } = await send(target)
      expect(status === 200 ? url : 'refused', target).not.toMatch(/^\/+secure/i)
      expect([400, 401, 404, 200]).toContain(status)
    }
  })

  test('a zero byte in the path is 400', async () => {
    expect(await send('/echo/%00/path')).toMatchObject({ status: 400, seen: 0 })
  })
})

describe('E17, E18: paths that are refused', () => {
  const ofLength = (length: number) => `/users/${'x'.repeat(length - '/users/'.length)}`

  test('E17: 8192 bytes pass, one more is 400, the query counted', async () => {
    expect((await send(ofLength(8192))).status).toBe(200)
    for (const target of [ofLength(8193), `${ofLength(8000)}?${'q'.repeat(192)}`]) {
      const { status, answer, seen } = await send(target)
      expect({ status, seen }).toEqual({ status: 400, seen: 0 })
      expect(answer).toContain('{"code":400,"message":"Path is too long, max allowed size is 8192."}')
    }
  })

  test.each(['/plain#top', '/plain?a=1#top', '/users/1#2', '/nothing#x'])(
    'E18: %s is 400',
    async (target) => {
      const { status, answer, seen } = await send(target)
      expect({ status, seen }).toEqual({ status: 400, seen: 0 })
      expect(answer).toContain('{"code":400,"message":"Path cannot contain fragment identifier (#)"}')
    },
  )

  test('a missing token is told before a bad path', async () => {
    expect((await send('/secure/1?a#b')).status).toBe(401)
    expect((await send('/secure/1?a#b', 'GET', [`Authorization: ${bearer()['authorization']}`])).status).toBe(
      400,
    )
  })
})

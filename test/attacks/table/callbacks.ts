import { aBrowser } from '#local/demo/browser.ts'
import { type Attack, type AttackGroup, attack, attacks } from '../attack.ts'
import type { Seen } from '../support/answer.ts'
import { form } from '../support/send.ts'
import { ATTACKER, VICTIM, type World } from '../support/world.ts'

const seenOf = async (response: Response): Promise<Seen> => {
  const { readAnswer } = await import('../support/answer.ts')
  return readAnswer(response.status, Object.fromEntries(response.headers), await response.text())
}

/** The provider's answer to a sign-in of the viewer's, caught before we hear it. */
async function caught(w: World): Promise<{ url: URL; browser: ReturnType<typeof aBrowser> }> {
  const browser = w.people.browser('viewer')
  const { url } = await browser.follow(w.people.authorizeUrl(), `${w.base}/sso/`)
  return { url: new URL(url), browser }
}

const answers = (
  rows: Readonly<Record<string, (url: URL, w: World) => void>>,
  answer = '400 page callback.invalid',
): Attack[] =>
  attacks(
    rows,
    async (w, change) => {
      const { url, browser } = await caught(w)
      change(url, w)
      return seenOf(await browser.visit(url.href))
    },
    answer,
  )

const set = (name: string, value: string) => (url: URL) => url.searchParams.set(name, value)

export const callbacks: AttackGroup = {
  title: 'Answers of an identity provider',
  aim: 'Sign somebody in as the attacker, or the attacker as somebody: replayed, mixed-up or made-up answers.',
  sent: '`GET /sso/{tenant}/{connection}/callback` in the browser that began the sign-in, unless the row says otherwise.',
  places: ['answer'],
  never: 'No code is made, and the client hears nothing.',
  attacks: [
    ...answers({
      'another issuer': set('iss', 'https://evil.example'),
      'an empty issuer': set('iss', ''),
      'us as the issuer': (url, w) => url.searchParams.set('iss', w.base),
      'no issuer, where the provider always names itself': (url) => url.searchParams.delete('iss'),
      'another code': set('code', 'x'),
      'no code': (url) => url.searchParams.delete('code'),
      'a code and an error': set('error', 'access_denied'),
      'another state': set('state', 'A'.repeat(43)),
      'no state': (url) => url.searchParams.delete('state'),
      'a state with spare bits': (url) =>
        url.searchParams.set('state', `${url.searchParams.get('state')?.slice(0, -1)}_`),
      'a code of three thousand characters': set('code', 'x'.repeat(3_000)),
    }),
    ...answers(
      {
        'two codes': (url) => url.searchParams.append('code', 'x'),
        'two states': (url) => url.searchParams.append('state', 'x'),
      },
      '400 page request.malformed',
    ),
    ...answers({
      'at the attacker’s tenant': (url) => {
        url.pathname = url.pathname.replace(`/${VICTIM}/`, `/${ATTACKER}/`)
      },
      'at another connection': (url, w) => {
        url.pathname = url.pathname.replace(w.people.connectionId, 'con_other')
      },
    }),
    ...answers(
      {
        'at the tenant in capitals': (url) => {
          url.pathname = url.pathname.replace(`/${VICTIM}/`, '/GLOBEX/')
        },
        'at a connection in capitals': (url, w) => {
          url.pathname = url.pathname.replace(w.people.connectionId, w.people.connectionId.toUpperCase())
        },
        'at a tenant that is a path': (url) => {
          url.pathname = url.pathname.replace(`/${VICTIM}/`, '/globex%2f/')
        },
      },
      '404 page resource.not_found',
    ),
    attack(
      'in a browser without a cookie',
      async (w) => seenOf(await aBrowser().visit((await caught(w)).url.href)),
      '400 page callback.invalid',
    ),
    attack(
      'in the browser of somebody else, who is signing in too (login CSRF)',
      async (w) => {
        const { url } = await caught(w)
        const other = aBrowser()
        await other.follow(w.people.authorizeUrl(), `${w.stack.info().idp.issuer}/`)
        return seenOf(await other.visit(url.href))
      },
      '400 page callback.invalid',
    ),
    attack(
      'in a browser with two cookies',
      async (w) => {
        const { url, browser } = await caught(w)
        const key = browser.cookies.get('flow') ?? ''
        return w.at(`${url.pathname}${url.search}`, {
          headers: [['cookie', `flow=${key}; flow=${'A'.repeat(43)}`]],
        })
      },
      '400 page callback.invalid',
    ),
    attack(
      'a second time',
      async (w) => {
        const { url, browser } = await caught(w)
        return [await seenOf(await browser.visit(url.href)), await seenOf(await browser.visit(url.href))]
      },
      ['302 to the client', '400 page callback.invalid'],
      { leaves: 'one code' },
    ),
    attack(
      'by POST',
      async (w) => w.at((await caught(w)).url.pathname, form({ code: 'x', state: 'x' })),
      '405 gateway: The current request is matched to the defined url template "/sso/{tenantId}/{connectionId}/callback" but its http method is not allowed',
    ),
  ],
}

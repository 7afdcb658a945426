/**
 * A browser without scripts, for pages that need none: it keeps cookies, follows redirects by hand, and
 * stops where it is told. Cookies know no ports, so those of all of 127.0.0.1 lie in one jar, as in any
 * browser.
 */
export type Browser = {
  readonly cookies: Map<string, string>
  /** One request, without following where it leads. */
  visit(url: string, form?: Readonly<Record<string, string>>): Promise<Response>
  /** Follows redirects to a page, or to the first address that begins with `until`, which is not visited. */
  follow(url: string, until: string, form?: Readonly<Record<string, string>>): Promise<Visited>
}

export type Visited = { readonly url: string; readonly status: number; readonly page: string }

const MOST_REDIRECTS = 20

export function aBrowser(): Browser {
  const cookies = new Map<string, string>()
  const visit: Browser['visit'] = async (url, form) => {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') cookies.delete(name)
      else cookies.set(name, value)
    }
    return response
  }
  return {
    cookies,
    visit,
    follow: async (start, until, form) => {
      let url = start
      let response = await visit(url, form)
      for (let hop = 0; hop < MOST_REDIRECTS && response.status >= 300 && response.status < 400; hop += 1) {
        await response.arrayBuffer()
        url = new URL(response.headers.get('location') ?? '', url).href
        if (url.startsWith(until)) return { url, status: response.status, page: '' }
        response = await visit(url)
      }
      return { url, status: response.status, page: await response.text() }
    },
  }
}

/** Where a page's form is sent. */
export function formAction({ page, url }: Visited): string {
  const [, action = ''] = /<form[^>]*action="([^"]+)"/.exec(page) ?? []
  return new URL(action.replaceAll('&amp;', '&'), url).href
}

/** A browser without scripts: follows redirects by hand and keeps the cookies of the one origin. */
export function aBrowser() {
  const cookies = new Map<string, string>()
  const request = async (url: string, form?: Readonly<Record<string, string>>): Promise<Response> => {
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
  /** Ends at a page, or at the address outside the origin that it was sent to. */
  const follow = async (start: string, form?: Readonly<Record<string, string>>) => {
    let url = start
    let response = await request(url, form)
    while (response.status >= 300 && response.status < 400) {
      url = new URL(response.headers.get('location') ?? '', url).href
      if (new URL(url).origin !== new URL(start).origin) return { url, status: response.status, page: '' }
      response = await request(url)
    }
    return { url, status: response.status, page: await response.text() }
  }
  return { follow, cookies }
}

/** Where a page's form is sent. */
export function formAction(page: string, base: string): string {
  const [, action = ''] = /<form[^>]*action="([^"]+)"/.exec(page) ?? []
  return new URL(action.replaceAll('&amp;', '&'), base).href
}

import { escapeHtml } from '#local/escape-html.ts'

/** The identity provider's pages: plain forms that need no script, and may be driven by fetch. */

export function loginPage(action: string, clientId: string, login: string, problem?: string): string {
  const notice = problem === undefined ? '' : `<p role="alert">${escapeHtml(problem)}</p>`
  return page(
    'Sign in',
    `<h1>Sign in</h1>
<p><strong>${escapeHtml(clientId)}</strong> asks who you are. Signing in tells it your name, e-mail address and role.</p>
${notice}
<form method="post" action="${escapeHtml(action)}">
<label>E-mail <input name="login" type="email" autocomplete="username" required autofocus value="${escapeHtml(login)}"></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button type="submit">Sign in and continue</button>
<button type="submit" name="cancel" value="1" formnovalidate>Cancel</button>
</form>`,
  )
}

/** What a user sees when a sign-in cannot go on. */
export function errorPage(error: string, description: string): string {
  return page(
    'Error',
    `<h1>This sign-in cannot go on</h1><p>${escapeHtml(error)}</p><p>${escapeHtml(description)}</p>`,
  )
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:24rem;margin:10vh auto;padding:0 1rem}label{display:block;margin:.75rem 0}input{width:100%;font:inherit;padding:.4rem;box-sizing:border-box}button{font:inherit;padding:.4rem 1rem}[role=alert]{color:#b00020}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`
}

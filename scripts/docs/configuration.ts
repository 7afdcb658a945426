import { SETTINGS, type Setting } from '#shared/config.ts'
import { code, MADE, page, table } from './page.ts'

/** `docs/configuration.md`: every setting a function reads. */
export function renderConfiguration(): string {
  const rows = Object.entries(SETTINGS).map(([name, entry]: [string, Setting<unknown>]) => {
    const { demoOnly, fallback, meaning } = entry
    const standard = fallback === undefined && !demoOnly ? 'required' : fallback ? code(fallback) : ''
    return [code(name), standard, demoOnly ? 'demo only' : '', meaning]
  })
  return page([
    '# Configuration',
    MADE,
    '',
    'Functions read these environment variables once, at start, and name everything that is wrong with them.',
    'Settings marked *demo only* are refused unless the project id starts with `demo-`, which Google never',
    'gives out: they would open a door in production. Elsewhere every URL must be https. What an empty',
    'default leaves out is not set; a setting whose text says who requires it stops the start of those alone.',
    '',
    ...table(['Setting', 'Default', '', 'What it is'], rows),
    'The local stack sets them all: [local-stack.md](local-stack.md) has its own options.',
  ])
}

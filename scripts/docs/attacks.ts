import type { Attack, AttackGroup } from '../../test/attacks/attack.ts'
import { ATTACK_GROUPS } from '../../test/attacks/table/index.ts'
import { code, MADE, page, table } from './page.ts'

/** `docs/attacks.md`: every attack that is tried in each run of the tests, and what comes of it. */
export function renderAttacks(): string {
  const count = ATTACK_GROUPS.reduce((sum, { attacks }) => sum + attacks.length, 0)
  return page([
    '# Attacks',
    MADE,
    '',
    `${count} attacks are made on a whole running stack in each run of the tests, black box: through the`,
    'gateway, and where a section says so around it. The tables are the tests (`test/attacks/table`), and',
    'an answer is exactly what they say or the run fails. The victim is the tenant `globex`, the attacker',
    'an administrator of the tenant `mallory`; both have every right a tenant can have. Where it says that',
    'something is signed by us, the test took our real key: so it is known what holds behind a signature.',
    '',
    'Of every answer this is checked too: an error says nothing but its documented members, has the security',
    'headers and is stored by nobody; no answer holds a credential of the victim’s or a trace of the code. Of',
    'every attack: no document that lasts has been written, unless its row says what it leaves. And after all',
    'of them: a server that listens inside was called by nobody, no process had ended, the logs hold no token,',
    'no secret and no address, and the owners still use what was attacked. How long answers take, and how much',
    'work they are, is compared in `test/attacks/timing.test.ts`.',
    '',
    'How an answer is written: `401 token.invalid` is a problem with that [code](errors.md); `400 oauth',
    'invalid_grant` an OAuth error; `401 gateway: …` the gateway’s own answer in its own words; `400 page …` a',
    'page of ours for a person; `302 to the client with …` a redirect with an error. `200 token of …` gives',
    'these scopes: not every row ends in a refusal, where what is left of an attack is harmless.',
    '',
    ...table(
      ['Section', 'Attacks'],
      ATTACK_GROUPS.map(({ attacks, title }) => [`[${title}](#${anchorOf(title)})`, String(attacks.length)]),
    ),
    ...ATTACK_GROUPS.flatMap(sectionOf),
  ])
}

/** As hosts of Markdown name a heading. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-')
}

function sectionOf(group: AttackGroup): string[] {
  const { aim, attacks, never, sent, title } = group
  const columns = columnsOf(group)
  const same = columns.filter(({ cells }) => attacks.length > 1 && new Set(cells).size === 1)
  const differ = columns.filter((column) => !same.includes(column))
  return [
    ...[`## ${title}`, '', `**Aim.** ${aim}`, '', `**Sent.** ${sent}`, '', `**Never.** ${never}`, ''],
    ...(same.length === 0 ? [] : [`**Answered, all of them.** ${same.map(told).join(', ')}.`, '']),
    ...table(
      ['Attack', ...differ.map(({ head }) => head)],
      attacks.map(({ name }, at) => [name, ...differ.map(({ cells }) => cells[at] ?? '')]),
    ),
  ]
}

type Column = { readonly head: string; readonly cells: readonly string[] }

/** A column for each place, if all rows have as many answers; else one for all, in their order. */
function columnsOf({ attacks, places }: AttackGroup): Column[] {
  const even = attacks.every(({ answers }) => answers.length === places.length)
  const answers = even
    ? places.map((head, at) => ({ head, cells: attacks.map((attack) => cell(attack, at)) }))
    : [{ head: places.join(', '), cells: attacks.map((attack) => attack.answers.join(' · ')) }]
  const leaves = { head: 'leaves', cells: attacks.map((attack) => attack.leaves ?? '') }
  return leaves.cells.some((text) => text !== '') ? [...answers, leaves] : answers
}

function cell({ answers }: Attack, at: number): string {
  return (answers[at] ?? '').trim()
}

function told({ cells, head }: Column): string {
  const [text = ''] = cells
  return head === 'answer' ? code(text) : `${head}: ${head === 'leaves' ? text : code(text)}`
}

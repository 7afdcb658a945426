import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { violationsOf } from './support/architecture.ts'

const ROOT = join(import.meta.dirname, '..')
const FILES = globSync(
  ['functions/**/*.ts', 'shared/**/*.ts', 'local/**/*.ts', 'scripts/**/*.ts', 'bench/**/*.ts'],
  { cwd: ROOT },
)

test('there is something to look at', () => {
  expect(FILES.length).toBeGreaterThan(100)
})

test.each(FILES)('%s keeps to the design', (file) => {
  const broken = violationsOf(file, readFileSync(join(ROOT, file), 'utf8'))
  expect(broken.map(({ rule, found }) => `${file}: ${rule} (${found})`)).toEqual([])
})

describe('every rule can fail', () => {
  const domain = 'functions/auth/domain/x.ts'
  test.each([
    [domain, "import { now } from '#shared/clock.ts'", 'the domain is pure'],
    [domain, "import { request } from 'node:http'", 'the domain is pure'],
    [domain, "import type { Deps } from '../ports.ts'", 'domain may not import ports'],
    ['functions/auth/ports.ts', "import { x } from './adapters/x.ts'", 'ports may not import adapters'],
    [
      'functions/auth/operations/x.ts',
      "import { x } from '../adapters/x.ts'",
      'operations may not import adapters',
    ],
    [
      'functions/auth/operations/x.ts',
      "import { x } from '../wiring.ts'",
      'operations may not import wiring',
    ],
    [
      'functions/auth/adapters/x.ts',
      "import { x } from '../operations/x.ts'",
      'adapters may not import operations',
    ],
    ['functions/auth/http.ts', "import { x } from './adapters/x.ts'", 'http may not import adapters'],
    ['functions/auth/events.ts', "export { x } from './wiring.ts'", 'events may not import wiring'],
    ['functions/auth/wiring.ts', "import { x } from './http.ts'", 'wiring may not import http'],
    ['functions/auth/index.ts', "import { x } from './adapters/x.ts'", 'index may not import adapters'],
    [
      'functions/auth/http.ts',
      "import { x } from '../billing/operations/x.ts'",
      'a function never imports another',
    ],
    [
      'functions/auth/http.ts',
      "const x = await import('../billing/operations/x.ts')",
      'a function never imports another',
    ],
    ['shared/x.ts', "import { x } from '../functions/auth/ports.ts'", 'shared imports no function'],
    [
      'shared/x.ts',
      "import { x } from '#local/x.ts'",
      'what is deployed imports nothing of the local stack, tests or scripts',
    ],
    [
      'functions/auth/http.ts',
      "import { x } from '../../test/x.ts'",
      'what is deployed imports nothing of the local stack, tests or scripts',
    ],
    [
      'functions/auth/http.ts',
      "import '../../local/x.ts'",
      'what is deployed imports nothing of the local stack, tests or scripts',
    ],
    ['shared/x.ts', "import { x } from './y'", 'relative imports carry .ts'],
    ['shared/http/x.ts', "import { Firestore } from '@google-cloud/firestore'", 'SDKs have their door'],
    [
      'functions/auth/adapters/x.ts',
      "const sdk = await import('@google-cloud/firestore')",
      'SDKs have their door',
    ],
    ['functions/auth/adapters/x.ts', "import { PubSub } from '@google-cloud/pubsub'", 'SDKs have their door'],
    ['functions/auth/operations/x.ts', "import Stripe from 'stripe'", 'SDKs have their door'],
    [
      'functions/auth/http.ts',
      "import { prove } from '#shared/tenancy/proofs.ts'",
      'prove is not for everyone',
    ],
    [
      'functions/auth/http.ts',
      "import { type A, prove as p } from '#shared/tenancy/proofs.ts'",
      'prove is not for everyone',
    ],
    ['shared/http/x.ts', "import { reach } from '../firestore/database.ts'", 'reach is not for everyone'],
    [
      'functions/auth/adapters/x.ts',
      "import { detailOf, writeOf } from '#shared/firestore/scoped.ts'",
      'detailOf is not for everyone',
    ],
    [
      'functions/auth/adapters/x.ts',
      "import { writeOf } from '#shared/firestore/scoped.ts'",
      'writeOf is not for everyone',
    ],
    [
      'functions/billing/adapters/x.ts',
      "import { tenantIndex } from '#shared/firestore/tenant-index.ts'",
      'tenantIndex is not for everyone',
    ],
    [
      'functions/billing/adapters/x.ts',
      "import { findCredential } from '#shared/firestore/credentials.ts'",
      'findCredential is not for everyone',
    ],
    [
      'functions/auth/http.ts',
      "import { openAsDeployer } from '#shared/tenancy/operator.ts'",
      'openAsDeployer is not for everyone',
    ],
    [domain, 'const x = Date.now()', 'Date.now has its door'],
    [domain, `const x = \`at \${Date.now()}\``, 'Date.now has its door'],
    [domain, 'const x = new Date()', 'new Date() has its door'],
    [domain, 'const x = performance.now()', 'performance.now has its door'],
    ['shared/config.ts', "const x = process.env['A']", 'process.env has its door'],
    [domain, 'console.log(1)', 'console has its door'],
    [domain, 'process.stdout.write(x)', 'process.stdout has its door'],
    [domain, 'const x = Math.random()', 'Math.random has its door'],
    [domain, "import { randomUUID } from 'node:crypto'", 'randomUUID has its door'],
    [domain, "import { randomBytes } from 'node:crypto'", 'randomUUID has its door'],
    [domain, 'setTimeout(f, 1)', 'setTimeout has its door'],
    [domain, "import { setTimeout as wait } from 'node:timers/promises'", 'setTimeout has its door'],
    [domain, 'eval(x)', 'eval has its door'],
    [domain, 'export default 1', 'no default exports'],
    [domain, 'export { x as default }', 'no default exports'],
    [domain, 'export enum A { B }', 'no enums'],
    [domain, 'const enum A { B }', 'no enums'],
    [domain, 'const x = y as any', 'no any'],
    [domain, 'function f(x: any) {}', 'no any'],
    [domain, 'const x: Map<any, 1> = y', 'no any'],
    [domain, 'const x = y!.z', 'no non-null assertions'],
    [domain, 'const x = y[0]!', 'no non-null assertions'],
    [domain, 'export class Thing {}', 'no classes but errors and proofs'],
    [domain, '// TODO later', 'no notes to self'],
    ['local/x.ts', '/* FIXME */', 'no notes to self'],
    ['local/x.ts', '\n'.repeat(301), 'files of at most 300 lines'],
  ])('%s: %s', (file, source, rule) => {
    expect(violationsOf(file, `${source}\n`).map((violation) => violation.rule)).toContain(rule)
  })

  test.each([
    [domain, '// Date.now() is not for the domain, nor console.log, nor any'],
    [domain, "const text = 'Date.now() process.env TO DO any! console.log'"],
    [domain, 'const pattern = /Date.now any! console./.test(text)'],
    [domain, 'const at = new Date(nowMs).toISOString()'],
    [domain, 'if (a !== b && !c) x = a != b'],
    [domain, 'class Late extends Error {}'],
    [domain, "import { createHash } from 'node:crypto'"],
    ['functions/auth/operations/x.ts', "import { approve } from '../domain/approve.ts'"],
    ['shared/firestore/x.ts', "import { reach } from './database.ts'"],
  ])('%s: %s is fine', (file, source) => {
    expect(violationsOf(file, `${source}\n`)).toEqual([])
  })
})

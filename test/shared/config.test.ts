import { describe, expect, test } from 'vitest'
import { ConfigError, isDemoProject, readConfig, required, SETTINGS } from '#shared/config.ts'

const REAL = {
  GOOGLE_CLOUD_PROJECT: 'energent-prod',
  FUNCTION_TARGET: 'authHandler',
  FUNCTION_URI: 'https://auth-abc.a.run.app',
  PUBLIC_BASE_URL: 'https://api.energent.ai/',
}
const DEMO = { ...REAL, GOOGLE_CLOUD_PROJECT: 'demo-energent' }

function faultOf(env: Record<string, string | undefined>): string {
  try {
    readConfig(env)
    return ''
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return String(error)
  }
}

describe('configuration', () => {
  test('of a real project has safe defaults', () => {
    expect(readConfig(REAL)).toMatchObject({
      PUBLIC_BASE_URL: 'https://api.energent.ai',
      CALLER_CHECK: 'platform',
      CALLER_ISSUER: 'https://accounts.google.com',
      FIRESTORE_DATABASE: '(default)',
      GATEWAY_ACCOUNT: undefined,
      CLOCK_FILE: undefined,
    })
  })

  test('names everything that is missing at once, with what it is for', () => {
    const fault = faultOf({})
    for (const name of [
      'GOOGLE_CLOUD_PROJECT',
      'FUNCTION_TARGET',
      'FUNCTION_URI',
      'PUBLIC_BASE_URL',
    ] as const) {
      expect(fault).toContain(`${name} is missing: ${SETTINGS[name].meaning}`)
    }
  })

  test('takes an empty text for nothing', () => {
    expect(faultOf({ ...REAL, FUNCTION_TARGET: '' })).toContain('FUNCTION_TARGET is missing')
    expect(readConfig({ ...REAL, CALLER_CHECK: '' }).CALLER_CHECK).toBe('platform')
  })

  test.each([
    ['GOOGLE_CLOUD_PROJECT', 'X'],
    ['GOOGLE_CLOUD_PROJECT', 'demo-'],
    ['GOOGLE_CLOUD_PROJECT', 'a/b-cdef'],
    ['CALLER_CHECK', 'none'],
    ['CALLER_CHECK', 'Platform'],
    ['FUNCTION_URI', 'auth.run.app'],
    ['FUNCTION_URI', 'ftp://x'],
    ['FUNCTION_URI', 'javascript:alert(1)'],
    ['PUBLIC_BASE_URL', ' https://x.test'],
    ['PUBLIC_BASE_URL', 'https://x.test\n'],
    ['PUBLIC_BASE_URL', 'https://u:p@x.test'],
    ['PUBLIC_BASE_URL', 'https://x.test?a'],
    ['PUBLIC_BASE_URL', 'https://x.test#a'],
    ['GATEWAY_ACCOUNT', 'nobody'],
    ['CLUSTER_ISSUERS', 'https://x.test'],
    ['CLUSTER_ISSUERS', 'a='],
    ['CLUSTER_ISSUERS', 'a=ftp://x.test'],
    ['CLUSTER_ISSUERS', 'A=https://x.test'],
    ['CLUSTER_ISSUERS', 'a=https://x.test,'],
    ['CLUSTER_ISSUERS', 'a=https://x.test,a=https://y.test'],
    ['CLUSTER_ISSUERS', 'a=https://x.test,b=https://x.test'],
    ['CLUSTER_ISSUERS', 'a=https://u:p@x.test'],
    ['PUSH_ACCOUNT', 'a b@c'],
    ['SCHEDULER_ACCOUNT', '@'],
  ])('%s=%j is refused by name', (name, value) => {
    expect(faultOf({ ...DEMO, [name]: value })).toContain(name)
  })

  test.each(Object.entries(SETTINGS).flatMap(([name, entry]) => (entry.demoOnly ? [name] : [])))(
    '%s is a door for demo projects alone',
    (name) => {
      const env = { [name]: '127.0.0.1:1' }
      expect(faultOf({ ...REAL, ...env })).toContain(
        `${name} is only accepted when the project id starts with demo-`,
      )
      expect(faultOf({ ...DEMO, ...env })).toBe('')
    },
  )

  test('there are such doors, and the clock and the emulators are among them', () => {
    const doors = Object.entries(SETTINGS).flatMap(([name, entry]) => (entry.demoOnly ? [name] : []))
    expect(doors).toEqual(
      expect.arrayContaining([
        'CLOCK_FILE',
        'OUTBOUND_ALLOW',
        'FIRESTORE_EMULATOR_HOST',
        'PUBSUB_EMULATOR_HOST',
        'SECRET_MANAGER_EMULATOR_HOST',
      ]),
    )
  })

  test('callers unchecked are for demo projects alone', () => {
    expect(faultOf({ ...REAL, CALLER_CHECK: 'direct' })).toContain('CALLER_CHECK=direct')
    expect(readConfig({ ...DEMO, CALLER_CHECK: 'direct' }).CALLER_CHECK).toBe('direct')
    expect(faultOf({ ...REAL, GOOGLE_CLOUD_PROJECT: 'my-demo-x', CALLER_CHECK: 'direct' })).toContain(
      'CALLER_CHECK=direct',
    )
  })

  test('issuers of clusters are named, and are https in a real project', () => {
    const clusters = 'one=https://x.test/1, two=https://x.test/2/'
    expect(readConfig({ ...REAL, CLUSTER_ISSUERS: clusters }).CLUSTER_ISSUERS).toEqual([
      { cluster: 'one', issuer: 'https://x.test/1' },
      { cluster: 'two', issuer: 'https://x.test/2' },
    ])
    expect(faultOf({ ...REAL, CLUSTER_ISSUERS: 'a=https://x.test,b=http://y.test' })).toContain(
      'CLUSTER_ISSUERS',
    )
    expect(faultOf({ ...DEMO, CLUSTER_ISSUERS: 'a=http://127.0.0.1:1' })).toBe('')
  })

  test.each(['FUNCTION_URI', 'PUBLIC_BASE_URL', 'JWKS_URI', 'CALLER_JWKS_URI', 'KUBERNETES_API_URL'])(
    '%s is https in a real project',
    (name) => {
      expect(faultOf({ ...REAL, [name]: 'http://x.test' })).toContain(`${name} must be an https URL`)
      expect(faultOf({ ...REAL, [name]: 'HTTP://x.test' })).toContain(name)
      expect(faultOf({ ...DEMO, [name]: 'http://127.0.0.1:1' })).toBe('')
    },
  )

  test('a demo project begins with demo-', () => {
    expect(['demo-x', 'demo', 'xdemo-', 'Demo-x'].map(isDemoProject)).toEqual([true, false, false, false])
  })

  test('what one function needs is asked for by name', () => {
    expect(required('PUSH_ACCOUNT', 'x')).toBe('x')
    expect(() => required('PUSH_ACCOUNT', undefined)).toThrow(/PUSH_ACCOUNT is missing/)
  })
})

import { describe, expect, test } from 'vitest'
import { parseOptions, StackError } from '#local/stack/options.ts'

describe('the options of npm start', () => {
  test('are the documented defaults when nothing is said', () => {
    expect(parseOptions([], {})).toEqual({
      project: 'demo-energent',
      engine: 'embedded',
      port: 8080,
      dataDir: '.local',
      callerCheck: 'jwks',
      fresh: false,
      logs: 'quiet',
      seed: true,
    })
  })

  // The user's shell may point at production: nothing of the stack may ever go there.
  test.each([
    [{ GOOGLE_CLOUD_PROJECT: 'energent-production' }],
    [{ GCLOUD_PROJECT: 'energent-production' }],
    [{ GOOGLE_CLOUD_PROJECT: 'DEMO-energent' }],
    [{ GOOGLE_CLOUD_PROJECT: 'my-demo-' }],
  ])('refuse the project of %j', (env) => {
    expect(() => parseOptions([], env)).toThrow(StackError)
  })

  test('take a demo project of the environment, and the command line before it', () => {
    const env = { GOOGLE_CLOUD_PROJECT: 'demo-mine' }

    expect(parseOptions([], env)).toMatchObject({ project: 'demo-mine' })
    expect(parseOptions(['--project', 'demo-other'], env)).toMatchObject({ project: 'demo-other' })
  })

  test.each([
    [['--port', '-1'], /--port/],
    [['--port', '70000'], /--port/],
    [['--port', '80 80'], /--port/],
    [['--engine', ''], /--engine must be one of/],
    [['--caller-check', 'direct'], /--caller-check must be one of jwks, platform/],
    [['--logs', 'loud'], /--logs must be one of/],
    [['--frsh'], /Usage: npm start/],
    [['extra'], /Usage: npm start/],
  ])('say what is wrong with %j', (argv, message) => {
    expect(() => parseOptions(argv, {})).toThrow(message)
  })

  test('ask for help with --help and -h', () => {
    expect(parseOptions(['--help'], {})).toBe('help')
    expect(parseOptions(['-h'], {})).toBe('help')
  })
})

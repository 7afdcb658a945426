import { getFunction } from '@google-cloud/functions-framework/testing'
import { expect, test } from 'vitest'
import { FUNCTIONS } from '#shared/catalogue/functions.ts'

test('the bundle registers both entry points, and loading it connects to nothing', async () => {
  Object.assign(process.env, {
    GOOGLE_CLOUD_PROJECT: 'demo-test',
    FUNCTION_TARGET: 'authHandler',
    FUNCTION_URI: 'https://auth.energent.test',
    PUBLIC_BASE_URL: 'https://api.energent.test',
  })

  await import('../../functions/auth/index.ts')

  expect(getFunction(FUNCTIONS.auth.entryPoint)).toBeTypeOf('function')
  expect(getFunction(FUNCTIONS['auth-events'].entryPoint)).toBeTypeOf('function')
})

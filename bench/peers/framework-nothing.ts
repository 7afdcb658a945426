import { http } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import { announce } from './announce.ts'
import { EXAMPLE_ANSWER } from './example-answer.ts'

/** functions-framework around a function that does nothing. */
http('nothing', (_request, response) => {
  response.status(200).type('application/json').send(EXAMPLE_ANSWER)
})
announce(getTestServer('nothing'))

import { createServer } from 'node:http'
import { announce } from './announce.ts'
import { EXAMPLE_ANSWER } from './example-answer.ts'

/** The floor: node:http that reads the body and answers with as many bytes as a token takes. */
const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': EXAMPLE_ANSWER.length })
    response.end(EXAMPLE_ANSWER)
  })
})
announce(server)

// Checks an invoice line: node verify-line.mjs answer.json, the answer of …/lines/{l}/explain?event={key}
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

const sha = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest()
/** Ends with one sentence; whoever checks a bill is not to read the inside of a script. */
const stop = (text) => {
  process.stderr.write(`${text}\n`)
  process.exit(1)
}

const [file] = process.argv.slice(2)
if (file === undefined) stop('Usage: node verify-line.mjs answer.json')
try {
  check(JSON.parse(readFileSync(file, 'utf8')))
} catch (error) {
  const reason =
    error.syscall !== undefined
      ? `the file cannot be read (${error.code})`
      : error instanceof SyntaxError
        ? 'the file is not JSON'
        : 'it is not the answer of explain with an event'
  stop(`The line cannot be checked: ${reason}.`)
}

function check({ line, merkle, proof }) {
  let hash = sha(Buffer.from(`${proof.event.source}\0${proof.event.id}`))
  for (const { path } of proof.levels) {
    hash = sha(Buffer.of(0), hash)
    for (const { side, hash: beside } of path) {
      const other = Buffer.from(beside, 'hex')
      hash = side === 'left' ? sha(Buffer.of(1), other, hash) : sha(Buffer.of(1), hash, other)
    }
  }
  const included = hash.toString('hex') === (line.evidence.root ?? merkle.root)
  const scale = 10n ** BigInt(line.amount.amount.split('.')[1]?.length ?? 0)
  const [n, d] = [BigInt(line.exact.n) * scale * 2n, BigInt(line.exact.d)]
  const rounded = (n < 0n ? n - d : n + d) / (2n * d)
  const billed = BigInt((line.parent ?? line).amount.minor)
  process.stdout.write(`included: ${included}, rounded once: ${rounded === billed}\n`)
  process.exitCode = included && rounded === billed ? 0 : 1
}

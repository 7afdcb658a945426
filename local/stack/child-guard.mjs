// Loaded into every process the stack starts.
import { Server } from 'node:net'

// functions-framework listens on all interfaces; on a laptop that is the whole network's business.
const { listen } = Server.prototype
Server.prototype.listen = function listenOnLoopback(...args) {
  const [port, ...rest] = args
  if (typeof port !== 'number' && typeof port !== 'string') return listen.apply(this, args)
  const callback = rest.filter((argument) => typeof argument === 'function')
  return listen.apply(this, [{ port: Number(port), host: '127.0.0.1' }, ...callback])
}

// A child whose parent was killed must not live on.
process.stdin.on('end', () => process.exit(0))
process.stdin.on('error', () => process.exit(0))
process.stdin.resume()
process.stdin.unref?.()

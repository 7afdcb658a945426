import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Lets a peer listen on a free port and tells its parent which. */
export function announce(server: Server): void {
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
  process.on('disconnect', () => process.exit(0))
}

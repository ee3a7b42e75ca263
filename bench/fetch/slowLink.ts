import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a way to a far server is like. */
export interface Link {
  /** Milliseconds there and back. */
  readonly roundTripMs: number;
  /** Share of segments that are lost on the way to the client. */
  readonly loss: number;
}

const segmentBytes = 1460;
const firstWindow = 10;
const leastWindow = 2;

/** Park and Miller's generator: the same losses in every run. */
function randomNumbers(): () => number {
  let seed = 20_261_123;
  return () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
}

/** Hands the server's bytes on as TCP Reno would send them: a window a round trip, halved by a loss. RFC 5681. */
async function paced(from: Socket, to: Socket, link: Link, random: () => number): Promise<void> {
  let window = firstWindow;
  let slowStart = true;
  await sleep(link.roundTripMs / 2);
  for (;;) {
    const piece: Buffer | null = from.read(
      Math.min(Math.floor(window) * segmentBytes, from.readableLength || 1),
    );
    if (piece === null) {
      if (from.readableEnded || from.destroyed) return;
      await new Promise((readable) => from.once('readable', readable).once('close', readable));
      continue;
    }
    to.write(piece);
    const segments = Math.ceil(piece.length / segmentBytes);
    const isLost = random() > (1 - link.loss) ** segments;
    slowStart &&= !isLost;
    if (isLost) window = Math.max(leastWindow, window / 2);
    else if (segments >= Math.floor(window)) window = slowStart ? window * 2 : window + 1;
    await sleep(link.roundTripMs);
  }
}

/**
 * A TCP proxy that stands for a long, lossy way, in place of the kernel's netem, which not every kernel has: each
 * connection has a congestion window of its own, so what one connection carries is bounded as it is out there
 * (about 0.9 MB/s at 20 ms and 1 %), whatever happens to the others.
 */
export async function slowLink(upstream: string, link: Link): Promise<{ url: string; close: () => void }> {
  const target = new URL(upstream);
  const random = randomNumbers();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const far = connect({ host: target.hostname, port: Number(target.port), noDelay: true });
    for (const socket of [client, far]) sockets.add(socket.on('error', () => undefined));
    client.on('data', (bytes) => void sleep(link.roundTripMs / 2).then(() => far.write(bytes)));
    client.on('close', () => far.destroy());
    void paced(far, client, link, random).then(() => client.end());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

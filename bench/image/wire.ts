import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Bytes that went through, counted where the registry stands. */
export interface Traffic {
  readonly sent: number;
  readonly received: number;
}

/** A TCP proxy in front of the registry that counts what passes in both directions. */
export interface Wire {
  readonly port: number;
  traffic(): Traffic;
  readonly close: () => Promise<void>;
}

/** Starts the proxy on a port of its own; it changes nothing of what passes. */
export async function startWire(host: string, port: number): Promise<Wire> {
  let sent = 0;
  let received = 0;
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const registry = connect({ host, port, noDelay: true });
    for (const socket of [client, registry]) {
      open.add(socket);
      // One end's failure is the other's end; the next request opens new ones.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        open.delete(socket);
        client.destroy();
        registry.destroy();
      });
    }
    client.on('data', (part) => {
      sent += part.length;
    });
    registry.on('data', (part) => {
      received += part.length;
    });
    client.pipe(registry);
    registry.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    traffic: () => ({ sent, received }),
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** What the paths lead to. The first byte of a connection says what it does: `D` sends without end, `U` reads, `E` echoes, `S` never reads. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { answer } from './children.ts';

const chunk = Buffer.alloc(256 * 1024, 7);
const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
  socket.on('error', () => {});
  socket.once('readable', () => {
    const mode = (socket.read(1) as Buffer | null)?.toString();
    if (mode === 'D') {
      const send = (): void => {
        while (!socket.destroyed && socket.write(chunk));
      };
      socket.on('drain', send).resume();
      send();
    }
    if (mode === 'U') socket.resume();
    if (mode === 'E') socket.on('data', (data: Buffer) => socket.write(data));
    socket.on('end', () => socket.end());
  });
});

answer({
  listen: async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
});
